"""Pictures of records as `data:` addresses, of videos on this machine: fetching others may take hours."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..core.errors import MediaError, NotFoundError
from ..core.running import side_by_side

if TYPE_CHECKING:
    from ..core.records import Record
    from ..core.search import VideoSearch

_SIZE = 256  # pixels on the long side
_AT_ONCE = 4
_MOST_BYTES = 64_000  # of one picture


def thumbnails(search: VideoSearch, records: Iterable[Record], count: int) -> dict[str, str]:
    """Pictures by the record's id, of the first so many records of which there can be one."""
    different = {record.id: record for record in records}
    local = (record for record in different.values() if _is_local(search, record))
    with TemporaryDirectory(prefix="polyreel-") as folder:
        calls = [
            partial(_thumbnail, search, record, Path(folder) / f"{at}.jpg")
            for at, record in enumerate(islice(local, count))
        ]
        made = side_by_side(calls, _AT_ONCE)
    return {id: address for each in made for id, address in each.items()}


def _is_local(search: VideoSearch, record: Record) -> bool:
    try:
        search.path(record)
    except NotFoundError:
        return False
    return True


def _thumbnail(search: VideoSearch, record: Record, out: Path) -> dict[str, str]:
    """Nothing where the video can't be read any more."""
    try:
        picture = search.thumbnail(record, out, size=_SIZE).read_bytes()
    except (MediaError, NotFoundError):
        return {}
    if len(picture) > _MOST_BYTES:
        return {}
    return {record.id: f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"}
