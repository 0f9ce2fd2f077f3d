"""Logs: levels, rotation, JSON lines whatever stands in them, and no secret anywhere."""

from __future__ import annotations

import json
import logging
import math
from typing import TYPE_CHECKING, Any

import pytest

from polyreel.core import logfile
from polyreel.core.errors import ConfigurationError, UnavailableError
from polyreel.core.logs import LOGGER, conceal, logged, redacted
from polyreel.core.masking import MASK, Redactor

if TYPE_CHECKING:
    from pathlib import Path


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").split("\n") if line]


def test_a_record_is_one_json_object_with_its_extra_values(tmp_path: Path) -> None:
    with logged(tmp_path / "log.jsonl"):
        LOGGER.info("video", extra={"outcome": "ingested", "records": 3})
    (line,) = lines(tmp_path / "log.jsonl")
    assert line["time"].endswith("+00:00")
    assert {name: line[name] for name in ("level", "logger", "event", "outcome", "records")} == {
        "level": "info",
        "logger": "polyreel",
        "event": "video",
        "outcome": "ingested",
        "records": 3,
    }


@pytest.mark.parametrize(("level", "kept"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_only_what_reaches_the_level_is_written(tmp_path: Path, level: str, kept: int) -> None:
    with logged(tmp_path / "log.jsonl", level):
        for name in ("debug", "info", "warning", "error"):
            LOGGER.log(getattr(logging, name.upper()), name)
    assert len(lines(tmp_path / "log.jsonl")) == kept


def test_the_level_is_as_before_afterwards(tmp_path: Path) -> None:
    before, handlers = LOGGER.level, list(LOGGER.handlers)
    with logged(tmp_path / "log.jsonl", "debug"):
        assert LOGGER.level == logging.DEBUG
    assert (before, handlers) == (LOGGER.level, LOGGER.handlers)


def test_a_full_file_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "BYTES", 2000)
    with logged(tmp_path / "log.jsonl"):
        for at in range(100):
            LOGGER.info("event", extra={"at": at})
    files = sorted(tmp_path.iterdir())
    assert len(files) == 1 + logfile.KEPT
    assert all(file.stat().st_size <= 2000 for file in files)
    assert lines(tmp_path / "log.jsonl")[-1]["at"] == 99


@pytest.mark.parametrize("hostile", ['a\nb\r"c"', "\x1b[31mred\x07", "\ud800", "😀\u2028", "{" * 50, "\\"])
def test_whatever_stands_in_an_event_the_line_is_json(tmp_path: Path, hostile: str) -> None:
    with logged(tmp_path / "log.jsonl"):
        LOGGER.info("%s", hostile, extra={"value": hostile, "body": b"\x00" * 9, "list": [hostile, 1]})
    (line,) = lines(tmp_path / "log.jsonl")
    assert line["body"] == "<9 bytes>"
    assert line["list"][1] == 1


SECRETS = [
    "https://me:passw0rd@host.example/a.mp4",
    "https://host.example/a.mp4?X-Amz-Signature=abcdef0123&X-Amz-Credential=key",
    "tos://bucket/a.mp4?x-tos-signature=abcdef0123",
    "Authorization: Bearer abcdef0123",
    "{'x-api-key': 'abcdef0123'}",
    '"secret_key": "abcdef0123"',
    "api_key=abcdef0123&x=1",
    "password = abcdef0123",
    "the driver said SESAME-9 in the middle",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_masked_wherever_they_stand(tmp_path: Path, text: str) -> None:
    hidden = ("passw0rd", "abcdef0123", "SESAME-9")
    with logged(tmp_path / "log.jsonl", "debug"):
        conceal("SESAME-9")
        error = UnavailableError(f"no answer: {text}")
        error.__cause__ = OSError(text)
        LOGGER.error("failed", exc_info=error, extra={"said": [text], "nested": {"by": text}})
        assert not any(each in redacted(text) for each in hidden)
    written = (tmp_path / "log.jsonl").read_text("utf-8")
    (line,) = lines(tmp_path / "log.jsonl")
    assert [each.partition(":")[0] for each in line["error"]] == ["UnavailableError", "OSError"]
    assert all(MASK in each for each in line["error"])
    assert not any(each in written for each in hidden)


@pytest.mark.parametrize(
    "text",
    [
        "the filter can't be read at column 7",
        "file:///videos/a%20b.mp4",
        "there is no file token.mp4",
        "12:30",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor()(text) == text


def test_masking_twice_changes_nothing_more() -> None:
    redactor = Redactor()
    redactor.learn("SESAME-9")
    for text in SECRETS:
        assert redactor(redactor(text)) == redactor(text)


def test_errors_that_cause_each_other_end_in_the_log(tmp_path: Path) -> None:
    first, second = UnavailableError("first"), OSError("second")
    first.__cause__, second.__context__ = second, first
    with logged(tmp_path / "log.jsonl", "debug"):
        LOGGER.error("failed", exc_info=first)
    (line,) = lines(tmp_path / "log.jsonl")
    assert line["error"] == ["UnavailableError: first", "OSError: second"]
    assert "OSError: second" in line["traceback"]


def test_numbers_that_json_lacks_are_written_as_text(tmp_path: Path) -> None:
    def refused(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    with logged(tmp_path / "log.jsonl"):
        LOGGER.info("search", extra={"score": math.nan, "limits": [math.inf, -math.inf, 1.5]})
    line = json.loads((tmp_path / "log.jsonl").read_text("utf-8"), parse_constant=refused)
    assert (line["score"], line["limits"]) == ("nan", ["inf", "-inf", 1.5])


def test_a_value_is_masked_by_its_name_in_whatever_it_is_nested(tmp_path: Path) -> None:
    headers = {"Authorization": "Bearer x", "api-key": 12345, "Accept": "video/mp4"}
    with logged(tmp_path / "log.jsonl"):
        LOGGER.info("sent", extra={"request": [{"headers": headers}], "total_tokens": 7, "token": None})
    (line,) = lines(tmp_path / "log.jsonl")
    assert line["request"] == [{"headers": {"Authorization": MASK, "api-key": MASK, "Accept": "video/mp4"}}]
    assert (line["total_tokens"], line["token"]) == (7, None)


def test_a_secret_that_spans_lines_is_masked_in_the_chain_and_the_traceback(tmp_path: Path) -> None:
    secret = "first line of it\nsecond line of it"
    with logged(tmp_path / "log.jsonl", "debug"):
        conceal(secret)
        error = UnavailableError(f"refused: {secret}")
        error.__cause__ = OSError(repr(secret))
        LOGGER.error("failed", exc_info=error)
    written = (tmp_path / "log.jsonl").read_text("utf-8")
    assert "refused" in written
    assert "line of it" not in written


@pytest.mark.parametrize("level", ["info", "error"])
def test_a_file_that_cannot_be_written_is_said_before_anything_starts(tmp_path: Path, level: str) -> None:
    with pytest.raises(ConfigurationError, match="can't be written"), logged(tmp_path / "no" / "log", level):
        pass


def test_an_unknown_level_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="choose debug, info"), logged(tmp_path / "log", "loud"):
        pass


def test_without_a_file_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    LOGGER.error("an event")
    with logged():
        LOGGER.error("an event")
    assert capsys.readouterr().err == ""


def test_what_a_store_warns_of_is_told_to_the_person(capsys: pytest.CaptureFixture[str]) -> None:
    with logged():
        logging.getLogger("polyreel.backends.memory").warning("healed https://host/a?signature=x")
    assert capsys.readouterr().err == f"warning: healed https://host/a?{MASK}\n"
