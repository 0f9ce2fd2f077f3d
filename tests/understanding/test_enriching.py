"""Captions and events as text of records: found by words, kept through ingests, never paid for twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from polyreel.backends.milvus import MilvusStore
from polyreel.backends.qdrant import QdrantEdgeStore
from polyreel.core.errors import AuthenticationError, LockedError, UnsupportedError
from polyreel.core.filters import F
from polyreel.core.locks import FolderLock
from polyreel.core.records import Scope
from polyreel.core.running import Stop
from polyreel.embedders.builtin.embedder import BuiltinEmbedder
from polyreel.testing.ark import Asked, Emulator, Said
from polyreel.testing.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from polyreel.core.records import Record
    from polyreel.core.search import VideoSearch
    from polyreel.core.store import VectorStore

    from .conftest import OpenStack

ASK = "POST /api/v3/responses"


def answer(caption: str, *events: tuple[object, object, str]) -> str:
    listed = [{"start": start, "end": end, "event": event} for start, end, event in events]
    return json.dumps({"caption": caption, "events": listed})


def about(asked: Asked) -> str:
    """Another answer for each video."""
    kind = "zebra" if len(asked.videos[0][0]) % 2 else "gnu"
    return answer(f"A {kind} stands in the savannah.", (0, 1, "It yawns."), ("00:03", 3.5, "It gallops."))


def records(search: VideoSearch, video_id: str) -> list[Record]:
    return sorted(search._opened().scan(F.video_id == video_id), key=lambda each: (each.scope, each.start_ms))


def video(search: VideoSearch, title: str) -> str:
    return next(manifest.video_id for manifest in search.videos() if title in manifest.title)


def words(search: VideoSearch, text: str) -> list[float]:
    return [hit.start for hit in search.search(lexical=text)]


def test_what_the_model_sees_is_found_by_words(
    emulator: Emulator, open_stack: OpenStack, videos: Path
) -> None:
    search = open_stack()
    search.ingest(videos / "ball_a.mp4")
    emulator.script.say(answer("A scarlet sphere.", (0, 1, "It yawns."), ("00:03", 3.5, "It gallops.")))
    report = search.enrich()
    assert report.ok
    assert report.counts == {"enriched": 1}
    assert words(search, "gallops") == [2.0]
    assert words(search, "yawns") == [0.0]
    assert sorted(words(search, "scarlet")) == [0.0, 2.0]
    whole = [each for each in records(search, video(search, "Red ball")) if each.scope is Scope.VIDEO]
    assert [each.text.generated for each in whole] == ["A scarlet sphere.\nIt yawns.\nIt gallops."]
    assert whole[0].text.title == "Red ball, first half"  # what people wrote stands beside it
    assert report.spent.cost is not None
    assert report.spent.cost > 0


def test_hybrid_searches_find_it_too(emulator: Emulator, open_stack: OpenStack, videos: Path) -> None:
    search = open_stack(embedder=BuiltinEmbedder())
    search.ingest(videos)
    emulator.script.say(about, about)
    assert search.enrich().counts == {"enriched": 2}
    best = search.search("gallops", hybrid=True, limit=2)
    assert {hit.start for hit in best} == {2.0}


def test_a_second_run_asks_nothing(emulator: Emulator, open_stack: OpenStack, videos: Path) -> None:
    search = open_stack()
    search.ingest(videos)
    emulator.script.say(about, about)
    search.enrich()
    again = search.enrich()
    assert again.counts == {"skipped": 2}
    assert (again.spent.submits, len(emulator.script.heard)) == (0, 2)


def test_another_prompt_asks_anew_and_replaces_the_text(
    emulator: Emulator, open_stack: OpenStack, videos: Path
) -> None:
    search = open_stack()
    search.ingest(videos / "ball_a.mp4")
    emulator.script.say(answer("A scarlet sphere."), answer("Ein Ball."))
    search.enrich()
    search.enrich(prompt="Write in German.")
    assert "Write in German." in emulator.script.heard[1].text
    assert words(search, "scarlet") == []
    assert len(words(search, "Ball")) == 2
    # back to the first prompt: its answer is in the journal, and paid for
    assert search.enrich().spent.cached == 1
    assert len(words(search, "scarlet")) == 2
    assert len(emulator.script.heard) == 2


@pytest.mark.parametrize("embedder", [None, BuiltinEmbedder])
def test_an_ingest_leaves_it_alone_whether_it_skips_or_updates(
    emulator: Emulator, open_stack: OpenStack, videos: Path, embedder: type[BuiltinEmbedder] | None
) -> None:
    search = open_stack(embedder=embedder() if embedder else None)
    search.ingest(videos / "ball_a.mp4")
    emulator.script.say(answer("A scarlet sphere.", (3, 4, "It gallops.")))
    search.enrich()
    ball = video(search, "Red ball")
    enriched = records(search, ball)
    assert search.ingest(videos / "ball_a.mp4").counts == {"skipped": 1}
    assert records(search, ball) == enriched

    sidecar = videos / "ball_a.json"
    sidecar.write_text(json.dumps({"title": "A tomato", "fields": {"year": 2020}}))
    assert search.ingest(videos / "ball_a.mp4").counts == {"updated": 1}
    updated = records(search, ball)
    assert {each.text.title for each in updated} == {"A tomato"}
    assert {each.text.caption for each in updated} == {""}
    assert [each.text.generated for each in updated] == [each.text.generated for each in enriched]
    assert search.videos()[0].text.generated == ""
    assert words(search, "gallops") == [2.0]

    sidecar.write_text(json.dumps({"title": "A tomato", "fields": {"year": 1999}}))
    assert search.ingest(videos / "ball_a.mp4").counts == {"updated": 1}
    assert words(search, "gallops") == [2.0]
    assert search.enrich().counts == {"skipped": 1}


def test_another_recipe_keeps_it_with_the_new_records(
    emulator: Emulator, open_stack: OpenStack, videos: Path
) -> None:
    search = open_stack()
    search.ingest(videos / "ball_a.mp4")
    emulator.script.say(answer("A scarlet sphere.", (3, 4, "It gallops.")))
    search.enrich()
    search.close()
    finer = open_stack()
    object.__setattr__(finer.stack, "recipe", replace(finer.stack.recipe, window=1.0))
    assert finer.ingest(videos / "ball_a.mp4").counts == {"reingested": 1}
    assert words(finer, "gallops") == [3.0]


def test_a_video_that_came_back_is_not_paid_for_again(
    emulator: Emulator, open_stack: OpenStack, videos: Path
) -> None:
    search = open_stack()
    search.ingest(videos / "ball_a.mp4")
    emulator.script.say(answer("A scarlet sphere."))
    search.enrich()
    search.delete(video(search, "Red ball"))
    search.ingest(videos / "ball_a.mp4")
    assert words(search, "scarlet") == []
    report = search.enrich()
    assert (report.spent.cached, report.spent.submits) == (1, 0)
    assert len(words(search, "scarlet")) == 2


def test_one_bad_answer_does_not_stop_the_others(
    emulator: Emulator, open_stack: OpenStack, videos: Path
) -> None:
    search = open_stack(at_once=1)
    search.ingest(videos)
    emulator.script.say("no json", "still none", about)
    report = search.enrich()
    assert report.counts == {"enriched": 1, "failed": 1}
    assert not report.ok
    failed = next(each for each in report.videos if each.reason)
    assert "can't be used" in str(failed.reason)
    emulator.script.say(about)
    assert search.enrich().counts == {"enriched": 1, "skipped": 1}


def test_a_key_that_is_refused_ends_the_run(emulator: Emulator, open_stack: OpenStack, videos: Path) -> None:
    search = open_stack(at_once=1)
    search.ingest(videos)
    emulator.faults.plan(ASK, *[Fault(401, "AuthenticationError")] * 9)
    with pytest.raises(AuthenticationError):
        search.enrich()
    assert emulator.faults.left >= 7


def test_a_dry_run_says_frames_tokens_and_cost_and_sends_nothing(
    emulator: Emulator, open_stack: OpenStack, videos: Path
) -> None:
    search = open_stack()
    search.ingest(videos)
    emulator.script.say(about)
    search.enrich(video(search, "Red ball"))
    sent = len(emulator.seen)
    report = search.enrich(dry_run=True)
    assert report.counts == {"enriched": 1, "skipped": 1}
    plan = next(each.plan for each in report.videos if each.plan)
    assert (plan.frames, plan.tokens) == (16, 16 * 25)
    assert report.planned_tokens == 400
    assert report.planned_cost == pytest.approx(0.0008)
    assert len(emulator.seen) == sent


def test_a_run_that_is_stopped_goes_on_later(emulator: Emulator, open_stack: OpenStack, videos: Path) -> None:
    search = open_stack(at_once=1)
    search.ingest(videos)
    emulator.script.say(about, about)
    stop = Stop()
    report = search.enrich(stop=stop, listener=lambda _: stop.ask())
    assert report.stopped
    done = len(report.videos)
    assert 1 <= done <= 2
    assert search.enrich().ok
    assert len(emulator.script.heard) == 2


def test_two_processes_do_not_pay_for_the_same_videos(open_stack: OpenStack, videos: Path) -> None:
    search = open_stack()
    search.ingest(videos)
    lock = FolderLock(search.stack.state / "test-videos.enriching", what="it")
    lock.acquire()
    with pytest.raises(LockedError, match="the enrichment of 'videos'"):
        search.enrich()
    lock.release()


def test_a_stack_without_a_model_refuses(open_stack: OpenStack, videos: Path) -> None:
    search = open_stack()
    search.ingest(videos)
    object.__setattr__(search.stack, "understanding", None)
    with pytest.raises(UnsupportedError):
        search.enrich()


def test_a_copy_takes_it_along(
    emulator: Emulator, open_stack: OpenStack, videos: Path, tmp_path: Path
) -> None:
    search = open_stack()
    search.ingest(videos / "ball_a.mp4")
    emulator.script.say(answer("A scarlet sphere.", (3, 4, "It gallops.")))
    search.enrich()
    search.copy_to(tmp_path / "bundle")
    ball = video(search, "Red ball")
    before = records(search, ball)
    search.delete(ball)
    search.copy_from(tmp_path / "bundle")
    assert records(search, ball) == before
    assert search.videos()[0].generated is not None
    assert search.enrich().counts == {"skipped": 1}


STORES: dict[str, Callable[[Path], VectorStore]] = {
    "edge": lambda folder: QdrantEdgeStore(path=folder / "edge"),
    "milvus lite": lambda folder: MilvusStore(path=folder / "lite.db"),
}


@pytest.mark.parametrize("store", STORES)
def test_every_local_store_finds_it_keeps_it_through_ingests_and_hands_it_to_a_copy(
    emulator: Emulator, open_stack: OpenStack, videos: Path, tmp_path: Path, store: str
) -> None:
    with open_stack(embedder=BuiltinEmbedder(), store=STORES[store](tmp_path)) as search:
        search.ingest(videos / "ball_a.mp4")
        emulator.script.say(answer("A scarlet sphere\0.", (3, 4, "It gallops\x07 \ud800.")))
        assert search.enrich().counts == {"enriched": 1}
        assert words(search, "gallops") == [2.0]
        assert [hit.start for hit in search.search("gallops", hybrid=True, limit=1)] == [2.0]
        (videos / "ball_a.json").write_text(json.dumps({"title": "A tomato"}))
        search.ingest(videos / "ball_a.mp4")
        assert (words(search, "gallops"), len(words(search, "tomato"))) == ([2.0], 2)
        search.gc()
        search.copy_to(tmp_path / "bundle")
        ball = video(search, "A tomato")
        before = records(search, ball)
        search.delete(ball)
        assert words(search, "gallops") == []
        search.copy_from(tmp_path / "bundle")
        assert [each.text for each in records(search, ball)] == [each.text for each in before]
        assert words(search, "gallops") == [2.0]
        assert search.enrich().counts == {"skipped": 1}


CHILD = """
import os, sys
from pathlib import Path
from pydantic import SecretStr
import polyreel
from polyreel import media
from polyreel.core import enriching, structured
def die(*_: object, **__: object):
    os.kill(os.getpid(), 9)
if sys.argv[3] == "written":
    enriching.Manifests.put = die
elif sys.argv[3] == "answered":
    enriching.Enricher._write = die
elif sys.argv[3] == "asked":
    structured.structured.__globals__["parsed"] = die
with polyreel.open(config=sys.argv[1]) as search:
    search.enrich()
"""
CONFIG = """
stack = "films"
[stacks.films]
state = "state"
recipe = {{ window = 2.0 }}
[stacks.films.store]
kind = "memory"
path = "store"
[stacks.films.embedder]
kind = "builtin"
[stacks.films.objects]
kind = "local"
path = "objects"
[stacks.films.understanding]
kind = "ark"
api_key = "ark-test"
base_url = "{url}"
"""


@pytest.mark.parametrize(("moment", "asked"), [("asked", 2), ("answered", 1), ("written", 1)])
def test_killed_at_any_moment_it_goes_on(
    emulator: Emulator, videos: Path, tmp_path: Path, moment: str, asked: int
) -> None:
    import polyreel

    config = tmp_path / "polyreel.toml"
    config.write_text(CONFIG.format(url=emulator.url))
    with polyreel.open(config=config) as search:
        search.ingest(videos / "ball_a.mp4")
    emulator.script.say(*[answer("A scarlet sphere.", (3, 4, "It gallops."))] * 2)
    child = [sys.executable, "-P", "-c", CHILD, str(config), str(tmp_path), moment]
    assert subprocess.run(child, env=dict(os.environ), check=False).returncode == -9
    with polyreel.open(config=config) as search:
        report = search.enrich()
        assert report.counts == {"enriched": 1}
        assert report.spent.lost == asked - 1
        assert words(search, "gallops") == [2.0]
        assert search.enrich().counts == {"skipped": 1}
    assert len(emulator.script.heard) == asked


def test_a_lost_reply_is_counted(emulator: Emulator, open_stack: OpenStack, videos: Path) -> None:
    search = open_stack()
    search.ingest(videos / "ball_a.mp4")
    emulator.script.say(*[answer("A scarlet sphere.")] * 2)
    emulator.faults.plan(ASK, Fault(500, applied=True))
    report = search.enrich()
    assert (report.spent.submits, report.spent.lost) == (2, 1)
    document: dict[str, Any] = report.to_json()
    assert document["lost"] == 1
    assert document["sound_heard"] is False


def test_an_answer_that_met_its_limit_is_not_written(
    emulator: Emulator, open_stack: OpenStack, videos: Path
) -> None:
    search = open_stack()
    search.ingest(videos / "ball_a.mp4")
    cut = answer("A scarlet sphere.")[:-5]
    emulator.script.say(Said(cut, complete=False), Said(cut, complete=False))
    assert search.enrich().counts == {"failed": 1}
    assert words(search, "scarlet") == []
