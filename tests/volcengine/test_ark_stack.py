"""Ark's vectors in a store of ours: ingest and searches, with clips sent along or fetched from TOS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import polyreel
from polyreel import media
from polyreel.testing import ark, tos

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
stack = "films"
[stacks.films]
state = "state"
recipe = {{ window = 2.0, fps = 2.0 }}
[stacks.films.store]
kind = "memory"
[stacks.films.embedder]
kind = "ark"
api_key = "ark-test"
base_url = "{base_url}"
dimension = 1024
hand_over = "{hand_over}"
[stacks.films.objects]
{objects}
"""
LOCAL = 'kind = "local"\npath = "objects"'
TOS = """
kind = "tos"
bucket = "video-demo1"
endpoint = "{url}"
custom_domain = true
access_key = "AKTEST"
secret_key = "SKTEST"
"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    media.render_samples(folder, seconds=4.0, size=(160, 120), fps=8)
    for file in folder.glob("*.json"):
        file.unlink()
    return folder


@pytest.mark.parametrize("hand_over", ["auto", "base64", "url"])
def test_clips_are_found_by_picture_video_and_colour(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hand_over: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with tos.emulating(tos.Settings(domain="video-demo1")) as bucket, ark.emulating() as service:
        objects = TOS.format(url=bucket.url) if hand_over == "url" else LOCAL
        config = tmp_path / "polyreel.toml"
        config.write_text(CONFIG.format(base_url=service.url, hand_over=hand_over, objects=objects))
        with polyreel.open(config=config) as search:
            report = search.ingest(drawn)
            assert report.ok, report
            sent = [body["input"][0]["video_url"] for body in service.bodies]
            assert len(sent) == sum(video.usage["requests"] for video in report.videos)
            assert {one["fps"] for one in sent} == {2.0}
            assert all(one["url"].startswith("http" if hand_over == "url" else "data:") for one in sent)
            picture = tmp_path / "picture.jpg"
            media.thumbnail(drawn / "ball_b.mp4", picture, at_ms=2500)
            queries: dict[str, dict[str, Any]] = {
                "ball_b": {"image": picture},
                "city_night": {"video": drawn / "city_night.mp4"},
                "snow": {"text": "white"},
            }
            found = {name: search.search(limit=1, **query).hits[0] for name, query in queries.items()}
            assert {name: hit.record.text.title for name, hit in found.items()} == {
                name: name.replace("_", " ") for name in queries
            }
            both = search.search("white", image=picture, limit=1)
            assert both.explain["fusion"] == "joint"
            assert [len(body["input"]) for body in service.bodies].count(2) == 1
            assert both.usage["image_tokens"] >= 1000
        left = [key for one in bucket.buckets.values() for key in one.objects if key.startswith("staging/")]
        assert left == []


def test_what_is_too_large_for_a_request_goes_by_an_address(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sizes = sorted(path.stat().st_size for path in drawn.iterdir())
    monkeypatch.setattr("polyreel.embedders.ark.models.MAX_INLINE_VIDEO", sizes[len(sizes) // 2] // 2)
    with tos.emulating(tos.Settings(domain="video-demo1")) as bucket, ark.emulating() as service:
        config = tmp_path / "polyreel.toml"
        objects = TOS.format(url=bucket.url)
        config.write_text(CONFIG.format(base_url=service.url, hand_over="auto", objects=objects))
        with polyreel.open(config=config) as search:
            assert search.ingest(drawn).ok
            largest = max(drawn.iterdir(), key=lambda path: path.stat().st_size)
            assert search.search(video=largest, limit=1).hits[0].uri.endswith(largest.suffix)
        ways = [body["input"][0]["video_url"]["url"].partition(":")[0] for body in service.bodies]
        assert set(ways) == {"data", "http"}
        assert ways[-1] == "http"
        left = [key for one in bucket.buckets.values() for key in one.objects if key.startswith("staging/")]
        assert left == []
