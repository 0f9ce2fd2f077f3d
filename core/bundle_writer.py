"""Writing a bundle, piece by piece, in a folder with a temporary name where an unfinished one goes on."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from .bundle import FORMAT, INDEX, VERSION, Bundle, Part, readable
from .bundle_rows import REPETITIVE, Rows, pyarrow
from .digests import sha256_of
from .errors import ConfigurationError
from .locks import FolderLock, disk_error, replacing, sync_folder
from .manifest import Manifest
from .records import Record
from .space import CollectionSpec

LEDGER = "copy.sqlite"
"""The file in an unfinished bundle with the progress of the copy."""

_PROGRESS = "progress.json"
_PLACE = "place"
_LINES = 5000  # manifests in a file


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
            name = f"manifests/{len(self._about['manifests']):05d}.jsonl"
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
            _write_json(self.folder / INDEX, about)
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
        with readable(self.folder):
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
        what = "a bundle" if (path / INDEX).is_file() else "something"
        raise ConfigurationError(
            f"there is {what} at {path} already", hint="a bundle is never changed: name another folder"
        )


def _write_json(path: Path, value: object) -> None:
    with replacing(path) as stream:
        stream.write(json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
