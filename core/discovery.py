"""Finding videos: files, folders, patterns, URLs, the stack's own objects, rows and the standard input."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path, PurePosixPath

from .addresses import file_name, is_uri, lasting, local_path, same_file, scheme_of
from .errors import InvalidQueryError, MediaError, NotFoundError, PolyreelError, UnsupportedError
from .objects import ObjectStore
from .rows import STDIN, Row, read_list, read_rows
from .sidecars import Read, beside, described_source
from .sources import SUFFIXES, Found, Remote, Source, Unreadable

Described = Mapping[str, Mapping[str, object]]
"""Text and fields by file name, which win over sidecars; `*` holds for every file."""

_MAGIC = re.compile(r"[*?[]")
_OWN = re.compile(r"(videos|clips)/[0-9a-f]{64}[./]|staging/\d{4}-|manifests/")
"""Keys that polyreel itself writes; a prefix that holds them doesn't mean them."""
_NO_ROW: Mapping[str, object] = {}


def discover(
    given: Iterable[str | Path],
    described: Described | None = None,
    *,
    rows: Iterable[str | Path] = (),
    objects: ObjectStore | None = None,
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
    """
    finder = _Finder(described or {}, objects)
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
        return sum(1 for text in texts for _ in _files(Path(text).expanduser()))
    except PolyreelError:  # which `discover` brings, too
        return None


@dataclass(slots=True)
class _Finder:
    described: Described
    objects: ObjectStore | None
    _seen: set[str] = field(default_factory=set)
    _listed: tuple[Path, Mapping[str, Sequence[str]]] = (Path(), {})

    # -- what was asked for -------------------------------------------------------------------------------

    def meant_by(self, given: str) -> Iterator[Found]:
        """Every video behind one argument; where there is none, why."""
        try:
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
        elif (mode := _mode(path)) is None:
            raise NotFoundError(f"there is no file {path}")
        elif stat.S_ISDIR(mode):
            raise InvalidQueryError(f"{path} is a folder", hint="name one video in each row")
        else:
            yield from self._file(path.absolute(), known, row.where)

    # -- local files --------------------------------------------------------------------------------------

    def _local(self, path: Path) -> Iterator[Found]:
        found = False
        for file in _files(path):
            found = True
            yield from self._file(file, _NO_ROW)
        if not found:
            raise _nothing(path)

    def _file(self, path: Path, row: Mapping[str, object], where: str | None = None) -> Iterator[Found]:
        if self._new(os.path.realpath(path)):
            try:
                yield self._source(
                    path, self._neighbours(path), lambda name: path.with_name(name).read_bytes(), row
                )
            except PolyreelError as error:
                yield Unreadable(where or str(path), error)

    def _neighbours(self, path: Path) -> Sequence[str]:
        """What lies beside a file and has its name up to the first dot; the last folder is remembered."""
        if self._listed[0] != path.parent:
            self._listed = path.parent, _by_stem(path.parent)
        return self._listed[1].get(_before_dot(path.name), ())

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
            source = self._source(Path(file_name(uri)), (), _unread, row)
            lasts = lasting(uri)
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
        near = [info.key for info in objects.list(f"{_before_dot(key)}.")]
        yield from self._object(key, near, objects, row)

    def _with_prefix(self, uri: str, objects: ObjectStore) -> Iterator[Found]:
        """Videos and their sidecars stand together in the list, since keys are in order."""
        prefix = _prefix(uri.removesuffix("*"), objects)
        found = False
        keys = (info.key for info in objects.list(prefix) if not _OWN.match(info.key))
        for _, group in groupby(keys, key=_before_dot):
            near = list(group)
            for key in near:
                if PurePosixPath(key).suffix.lower() in SUFFIXES:
                    found = True
                    yield from self._object(key, near, objects, _NO_ROW)
        if not found:
            raise NotFoundError(f"there is no video at {lasting(uri)}", hint=_ENDINGS)

    def _object(
        self, key: str, near: Sequence[str], objects: ObjectStore, row: Mapping[str, object]
    ) -> Iterator[Found]:
        folder = key[: key.rfind("/") + 1]
        names = [each.removeprefix(folder) for each in near]
        uri = objects.uri(key)
        if self._new(uri):
            try:
                path = Path(file_name(key))
                source = self._source(path, names, lambda name: objects.read(folder + name), row)
                yield Remote(replace(source, uri=uri), key, key=True)
            except PolyreelError as error:
                yield Unreadable(uri, error)

    # -- both ---------------------------------------------------------------------------------------------

    def _source(self, path: Path, neighbours: Iterable[str], read: Read, row: Mapping[str, object]) -> Source:
        written, lines = beside(path.name, neighbours, read)
        said = {**self.described.get("*", {}), **self.described.get(path.name, {})}
        return described_source(path, {**written, **said, **row}, lines)

    def _new(self, identity: str) -> bool:
        new = identity not in self._seen
        self._seen.add(identity)
        return new


_ENDINGS = f"videos end in {' '.join(sorted(SUFFIXES))}"


def _files(path: Path) -> Iterator[Path]:
    mode = _mode(path)
    if mode is not None and stat.S_ISDIR(mode):
        yield from _in_folder(path)
    elif mode is not None:
        yield path.absolute()
    elif _MAGIC.search(str(path)):
        yield from _matching(path.absolute())


def _mode(path: Path) -> int | None:
    """What a path is (`stat.st_mode`); None where nothing is there.

    Raises:
        MediaError: That can't be found out.
    """
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a name with a null character
        return None
    except OSError as error:
        raise MediaError(
            f"{path} can't be read: {error.strerror}", hint="check the path and its permissions"
        ) from error


def _by_stem(folder: Path) -> dict[str, list[str]]:
    """The names in a folder by what stands before their first dot."""
    names: dict[str, list[str]] = {}
    with suppress(OSError):  # a folder that may be entered but not listed
        for entry in folder.iterdir():
            names.setdefault(_before_dot(entry.name), []).append(entry.name)
    return names


def _in_folder(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder.absolute()):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(place, name)


def _matching(pattern: Path) -> Iterator[Path]:
    """What a pattern matches, as a shell does it: hidden names only where they are spelled out."""
    first = next(place for place, part in enumerate(pattern.parts) if _MAGIC.search(part))
    base, rest = Path(*pattern.parts[:first]), pattern.parts[first:]
    endings = {*SUFFIXES, Path(rest[-1]).suffix.lower()}
    hidden = any(part.startswith(".") for part in rest)
    try:
        matches = sorted(base.glob("/".join(rest)))
    except ValueError as error:  # Python 3.11 and 3.12 know ** only as a part of its own
        raise InvalidQueryError(f"{pattern} is no pattern: {error}") from error
    for match in matches:
        if hidden or not any(part.startswith(".") for part in match.relative_to(base).parts):
            if match.is_dir():
                yield from _in_folder(match)
            elif match.suffix.lower() in endings:
                yield match


def _nothing(path: Path) -> PolyreelError:
    if not path.is_dir():
        what = "nothing matches" if _MAGIC.search(str(path)) else "there is no file"
        return NotFoundError(f"{what} {path}")
    if not os.access(path, os.R_OK | os.X_OK):
        return MediaError(f"the folder {path} can't be read", hint="check its permissions")
    return NotFoundError(f"there is no video in the folder {path}", hint=_ENDINGS)


def _prefix(uri: str, objects: ObjectStore) -> str:
    """The start of the keys behind the start of addresses, which becomes an address with one more letter."""
    key = objects.key(f"{uri}_")
    if key is None:
        raise NotFoundError(f"{lasting(uri)} is no prefix of this stack's object store")
    return key.removesuffix("_")


def _before_dot(key: str) -> str:
    """The key up to the first dot of its last part, which a video shares with its sidecars."""
    folder, slash, name = key.rpartition("/")
    return f"{folder}{slash}{name.partition('.')[0]}"


def _unread(name: str) -> bytes:
    raise NotFoundError(f"there is no {name}")
