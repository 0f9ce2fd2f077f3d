"""One script on every stack, chosen by one variable: the same best video for every query.

Asked are, of the pictures alone: frames at 10, 30, 50, 70 and 90 % of each video, its first seconds as a
file of their own, and words for colours and light. Then captions are put beside the videos, and each is asked
for word by word. Marengo's emulator knows colours, but no words: the ranking by words counts ten times.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import pytest

import polyreel
from polyreel import media

from .conftest import Bench, started, there

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from polyreel.testing.twelvelabs import Emulator

    from .conftest import Bucket, Clips, Need, Sections

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

WORDS = (
    "red", "green", "blue", "yellow", "orange", "white", "black", "grey", "dark", "bright", "black and white",
    "红色", "绿色", "黑白",
)  # fmt: skip
PERCENTS = (10, 30, 50, 70, 90)
PIECE = 4300  # milliseconds of a query video
HYBRID = {"hybrid": True, "weights": {"lexical": 10}}


@dataclass(frozen=True)
class Case:
    """A stack to be compared with `local`.

    Args:
        stack: A preset.
        bench: The fixture that configures it.
        finds_words: Whether its store does; a Milvus server does from 2.4 on.
        bucket: How addresses in its bucket begin.
    """

    stack: str
    bench: str = "embedded"
    finds_words: bool = True
    bucket: str = "s3://b-[0-9a-f]+"


CASES = (
    Case("local_milvus"),
    Case("milvus_marengo_s3"),
    Case("qdrant_marengo_s3"),
    Case("milvus_marengo_s3", bench="served", finds_words=False),
    Case("qdrant_marengo_s3", bench="served"),
    Case("vikingdb_tos", bench="volcengine", finds_words=False, bucket="tos://films-1"),
)


@pytest.fixture(scope="module")
def embedded(
    request: pytest.FixtureRequest, clips: Clips, service: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Bench:
    """The presets as they are, Milvus Lite and Qdrant's engine in process, with the bucket in Swift."""
    bucket = there(request, "swift")
    stacks = {name: configured(service, bucket) for name in ("milvus_marengo_s3", "qdrant_marengo_s3")}
    return Bench(tmp_path_factory.mktemp("embedded"), clips, service, bucket, stacks)


@pytest.fixture(scope="module")
def served(
    request: pytest.FixtureRequest, clips: Clips, service: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Bench:
    """The presets with other stores, and the bucket in rclone.

    Those are a Milvus server and the local mode of Qdrant's client: a Qdrant server can't be had from PyPI.
    """
    bucket, url = there(request, "rclone"), there(request, "milvus")
    stacks = {
        "milvus_marengo_s3": configured(service, bucket, **({"url": url} if url else {})),
        "qdrant_marengo_s3": configured(service, bucket, client_path="client"),
    }
    return Bench(tmp_path_factory.mktemp("served"), clips, service, bucket, stacks)


@pytest.fixture(scope="module")
def volcengine(
    clips: Clips, service: Emulator, cloud: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Bench:
    """The preset of Volcengine as it is; variables say where its services are emulated."""
    return Bench(tmp_path_factory.mktemp("volcengine"), clips, service, None, {}, cloud)


def configured(service: Emulator, bucket: Bucket | None, **store: str) -> Sections:
    """What a stack on these servers says beside its preset."""
    known = {
        "embedder": {"base_url": service.base_url},
        "objects": bucket.keys() if bucket else {},
        "store": store,
    }
    return {section: keys for section, keys in known.items() if keys}


def usable(request: pytest.FixtureRequest, need: Need, case: Case) -> Bench:
    """The bench of a case, if its servers are installed."""
    bench: Bench = request.getfixturevalue(case.bench)
    if case.bench == "volcengine":
        return bench
    if case.stack != "local_milvus" and bench.bucket is None:
        need("s3-servers", "`make servers` installs Swift and rclone")
    if not case.finds_words and "store" not in bench.stacks[case.stack]:
        need("milvus-server", "`make servers` installs it")
    return bench


@dataclass(frozen=True)
class Asked:
    """The queries, as lines for the script.

    Args:
        seen: Of pictures and colours.
        said: Captions, each with the name of its video.
    """

    seen: list[str]
    said: list[tuple[str, str]]


@pytest.fixture(scope="module")
def asked(clips: Clips, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    folder = tmp_path_factory.mktemp("queries")
    pictures = chain.from_iterable(_pictures(file, folder) for file in clips.files)
    seen = [*pictures, *(_piece(file, folder) for file in clips.files), *({"text": word} for word in WORDS)]
    said = [
        (file.name, json.dumps({"text": caption, **HYBRID}, ensure_ascii=False))
        for file in clips.files
        for caption in clips.sidecars[file.name]["caption"]
    ]
    return Asked([json.dumps(each, ensure_ascii=False) for each in seen], said)


def _pictures(file: Path, folder: Path) -> list[dict[str, str]]:
    """Frames of a video."""
    length, found = media.probe(file).duration_ms, []
    for percent in PERCENTS:
        picture = folder / f"{file.name}.{percent}.jpg"
        media.thumbnail(file, picture, at_ms=length * percent // 100, size=480)
        found.append({"image": str(picture)})
    return found


def _piece(file: Path, folder: Path) -> dict[str, str]:
    """The first seconds of a video."""
    piece, end = folder / f"{file.name}.mp4", min(PIECE, media.probe(file).duration_ms)
    return {"video": str(media.cut(file, piece, start_ms=0, end_ms=end).path)}


def run(bench: Bench, stack: str, lines: list[str], *, described: bool) -> subprocess.CompletedProcess[str]:
    """The script over the folder `videos`, and a file with the queries."""
    bench.clips.lay_out(bench.folder / "videos", described=described)
    (bench.folder / "queries.jsonl").write_text("\n".join(lines), "utf-8")
    known = bench.environment(stack)
    return started("one_script.py", "videos", "queries.jsonl", folder=bench.folder, variables=known)


def answered(bench: Bench, stack: str, lines: list[str], *, described: bool = False) -> tuple[str, list[str]]:
    """What the script says became of the videos, and the name of the best video for each query."""
    done = run(bench, stack, lines, described=described)
    assert done.returncode == 0, done.stderr[-2000:]
    counts, *found = done.stdout.splitlines()
    assert [line.split(" ", 2)[2] for line in found] == lines
    names = {hashlib.sha256(file.read_bytes()).hexdigest()[:12]: file.name for file in bench.clips.files}
    return counts, [names[line.split()[0]] for line in found]


@pytest.fixture(scope="module")
def expected(embedded: Bench, asked: Asked) -> list[str]:
    """The best videos of `local` for what is seen. They mean something: nearly each is the query's own."""
    files = [file.name for file in embedded.clips.files]
    counts, best = answered(embedded, "local", asked.seen)
    assert counts == f"{{'ingested': {len(files)}}}"
    own = [*chain.from_iterable([name] * len(PERCENTS) for name in files), *files]
    assert sum(map(str.__eq__, best, own)) > 0.9 * len(own)
    assert len(set(best[len(own) :])) > 3  # of the words
    return best


def test_the_default_stack_finds_every_caption(embedded: Bench, asked: Asked, expected: list[str]) -> None:
    counts, best = answered(embedded, "local", [line for _, line in asked.said], described=True)
    assert counts == f"{{'updated': {len(embedded.clips.files)}}}"
    assert best == [name for name, _ in asked.said]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.stack}-{case.bench}")
def test_every_stack_answers_as_the_default_one_does(
    request: pytest.FixtureRequest, need: Need, asked: Asked, expected: list[str], case: Case
) -> None:
    bench = usable(request, need, case)
    counts, best = answered(bench, case.stack, asked.seen)
    assert counts == f"{{'ingested': {len(bench.clips.files)}}}"
    others = {
        line: pair for line, *pair in zip(asked.seen, expected, best, strict=True) if len(set(pair)) > 1
    }
    assert others == {}
    paid, captions = len(bench.service.tasks.all), [line for _, line in asked.said]
    if case.finds_words:
        counts, best = answered(bench, case.stack, captions, described=True)
        assert counts == f"{{'updated': {len(bench.clips.files)}}}"
        assert best == [name for name, _ in asked.said]
    else:
        refused = run(bench, case.stack, captions, described=True)
        assert "has no lexical search; search without lexical and hybrid" in refused.stderr
    assert len(bench.service.tasks.all) == paid  # text alone costs nothing


@pytest.mark.parametrize("case", CASES[1:], ids=lambda case: f"{case.stack}-{case.bench}")
def test_what_a_bucket_holds_is_found_and_cut_out(
    request: pytest.FixtureRequest, need: Need, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case: Case
) -> None:
    bench = usable(request, need, case)
    for name, value in bench.environment(case.stack).items():
        monkeypatch.setenv(name, value)
    with polyreel.open(config=bench.folder / "polyreel.toml") as search:
        (hit,) = search.search("red", limit=1)
        assert re.fullmatch(rf"{case.bucket}/videos/{hit.video_id}\.[a-z0-9]+", hit.uri)
        (moment,) = search.save([hit], tmp_path)
        assert media.probe(moment).duration_ms == pytest.approx((hit.end - hit.start) * 1000, abs=100)
        keys = {info.key for info in search.stack.objects.list("videos/")}
        assert len(keys) == len(bench.clips.files)
