"""The preset `vikingdb_tos`: what lies where, what a hit becomes, and what a second run costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import polyreel
from polyreel import media
from polyreel.cli.main import app
from polyreel.core.errors import NotFoundError, UnavailableError
from polyreel.core.manifest import Manifests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polyreel import VideoSearch

    from .conftest import Cloud

BUCKET = "video-demo1"


@pytest.fixture(scope="module")
def search(cloud: Cloud, videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoSearch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("stack"))
        for name, value in cloud.variables().items():
            patch.setenv(name, value)
        with polyreel.open("vikingdb_tos") as search:
            report = search.ingest(videos)
            assert report.ok, report
            yield search


@pytest.fixture(autouse=True)
def _configured(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in cloud.variables().items():
        monkeypatch.setenv(name, value)


def test_videos_and_clips_lie_in_the_bucket_under_durable_keys(
    search: VideoSearch, cloud: Cloud, videos: Path
) -> None:
    search.search(video=videos / "ball_a.mp4", limit=1)
    keys = cloud.tos.buckets[BUCKET].objects
    assert sum(key.startswith("videos/") for key in keys) == len(list(videos.glob("*.*")))
    assert any(key.startswith("clips/") for key in keys)
    assert not any(key.startswith("staging/") for key in keys)  # the leases of queries are gone
    written = [body for body in cloud.vikingdb.bodies("data/upsert") if body["collection_name"] == "videos"]
    rows = [row for body in written for row in body["data"]]
    assert rows
    assert all(row["polyreel_video"]["value"].startswith(f"tos://{BUCKET}/clips/") for row in rows)


def test_a_hit_is_cut_out_of_what_lies_in_the_bucket(search: VideoSearch, tmp_path: Path) -> None:
    (hit,) = search.search("red", limit=1)
    assert hit.uri.startswith(f"tos://{BUCKET}/videos/")
    (piece,) = search.save([hit], tmp_path)
    assert media.probe(piece).duration_ms == pytest.approx((hit.end - hit.start) * 1000, abs=150)


def test_a_hit_whose_object_is_gone_is_one_clear_line(
    search: VideoSearch, cloud: Cloud, tmp_path: Path
) -> None:
    (hit,) = search.search("red", limit=1)
    objects = cloud.tos.buckets[BUCKET].objects
    gone = objects.pop(hit.uri.removeprefix(f"tos://{BUCKET}/"))
    try:
        with pytest.raises(NotFoundError, match=hit.uri):
            search.save([hit], tmp_path / "library")
        said = CliRunner().invoke(
            app,
            ["search", "red", "--stack", "vikingdb_tos", "--limit", "1", "--save-to", str(tmp_path / "out")],
        )
        assert said.exit_code == 1
        lines = [line for line in said.stderr.splitlines() if hit.uri in line]
        assert len(lines) == 1, said.stderr
        assert "Traceback" not in said.stderr
        assert not list((tmp_path / "out").glob("*.mp4"))
    finally:
        objects[hit.uri.removeprefix(f"tos://{BUCKET}/")] = gone


def test_a_second_run_costs_nothing(search: VideoSearch, cloud: Cloud, videos: Path) -> None:
    rows, puts = len(cloud.vikingdb.bodies("data/upsert")), len(cloud.tos.seen)
    report = search.ingest(videos)
    assert set(report.counts) == {"skipped"}
    assert len(cloud.vikingdb.bodies("data/upsert")) == rows
    assert not [seen for seen in cloud.tos.seen[puts:] if seen.method in ("PUT", "POST")]


def test_candidates_are_reranked_by_their_clips_in_the_bucket(
    search: VideoSearch, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    reranker = "POLYREEL_STACKS__VIKINGDB_TOS__RERANKER"
    monkeypatch.setenv(f"{reranker}__KIND", "vikingdb")
    monkeypatch.setenv(f"{reranker}__API_KEY", "vk-test")
    monkeypatch.setenv(f"{reranker}__DATA_ENDPOINT", cloud.vikingdb.url)
    monkeypatch.setenv(f"{reranker}__CONTENT", '["video", "text"]')
    with polyreel.open("vikingdb_tos") as again:
        result = again.search("red", limit=2, rerank=3)
    (body,) = cloud.vikingdb.bodies("/rerank")
    assert body["query"] == [{"text": "red"}]
    assert len(body["data"]) == 3
    shown = {part["video"]["value"] for document in body["data"] for part in document if "video" in part}
    assert len(shown) == 3
    assert all(address.startswith(f"tos://{BUCKET}/clips/") for address in shown)
    assert [hit.score_kind.value for hit in result] == ["rerank", "rerank"]
    assert result.explain["rerank"]["reranked"] == 3  # type: ignore[index]


def test_what_was_vectorized_before_a_run_was_cut_short_is_not_paid_for_again(
    search: VideoSearch, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media.render_samples(tmp_path / "more", seconds=12.0, size=(96, 64), fps=6)
    video = tmp_path / "more/snow.webm"

    def asked() -> int:
        return len(cloud.vikingdb.bodies("data/upsert"))

    def cut_short(*_: object) -> None:
        raise UnavailableError("the process ends here")

    before = asked()
    with monkeypatch.context() as patch:
        patch.setattr(Manifests, "put", cut_short)
        assert search.ingest(video).counts == {"failed": 1}
    clips = asked() - before
    assert clips == 3
    described = {"snow.webm": {"title": "Another winter"}}
    report = search.ingest(video, described=described)
    assert report.counts == {"ingested": 1}
    assert (report.totals.records, report.totals.embedded) == (3, 0)
    assert asked() == before + clips
    found = search.search(video=video, limit=3)
    assert [hit.record.text.title for hit in found] == ["Another winter"] * 3
    search.delete(found.hits[0].video_id)


def test_only_what_is_missing_of_a_video_is_vectorized(
    search: VideoSearch, cloud: Cloud, tmp_path: Path
) -> None:
    media.render_samples(tmp_path / "more", seconds=13.0, size=(96, 64), fps=6)
    video = tmp_path / "more/meadow.mp4"
    assert search.ingest(video).totals.embedded == 3
    hit = search.search(video=video, limit=1).hits[0]
    store = search._opened()
    store.wait(store.delete([hit.id]))
    search._manifests().delete(hit.video_id)
    before = len(cloud.vikingdb.bodies("data/upsert"))
    report = search.ingest(video)
    assert (report.totals.records, report.totals.embedded) == (3, 1)
    (body,) = cloud.vikingdb.bodies("data/upsert")[before:]
    assert [row["polyreel_id"] for row in body["data"]] == [hit.id]
    assert sorted(search._manifests().get(hit.video_id).records) == sorted(  # type: ignore[union-attr]
        record.id for record in store.scan() if record.video_id == hit.video_id
    )
    search.delete(hit.video_id)
