from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from polyreel.core.errors import ConfigurationError, IntegrityError
from polyreel.core.journal import Journal
from polyreel.core.orders import Ticket

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
    first = journal.intend("v", "work")
    assert (first.ticket, first.submits, first.open) == (None, 1, 1)
    second = journal.intend("v", "work")
    assert (second.submits, second.open, second.since) == (2, 2, first.since)
    assert journal.task("v", "work") == second
    journal.issued("work", Ticket("t1", "v"))
    task = journal.task("v", "work")
    assert task is not None
    assert (task.ticket, task.submits, task.open) == (Ticket("t1", "v"), 2, 0)


def test_a_refused_submit_was_none_and_a_lost_one_before_it_stays(journal: Journal) -> None:
    journal.intend("v", "work")
    journal.withdraw("v", "work")
    assert journal.task("v", "work") is None
    lost = journal.intend("v", "work")
    journal.intend("v", "work")
    journal.withdraw("v", "work")
    assert journal.task("v", "work") == lost


def test_a_ticket_that_leads_nowhere_is_no_lost_reply(journal: Journal) -> None:
    journal.intend("v", "work")
    journal.issued("work", Ticket("t1", "v"))
    journal.drop("v", "work")
    task = journal.task("v", "work")
    assert task is not None
    assert (task.ticket, task.submits, task.open) == (None, 1, 0)


def test_what_was_handed_over_is_known_until_the_task_is_done(journal: Journal) -> None:
    journal.hand("v", "work", "service://1")
    assert journal.handed("v", "work") == "service://1"
    assert journal.handed("v", "other work") is None
    journal.done("v", "work")
    assert journal.handed("v", "work") is None


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
