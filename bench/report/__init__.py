"""The report of a benchmark: a table for the terminal, and one HTML file that needs nothing else."""

from __future__ import annotations

from pathlib import Path

from ...core.locks import disk_error, replacing
from ..results import Results
from .page import page
from .summary import Summary, summary

__all__ = ["Summary", "page", "summary", "write"]


def write(results: Results, folder: Path) -> Path:
    """Write `report.html` into the folder, whole or not at all."""
    path = folder / "report.html"
    try:
        with replacing(path.absolute()) as file:
            file.write(page(results).encode())
    except OSError as error:
        raise disk_error(error, f"the file {path} can't be written") from error
    return path
