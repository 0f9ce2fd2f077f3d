"""The suite `video`: whole stacks, from a folder of videos to answers that are judged."""

from __future__ import annotations

import hashlib
import math
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from statistics import mean
from typing import Any

from ..core.errors import InvalidQueryError, PolyreelError
from ..core.evaluating import evaluate
from ..core.judgements import Judged, read_judgements
from ..core.logs import redacted
from ..core.running import Stop
from ..core.sources import SUFFIXES
from . import alike, emulation, stacks
from .results import DataInfo, Measure, Outcome, Results, Run, Sample, write
from .settings import VideoSettings
from .spread import percentile
from .turns import FILE, Listener, Turn, alone, begun, machine, nobody
from .whole import WholeStack

_ROLES = ("store", "embedder", "objects", "reranker")


@dataclass(slots=True)
class VideoBench:
    """One benchmark of the suite `video`; `run` goes on where an earlier one in the folder was stopped.

    Args:
        settings: What is measured, over which videos and queries.
        names: The stacks, each with its own embedder.
        out: The folder of the results, and meanwhile of what the stacks keep on this machine.
        config: The configuration file; as for `polyreel.open` when left out.
        budget: Seconds for this start; what doesn't fit is left for the next one.
        allow_emulators: Also measure what is only an imitation; results then say so.
        stop: Ends it after the turn in flight.
        listener: Hears how far it is.
    """

    settings: VideoSettings
    names: Sequence[str]
    out: Path
    config: Path | None = None
    budget: float = math.inf
    allow_emulators: bool = False
    stop: Stop = field(default_factory=Stop)
    listener: Listener = nobody

    def run(self) -> Results:
        """Measure what isn't measured yet.

        Raises:
            PolyreelError: A stack isn't there or is an emulator, there are no videos, or a line of the
                evaluation file is wrong.
        """
        with alone(self.out):
            return self._alone()

    def _alone(self) -> Results:
        chosen = stacks.chosen(self.names, self.config, self.out / "work")
        found = [emulation.marked(one.info(_ROLES)) for one in chosen]
        emulation.check(found, allowed=self.allow_emulators)
        videos, judged = _videos(Path(self.settings.videos)), read_judgements(self.settings.evaluation)
        fresh = Results(
            suite="video",
            settings=self.settings,
            machine=machine(),
            data=DataInfo(
                source=Path(self.settings.videos).name,
                records=len(videos),
                queries=len(judged),
                fingerprint=_fingerprint(videos, Path(self.settings.evaluation)),
            ),
            stacks=found,
        )
        results = begun(self.out, fresh)
        if not results.runs:
            shutil.rmtree(self.out / "work", ignore_errors=True)
        with ExitStack() as held:
            lanes = [held.enter_context(WholeStack(one)) for one in chosen]
            _Work(self, results, lanes, videos, judged).run()
        if results.complete:
            shutil.rmtree(self.out / "work", ignore_errors=True)
        return results


@dataclass(slots=True)
class _Work:
    """One start of a benchmark."""

    bench: VideoBench
    results: Results
    lanes: list[WholeStack]
    videos: list[Path]
    judged: list[Judged]
    _began: float = field(default_factory=time.monotonic)
    _faults: list[str] = field(default_factory=list)
    """What went wrong in the turn in flight, although the step goes on."""

    def run(self) -> None:
        """Take all turns that are left."""
        self.results.runs.append(Run(began=datetime.now(UTC).isoformat(timespec="seconds")))
        self._save()
        for step, rounds, turn in self._steps():
            before = len(self.results.runs[-1].load)
            for at in range(rounds):
                for lane in self._order(step, at):
                    if not self._waits(lane, step, at):
                        continue
                    if self.bench.stop.asked or time.monotonic() > self._began + self.bench.budget:
                        self._ended("stopped" if self.bench.stop.asked else "budget")
                        return
                    if len(self.results.runs[-1].load) == before:
                        self.results.runs[-1].load.append(round(os.getloadavg()[0], 2))
                    self._turn(lane, step, at, rounds, turn)
        if len(self.lanes) < len(self.results.stacks):
            self._ended("budget")
            return
        self._agreement()
        for lane in self.lanes:
            lane.drop()
        self._ended("complete")

    def _steps(self) -> Iterator[tuple[str, int, Callable[[WholeStack, int], list[Sample]]]]:
        """The steps, how many turns each has, and what a turn does."""
        yield "ingest", len(self.videos), self._ingest
        yield "settle", 1, self._settle
        yield "query", self.bench.settings.rounds, self._query
        yield "quality", 1, self._quality

    def _order(self, step: str, at: int) -> list[WholeStack]:
        return random.Random(f"{self.bench.settings.seed} {step} {at}").sample(self.lanes, len(self.lanes))

    def _waits(self, lane: WholeStack, step: str, at: int) -> bool:
        """Whether this turn of the stack is still to be taken."""
        known = self.results.outcome(lane.name, step)
        if known and known.state in ("done", "failed"):
            return False
        ingest = self.results.outcome(lane.name, "ingest")
        if step != "ingest" and (ingest is None or ingest.state == "failed"):
            self._keep(Outcome(stack=lane.name, step=step, state="failed", reason="no video was taken in"))
            return False
        return at >= (known.rounds if known else 0)

    def _turn(
        self,
        lane: WholeStack,
        step: str,
        at: int,
        rounds: int,
        turn: Callable[[WholeStack, int], list[Sample]],
    ) -> None:
        known = self.results.outcome(lane.name, step) or Outcome(
            stack=lane.name, step=step, state="unfinished"
        )
        self.bench.listener(
            Turn(self.results.label(lane.name), step, at, rounds, self._done(), self._total())
        )
        self._faults.clear()
        began, samples = time.monotonic(), list[Sample]()
        left: dict[str, Any] = {"rounds": at + 1, "state": "done" if at + 1 == rounds else "unfinished"}
        try:
            samples = turn(lane, at)
            left["reason"] = redacted("; ".join(filter(None, (known.reason, *self._faults))))
        except PolyreelError as error:
            left = {"rounds": at, "state": "failed", "reason": redacted(error)}
        left["seconds"] = round(known.seconds + time.monotonic() - began, 3)
        self._keep(known.model_copy(update=left), samples)

    # -- turns --------------------------------------------------------------------------------------------

    def _ingest(self, lane: WholeStack, at: int) -> list[Sample]:
        """One video, and what the whole folder costs when it is the first one."""
        samples = list(self._cost(lane)) if at == 0 else []
        report, spent, split = lane.ingest(self.videos[at], self.bench.settings.workers)
        info = next(each for each in self.results.stacks if each.name == lane.name)
        info.form, info.version = lane.plain.can.form, lane.plain.can.version
        failed = [each for each in report.videos if each.failed]
        samples.append(Sample(name="errors", value=len(failed), unit="count"))
        self._faults += [f"{Path(each.path).name}: {each.reason}" for each in failed]
        if failed:  # how quickly a video is refused says nothing of an ingest
            return samples
        samples += [
            Sample(name="videos", value=60 / spent, unit="1/min", better="higher"),
            Sample(name="seconds", value=spent, unit="s"),
            Sample(name="written", value=report.totals.records, unit="count", better=""),
        ]
        return samples + [
            Sample(name="split", value=value, unit="s", case=part) for part, value in split.items()
        ]

    def _cost(self, lane: WholeStack) -> Iterator[Sample]:
        """What embedding costs by the configured rates, where these say it."""
        estimate = lane.search.ingest(*self.videos, dry_run=True).estimate
        if estimate is not None and estimate.cost is not None:
            yield Sample(name="cost", value=estimate.cost, unit=estimate.currency or "money")
        if estimate is not None:
            yield Sample(name="video", value=estimate.video_seconds, unit="s", better="")

    def _settle(self, lane: WholeStack, at: int) -> list[Sample]:
        self._taken_in(lane)
        began = time.perf_counter()
        lane.plain.flush()
        lane.plain.optimize()
        return [Sample(name="optimized", value=time.perf_counter() - began, unit="s")]

    def _query(self, lane: WholeStack, at: int) -> list[Sample]:
        """All queries, in the order of the file; the first one warms up and is asked again."""
        self._taken_in(lane)
        lane.ask(self.judged[0])
        timings = [lane.ask(each).timing for each in self.judged]
        totals = [timing["total"] for timing in timings]
        samples = [
            Sample(name="total", value=percentile(totals, part / 100) * 1e3, unit="ms", case=f"p{part}")
            for part in (50, 95)
        ]
        parts = {name: mean(timing[name] for timing in timings) for name in ("embed", "search", "fetch")}
        parts["other"] = max(0.0, mean(totals) - sum(parts.values()))
        return samples + [
            Sample(name="split", value=value * 1e3, unit="ms", case=name) for name, value in parts.items()
        ]

    def _quality(self, lane: WholeStack, at: int) -> list[Sample]:
        """The measures of `polyreel evaluate`, each with its interval."""
        self._taken_in(lane)
        found = evaluate({lane.name: lane.search}, self.judged, seed=self.bench.settings.seed)
        for name, interval in found.measures(lane.name).items():
            values = [each.measures[name] for each in found.scored[lane.name] if name in each.measures]
            measure = Measure.of(
                lane.name, "quality", Sample(name=name, value=0, unit="share", better="higher"), values
            )
            ends = {"median": interval.mean, "low": interval.low, "high": interval.high}
            self.results.put(measure.model_copy(update=ends))
        return []

    def _agreement(self) -> None:
        """How alike each two stacks answer: the videos that both find, and the moments."""
        able = [
            lane
            for lane in self.lanes
            if (known := self.results.outcome(lane.name, "query")) and known.state == "done"
        ]
        if len(able) < 2:
            return
        for lane in able:
            self._taken_in(lane)
        answers = {lane.name: [lane.ask(each).hits for each in self.judged] for lane in able}
        for one, other in combinations(answers, 2):
            pairs = list(zip(answers[one], answers[other], strict=True))
            for name, measured in (("same videos", alike.same_videos), ("same moments", alike.same_moments)):
                sample = Sample(name=name, value=0, unit="share", better="", case=f"with {other}")
                self.results.put(Measure.of(one, "agreement", sample, [measured(*pair) for pair in pairs]))

    # -- inside -------------------------------------------------------------------------------------------

    def _taken_in(self, lane: WholeStack) -> None:
        """All videos, again where a stack has forgotten them since an earlier start; not measured."""
        lane.search.ingest(*self.videos, workers=self.bench.settings.workers, optimize=False)

    def _done(self) -> int:
        return sum(each.rounds for each in self.results.outcomes)

    def _total(self) -> int:
        return sum(rounds for _, rounds, _ in self._steps()) * len(self.lanes)

    def _keep(self, outcome: Outcome, samples: Sequence[Sample] = ()) -> None:
        self.results.keep(outcome, samples)
        if outcome.state != "unfinished":
            self.bench.listener(outcome.model_copy(update={"stack": self.results.label(outcome.stack)}))
        self._save()

    def _ended(self, how: str) -> None:
        self.results.runs[-1].ended = how
        self._save()

    def _save(self) -> None:
        self.results.runs[-1].seconds = round(time.monotonic() - self._began, 3)
        write(self.results, self.bench.out / FILE)


def _videos(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise InvalidQueryError(
            f"there is no video in {folder}", hint="name a folder of videos with --videos"
        )
    return found


def _fingerprint(videos: Sequence[Path], evaluation: Path) -> str:
    """Names, sizes and the judgements: content is hashed by the ingest."""
    digest = hashlib.sha256(evaluation.read_bytes())
    for path in videos:
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]
