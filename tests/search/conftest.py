"""Stacks over the memory store, objects and sites that are elsewhere, and clips of plain colours."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

import av
import numpy as np
import pytest

from polyreel import media
from polyreel.backends.memory import MemoryStore
from polyreel.core.deadline import RetryPolicy
from polyreel.core.fields import FieldType
from polyreel.core.objects import ObjectStore
from polyreel.core.recipe import Recipe
from polyreel.core.search import VideoSearch
from polyreel.core.stack import Stack
from polyreel.storage.https import HttpsDownloads
from polyreel.storage.local import LocalObjects
from polyreel.testing.embedders import ColourEmbedder
from polyreel.testing.web import Site, send, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from http.server import BaseHTTPRequestHandler

    from polyreel.core import streams
    from polyreel.core.embedder import Embedder
    from polyreel.core.report import VideoReport
    from polyreel.core.store import VectorStore

COLOURS = {
    "red": (220, 20, 20),
    "green": (20, 200, 20),
    "blue": (20, 20, 220),
    "white": (240, 240, 240),
    "black": (10, 10, 10),
    "yellow": (230, 220, 20),
}


def write_clip(path: Path, colours: Sequence[str], *, seconds: float = 2.0, fps: int = 10) -> Path:
    """A video that shows each colour for `seconds`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = Fraction(1, fps)
        for colour in colours:
            picture = np.full((48, 64, 3), COLOURS[colour], np.uint8)
            for _ in range(round(seconds * fps)):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


class OpenSearch(Protocol):
    def __call__(
        self,
        *,
        embedder: Embedder | None = None,
        store: VectorStore | None = None,
        recipe: Recipe | None = None,
        copy: bool = False,
        fields: Mapping[str, FieldType] | None = None,
    ) -> VideoSearch: ...


@pytest.fixture
def open_search(tmp_path: Path) -> Iterator[OpenSearch]:
    """Opens searches over one folder; a second one sees what the first took in, once that is closed."""
    opened: list[VideoSearch] = []

    def make(
        *,
        embedder: Embedder | None = None,
        store: VectorStore | None = None,
        recipe: Recipe | None = None,
        copy: bool = False,
        fields: Mapping[str, FieldType] | None = None,
    ) -> VideoSearch:
        stack = Stack(
            name="test",
            store=store or MemoryStore(path=tmp_path / "store"),
            embedder=embedder or (None if store and store.vectorizes else ColourEmbedder()),
            objects=LocalObjects(path=tmp_path / "objects", copy=copy),
            state=tmp_path / "state",
            fields={"year": FieldType.INT, "place": FieldType.STRING, **(fields or {})},
            recipe=recipe or Recipe(window=2.0),
        )
        opened.append(VideoSearch(stack, media))
        return opened[-1]

    yield make
    for search in opened:
        search.close()


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Three videos: red then green, blue, and white then black then yellow."""
    folder = tmp_path / "videos"
    write_clip(folder / "traffic.mp4", ["red", "green"])
    write_clip(folder / "sea.mp4", ["blue"])
    write_clip(folder / "chess.mp4", ["white", "black", "yellow"])
    return folder


@pytest.fixture
def picture(tmp_path: Path) -> PictureOf:
    """Writes a picture of one colour."""

    def write(colour: str) -> Path:
        clip = write_clip(tmp_path / "pictures" / f"{colour}.mp4", [colour], seconds=0.2)
        media.thumbnail(clip, clip.with_suffix(".jpg"), at_ms=0)
        return clip.with_suffix(".jpg")

    return write


class PictureOf(Protocol):
    def __call__(self, colour: str) -> Path: ...


SECRETS = ("hunter2", "5ec7e7")


class Bucket(LocalObjects):
    """Objects that must be fetched, at addresses of their own; counts what was fetched."""

    schemes = frozenset({"s3"})
    fetched: int = 0

    def _uri(self, key: str) -> str:
        return f"s3://bucket/{quote(key)}"

    def _key(self, uri: str) -> str | None:
        return ObjectStore._key(self, uri)

    def _path(self, uri: str) -> Path | None:
        return None

    def _refer(self, path: Path) -> str | None:
        return None

    def _open_object(self, key: str, start: int, version: str | None) -> streams.Opened:
        self.fetched += key.endswith(".mp4")
        return super()._open_object(key, start, version)


class Opened:
    """A search over one folder that is opened anew for each run, as the command line does it."""

    def __init__(self, folder: Path, objects: LocalObjects) -> None:
        self.folder = folder
        self.objects = objects
        self.embedder = ColourEmbedder()
        self.waits: list[float] = []

    def search(self) -> VideoSearch:
        stack = Stack(
            name="test",
            store=MemoryStore(path=self.folder / "store"),
            embedder=self.embedder,
            objects=self.objects,
            state=self.folder / "state",
            fields={"year": FieldType.INT},
            recipe=Recipe(window=2.0),
        )
        retry = RetryPolicy(attempts=3, base=0.001, cap=0.01, sleep=self.waits.append)
        return VideoSearch(stack, media, HttpsDownloads(patience=10.0, retry=retry))

    def ingest(self, *given: str | Path, rows: str | Path | tuple[str, ...] = ()) -> tuple[VideoReport, ...]:
        with self.search() as search:
            return search.ingest(*given, rows=rows).videos

    def outcomes(self, *given: str | Path) -> list[str]:
        return sorted(video.outcome.value for video in self.ingest(*given))


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    return Opened(tmp_path, LocalObjects(path=tmp_path / "objects"))


@pytest.fixture
def bucket(opened: Opened, tmp_path: Path) -> Bucket:
    opened.objects = Bucket(path=tmp_path / "bucket")
    return opened.objects


@pytest.fixture
def site(videos: Path) -> Iterator[Site]:
    """Serves the three videos, each with an ETag that knows its conditions."""

    def answer(name: str) -> None:
        body = (videos / name).read_bytes()

        def send_it(handler: BaseHTTPRequestHandler, _: int) -> None:
            if handler.headers.get("If-None-Match") == f'"{name}"':
                send(handler, 304)
            else:
                send(handler, 200, body, ETag=f'"{name}"')

        served.answers[f"/{name}"] = send_it

    with serving() as served:
        for name in ("sea.mp4", "chess.mp4", "traffic.mp4"):
            answer(name)
        yield served


def signed(site: Site, path: str, signature: str = "5ec7e7") -> str:
    return f"http://user:hunter2@{site.address}{path}?X-Amz-Expires=60&X-Amz-Signature={signature}"


def left(folder: Path) -> list[Path]:
    """What is left of temporary files."""
    return list((folder / "temporary").rglob("*"))
