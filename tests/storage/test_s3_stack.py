"""The whole way with files in a bucket of a real server: ingest, search, gc, staging and the command line."""

from __future__ import annotations

import shutil
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import polyreel
from polyreel.cli.main import app
from polyreel.core.media import Media, Modality
from polyreel.core.staging import Staging
from polyreel.testing.samples import drawn_samples

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polyreel import VideoSearch
    from polyreel.storage.s3 import S3Objects

    from .conftest import Server

pytestmark = pytest.mark.slow
CONFIG = """
stack = "films"
[stacks.films]
state = "state"
[stacks.films.store]
kind = "memory"
path = "store"
[stacks.films.embedder]
kind = "builtin"
[stacks.films.objects]
kind = "s3"
bucket = "{bucket}"
endpoint = "{server.endpoint}"
region = "us-east-1"
access_key = "{server.access_key}"
secret_key = "{server.secret_key}"
checksums = "when_required"
[stacks.here]
state = "here/state"
[stacks.here.store]
kind = "memory"
[stacks.here.embedder]
kind = "builtin"
[stacks.here.objects]
kind = "local"
path = "here/objects"
"""
NAMES = ("ball_a.mp4", "sunset_a.mp4")


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rendered clips with sidecars."""
    every, few = drawn_samples(tmp_path_factory), tmp_path_factory.mktemp("few")
    for name in NAMES:
        for file in every.glob(f"{name.removesuffix('.mp4')}.*"):
            shutil.copy(file, few)
    return few


@pytest.fixture
def objects(server: Server) -> Iterator[S3Objects]:
    with server.bucket() as objects:
        yield objects


@pytest.fixture
def config(server: Server, objects: S3Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "polyreel.toml"
    file.write_text(CONFIG.format(bucket=objects._bucket, server=server))
    return file


def keys(objects: S3Objects, prefix: str) -> list[str]:
    return [info.key for info in objects.list(prefix)]


def best(search: VideoSearch, text: str) -> str:
    return search.search(text, group_by="video", limit=1).hits[0].record.video_id


def test_files_go_into_the_bucket_and_are_found_as_on_a_disk(
    config: Path, objects: S3Objects, samples: Path
) -> None:
    with polyreel.open(config=config) as films, polyreel.open("here", config) as here:
        assert films.ingest(samples).counts == here.ingest(samples).counts == {"ingested": 2}
        assert films.ingest(samples).counts == {"skipped": 2}
        for text in ("red ball", "sunset"):
            assert best(films, text) == best(here, text)
        ids = sorted(manifest.video_id for manifest in films.videos())
        assert keys(objects, "videos/") == [f"videos/{video_id}.mp4" for video_id in ids]
        assert len(keys(objects, "manifests/")) == 2
        hit = films.search("red ball", limit=1).hits[0]
        assert hit.uri == objects.uri(f"videos/{hit.record.video_id}.mp4")
        assert objects.read(f"videos/{hit.record.video_id}.mp4") == (samples / "ball_a.mp4").read_bytes()


def test_a_prefix_of_the_bucket_is_taken_in_by_the_command_line(
    config: Path, objects: S3Objects, server: Server, samples: Path
) -> None:
    for file in samples.iterdir():
        objects.put(f"raw/{file.name}", file)
    address = f"s3://{objects._bucket}/raw/"
    first = CliRunner().invoke(app, ["--log-file", "log.jsonl", "ingest", address])
    assert first.exit_code == 0, first.output
    assert "2 ingested" in first.output
    second = CliRunner().invoke(app, ["ingest", address])
    assert "2 skipped" in second.output
    found = CliRunner().invoke(app, ["search", "red ball", "--json"])
    assert f"{address}ball_a.mp4" in found.output
    saved = CliRunner().invoke(app, ["search", "red ball", "--limit", "2", "--save-to", "out"])
    assert saved.exit_code == 0, saved.output
    assert len(list((config.parent / "out").glob("00?_ball_a_*.mp4"))) >= 1
    assert keys(objects, "videos/") == []  # they stay where they are
    for text in (first.output, second.output, found.output, (config.parent / "log.jsonl").read_text()):
        assert server.secret_key not in text
        assert "X-Amz-" not in text


def test_the_doctor_writes_and_reads_an_object(config: Path, objects: S3Objects) -> None:
    said = CliRunner().invoke(app, ["doctor"])
    assert said.exit_code == 0, said.output
    assert "s3 objects can be written and read" in said.output
    assert keys(objects, "") == []


def test_what_no_manifest_names_is_collected(config: Path, objects: S3Objects, samples: Path) -> None:
    with polyreel.open(config=config) as films:
        films.ingest(samples)
        time.sleep(1.1)  # the server's times are whole seconds, rounded up
        assert films.gc(delete=True, older_than=0).deleted == 0
        lost = films.videos()[0].video_id
        (manifest,) = [key for key in keys(objects, "manifests/") if lost in key]
        objects.delete(manifest)
        objects.put(f"clips/{lost}/0-2000.mp4", b"clip")
        objects.put("strangers.txt", b"not ours")
        time.sleep(1.1)
        report = films.gc(delete=True, older_than=0)
        found = {kind.value: orphans.count for kind, orphans in report.orphans.items() if orphans.count}
        assert found.keys() == {"record", "clip", "video"}
        assert report.deleted == sum(found.values())
        assert len(keys(objects, "videos/")) == 1
        assert keys(objects, "clips/") == []
        assert objects.exists("strangers.txt")
        assert films.ingest(samples).counts == {"skipped": 1, "ingested": 1}


def test_a_medium_is_leased_by_an_address_that_is_signed(objects: S3Objects, samples: Path) -> None:
    medium = Media(Modality.VIDEO, path=samples / "ball_a.mp4")
    with Staging(objects).leased([medium], frozenset({"https"}), expires=60) as (handed,):
        assert handed.uri is not None
        with urllib.request.urlopen(handed.uri, timeout=10) as answer:
            assert answer.headers["Content-Type"] == "video/mp4"
            assert answer.read() == (samples / "ball_a.mp4").read_bytes()
        assert len(keys(objects, "staging/")) == 1
    assert keys(objects, "staging/") == []
    with Staging(objects).leased([medium], frozenset({"s3"})) as (handed,):
        assert handed.uri is not None
        assert handed.uri.startswith(f"s3://{objects._bucket}/staging/")
