"""Video files in folders and behind patterns, in the order of their names."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .errors import InvalidQueryError, MediaError, NotFoundError, PolyreelError
from .sources import SUFFIXES

ENDINGS = f"videos end in {' '.join(sorted(SUFFIXES))}"
"""A hint where no video was found."""

_MAGIC = re.compile(r"[*?[]")


def files_at(path: Path) -> Iterator[Path]:
    """A file, the videos in a folder to its bottom, or what a pattern matches."""
    mode = mode_of(path)
    if mode is not None and stat.S_ISDIR(mode):
        yield from _in_folder(path)
    elif mode is not None:
        yield path.absolute()
    elif _MAGIC.search(str(path)):
        yield from _matching(path.absolute())


def mode_of(path: Path) -> int | None:
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


def by_stem(folder: Path) -> dict[str, list[str]]:
    """The names in a folder by what stands before their first dot."""
    names: dict[str, list[str]] = {}
    with suppress(OSError):  # a folder that may be entered but not listed
        for entry in folder.iterdir():
            names.setdefault(before_dot(entry.name), []).append(entry.name)
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


def nothing_at(path: Path) -> PolyreelError:
    """Why there is no video at a path."""
    if not path.is_dir():
        what = "nothing matches" if _MAGIC.search(str(path)) else "there is no file"
        return NotFoundError(f"{what} {path}")
    if not os.access(path, os.R_OK | os.X_OK):
        return MediaError(f"the folder {path} can't be read", hint="check its permissions")
    return NotFoundError(f"there is no video in the folder {path}", hint=ENDINGS)


def before_dot(key: str) -> str:
    """The key up to the first dot of its last part, which a video shares with its sidecars."""
    folder, slash, name = key.rpartition("/")
    return f"{folder}{slash}{name.partition('.')[0]}"
