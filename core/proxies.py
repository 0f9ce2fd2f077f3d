"""The proxy of a whole video: the one medium that a store which vectorizes sees of it (channel `proxy`).

It is the video itself where that lies in the object store and is small enough, of a type that the store
takes; else an object of its own: the file as it is, or a smaller rendition of it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .errors import ConfigurationError, MediaError, UnsupportedError
from .media import Media, MediaTools, Modality
from .objects import ObjectStore
from .records import Channel, Scope
from .staging import Staging

if TYPE_CHECKING:
    from .capabilities import Capabilities
    from .recipe import Recipe
    from .sources import Source

LEAST_PICTURES = 16
"""Pictures that a rendition has at least: the models sample no fewer of a video (doc 1791161)."""

_FALLBACK = 50_000_000  # bytes of a rendition where the store states no bound; nobody needs larger ones


def makes_clips(recipe: Recipe) -> bool:
    """Whether a store that vectorizes is handed the clips of a video."""
    return Scope.CLIP in recipe.scopes and Channel.FUSED in recipe.channels


def makes_proxy(recipe: Recipe) -> bool:
    """Whether it is handed the whole video as well."""
    return Scope.VIDEO in recipe.scopes and Channel.PROXY in recipe.channels


def check_recipe(recipe: Recipe, *, vectorizes: bool) -> None:
    """Refuse a recipe whose records nobody in the stack makes.

    Args:
        recipe: How videos are cut.
        vectorizes: Whether the store is handed media, since the stack has no embedder.

    Raises:
        ConfigurationError: It asks for a proxy that can't be had, or for no record at all.
    """
    if Channel.PROXY in recipe.channels and not vectorizes:
        raise ConfigurationError(
            "recipe.channels names proxy, which only a store that vectorizes makes, without an embedder",
            hint="leave proxy out; with an embedder a whole video has a record by recipe.scopes alone",
        )
    if vectorizes and not (makes_clips(recipe) or makes_proxy(recipe)):
        raise ConfigurationError(
            "the recipe makes no record: clips are of scope clip and channel fused, whole videos of scope "
            "video and channel proxy",
            hint='set recipe.scopes = ["clip", "video"] and recipe.channels = ["fused", "proxy"]',
        )


def check_store(recipe: Recipe, can: Capabilities) -> None:
    """Refuse a recipe that wants of an open store what it can't have, before anything is cut.

    Raises:
        ConfigurationError: It samples videos at other rates.
        UnsupportedError: It doesn't vectorize whole videos.
    """
    low, high = can.video_fps or (recipe.fps, recipe.fps)
    if can.vectorizes and not low <= recipe.fps <= high:
        raise ConfigurationError(
            f"recipe.fps is {recipe.fps:g}; {can.form}: at {low:g} to {high:g} frames a second",
            hint="change fps in the recipe",
        )
    if makes_proxy(recipe) and not can.proxies:
        raise UnsupportedError(
            f"{can.form} doesn't vectorize whole videos",
            hint="leave proxy out of recipe.channels, and group hits by video instead",
        )


@dataclass(frozen=True, slots=True)
class Proxies:
    """Finds or makes the proxies of videos.

    Args:
        media: Makes renditions.
        objects: Keeps them.
        schemes: Addresses that the store can fetch.
        max_bytes: Largest video that it takes; None is no limit.
        endings: Of the names of videos that it takes, such as `.mp4`; none takes all.
    """

    media: MediaTools
    objects: ObjectStore
    schemes: frozenset[str]
    max_bytes: int | None = None
    endings: frozenset[str] = frozenset()

    def proxy(self, source: Source, video_id: str, uri: str, *, fps: float) -> tuple[Media, str | None]:
        """The medium for a whole video, and the key of the object that was needed for it, if one was.

        Args:
            source: Where its file is.
            video_id: Its digest.
            uri: Where it is kept.
            fps: Frames a second at which it is sampled.

        Raises:
            MediaError: It can't be read, or is too long to be made small enough.
            UnsupportedError: The object store has no address that the store can fetch.
        """
        medium, staging = Media(Modality.VIDEO, fps=fps), Staging(self.objects)
        fits = self._fits(source.path)
        own = self.objects.key(uri)
        if fits and own is not None and self._taken(urlsplit(uri).path) and self.objects.exists(own):
            return staging.offer(own, medium, self.schemes), None
        as_it_is = fits and self._taken(source.path.name.lower())
        ending = source.path.suffix.lower() if as_it_is else ".mp4"
        key = f"clips/{video_id}/proxy-{fps:g}{ending}"
        if not self.objects.exists(key):
            if as_it_is:
                self.objects.put(key, source.path)
            else:
                self._put_rendition(key, source.path, fps)
        return staging.offer(key, medium, self.schemes), key

    def check_size(self, clip: Media, span: tuple[int, int]) -> None:
        """Refuse a clip that the store would refuse, or silently fail to vectorize.

        Raises:
            MediaError: It is too large.
        """
        if clip.path is not None and not self._fits(clip.path):
            size, most = clip.path.stat().st_size / 1e6, (self.max_bytes or 0) / 1e6
            raise MediaError(
                f"the clip from {span[0] / 1000:g} s to {span[1] / 1000:g} s has {size:.3g} MB; the store "
                f"vectorizes videos of {most:.3g} MB",
                hint="choose shorter clips (recipe.window)",
            )

    def _put_rendition(self, key: str, path: Path, fps: float) -> None:
        seconds = max(self.media.probe(path).duration_ms / 1000, 0.001)
        with tempfile.TemporaryDirectory(prefix="polyreel-") as folder:
            out = Path(folder) / "proxy.mp4"
            rate = max(fps, LEAST_PICTURES / seconds)
            self.media.rendition(path, out, fps=rate, max_bytes=self.max_bytes or _FALLBACK)
            self.objects.put(key, out, content_type="video/mp4")

    def _fits(self, path: Path) -> bool:
        return self.max_bytes is None or path.stat().st_size <= self.max_bytes

    def _taken(self, name: str) -> bool:
        """Whether a name has one of the endings; they count in small letters only."""
        return not self.endings or any(name.endswith(ending) for ending in self.endings)
