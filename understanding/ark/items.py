"""Pictures and videos as Ark reads them: an id, an address, or the file itself as base64."""

from __future__ import annotations

import base64

from ...core.errors import UnsupportedError
from ...core.questions import Shown, Way

_IN_DATA = {"video/quicktime": "video/mov"}
"""A `data:` address calls this type otherwise than a server does (Ark, "video understanding")."""


def address(shown: Shown) -> str:
    """The address of a medium: where it lies, or the file itself.

    Raises:
        UnsupportedError: It has neither.
    """
    if shown.way is Way.URL and shown.media.uri:
        return shown.media.uri
    if shown.way is Way.BASE64 and shown.media.path:
        kind = _IN_DATA.get(shown.kind, shown.kind)
        return f"data:{kind};base64,{base64.b64encode(shown.media.path.read_bytes()).decode()}"
    raise UnsupportedError(f"Ark can't see this {shown.media.modality}: it has no address")
