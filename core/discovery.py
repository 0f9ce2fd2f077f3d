"""Finding videos: files, folders, patterns, URLs, the stack's own objects, rows and the standard input."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from .addresses import file_name, is_uri, lasting, local_path, same_file, scheme_of
from .errors import InvalidQueryError, NotFoundError, PolyreelError, UnsupportedError
from .folders import ENDINGS, before_dot, by_stem, files_at, mode_of, nothing_at
from .objects import ObjectStore
from .rows import STDIN, Row, read_list, read_rows
from .sidecars import Read, beside, described_source
from .sources import SUFFIXES, Found, Remote, Source, Unreadable

Described = Mapping[str, Mapping[str, object]]
"""Text and fields by file name, which win over sidecars; `*` holds for every file."""

_OWN = re.compile(r"(videos|clips)/[0-9a-f]{64}[./]|staging/\d{4}-|manifests/")
"""Keys that polyreel itself writes; a prefix that holds them doesn't mean them."""
_NO_ROW: Mapping[str, object] = MappingProxyType({})
_NO_ROWS: Mapping[str, Mapping[str, object]] = MappingProxyType({})


def discover(
    given: Iterable[str | Path],
    described: Described | None = None,
    *,
    rows: Iterable[str | Path] = (),
    objects: ObjectStore | None = None,
    earlier: Mapping[str, Mapping[str, object]] = _NO_ROWS,
) -> Iterator[Found]:
    """Every video that is meant, once: those of rows first, then in the order given and by name.

    Args:
        given: Files, folders (searched to the bottom, hidden ones left out), patterns with `*`, `?` or `[`
            where no such file exists (`**` goes to the bottom), `file:` and `https:` addresses, addresses
            and prefixes (which end in `/` or `*`) of the object store, and `-`, the standard input
            (`core.rows`).
        described: Text and fields by file name.
        rows: JSONL files (`core.rows`), which win over sidecars and `described`.
        objects: The stack's object store.
        earlier: What was said of sources in a run before, by path or lasting address; it wins over sidecars,
            and a row or `described` over it.
    """
    finder = _Finder(described or {}, objects, earlier)
    for file in rows:
        for row in read_rows(str(file)):
            yield from finder.in_row(row)
    for each in given:
        yield from finder.meant_by(str(each))


def count(given: Iterable[str | Path]) -> int | None:
    """How many videos `discover` will bring, by their names alone; None where not all are local files."""
    texts = [str(each) for each in given]
    if any(text == STDIN or is_uri(text) for text in texts):
        return None
    try:
        return sum(1 for text in filter(None, texts) for _ in files_at(Path(text).expanduser()))
    except PolyreelError:  # which `discover` brings, too
        return None


@dataclass(slots=True)
class _Finder:
    described: Described
    objects: ObjectStore | None
    earlier: Mapping[str, Mapping[str, object]]
    _seen: set[str] = field(default_factory=set)
    _listed: tuple[Path, Mapping[str, Sequence[str]]] = (Path(), {})

    # -- what was asked for -------------------------------------------------------------------------------

    def meant_by(self, given: str) -> Iterator[Found]:
        """Every video behind one argument; where there is none, why."""
        try:
            if not given:
                raise InvalidQueryError("an empty text names no source", hint="name files or folders")
            if given == STDIN:
                for row in read_list():
                    yield from self.in_row(row)
            elif is_uri(given):
                yield from self._at(given)
            else:
                yield from self._local(Path(given).expanduser())
        except PolyreelError as error:
            yield Unreadable(lasting(given) if is_uri(given) else given, error)

    def in_row(self, row: Row | Unreadable) -> Iterator[Found]:
        """The one video that a row names; what a plain line means."""
        if isinstance(row, Unreadable):
            yield row
        elif row.known is None:
            yield from self.meant_by(row.uri)
        else:
            try:
                yield from self._one(row, row.known)
            except PolyreelError as error:
                yield Unreadable(row.where, error)

    def _one(self, row: Row, known: Mapping[str, object]) -> Iterator[Found]:
        path = local_path(row.uri) if is_uri(row.uri) else row.folder / Path(row.uri).expanduser()
        if path is None:
            if row.uri.endswith(("/", "*")):
                raise InvalidQueryError(f"{lasting(row.uri)} is a prefix", hint="name one video in each row")
            yield from self._at(row.uri, known)
        elif (mode := mode_of(path)) is None:
            raise NotFoundError(f"there is no file {path}")
        elif stat.S_ISDIR(mode):
            raise InvalidQueryError(f"{path} is a folder", hint="name one video in each row")
        else:
            yield from self._file(path.absolute(), known, row.where)

    # -- local files --------------------------------------------------------------------------------------

    def _local(self, path: Path) -> Iterator[Found]:
        found = False
        for file in files_at(path):
            found = True
            yield from self._file(file, _NO_ROW)
        if not found:
            raise nothing_at(path)

    def _file(self, path: Path, row: Mapping[str, object], where: str | None = None) -> Iterator[Found]:
        if self._new(os.path.realpath(path)):
            place = os.path.abspath(path)  # noqa: PTH100 - as `retrying.place` has it
            given = self._given(path.name, place, row)
            try:
                yield _source(
                    path, self._neighbours(path), lambda name: path.with_name(name).read_bytes(), given
                )
            except PolyreelError as error:
                yield Unreadable(where or str(path), error, place, given)

    def _neighbours(self, path: Path) -> Sequence[str]:
        """What lies beside a file and has its name up to the first dot; the last folder is remembered."""
        if self._listed[0] != path.parent:
            self._listed = path.parent, by_stem(path.parent)
        return self._listed[1].get(before_dot(path.name), ())

    # -- addresses ----------------------------------------------------------------------------------------

    def _at(self, uri: str, row: Mapping[str, object] = _NO_ROW) -> Iterator[Found]:
        scheme, path = scheme_of(uri), local_path(uri)
        if path is not None:
            yield from self._local(path)
        elif self.objects is not None and scheme in self.objects.schemes:
            yield from self._own(uri, self.objects, row)
        elif scheme not in ("http", "https"):
            own = ", ".join(sorted(self.objects.schemes)) if self.objects else "none"
            raise UnsupportedError(
                f"{lasting(uri)} can't be fetched by this stack",
                hint=f"give a file, an https address, or one of its object store ({own})",
            )
        elif self._new(same_file(uri)):
            path, lasts = Path(file_name(uri)), lasting(uri)
            source = _source(path, (), _unread, self._given(path.name, lasts, row))
            yield Remote(replace(source, uri=lasts, signed=lasts != uri), uri)

    def _own(self, uri: str, objects: ObjectStore, row: Mapping[str, object]) -> Iterator[Found]:
        if uri.endswith(("/", "*")):
            yield from self._with_prefix(uri, objects)
            return
        key = objects.key(uri)
        if key is None:
            raise NotFoundError(f"{lasting(uri)} is no address of this stack's object store")
        if not objects.exists(key):
            raise NotFoundError(f"there is no object {lasting(uri)}", hint="a prefix ends in / or *")
        near = [info.key for info in objects.list(f"{before_dot(key)}.")]
        yield from self._object(key, near, objects, row)

    def _with_prefix(self, uri: str, objects: ObjectStore) -> Iterator[Found]:
        """Videos and their sidecars stand together in the list, since keys are in order."""
        prefix = _prefix(uri.removesuffix("*"), objects)
        found = False
        keys = (info.key for info in objects.list(prefix) if not _OWN.match(info.key))
        for _, group in groupby(keys, key=before_dot):
            near = list(group)
            for key in near:
                if PurePosixPath(key).suffix.lower() in SUFFIXES:
                    found = True
                    yield from self._object(key, near, objects, _NO_ROW)
        if not found:
            raise NotFoundError(f"there is no video at {lasting(uri)}", hint=ENDINGS)

    def _object(
        self, key: str, near: Sequence[str], objects: ObjectStore, row: Mapping[str, object]
    ) -> Iterator[Found]:
        folder = key[: key.rfind("/") + 1]
        names = [each.removeprefix(folder) for each in near]
        uri = objects.uri(key)
        if self._new(uri):
            path = Path(file_name(key))
            given = self._given(path.name, uri, row)
            try:
                source = _source(path, names, lambda name: objects.read(folder + name), given)
                yield Remote(replace(source, uri=uri), key, key=True)
            except PolyreelError as error:
                yield Unreadable(uri, error, given=given)

    # -- both ---------------------------------------------------------------------------------------------

    def _given(self, name: str, place: str, row: Mapping[str, object]) -> dict[str, object]:
        """What the call says of a file; a row counts as a whole, so that an earlier one is gone."""
        earlier = self.earlier.get(place, {}) if row is _NO_ROW else {}
        return {**earlier, **self.described.get("*", {}), **self.described.get(name, {}), **row}

    def _new(self, identity: str) -> bool:
        new = identity not in self._seen
        self._seen.add(identity)
        return new


def _source(path: Path, neighbours: Iterable[str], read: Read, given: Mapping[str, object]) -> Source:
    written, lines = beside(path.name, neighbours, read)
    return replace(described_source(path, {**written, **given}, lines), given=given)


def _prefix(uri: str, objects: ObjectStore) -> str:
    """The start of the keys behind the start of addresses, which becomes an address with one more letter."""
    key = objects.key(f"{uri}_")
    if key is None:
        raise NotFoundError(f"{lasting(uri)} is no prefix of this stack's object store")
    return key.removesuffix("_")


def _unread(name: str) -> bytes:
    raise NotFoundError(f"there is no {name}")
