from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from polyreel.core.embedder import Ticket
from polyreel.core.errors import ConfigurationError, IntegrityError
from polyreel.core.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "state" / "journal.sqlite")
    yield opened
    opened.close()


def test_a_digest_is_remembered_until_the_file_changes(journal: Journal, tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    file.write_bytes(b"one")
    assert journal.sha256(file) is None
    journal.remember_sha256(file, "abc")
    assert journal.sha256(file) == "abc"
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))
    assert journal.sha256(file) is None


def test_an_intent_is_written_before_its_ticket_and_counts_submits(journal: Journal) -> None:
    assert journal.task("v", "work") is None
    assert journal.intend("v", "work") == 1
    task = journal.task("v", "work")
    assert task is not None
    assert task.ticket is None
    assert journal.intend("v", "work") == 2


def test_a_ticket_survives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    first = Journal(path)
    first.intend("v", "work")
    first.issued("work", Ticket("t1", "v", expires=9.0))
    first.close()
    second = Journal(path)
    task = second.task("v", "work")
    assert task is not None
    assert task.ticket == Ticket("t1", "v", expires=9.0)
    second.done("v", "work")
    assert second.task("v", "work") is None
    second.close()


def test_a_file_that_is_no_journal_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(IntegrityError, match="delete the file"):
        Journal(path)


def test_a_state_folder_that_is_a_file_is_a_setting_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    with pytest.raises(ConfigurationError, match="state folder"):
        Journal(tmp_path / "state" / "journal.sqlite")
