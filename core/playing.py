"""Addresses at which a hit can be watched: a file's, a public one, or one that the object store presigns."""

from __future__ import annotations

from .addresses import scheme_of
from .errors import NotFoundError, UnsupportedError
from .objects import ObjectStore
from .records import Hit, Scope


def playable(hit: Hit, objects: ObjectStore, *, expires: float) -> str:
    """The address of the hit's video, with its span as a media fragment (W3C Media Fragments URI 1.0, 4.2.1).

    It may be presigned, and then is a secret for as long as it lasts.

    Args:
        hit: What was found.
        objects: Of the stack.
        expires: Seconds for which a presigned address shall serve.

    Raises:
        NotFoundError: The file isn't on this machine any more.
        UnsupportedError: No address of the video can be opened in a player.
    """
    address = _address(hit.uri, objects, expires)
    if hit.record.scope is Scope.VIDEO:
        return address
    return f"{address}#t={_seconds(hit.span_ms[0])},{_seconds(hit.span_ms[1])}"


def _address(uri: str, objects: ObjectStore, expires: float) -> str:
    if (path := objects.path(uri)) is not None:
        if not path.is_file():
            raise NotFoundError(f"the video {uri} isn't there", hint="ingest it again where it is now")
        return path.absolute().as_uri()
    if (key := objects.key(uri)) is not None:
        return objects.url(key, expires=expires)
    if scheme_of(uri) in ("http", "https"):
        return uri
    raise UnsupportedError(
        f"the {scheme_of(uri)} address of the video can't be opened in a player",
        hint="use a stack whose object store holds it",
    )


def _seconds(ms: int) -> str:
    """Seconds in as few digits as say all."""
    return f"{ms / 1000:.3f}".rstrip("0").rstrip(".")
