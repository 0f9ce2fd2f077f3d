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
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from .bundle_rows import Rows, pyarrow
from .digests import sha256_of
from .errors import IntegrityError, NotFoundError, PolyreelError
from .locks import disk_error
from .manifest import Manifest
from .records import Record
from .space import CollectionSpec

FORMAT = "polyreel-bundle"
VERSION = 1
INDEX = "polyreel.json"
"""The file that says what the bundle is."""


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
        with readable(path):
            self.id = str(self.about["id"])
            self.spec = _spec(path, self.about["collection"])
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
            with readable(self.path), (self.path / part.name).open(encoding="utf-8") as lines:
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
        with readable(self.path), pyarrow().parquet.ParquetFile(self.path / part.name) as file:
            if not self._rows.reads(file.schema_arrow):
                raise IntegrityError(
                    f"{self.path / part.name} has other columns than {INDEX} declares",
                    hint="take another copy of it",
                )
            yield file

    def _check(self, part: Part) -> None:
        path = self.path / part.name
        with readable(self.path):
            size = path.stat().st_size if path.is_file() else None
            if size == part.bytes and sha256_of(path) == part.sha256:
                return
        why = "changed" if size == part.bytes else f"has {size} bytes, not {part.bytes}"
        raise IntegrityError(
            f"the bundle {self.path} is damaged: {part.name} {'is missing' if size is None else why}",
            hint="take another copy of it",
        )


def _index(path: Path) -> Mapping[str, Any]:
    """What stands in `polyreel.json`."""
    if not (path / INDEX).is_file():
        unfinished = path.with_name(f"{path.name}.partial").is_dir()
        hint = "its copy was cut short: run it again" if unfinished else "name a folder that `copy` wrote"
        raise NotFoundError(f"there is no bundle at {path}", hint=hint)
    with readable(path):
        about = dict(json.loads((path / INDEX).read_bytes()))
        if about.get("format") != FORMAT:
            raise IntegrityError(
                f"{path} is no bundle: its {INDEX} is of another kind",
                hint="name a folder that `copy` wrote",
            )
        if about.get("version") != VERSION:
            raise IntegrityError(
                f"the bundle {path} has version {about.get('version')!r}, this polyreel reads {VERSION}",
                hint="upgrade polyreel",
            )
        return about


def _spec(path: Path, described: Mapping[str, object]) -> CollectionSpec:
    """The collection's spec; what is wrong with it is told with the bundle's name."""
    try:
        return CollectionSpec.from_json(described)
    except PolyreelError as error:
        raise IntegrityError(
            f"the bundle {path} can't be read: {error.message}", hint="take another copy of it"
        ) from error


@contextmanager
def readable(path: Path) -> Iterator[None]:
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
