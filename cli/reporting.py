"""The report of an ingest as JSON: its videos wait in a temporary file, so that memory stays flat."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from ..core.report import IngestReport, Listener, VideoReport


@dataclass(slots=True)
class Lines:
    """What became of each video, one JSON object a line, on disk."""

    _file: IO[str]

    def heard(self, listener: Listener) -> Listener:
        """A listener that also writes the line down."""

        def both(video: VideoReport) -> None:
            self._file.write(f"{json.dumps(video.to_json())}\n")
            listener(video)

        return both

    def document(self, report: IngestReport) -> Iterator[str]:
        """The report, and all of the videos, as the pieces of one JSON document."""
        head = json.dumps(report.summary(), ensure_ascii=False, indent=2)
        yield f'{head.removesuffix("}").rstrip()},\n  "videos": ['
        self._file.seek(0)
        comma = ""
        for line in self._file:
            video = json.dumps(json.loads(line), ensure_ascii=False, indent=2).replace("\n", "\n    ")
            yield f"{comma}\n    {video}"
            comma = ","
        yield "\n  ]\n}\n" if comma else "]\n}\n"


@contextmanager
def lines() -> Iterator[Lines]:
    """Lines that are gone afterwards."""
    from tempfile import TemporaryFile  # here: the help of commands needs none

    with TemporaryFile("w+", encoding="ascii") as file:
        yield Lines(file)
