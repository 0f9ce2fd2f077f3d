"""What failed is tried again with all that was said of it, whether or not that is said again."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from polyreel.core.records import Scope
from polyreel.core.report import Outcome

from .conftest import SECRETS, signed
from .test_runs import FailingEmbedder

if TYPE_CHECKING:
    from pathlib import Path

    from polyreel.core.records import Record
    from polyreel.core.search import VideoSearch
    from polyreel.testing.web import Site

    from .conftest import Bucket, Opened, OpenSearch

ROW = {
    "title": "The sea",
    "tags": ["calm", "wide"],
    "caption": "waves",
    "captions": [{"start": 0.0, "end": 1.0, "text": "a gull"}],
    "year": 2020,
    "mood": "quiet",
}


def write_rows(folder: Path, uri: object, **known: object) -> Path:
    file = folder / "rows.jsonl"
    file.write_text(json.dumps({"uri": str(uri), **(known or ROW)}) + "\n")
    return file


def whole(search: VideoSearch) -> Record:
    (record,) = [each for each in search._opened().scan() if each.scope is Scope.VIDEO]
    return record


def check_row(search: VideoSearch) -> None:
    record = whole(search)
    assert (record.text.title, record.text.tags, record.text.caption) == (
        "The sea",
        ("calm", "wide"),
        "waves",
    )
    assert record.text.transcript == "a gull"
    assert record.fields == {"year": 2020}
    assert record.extra == {"mood": "quiet"}


def failed(open_search: OpenSearch, *paths: Path, **asked: object) -> VideoSearch:
    """A search whose first ingest failed, and whose next will not."""
    embedder = FailingEmbedder()
    search = open_search(embedder=embedder)
    assert search.ingest(*paths, **asked).counts == {"failed": 1}  # type: ignore[arg-type]
    embedder.fails = False
    return search


def test_a_row_is_remembered_with_its_failure(open_search: OpenSearch, videos: Path, tmp_path: Path) -> None:
    search = failed(open_search, rows=write_rows(tmp_path, videos / "sea.mp4"))
    (failure,) = search.failures()
    assert (failure.given, failure.signed) == (ROW, False)
    assert search.ingest(retry_failed=True).counts == {"ingested": 1}
    check_row(search)
    assert search.failures() == []


def test_a_row_is_remembered_by_the_next_process_and_another_failure(
    open_search: OpenSearch, videos: Path, tmp_path: Path
) -> None:
    failed(open_search, rows=write_rows(tmp_path, videos / "sea.mp4")).close()
    embedder = FailingEmbedder()
    search = open_search(embedder=embedder)
    assert search.ingest(retry_failed=True).counts == {"failed": 1}
    embedder.fails = False
    assert search.ingest(videos, retry_failed=True).counts == {"ingested": 1}
    check_row(search)


def test_what_was_described_by_file_name_is_remembered(open_search: OpenSearch, videos: Path) -> None:
    taken = datetime(2020, 5, 1, tzinfo=UTC)
    described = {"*": {"year": 2020}, "sea.mp4": {"title": "The sea", "taken": taken}}
    search = failed(open_search, videos / "sea.mp4", described=described)
    assert search.ingest(retry_failed=True, described={"*": {"year": 2021}}).counts == {"ingested": 1}
    record = whole(search)
    assert (record.text.title, record.fields) == ("The sea", {"year": 2021})
    assert record.extra == {"taken": taken.isoformat()}


def test_sidecars_are_read_anew_and_lose_against_the_row(
    open_search: OpenSearch, videos: Path, tmp_path: Path
) -> None:
    search = failed(open_search, rows=write_rows(tmp_path, videos / "sea.mp4", title="The sea"))
    (videos / "sea.json").write_text('{"title": "another", "caption": "waves"}')
    search.ingest(retry_failed=True)
    assert (whole(search).text.title, whole(search).text.caption) == ("The sea", "waves")


def test_a_row_that_is_given_again_replaces_the_earlier_one(
    open_search: OpenSearch, videos: Path, tmp_path: Path
) -> None:
    search = failed(open_search, rows=write_rows(tmp_path, videos / "sea.mp4"))
    rows = write_rows(tmp_path, videos / "sea.mp4", title="Mended")
    assert search.ingest(rows=rows, retry_failed=True).counts == {"ingested": 1}
    assert (whole(search).text.title, whole(search).text.caption) == ("Mended", "")


def test_without_retry_failed_nothing_of_an_earlier_run_is_used(
    open_search: OpenSearch, videos: Path, tmp_path: Path
) -> None:
    search = failed(open_search, rows=write_rows(tmp_path, videos / "sea.mp4"))
    search.ingest(videos / "sea.mp4")
    assert whole(search).text.title == "sea"


def test_a_row_with_a_broken_sidecar_can_be_tried_again(
    open_search: OpenSearch, videos: Path, tmp_path: Path
) -> None:
    (videos / "sea.json").write_text("{broken")
    search = failed(open_search, rows=write_rows(tmp_path, videos / "sea.mp4"))
    assert [each.path for each in search.failures()] == [str(videos / "sea.mp4")]
    (videos / "sea.json").unlink()
    assert search.ingest(retry_failed=True).counts == {"ingested": 1}
    check_row(search)


def test_an_object_keeps_its_row(opened: Opened, bucket: Bucket, videos: Path, tmp_path: Path) -> None:
    bucket.put("raw/sea.mp4", videos / "sea.mp4")
    opened.embedder = FailingEmbedder()
    opened.ingest(rows=write_rows(tmp_path, "s3://bucket/raw/sea.mp4"))
    opened.embedder.fails = False
    with opened.search() as search:
        assert search.ingest(retry_failed=True).counts == {"ingested": 1}
        check_row(search)


def test_a_url_without_a_signature_is_fetched_again_with_its_row(
    opened: Opened,
    site: Site,
    tmp_path: Path,
) -> None:
    opened.embedder = FailingEmbedder()
    opened.ingest(rows=write_rows(tmp_path, site.url("/sea.mp4")))
    opened.embedder.fails = False
    with opened.search() as search:
        assert search.ingest(retry_failed=True).counts == {"ingested": 1}
        check_row(search)


def test_of_a_signed_url_it_is_said_that_its_signature_is_gone(
    opened: Opened,
    site: Site,
    tmp_path: Path,
) -> None:
    opened.embedder = FailingEmbedder()
    opened.ingest(signed(site, "/chess.mp4"), rows=write_rows(tmp_path, signed(site, "/sea.mp4")))
    opened.embedder.fails = False
    asked = site.asked["/sea.mp4"]
    with opened.search() as search:
        before = search.failures()
        report = search.ingest(retry_failed=True)
        assert report.counts == {"failed": 2}
        assert {video.path: video.reason for video in report.videos} == {
            f"http://{site.address}/{name}.mp4": (
                f"http://{site.address}/{name}.mp4 can't be fetched again: it was given with a signature, "
                "which is never stored; give its whole address again beside --retry-failed; "
                "what was said of it is kept"
            )
            for name in ("sea", "chess")
        }
        assert site.asked["/sea.mp4"] == asked
        assert search.failures() == before
        again = search.ingest(signed(site, "/sea.mp4", "5ec7e7fresh"), retry_failed=True)
        assert [video.outcome for video in again.videos] == [Outcome.INGESTED]
        check_row(search)
        assert [each.path for each in search.failures()] == [f"http://{site.address}/chess.mp4"]
    kept = b"".join(file.read_bytes() for file in (tmp_path / "state").rglob("*") if file.is_file())
    assert not any(secret.encode() in kept for secret in SECRETS)


def test_a_journal_of_before_is_still_read(open_search: OpenSearch, videos: Path, tmp_path: Path) -> None:
    search = failed(open_search, videos / "sea.mp4")
    search.close()
    (file,) = (tmp_path / "state").glob("*.sqlite")
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TABLE given")
    connection.close()
    search = open_search()
    assert [(each.given, each.signed) for each in search.failures()] == [({}, False)]
    assert search.ingest(retry_failed=True).counts == {"ingested": 1}


@pytest.mark.parametrize("name", ["clip[1].mp4", "a?b.mp4"])
def test_a_name_like_a_pattern_keeps_its_row(
    open_search: OpenSearch, videos: Path, tmp_path: Path, name: str
) -> None:
    file = (videos / "sea.mp4").rename(videos / name)
    search = failed(open_search, rows=write_rows(tmp_path, file))
    search.ingest(retry_failed=True)
    check_row(search)
