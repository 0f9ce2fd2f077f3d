"""A collection as a folder on the disk: Parquet and JSON that any tool can read (docs/bundle.md).

| name                    | what it is                                                                      |
|-------------------------|---------------------------------------------------------------------------------|
| polyreel.json           | format, space, fields, counts, and the size and SHA-256 of every other file     |
| records-00000.parquet … | the records, with vectors                                                       |
| manifests/00000.jsonl … | the manifests of the videos, one a line                                         |

It is written in `<folder>.partial`, where an unfinished one goes on, and renamed when it is whole.
"""

from __future__ import annotations

import json
import os
import uuid
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

from .bundle_rows import REPETITIVE, Rows, pyarrow
from .errors import ConfigurationError, IntegrityError, NotFoundError, PolyreelError
from .locks import FolderLock, disk_error, replacing, sync_folder
from .manifest import Manifest
from .records import Record
from .remotes import sha256_of
from .space import CollectionSpec

FORMAT = "polyreel-bundle"
VERSION = 1
LEDGER = "copy.sqlite"
"""The file in an unfinished bundle with the progress of the copy."""

_INDEX = "polyreel.json"
_PROGRESS = "progress.json"
_PLACE = "place"
_MANIFESTS = "manifests"
_LINES = 5000  # manifests in a file


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a bundle: its path in the folder, rows or lines, bytes, SHA-256."""

    name: str
    rows: int
    bytes: int
    sha256: str


class Bundle:
    """A finished bundle, to be read.

    Args:
        path: Its folder.

    Raises:
        NotFoundError: There is no such folder, or an unfinished bundle.
        IntegrityError: It is no bundle, a later version wrote it, or a file of it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.about = _index(path)
        with _readable(path):
            self.id = str(self.about["id"])
            self.spec = CollectionSpec.from_json(self.about["collection"])
            self._parts = [Part(**part) for part in self.about["records"]]
            self._manifests = [Part(**part) for part in self.about["manifests"]]
        self._rows = Rows(self.spec)
        self._ends = list(accumulate(part.rows for part in self._parts))
        for part in (*self._parts, *self._manifests):
            self._check(part)

    @property
    def records(self) -> int:
        """How many records it has."""
        return self._ends[-1] if self._ends else 0

    @property
    def videos(self) -> int:
        """How many manifests it has."""
        return sum(part.rows for part in self._manifests)

    def batches(self, start: int = 0) -> Iterator[tuple[int, list[Record]]]:
        """The records from a row on, in batches, each with the number of the row behind it.

        Args:
            start: 0, or what came with an earlier batch.
        """
        first = bisect_right(self._ends, start)
        end = self._ends[first - 1] if first else 0
        for part in self._parts[first:]:
            with self._opened(part) as file:
                for group in range(file.num_row_groups):
                    end += file.metadata.row_group(group).num_rows
                    if end > start:
                        yield end, self._rows.records(file.read_row_group(group))

    def at(self, rows: Sequence[int]) -> list[Record]:
        """The records of these rows, in their order in the bundle."""
        wanted: dict[int, list[int]] = defaultdict(list)
        for row in sorted(rows):
            part = bisect_right(self._ends, row)
            wanted[part].append(row - (self._ends[part - 1] if part else 0))
        return [record for part, inside in wanted.items() for record in self._of(self._parts[part], inside)]

    def fetch(self, ids: Sequence[str]) -> dict[str, Record]:
        """Records by id, found by reading the column of ids."""
        wanted, begin, rows = set(ids), 0, []
        for part in self._parts:
            with self._opened(part) as file:
                for group in range(file.num_row_groups):
                    column = file.read_row_group(group, columns=["id"]).column("id").to_pylist()
                    rows += [begin + at for at, id in enumerate(column) if id in wanted]
                    begin += len(column)
        return {record.id: record for record in self.at(rows)}

    def manifests(self) -> Iterator[Manifest]:
        """Every manifest, by video id."""
        for part in self._manifests:
            with _readable(self.path), (self.path / part.name).open(encoding="utf-8") as lines:
                for line in lines:
                    yield Manifest.from_json(json.loads(line))

    def _of(self, part: Part, rows: list[int]) -> Iterator[Record]:
        """The records of some rows of one file; no more of it than a row group is in memory."""
        with self._opened(part) as file:
            begin = 0
            for group in range(file.num_row_groups):
                end = begin + file.metadata.row_group(group).num_rows
                if inside := [row - begin for row in rows if begin <= row < end]:
                    yield from self._rows.records(file.read_row_group(group).take(inside))
                begin = end

    @contextmanager
    def _opened(self, part: Part) -> Iterator[Any]:
        with _readable(self.path), pyarrow().parquet.ParquetFile(self.path / part.name) as file:
            if not file.schema_arrow.equals(self._rows.schema):
                raise IntegrityError(
                    f"{self.path / part.name} has other columns than {_INDEX} declares",
                    hint="take another copy of it",
                )
            yield file

    def _check(self, part: Part) -> None:
        path = self.path / part.name
        with _readable(self.path):
            size = path.stat().st_size if path.is_file() else None
            if size == part.bytes and sha256_of(path) == part.sha256:
                return
        why = "changed" if size == part.bytes else f"has {size} bytes, not {part.bytes}"
        raise IntegrityError(
            f"the bundle {self.path} is damaged: {part.name} {'is missing' if size is None else why}",
            hint="take another copy of it",
        )


class BundleWriter:
    """Writes a bundle, or goes on with one whose writing was cut short.

    Args:
        path: The folder that it will be; nothing may be there yet.
        source: The id of what is written, so that nothing else goes on with it.
        spec: Of the collection.
    """

    def __init__(self, path: Path, source: str, spec: CollectionSpec) -> None:
        self.path = path
        self.folder = path.with_name(f"{path.name}.partial")
        self._lock = FolderLock(self.folder, what="an unfinished bundle")
        self._rows = Rows(spec)
        refuse_existing(path)
        with self._writing():
            self._lock.acquire()
        try:
            self._about = self._begun(source, spec)
        except BaseException:
            self._lock.release()
            raise

    @property
    def place(self) -> int:
        """The source's place up to which its records are safely written."""
        return int(self._about[_PLACE])

    def write(self, batches: Iterable[tuple[int, list[Record]]]) -> int:
        """Write one file of records, whole; each batch, with the place behind it, becomes a row group.

        Returns:
            How many records it has.
        """
        name = f"records-{len(self._about['records']):05d}.parquet"
        rows, place = 0, self.place
        with self._writing():
            with replacing(self.folder / name) as stream:
                options = {"compression": "snappy", "use_dictionary": list(REPETITIVE)}
                with pyarrow().parquet.ParquetWriter(stream, self._rows.schema, **options) as file:
                    for place, batch in batches:  # noqa: B007  # the last one counts
                        file.write_table(self._rows.table(batch))
                        rows += len(batch)
            self._about["records"].append(asdict(self._part(name, rows)))
            self._about[_PLACE] = place
            _write_json(self.folder / _PROGRESS, self._about)
        return rows

    def write_manifests(self, manifests: Iterable[Manifest]) -> int:
        """Write all manifests, over those of an earlier try; returns how many there are."""
        source, self._about["manifests"] = iter(manifests), []
        while batch := list(islice(source, _LINES)):
            name = f"{_MANIFESTS}/{len(self._about['manifests']):05d}.jsonl"
            with self._writing():
                with replacing(self.folder / name) as stream:
                    for manifest in batch:
                        stream.write(json.dumps(manifest.to_json(), ensure_ascii=False).encode() + b"\n")
                self._about["manifests"].append(asdict(self._part(name, len(batch))))

        return sum(part["rows"] for part in self._about["manifests"])

    def complete(self) -> Bundle:
        """Write the description; returns the bundle, checked, which still has its temporary name."""
        kinds = {"records": self._about["records"], "videos": self._about["manifests"]}
        counts = {name: sum(part["rows"] for part in parts) for name, parts in kinds.items()}
        about = {**self._about, "created": _now(), "counts": counts}
        del about[_PLACE]
        with self._writing():
            _write_json(self.folder / _INDEX, about)
        return Bundle(self.folder)

    def finish(self) -> None:
        """Give the bundle its name, and remove what only its writing needed."""
        with self._writing():
            refuse_existing(self.path)
            self.folder.rename(self.path)
            sync_folder(self.path.parent)
            for name in (_PROGRESS, LEDGER, "lock"):
                (self.path / name).unlink(missing_ok=True)
        self.close()

    def restart(self) -> None:
        """Forget what was written, so that the next writer of this bundle begins anew."""
        with self._writing():
            for name in (_PROGRESS, LEDGER):
                (self.folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the folder; a second call does nothing."""
        self._lock.release()

    def _begun(self, source: str, spec: CollectionSpec) -> dict[str, Any]:
        """What an earlier try has written, or the beginning of a new bundle."""
        found = self.folder / _PROGRESS
        vectors = replace(spec, media=frozenset()).to_json()
        with self._writing():
            if not found.exists():
                about = {"format": FORMAT, "version": VERSION, "id": uuid.uuid4().hex, "source": source}
                about |= {"collection": vectors, "records": [], "manifests": [], _PLACE: 0}
                _write_json(found, about)
        with _readable(self.folder):
            written: dict[str, Any] = dict(json.loads(found.read_bytes()))
            if (written["source"], written["collection"]) == (source, vectors):
                return written
        raise ConfigurationError(
            f"{self.folder} is an unfinished bundle of another collection",
            hint="delete it, or name another bundle",
        )

    def _part(self, name: str, rows: int) -> Part:
        path = self.folder / name
        return Part(name, rows, path.stat().st_size, sha256_of(path))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise disk_error(error, f"the bundle {self.path} can't be written") from error


def refuse_existing(path: Path) -> None:
    """Refuse a place where something is already.

    Raises:
        ConfigurationError: It is a bundle, or anything else.
    """
    if os.path.lexists(path):
        what = "a bundle" if (path / _INDEX).is_file() else "something"
        raise ConfigurationError(
            f"there is {what} at {path} already", hint="a bundle is never changed: name another folder"
        )


def _index(path: Path) -> Mapping[str, Any]:
    """What stands in `polyreel.json`."""
    if not (path / _INDEX).is_file():
        unfinished = path.with_name(f"{path.name}.partial").is_dir()
        hint = "its copy was cut short: run it again" if unfinished else "name a folder that `copy` wrote"
        raise NotFoundError(f"there is no bundle at {path}", hint=hint)
    with _readable(path):
        about = dict(json.loads((path / _INDEX).read_bytes()))
        if about.get("format") != FORMAT:
            raise IntegrityError(
                f"{path} is no bundle: its {_INDEX} is of another kind",
                hint="name a folder that `copy` wrote",
            )
        if about.get("version") != VERSION:
            raise IntegrityError(
                f"the bundle {path} has version {about.get('version')!r}, this polyreel reads {VERSION}",
                hint="upgrade polyreel",
            )
        return about


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What goes wrong while something of a bundle is read, in one line."""
    try:
        yield
    except PolyreelError:
        raise
    except OSError as error:
        raise disk_error(error, f"the bundle {path} can't be read") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(
            f"the bundle {path} can't be read: {' '.join(str(error).split())[:200]}",
            hint="take another copy of it",
        ) from error


def _write_json(path: Path, value: object) -> None:
    with replacing(path) as stream:
        stream.write(json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
