"""Ingest of files that lie elsewhere: on a web server, and in the stack's object store."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from polyreel.core.filters import F
from polyreel.core.records import Scope
from polyreel.core.report import Outcome
from polyreel.testing.web import cut, send

from .conftest import SECRETS, left, signed

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from polyreel.testing.web import Site

    from .conftest import Bucket, Opened

# -- web servers --------------------------------------------------------------------------------------------


def test_a_video_on_a_web_server_is_taken_in_at_its_address(
    opened: Opened, site: Site, tmp_path: Path
) -> None:
    (video,) = opened.ingest(site.url("/sea.mp4"))
    assert (video.outcome, video.path) == (Outcome.INGESTED, site.url("/sea.mp4"))
    with opened.search() as search:
        (manifest,) = search.videos()
        assert (manifest.uri, manifest.title) == (site.url("/sea.mp4"), "sea")
        assert search.count(F.uri == site.url("/sea.mp4")) == 2
    assert left(tmp_path) == []
    assert not list((tmp_path / "objects").rglob("*.mp4"))


def test_a_second_run_fetches_and_embeds_nothing(opened: Opened, site: Site, tmp_path: Path) -> None:
    opened.ingest(site.url("/sea.mp4"))
    seen = opened.embedder.frames_seen
    assert opened.outcomes(site.url("/sea.mp4")) == ["skipped"]
    assert site.asked["/sea.mp4"] == 2
    assert site.headers[1]["If-None-Match"] == '"sea.mp4"'
    assert opened.embedder.frames_seen == seen > 0
    assert left(tmp_path) == []


def test_a_new_signature_of_the_same_file_fetches_nothing(opened: Opened, site: Site) -> None:
    opened.ingest(signed(site, "/sea.mp4", "one"))
    assert opened.outcomes(signed(site, "/sea.mp4", "two")) == ["skipped"]
    assert "If-None-Match" in site.headers[1]


def test_new_text_for_an_unchanged_file_fetches_nothing(opened: Opened, site: Site, tmp_path: Path) -> None:
    opened.ingest(site.url("/sea.mp4"))
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"uri": site.url("/sea.mp4"), "title": "The sea", "year": 2020}))
    (video,) = opened.ingest(rows=rows)
    assert video.outcome is Outcome.UPDATED
    assert "If-None-Match" in site.headers[1]
    with opened.search() as search:
        assert search.count((F.year == 2020) & (F.scope == "clip")) == 1


def test_a_changed_file_is_another_video(opened: Opened, site: Site, videos: Path) -> None:
    opened.ingest(site.url("/sea.mp4"))
    body = (videos / "chess.mp4").read_bytes()
    site.answers["/sea.mp4"] = lambda handler, _: send(handler, 200, body, ETag='"new"')
    assert opened.outcomes(site.url("/sea.mp4")) == ["ingested"]


def test_an_unchanged_file_is_fetched_where_its_records_are_gone(opened: Opened, site: Site) -> None:
    (video,) = opened.ingest(site.url("/sea.mp4"))
    with opened.search() as search:
        search.delete(video.video_id or "")
    assert opened.outcomes(site.url("/sea.mp4")) == ["ingested"]


def test_a_server_without_marks_is_asked_for_the_whole_file_each_time(
    opened: Opened, site: Site, videos: Path
) -> None:
    body = (videos / "sea.mp4").read_bytes()
    site.answers["/sea.mp4"] = lambda handler, _: send(handler, 200, body)
    assert opened.outcomes(site.url("/sea.mp4")) == ["ingested"]
    assert opened.outcomes(site.url("/sea.mp4")) == ["skipped"]
    assert "If-None-Match" not in site.headers[1]


def test_one_bad_address_never_stops_the_others(
    opened: Opened, site: Site, videos: Path, tmp_path: Path
) -> None:
    sea = (videos / "sea.mp4").read_bytes()
    site.answers |= {
        "/limited.mp4": lambda handler, _: send(handler, 429, Retry_After="86400"),
        "/cut.mp4": lambda handler, _: cut(handler, sea, 100),
        "/text.mp4": lambda handler, _: send(handler, 200, b"this is text"),
        "/refused.mp4": lambda handler, _: send(handler, 403),
        "/flaky.mp4": lambda handler, time: send(handler, 500 if time == 1 else 200, sea),
    }
    names = ("missing", "limited", "cut", "text", "refused", "flaky")
    reports = opened.ingest(*(signed(site, f"/{name}.mp4") for name in names))
    outcomes = {video.path.rpartition("/")[2]: video for video in reports}
    reasons = {name: video.reason or "" for name, video in outcomes.items()}
    assert outcomes["flaky.mp4"].outcome is Outcome.INGESTED
    assert "answered 404 Not Found" in reasons["missing.mp4"]
    assert "answered 429 Too Many Requests" in reasons["limited.mp4"]
    assert "can't be read: peer closed connection" in reasons["cut.mp4"]
    assert reasons["text.mp4"].startswith(f"http://{site.address}/text.mp4")
    assert str(tmp_path) not in reasons["text.mp4"]
    assert "signed anew" in reasons["refused.mp4"]
    assert left(tmp_path) == []


def test_no_secret_of_an_address_is_kept_or_told(
    opened: Opened, site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        reports = opened.ingest(signed(site, "/sea.mp4"), signed(site, "/missing.mp4"))
    assert sorted(video.outcome for video in reports) == ["failed", "ingested"]
    told = caplog.text + json.dumps([video.to_json() for video in reports])
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert f"{site.address}/sea.mp4" in told
    assert f"{site.address}/sea.mp4".encode() in kept
    for secret in SECRETS:
        assert secret not in told
        assert secret.encode() not in kept


def test_a_file_at_two_addresses_is_one_video_for_good(opened: Opened, site: Site) -> None:
    site.answers["/copy.mp4"] = site.answers["/sea.mp4"]
    both = (site.url("/sea.mp4"), site.url("/copy.mp4"))
    assert opened.outcomes(*both) == ["duplicate", "ingested"]
    assert opened.outcomes(*both) == ["duplicate", "skipped"]


def test_a_file_that_moved_is_found_at_its_new_address(opened: Opened, site: Site) -> None:
    opened.ingest(site.url("/sea.mp4"))
    site.answers["/ocean.mp4"] = site.answers.pop("/sea.mp4")
    assert opened.outcomes(site.url("/ocean.mp4")) == ["moved"]
    with opened.search() as search:
        assert [manifest.uri for manifest in search.videos()] == [site.url("/ocean.mp4")]


def test_a_dry_run_says_what_would_be_done(opened: Opened, site: Site, tmp_path: Path) -> None:
    with opened.search() as search:
        report = search.ingest(site.url("/sea.mp4"), dry_run=True)
    assert report.counts == {"ingested": 1}
    assert left(tmp_path) == []


# -- the stack's objects ------------------------------------------------------------------------------------


def test_objects_are_taken_in_where_they_lie(opened: Opened, bucket: Bucket, videos: Path) -> None:
    for name in ("sea.mp4", "chess.mp4"):
        bucket.put(f"raw/{name}", videos / name)
    bucket.put("raw/sea.json", b'{"title": "The sea", "year": 2020}')
    assert opened.outcomes("s3://bucket/raw/") == ["ingested", "ingested"]
    with opened.search() as search:
        assert [manifest.uri for manifest in search.videos()] == [
            "s3://bucket/raw/sea.mp4",
            "s3://bucket/raw/chess.mp4",
        ]
        assert search.count(F.year == 2020) == 2
    assert not list(bucket.list("videos/"))


def test_unchanged_objects_are_not_fetched_again(
    opened: Opened, bucket: Bucket, videos: Path, tmp_path: Path
) -> None:
    bucket.put("raw/sea.mp4", videos / "sea.mp4")
    opened.ingest("s3://bucket/raw/*")
    assert opened.outcomes("s3://bucket/raw/*") == ["skipped"]
    assert bucket.fetched == 1
    bucket.put("raw/sea.mp4", videos / "chess.mp4")
    assert opened.outcomes("s3://bucket/raw/*") == ["ingested"]
    assert bucket.fetched == 2
    assert left(tmp_path) == []


def test_an_object_and_its_local_copy_are_one_video(opened: Opened, bucket: Bucket, videos: Path) -> None:
    bucket.put("raw/sea.mp4", videos / "sea.mp4")
    opened.ingest("s3://bucket/raw/sea.mp4")
    assert opened.outcomes(videos / "sea.mp4") == ["duplicate"]
    assert opened.outcomes(videos / "chess.mp4") == ["ingested"]
    bucket.put("raw/chess.mp4", videos / "chess.mp4")
    assert opened.outcomes("s3://bucket/raw/chess.mp4") == ["duplicate"]


# -- text ---------------------------------------------------------------------------------------------------


def test_clips_carry_the_subtitles_of_their_time_and_the_whole_video_all(
    opened: Opened, videos: Path
) -> None:
    (videos / "chess.en.srt").write_text(
        "1\n00:00:00,500 --> 00:00:01,500\nwhite\n\n2\n00:00:01,900 --> 00:00:03,000\nblack\n\n"
        "3\n00:01:00,000 --> 00:01:01,000\nafter the end\n"
    )
    opened.ingest(videos / "chess.mp4")
    with opened.search() as search:
        records = sorted(search._opened().scan(), key=lambda record: (record.scope, record.start_ms))
    assert [(record.scope, record.text.transcript) for record in records] == [
        (Scope.CLIP, "white\nblack"),
        (Scope.CLIP, "black"),
        (Scope.CLIP, ""),
        (Scope.VIDEO, "white\nblack\nafter the end"),
    ]


def test_an_edited_subtitle_arrives_in_its_clips_only(opened: Opened, videos: Path) -> None:
    subtitle = videos / "chess.srt"
    subtitle.write_text("00:00:00,500 --> 00:00:01,500\nwhite\n")
    opened.ingest(videos / "chess.mp4")
    subtitle.write_text("00:00:04,500 --> 00:00:05,500\nyellow\n")
    assert opened.outcomes(videos / "chess.mp4") == ["updated"]
    with opened.search() as search:
        records = sorted(search._opened().scan(), key=lambda record: (record.scope, record.start_ms))
    assert [record.text.transcript for record in records] == ["", "", "yellow", "yellow"]


def test_undeclared_values_are_told_in_the_first_ingest_only(
    opened: Opened, videos: Path, tmp_path: Path
) -> None:
    (videos / "sea.json").write_text('{"year": 2020, "mood": "calm"}')
    with opened.search() as search:
        assert search.infer_fields(videos).fields == {"year": "int", "mood": "string"}
        assert not (tmp_path / "store").exists()
        report = search.ingest(videos)
        assert report.undeclared == ("mood",)
        assert report.to_json()["undeclared"] == ["mood"]
        assert search.ingest(videos).undeclared == ()
