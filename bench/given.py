"""An embedder for measuring stores: its space is given, and it embeds nothing."""

from __future__ import annotations

from ..core.embedder import Embedder, Takes
from ..core.space import Space


class GivenVectors(Embedder):
    """Queries bring their vectors with them."""

    kind = "given"
    takes = Takes.FRAMES

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.space = space
        self.accepts = {}
