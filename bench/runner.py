"""The suite `vectors`: steps in order, in each the stacks in turns, and everything kept after every turn."""

from __future__ import annotations

import math
import os
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..core.errors import PolyreelError, UnsupportedError
from ..core.locks import disk_error
from ..core.logs import redacted
from ..core.running import Stop
from . import emulation, servers, sources, stacks
from .lane import Lane, TimeIsOverError
from .results import DataInfo, Outcome, Results, Run, Sample, StackInfo, State, write
from .settings import VectorSettings
from .truth import Truth
from .turns import FILE, Listener, Turn, alone, begun, machine, nobody
from .vectors import Data

_CLOSING = 60.0  # seconds to drop what lies on a server at the end


@dataclass(slots=True)
class VectorBench:
    """One benchmark of the suite `vectors`; `run` goes on where an earlier one in the folder was stopped.

    Args:
        settings: What is measured.
        names: The stacks.
        out: The folder of the results, and meanwhile of what the stacks keep.
        config: The configuration file; as for `polyreel.open` when left out.
        budget: Seconds for this start; what doesn't fit is left for the next one.
        allow_emulators: Also measure what is only an imitation; results then say so.
        stop: Ends it after the turn in flight.
        listener: Hears how far it is.
    """

    settings: VectorSettings
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
            ConfigurationError: The folder holds the results of something else, a stack isn't there, or it is
                an emulator and these aren't allowed.
            LockedError: Another benchmark runs in the folder.
        """
        with alone(self.out):
            return self._alone()

    def _alone(self) -> Results:
        chosen = stacks.chosen(self.names, self.config, self.out / "work")
        found = [emulation.marked(one.info()) for one in chosen]
        emulation.check(found, allowed=self.allow_emulators)
        data = sources.data_of(self.settings)
        results = begun(self.out, self._empty(data, found))
        if not results.runs:
            shutil.rmtree(self.out / "work", ignore_errors=True)
        try:
            data.save(self.out / "work" / "data")
        except OSError as error:
            raise disk_error(error, f"the vectors can't be written below {self.out}") from error
        with ExitStack() as held:
            lanes = [held.enter_context(_lane(one, self.settings, self.out)) for one in chosen]
            work = _Work(self, results, lanes, Truth(data, self.settings))
            work.run()
        if results.complete:
            shutil.rmtree(self.out / "work", ignore_errors=True)
        return results

    def _empty(self, data: Data, found: list[StackInfo]) -> Results:
        known = DataInfo(
            source=data.source,
            records=len(data.stored),
            dimension=data.stored.shape[1],
            queries=len(data.queries),
            fingerprint=data.fingerprint,
        )
        settings = self.settings.model_copy(update={"records": len(data.stored)})
        return Results(suite="vectors", settings=settings, machine=machine(), data=known, stacks=found)


@dataclass(slots=True)
class _Work:
    """One start of a benchmark."""

    bench: VectorBench
    results: Results
    lanes: list[Lane]
    truth: Truth
    _began: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Take all turns that are left."""
        self.results.runs.append(Run(began=datetime.now(UTC).isoformat(timespec="seconds")))
        self._save()
        for step in self._steps():
            before = len(self.results.runs[-1].load)
            for at in range(self._rounds(step)):
                for lane in self._order(step, at):
                    if not self._waits(lane, step, at):
                        continue
                    if self.bench.stop.asked or time.monotonic() > self._end:
                        return self._ended("stopped" if self.bench.stop.asked else "budget")
                    if len(self.results.runs[-1].load) == before:
                        self.results.runs[-1].load.append(round(os.getloadavg()[0], 2))
                    self._turn(lane, step, at)
        if self._lacks():
            return self._ended("budget")
        for lane in self.lanes:
            _dropped(lane)
        self._ended("complete")
        return None

    @property
    def _end(self) -> float:
        return self._began + self.bench.budget

    def _lacks(self) -> bool:
        """Whether something is left to be done, of stacks that are left out this time as well."""
        found = [
            self.results.outcome(stack.name, step) for stack in self.results.stacks for step in self._steps()
        ]
        return any(each is None or each.state == "unfinished" for each in found)

    def _steps(self) -> Iterator[str]:
        yield "load"
        yield from (step for step in self.bench.settings.steps if step != "load")

    def _rounds(self, step: str) -> int:
        """How many turns each stack has in a step."""
        settings = self.bench.settings
        few = {"load": math.ceil(self.results.data.records / settings.chunk), "settle": 1}
        return few.get(step, min(settings.rounds, 3) if step == "cold" else settings.rounds)

    def _order(self, step: str, at: int) -> list[Lane]:
        """The stacks in an order that differs from turn to turn, and is the same for the same seed."""
        return random.Random(f"{self.bench.settings.seed} {step} {at}").sample(self.lanes, len(self.lanes))

    def _waits(self, lane: Lane, step: str, at: int) -> bool:
        """Whether this turn of the stack is still to be taken."""
        name = lane.chosen.name
        known = self.results.outcome(name, step)
        if known and known.state in ("done", "failed", "unsupported"):
            return False
        load = self.results.outcome(name, "load")
        if step != "load" and (load is None or load.state != "done"):
            lost = load is not None and load.state == "failed"
            why = "its records could not be written" if lost else "its records aren't written yet"
            state: State = "failed" if lost else "unfinished"
            self._keep(Outcome(stack=name, step=step, state=state, reason=why))
            return False
        return at >= (known.rounds if known else 0)

    def _turn(self, lane: Lane, step: str, at: int) -> None:
        name, rounds = lane.chosen.name, self._rounds(step)
        known = self.results.outcome(name, step) or Outcome(stack=name, step=step, state="unfinished")
        self.bench.listener(self._told(lane, step, at))
        began, samples = time.monotonic(), list[Sample]()
        left: dict[str, Any] = {"rounds": at, "state": "unfinished", "reason": ""}
        try:
            samples = self._samples(lane, step, at)
        except TimeIsOverError:
            left["reason"] = "the time that was given came to its end"
        except UnsupportedError as error:
            left |= {"state": "unsupported", "reason": redacted(error)}
        except PolyreelError as error:
            left |= {"state": "failed", "reason": redacted(error)}
        else:
            left |= {"rounds": at + 1, "state": "done" if at + 1 == rounds else "unfinished"}
        spent = known.seconds + time.monotonic() - began
        self._keep(known.model_copy(update={**left, "seconds": round(spent, 3)}), samples)

    def _samples(self, lane: Lane, step: str, at: int) -> list[Sample]:
        """What a turn measures."""
        self._prepared(lane)
        if step == "cold":
            assert lane.known is not None  # it was prepared
            if not lane.known.durable:
                raise UnsupportedError("its records are gone when the process ends")
            lane.start()
        answer = lane.take(step, at, self._end)
        if step == "cold":
            lane.stop()
        found = self.truth.recall(step, answer.found)
        return [*answer.samples, *found, *(_of_server(lane.server) if step == "settle" else ())]

    def _prepared(self, lane: Lane) -> None:
        """The stack's process with its collection as the steps that are done have left it."""
        name = lane.chosen.name
        load, settle = self.results.outcome(name, "load"), self.results.outcome(name, "settle")
        chunk, records = self.bench.settings.chunk, self.results.data.records
        written = min(records, load.rounds * chunk) if load else 0
        settled = settle is not None and settle.state == "done"
        known = lane.prepare(written, settled=settled, end=self._end)
        info = next(each for each in self.results.stacks if each.name == name)
        info.form, info.version = known.form, known.version
        info.process = "the server's" if lane.server else "" if "url" in info.settings else "the stack's own"

    def _keep(self, outcome: Outcome, samples: Sequence[Sample] = ()) -> None:
        self.results.keep(outcome, samples)
        if outcome.state != "unfinished" or outcome.reason:
            self.bench.listener(outcome.model_copy(update={"stack": self.results.label(outcome.stack)}))
        self._save()

    def _told(self, lane: Lane, step: str, at: int) -> Turn:
        rounds = {each: self._rounds(each) for each in self._steps()}
        total = sum(rounds.values()) * len(self.lanes)
        over = [each for each in self.results.outcomes if each.step in rounds]
        done = sum(each.rounds if each.state == "unfinished" else rounds[each.step] for each in over)
        return Turn(self.results.label(lane.chosen.name), step, at, rounds[step], done, total)

    def _ended(self, how: str) -> None:
        self.results.runs[-1].ended = how
        self._save()

    def _save(self) -> None:
        self.results.runs[-1].seconds = round(time.monotonic() - self._began, 3)
        write(self.results, self.bench.out / FILE)


@contextmanager
def _lane(one: stacks.Chosen, settings: VectorSettings, out: Path) -> Iterator[Lane]:
    """A stack's lane, and its server where the benchmark starts it."""
    with ExitStack() as held:
        server = None
        if one.config == stacks.OWN and one.name in stacks.SERVERS:
            server = held.enter_context(servers.serving(stacks.SERVERS[one.name]))
            one = replace(one, overrides={"url": server.url})
        lane = Lane(one, settings, out / "work" / "data", server)
        held.callback(lane.stop)
        yield lane


def _of_server(server: servers.Server | None) -> Iterator[Sample]:
    """Memory and disk of a server of ours."""
    if server is None:
        return
    held = server.memory()
    if held is not None:
        yield Sample(name="memory", value=held, unit="MiB")
    yield Sample(name="disk", value=server.disk(), unit="MiB")


def _dropped(lane: Lane) -> None:
    """Delete the collection of a stack that runs; what lies below the folder goes with that."""
    if not lane.runs:
        return
    try:
        lane.drop(time.monotonic() + _CLOSING)
    except (PolyreelError, TimeIsOverError):
        return  # nothing more can be done, and the figures are good
