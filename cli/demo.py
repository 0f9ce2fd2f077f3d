"""`polyreel demo`: a first search, on sample clips or on the user's own videos."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import output
from .ingesting import summary
from .progress import trouble

if TYPE_CHECKING:
    from ..core.manifest import Manifest
    from ..core.result import Result
    from ..core.search import VideoSearch

_CONFIG = """# Written by `polyreel demo`. Try: polyreel search "..." --config {name}
stack = "local"

[stacks.local]
state = "state"

[stacks.local.store]
kind = "qdrant"
path = "store"

[stacks.local.objects]
kind = "local"
path = "objects"
"""
_QUERY_SECONDS = 3.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    videos: Annotated[
        Path | None, typer.Argument(help="A folder of videos; sample clips if left out.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where the demo keeps what it makes.")] = Path("demo"),
) -> None:
    """Take videos in and search them by words, by a picture and by a video.

    Example: polyreel demo ~/Videos
    """
    from .. import media, opening

    config = _configured(folder, videos)
    if videos is None:
        videos = folder / "videos"
        output.line(f"rendering sample clips into {videos}")
        media.render_samples(videos)
    with opening.open(config=config) as search:
        report = search.ingest(videos, listener=trouble)
        output.line(summary(report))
        _searches(search, folder)
    output.line()
    output.line(f'now search by yourself: polyreel search "…" --config {config}')


def _configured(folder: Path, videos: Path | None) -> Path:
    """The demo's configuration file; one for the samples and one for each folder of the user's."""
    name = "samples" if videos is None else re.sub(r"\W+", "_", videos.resolve().name).strip("_") or "videos"
    config = folder / name / "polyreel.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(_CONFIG.format(name=config), encoding="utf-8")
    return config


def _searches(search: VideoSearch, folder: Path) -> None:
    """Words of a title, a frame from the middle of the longest video, and that video's first seconds."""
    from .. import media
    from ..core.errors import NotFoundError

    known = search.videos()
    if not known:
        raise NotFoundError("no video could be taken in, so there is nothing to search")
    longest = max(known, key=lambda manifest: (manifest.duration, manifest.video_id))
    queries = folder / "queries"
    queries.mkdir(parents=True, exist_ok=True)
    middle, end = longest.duration / 2, min(_QUERY_SECONDS, longest.duration)
    with search.local(longest) as path:
        media.thumbnail(path, queries / "frame.jpg", at_ms=round(middle * 1000), size=480)
        media.cut(path, queries / "start.mp4", start_ms=0, end_ms=round(end * 1000))
    words = _words(known)
    _show(search, f'the words "{words}"', search.search(words, limit=3), folder, "text")
    frame = search.search(image=queries / "frame.jpg", limit=3)
    _show(
        search,
        f"the picture {queries / 'frame.jpg'} ({middle:.1f} s into {longest.title})",
        frame,
        folder,
        "image",
    )
    start = search.search(video=queries / "start.mp4", group_by="video", limit=3)
    _show(search, f"the video {queries / 'start.mp4'} (the start of {longest.title})", start, folder, "video")


def _words(known: list[Manifest]) -> str:
    """A title that is made of words, if any is."""
    titles = [manifest.title for manifest in known if re.search(r"[^\W\d_]{3}", manifest.title)]
    return min(titles or [known[0].title], key=lambda title: (len(title) < 8, title))


def _show(search: VideoSearch, asked: str, result: Result, folder: Path, name: str) -> None:
    output.line()
    output.line(f"searching by {asked}: {result.timing['total'] * 1000:.0f} ms")
    for rank, hit in enumerate(result, start=1):
        thumbnail = search.thumbnail(hit, folder / "thumbnails" / f"{name}_{rank}.jpg")
        where = f"{output.name(hit.uri)} {output.span(hit.start, hit.end)}"
        output.line(f"  {rank}. {hit.score:.3f}  {where:<44} {thumbnail}")
    if result.hits:
        moment = search.save(result.hits[:1], folder / "moments")[0]
        output.line(f"  the best moment, cut out: {moment}")
