"""Downloads from a web server on this machine that misbehaves on demand."""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from polyreel.core.deadline import RetryPolicy, within
from polyreel.core.errors import (
    AuthenticationError,
    InvalidQueryError,
    NotFoundError,
    PolyreelError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)
from polyreel.storage.https import HttpsDownloads
from polyreel.testing.web import Site, cut, send, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

BODY = bytes(range(256)) * 5000
SECRET = "X-Amz-Signature=5ec7e7"


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


def signed(site: Site, path: str) -> str:
    """An address that nobody but the server may see."""
    return f"http://user:hunter2@{site.address}{path}?{SECRET}"


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def downloads(waits: list[float]) -> Iterator[HttpsDownloads]:
    with closing(patient(10.0, waits)) as made:
        yield made


def patient(seconds: float, waits: list[float]) -> HttpsDownloads:
    retry = RetryPolicy(attempts=3, base=0.001, cap=0.01, sleep=waits.append)
    return HttpsDownloads(patience=seconds, retry=retry)


def failure(downloads: HttpsDownloads, url: str, target: Path) -> PolyreelError:
    """The error of a download, which left no file and said no secret."""
    with pytest.raises(PolyreelError) as caught:
        downloads.get(url, target)
    assert not target.exists()
    assert list(target.parent.iterdir()) == []
    assert "hunter2" not in str(caught.value)
    assert "5ec7e7" not in str(caught.value)
    return caught.value


def test_a_file_is_written_whole(site: Site, downloads: HttpsDownloads, tmp_path: Path) -> None:
    site.answers["/a.mp4"] = lambda handler, _: send(handler, 200, BODY)
    assert downloads.get(signed(site, "/a.mp4"), tmp_path / "a.mp4") is None
    assert (tmp_path / "a.mp4").read_bytes() == BODY
    assert site.headers[0]["Authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, NotFoundError),
        (410, NotFoundError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (400, RejectedError),
        (416, RejectedError),
        (304, RejectedError),
    ],
)
def test_what_fails_for_good_is_asked_once(
    site: Site, downloads: HttpsDownloads, tmp_path: Path, status: int, error: type[PolyreelError]
) -> None:
    site.answers["/a.mp4"] = lambda handler, _: send(handler, status)
    said = failure(downloads, signed(site, "/a.mp4"), tmp_path / "a.mp4")
    assert type(said) is error
    assert said.message.startswith(f"http://{site.address}/a.mp4 answered {status} ")
    assert site.asked["/a.mp4"] == 1


@pytest.mark.parametrize("status", [408, 500, 502, 503])
def test_what_may_pass_is_tried_again(
    site: Site, downloads: HttpsDownloads, tmp_path: Path, status: int
) -> None:
    site.answers["/a.mp4"] = lambda handler, time: send(handler, status if time == 1 else 200, BODY)
    downloads.get(signed(site, "/a.mp4"), tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == BODY
    assert site.asked["/a.mp4"] == 2


@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_the_server_asks_for_is_kept(
    site: Site, downloads: HttpsDownloads, tmp_path: Path, waits: list[float], status: int
) -> None:
    site.answers["/a.mp4"] = lambda handler, time: (
        send(handler, status, Retry_After="7") if time == 1 else send(handler, 200, BODY)
    )
    downloads.get(signed(site, "/a.mp4"), tmp_path / "a.mp4")
    assert waits == [7.0]


def test_a_wait_may_be_a_date(
    site: Site, downloads: HttpsDownloads, tmp_path: Path, waits: list[float]
) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    site.answers["/a.mp4"] = lambda handler, time: (
        send(handler, 429, Retry_After=when) if time == 1 else send(handler, 200, BODY)
    )
    downloads.get(signed(site, "/a.mp4"), tmp_path / "a.mp4")
    assert 50 < waits[0] <= 60


@pytest.mark.parametrize("after", ["", "soon"])
def test_too_many_requests_without_a_wait_are_tried_with_a_growing_one(
    site: Site, downloads: HttpsDownloads, tmp_path: Path, waits: list[float], after: str
) -> None:
    site.answers["/a.mp4"] = lambda handler, _: send(handler, 429, Retry_After=after)
    said = failure(downloads, signed(site, "/a.mp4"), tmp_path / "a.mp4")
    assert isinstance(said, RateLimitedError)
    assert said.retry_after is None
    assert site.asked["/a.mp4"] == 3
    assert max(waits) <= 0.01


def test_a_wait_beyond_the_deadline_is_not_begun(
    site: Site, downloads: HttpsDownloads, tmp_path: Path, waits: list[float]
) -> None:
    site.answers["/a.mp4"] = lambda handler, _: send(handler, 429, Retry_After="86400")
    said = failure(downloads, signed(site, "/a.mp4"), tmp_path / "a.mp4")
    assert isinstance(said, RateLimitedError)
    assert said.retry_after == 86400
    assert waits == []


def test_a_connection_that_is_cut_is_begun_anew(
    site: Site, downloads: HttpsDownloads, tmp_path: Path
) -> None:
    site.answers["/a.mp4"] = lambda handler, time: (
        cut(handler, BODY, 1000) if time < 3 else send(handler, 200, BODY)
    )
    downloads.get(signed(site, "/a.mp4"), tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == BODY
    assert site.asked["/a.mp4"] == 3


def test_a_connection_that_is_cut_each_time_leaves_no_file(
    site: Site, downloads: HttpsDownloads, tmp_path: Path
) -> None:
    site.answers["/a.mp4"] = lambda handler, _: cut(handler, BODY, 1000)
    assert isinstance(failure(downloads, signed(site, "/a.mp4"), tmp_path / "a.mp4"), UnavailableError)
    assert site.asked["/a.mp4"] == 3


def test_a_server_that_falls_silent_is_left(site: Site, waits: list[float], tmp_path: Path) -> None:
    silent = threading.Event()
    site.answers["/a.mp4"] = lambda handler, _: silent.wait(60)
    with closing(patient(0.3, waits)) as downloads:
        said = failure(downloads, signed(site, "/a.mp4"), tmp_path / "a.mp4")
    silent.set()
    assert isinstance(said, UnavailableError)
    assert "doesn't answer" in said.message


def test_a_server_that_is_not_there_is_told(downloads: HttpsDownloads, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = failure(downloads, f"http://user:hunter2@127.0.0.1:{port}/a.mp4?{SECRET}", tmp_path / "a.mp4")
    assert isinstance(said, UnavailableError)
    assert f"http://127.0.0.1:{port}/a.mp4 can't be read" in said.message


def test_a_drip_ends_with_the_deadline(site: Site, downloads: HttpsDownloads, tmp_path: Path) -> None:
    site.answers["/a.mp4"] = lambda handler, _: send(handler, 200, BODY)
    with within(0):
        assert isinstance(failure(downloads, signed(site, "/a.mp4"), tmp_path / "a.mp4"), UnavailableError)


def test_redirects_are_followed_and_bounded(site: Site, downloads: HttpsDownloads, tmp_path: Path) -> None:
    site.answers["/a.mp4"] = lambda handler, _: send(handler, 302, Location=f"/b.mp4?{SECRET}")
    site.answers["/b.mp4"] = lambda handler, _: send(handler, 200, BODY)
    downloads.get(signed(site, "/a.mp4"), tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == BODY
    (tmp_path / "a.mp4").unlink()
    site.answers["/loop.mp4"] = lambda handler, _: send(handler, 302, Location="/loop.mp4")
    said = failure(downloads, signed(site, "/loop.mp4"), tmp_path / "a.mp4")
    assert isinstance(said, RejectedError)
    assert "redirects more than 5 times" in said.message


@pytest.mark.parametrize("url", ["http://us:hunter2@exa mple.com:x/5ec7e7", "http:///a.mp4", "http://"])
def test_an_address_that_is_none_is_told(downloads: HttpsDownloads, tmp_path: Path, url: str) -> None:
    assert isinstance(failure(downloads, url, tmp_path / "a.mp4"), InvalidQueryError)


@pytest.mark.parametrize("headers", [{"ETag": '"one"'}, {"Last_Modified": "Tue, 01 Oct 2024 10:00:00 GMT"}])
@pytest.mark.parametrize("obliging", [True, False], ids=["says 304", "sends it anyway"])
def test_an_unchanged_file_is_not_fetched_again(
    site: Site, downloads: HttpsDownloads, tmp_path: Path, headers: dict[str, str], obliging: bool
) -> None:
    def answer(handler: BaseHTTPRequestHandler, time: int) -> None:
        asked = handler.headers.get("If-None-Match") or handler.headers.get("If-Modified-Since")
        if obliging and asked in headers.values():
            send(handler, 304)
        else:
            send(handler, 200, BODY, **headers)

    site.answers["/a.mp4"] = answer
    mark = downloads.get(signed(site, "/a.mp4"), tmp_path / "a.mp4")
    assert mark
    assert downloads.get(signed(site, "/a.mp4"), tmp_path / "b.mp4", known=mark) == mark
    assert not (tmp_path / "b.mp4").exists()
    assert site.asked["/a.mp4"] == 2


def test_a_changed_file_is_fetched_again(site: Site, downloads: HttpsDownloads, tmp_path: Path) -> None:
    site.answers["/a.mp4"] = lambda handler, time: send(handler, 200, b"%d" % time, ETag=f'"{time}"')
    mark = downloads.get(signed(site, "/a.mp4"), tmp_path / "a.mp4")
    assert downloads.get(signed(site, "/a.mp4"), tmp_path / "a.mp4", known=mark) != mark
    assert (tmp_path / "a.mp4").read_bytes() == b"2"


def test_no_secret_is_logged_and_other_users_of_the_library_are_heard(
    site: Site, downloads: HttpsDownloads, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site.answers["/a.mp4"] = lambda handler, _: send(handler, 302, Location=f"/b.mp4?{SECRET}")
    site.answers["/b.mp4"] = lambda handler, _: send(handler, 200, BODY)
    with caplog.at_level(logging.DEBUG):
        downloads.get(signed(site, "/a.mp4"), tmp_path / "a.mp4")
        logging.getLogger("httpx").info("somebody else")
    assert "somebody else" in caplog.text
    assert "5ec7e7" not in caplog.text
    assert "hunter2" not in caplog.text


def test_closing_twice_is_fine(downloads: HttpsDownloads) -> None:
    downloads.close()
    downloads.close()
