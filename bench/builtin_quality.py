"""Measures the builtin embedder on real clips: `python -m polyreel.bench.builtin_quality VIDEOS_FOLDER`.

The folder holds videos and a `manifest.json` with captions in English and Chinese, tags and scene groups.
Every task is scored by brute force: was the right video first, its measures with their intervals, and by what
margin in cosine it was above the best wrong one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from polyreel.bench.clip_queries import TEXTS, rows_of, scene
from polyreel.core.measures import Interval, interval, ranking_measures
from polyreel.embedders.builtin.blocks import Picture, query_vector, record_vector
from polyreel.embedders.builtin.picture import FrameDescription, describe_frame, pool

FPS = 2.0
SIZE = 160
QUERY_SIZE = 400
WINDOWS = (2.5, 3.0, 4.0, 5.0, 6.0)
MIXTURES: dict[str, Callable[[int], bool]] = {
    "no text": lambda _: False,
    "half with text": lambda number: number % 2 == 0,
    "all with text": lambda _: True,
}
COLOUR_QUERIES = (
    "red flower",
    "红色",
    "green",
    "绿色",
    "black and white film",
    "黑白",
    "dark",
    "bright",
    "blue",
)

Sees = Callable[["Video"], list[Picture]]


@dataclass(slots=True)
class Video:
    """One clip of the folder: its row in the manifest, its sampled frames, and pictures to ask with."""

    row: dict[str, Any]
    times: list[float]
    frames: list[FrameDescription]
    asked: list[FrameDescription]

    @property
    def name(self) -> str:
        """The file's name."""
        return str(self.row["file"])

    @property
    def scene(self) -> str:
        """Videos with the same scene show the same place and people."""
        return scene(self.row)

    @property
    def text(self) -> str:
        """Both captions and the tags."""
        return " ".join([self.row["caption_en"], self.row["caption_zh"], *self.row["tags"]])

    def clips(self, window: float) -> list[Picture]:
        """Pool the frames of each window of seconds; a tail shorter than a second joins the one before."""
        last = max(int((self.times[-1] + 1 / FPS - 1) // window), 0)
        numbers = [min(int(time // window), last) for time in self.times]
        return [
            pool([frame for frame, own in zip(self.frames, numbers, strict=True) if own == number])
            for number in sorted(set(numbers))
        ]

    def whole(self) -> list[Picture]:
        """Pool all frames."""
        return [pool(self.frames)]

    def each(self) -> list[Picture]:
        """Take every frame for itself."""
        return [pool([frame]) for frame in self.frames]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a query found.

    Args:
        measures: Of the ranking of videos (`core.measures`).
        margin: By how much the best right video beats the best wrong one; negative where it doesn't.
    """

    measures: dict[str, float]
    margin: float


class Store:
    """Records by brute force; a video scores as its best record does."""

    def __init__(self, videos: Sequence[Video], sees: Sees, has_text: Callable[[int], bool]) -> None:
        self.videos = videos
        records = [
            (number, record_vector(picture, video.text if has_text(number) else ""))
            for number, video in enumerate(videos)
            for picture in sees(video)
        ]
        self._owners = [number for number, _ in records]
        self._vectors = np.array([vector for _, vector in records])

    def scores(self, query: Sequence[float] | None) -> NDArray[np.float64]:
        """Score every video, in the order of `videos`."""
        scores = np.full(len(self.videos), -1.0)
        if query is not None:
            np.maximum.at(scores, self._owners, self._vectors @ np.array(query))
        return scores

    def asked(
        self, query: Sequence[float] | None, right: Iterable[int], ignored: Iterable[int] = ()
    ) -> Asked:
        """What a query finds among the videos that are not ignored."""
        scores, right, ignored = self.scores(query), set(right), set(ignored)
        wrong = set(range(len(self.videos))) - right - ignored
        ranking = [self.videos[n].name for n in np.argsort(-scores, kind="stable") if n not in ignored]
        measures = ranking_measures(ranking, {self.videos[n].name: 1 for n in right})
        return Asked(measures, float(max(scores[list(right)]) - max(scores[list(wrong)])))


def video_to_video(store: Store) -> Iterator[Asked]:
    """Ask with each whole video of a scene pair for the other half."""
    for number, video in enumerate(store.videos):
        others = [n for n, other in enumerate(store.videos) if other.scene == video.scene and n != number]
        if others and video.row["scene_group"]:
            yield store.asked(query_vector(pool(video.frames), None), others, [number])


def frame_to_video(store: Store, *, own_file: bool) -> Iterator[Asked]:
    """Ask with frames at 10, 20, ... 90 % of each video, recompressed."""
    for number, video in enumerate(store.videos):
        scene = [n for n, other in enumerate(store.videos) if other.scene == video.scene]
        right = [number] if own_file else scene
        yield from (store.asked(query_vector(pool([frame]), None), right) for frame in video.asked)


def text_to_video(store: Store, ask: Callable[[dict[str, Any]], str]) -> Iterator[Asked]:
    """Ask with a piece of each video's own text."""
    for number, video in enumerate(store.videos):
        yield store.asked(query_vector(None, ask(video.row)), [number])


def load(folder: Path) -> list[Video]:
    """Describe every video of the folder's manifest that can be decoded at all."""
    return [video for row in rows_of(folder) if (video := _read(folder / row["file"], row)) is not None]


def _read(path: Path, row: dict[str, Any]) -> Video | None:
    times = [time for time, _ in _decoded(path)]
    if not times:
        return None
    wanted = [times[-1] * tenth / 10 for tenth in range(1, 10)]
    samples = list(_at(path, _every(1 / FPS), SIZE))
    asked = [describe_frame(_again(image)) for _, image in _at(path, iter(wanted), QUERY_SIZE)]
    return Video(row, [time for time, _ in samples], [describe_frame(image) for _, image in samples], asked)


def _every(seconds: float) -> Iterator[float]:
    number = 0
    while True:
        yield number * seconds
        number += 1


def _at(path: Path, wanted: Iterator[float], size: int) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Take the first frame at or after each wanted time."""
    target: float | None = next(wanted)
    for time, frame in _decoded(path):
        if target is None:
            return
        if time >= target - 1e-6:
            yield time, _scaled(frame, size)
        while target is not None and target - 1e-6 <= time:
            target = next(wanted, None)


def _decoded(path: Path) -> Iterator[tuple[float, av.VideoFrame]]:
    """Decode until the end or the damage; times start at 0."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        start = None
        try:
            for frame in container.decode(stream):
                start = frame.time if start is None else start
                yield frame.time - start, frame
        except av.error.InvalidDataError:
            return


def _scaled(frame: av.VideoFrame, size: int) -> NDArray[np.uint8]:
    scale = min(size / max(frame.width, frame.height), 1.0)
    width, height = (max(round(side * scale), 1) for side in (frame.width, frame.height))
    image = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA")
    return np.rot90(image, frame.rotation // 90)


def _again(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Compress as a JPEG of middling quality, decode, and scale to the size of samples."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"qmin": "6", "qmax": "6"}
    packets = [*encoder.encode(frame.reformat(format="yuvj420p")), *encoder.encode(None)]
    decoder = av.CodecContext.create("mjpeg", "r")
    return _scaled(decoder.decode(packets[0])[0], SIZE)


def scores(store: Store) -> Iterator[str]:
    """What right and wrong videos score: of these, the embedder's levels are read off."""
    asked = {
        "frame": [
            (n, query_vector(pool([each]), None)) for n, v in enumerate(store.videos) for each in v.asked
        ],
        "video": [(n, query_vector(pool(video.frames), None)) for n, video in enumerate(store.videos)],
        "text": [
            (n, query_vector(None, ask(video.row)))
            for n, video in enumerate(store.videos)
            for ask in TEXTS.values()
        ],
    }
    for name, queries in asked.items():
        right: list[float] = []
        wrong: list[float] = []
        for own, query in queries:
            for other, score in zip(store.videos, store.scores(query), strict=True):
                (right if other.scene == store.videos[own].scene else wrong).append(float(score))
        low, middle = np.percentile(right, (5, 50))
        high = np.percentile(wrong, 95)
        yield (
            f"scores: {name:20} right: 5 % below {low:.3f}, half below {middle:.3f}; "
            f"wrong: 5 % above {high:.3f}, most {max(wrong):.3f}"
        )


def report(videos: Sequence[Video]) -> Iterator[str]:
    """Write the table, line by line."""
    forms: dict[str, Sees] = {f"{window:g} s": _clips(window) for window in WINDOWS}
    forms |= {"whole video": Video.whole, "5 s and each frame": lambda video: video.clips(5.0) + video.each()}
    for form, sees in forms.items():
        yield from _pictures(form, Store(videos, sees, MIXTURES["no text"]))
    for name, has_text in MIXTURES.items():
        yield from _pictures(f"5 s, {name}", Store(videos, _clips(5.0), has_text))
    store = Store(videos, _clips(5.0), MIXTURES["all with text"])
    yield from (_line(f"text: {name}", text_to_video(store, ask)) for name, ask in TEXTS.items())
    yield from scores(store)
    for name, has_text in MIXTURES.items():
        store = Store(videos, _clips(5.0), has_text)
        yield from (_ranking(f"{text} ({name})", store, text) for text in COLOUR_QUERIES)


def _pictures(form: str, store: Store) -> Iterator[str]:
    yield _line(f"{form}: video -> other half", video_to_video(store))
    yield _line(f"{form}: frame -> scene", frame_to_video(store, own_file=False))
    yield _line(f"{form}: frame -> own file", frame_to_video(store, own_file=True))


def _clips(window: float) -> Sees:
    return lambda video: video.clips(window)


def _line(task: str, asked: Iterable[Asked]) -> str:
    found = list(asked)
    margins = [each.margin for each in found]
    first = interval([float(margin > 0) for margin in margins])
    mrr = interval([each.measures["mrr@10"] for each in found])
    return (
        f"{task:56} {sum(margin > 0 for margin in margins):3}/{len(found):<3}  "
        f"first {_shown(first)}  mrr@10 {_shown(mrr)}  min {min(margins):+.3f}  median {median(margins):+.3f}"
    )


def _shown(each: Interval) -> str:
    return f"{each.mean:.3f} [{each.low:.3f}, {each.high:.3f}]"


def _ranking(task: str, store: Store, text: str) -> str:
    scores = store.scores(query_vector(None, text))
    best = [f"{store.videos[number].name} {scores[number]:.3f}" for number in np.argsort(-scores)[:3]]
    return f"colour: {task:36} {', '.join(best)}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="videos with a manifest.json")
    for line in report(load(parser.parse_args().folder)):
        print(line)


if __name__ == "__main__":
    main()
