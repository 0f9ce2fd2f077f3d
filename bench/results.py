"""`results.json`: what a benchmark found, with all that is needed to read it. Version 1 of the format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..core.errors import InvalidQueryError, NotFoundError
from ..core.locks import disk_error, replacing
from .settings import VectorSettings, VideoSettings
from .spread import spread

FORMAT = 1
Better = Literal["lower", "higher", ""]
State = Literal["done", "failed", "unsupported", "unfinished"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Sample(_Model):
    """One number out of one turn."""

    name: str
    value: float
    unit: str
    better: Better = "lower"
    case: str = ""


class Measure(_Model):
    """One number of one stack, measured once in every turn."""

    stack: str = Field(description="The stack's name.")
    step: str = Field(description="The step in which it was measured.")
    name: str = Field(description="What it is, such as `p50`; `raw …` is the engine called directly.")
    case: str = Field(default="", description="Of what, where a step has several.")
    unit: str = Field(description="`ms`, `s`, `1/s`, `MiB`, `ratio`, `count` or `share`.")
    better: Better = Field(description="Which way is better; empty where neither is.")
    samples: list[float] = Field(description="Turn by turn; in `quality` query by query.")
    median: float = Field(description="Of the samples; in `quality` their mean.")
    low: float = Field(
        description="The lower end of the spread: the least, or of ten and more the tenth of a hundred; in "
        "`quality` that of the interval of 95 %."
    )
    high: float = Field(description="Its upper end.")

    @classmethod
    def of(cls, stack: str, step: str, sample: Sample, samples: list[float]) -> Measure:
        """A measure of the samples of all turns, of which one tells the rest."""
        low, median, high = spread(samples)
        return cls(
            stack=stack,
            step=step,
            name=sample.name,
            case=sample.case,
            unit=sample.unit,
            better=sample.better,
            samples=samples,
            median=median,
            low=low,
            high=high,
        )

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is, whatever the stack."""
        return self.step, self.name, self.case


class Outcome(_Model):
    """What became of a step on a stack."""

    stack: str
    step: str
    state: State = Field(
        description="`unsupported`: the stack can't; `unfinished`: stopped, or no time was left. A run that "
        "goes on finishes what is unfinished."
    )
    rounds: int = Field(default=0, description="Turns that were taken.")
    reason: str = Field(default="", description="Why it isn't done, or what went wrong in it.")
    seconds: float = Field(default=0.0, description="That its turns took in all.")


class StackInfo(_Model):
    """A stack that was measured."""

    name: str
    store: str = Field(description="The store's kind.")
    form: str = Field(default="", description="The store's form; empty where it could not be opened.")
    version: str = Field(default="", description="Of the engine or server, as the store says.")
    embedder: str = Field(default="", description="The embedder's kind; empty where vectors are given.")
    settings: dict[str, str] = Field(default_factory=dict, description="Its configuration, secrets masked.")
    emulated: list[str] = Field(
        default_factory=list,
        description="Parts of it that are emulators, whose figures say nothing of a service.",
    )
    process: str = Field(default="", description="Whose memory is measured.")


class Machine(_Model):
    """Where and with what it ran."""

    python: str
    system: str
    processors: int
    memory: float = Field(description="MiB.")
    packages: dict[str, str] = Field(description="Versions of polyreel and of what it calls.")


class DataInfo(_Model):
    """What was stored and asked."""

    source: str
    records: int
    dimension: int = 0
    queries: int
    fingerprint: str = Field(description="A digest; two runs can be compared where it is the same.")


class Run(_Model):
    """One start of the benchmark; a run that was stopped goes on in another one."""

    began: str = Field(description="ISO 8601.")
    seconds: float = 0.0
    load: list[float] = Field(
        default_factory=list, description="The load average as each step that had a turn began."
    )
    ended: str = Field(
        default="", description="`complete`, `stopped` or `budget`; empty while it runs or after kill."
    )


class Results(_Model):
    """The whole of `results.json`."""

    format: Literal[1] = Field(default=1, description="Of this file.")
    suite: Literal["vectors", "video"]
    settings: VectorSettings | VideoSettings
    machine: Machine
    data: DataInfo
    stacks: list[StackInfo]
    runs: list[Run] = Field(default_factory=list)
    outcomes: list[Outcome] = Field(default_factory=list)
    measures: list[Measure] = Field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be done."""
        return bool(self.runs) and self.runs[-1].ended == "complete"

    @property
    def emulated(self) -> list[str]:
        """The names of stacks of which a part is an emulator."""
        return [stack.name for stack in self.stacks if stack.emulated]

    def label(self, stack: str) -> str:
        """A stack's name, and that it is an emulator if it is."""
        return f"{stack} (emulated)" if stack in self.emulated else stack

    def outcome(self, stack: str, step: str) -> Outcome | None:
        """What became of a step; None where it hasn't begun."""
        return next((each for each in self.outcomes if (each.stack, each.step) == (stack, step)), None)

    def find(
        self, step: str, name: str, case: str | None = None, stack: str | None = None
    ) -> Iterator[Measure]:
        """The measures of a step by name, of all cases and stacks where these are left out."""
        for each in self.measures:
            if (
                (each.step, each.name) == (step, name)
                and case in (None, each.case)
                and stack in (None, each.stack)
            ):
                yield each

    def keep(self, outcome: Outcome, samples: Iterable[Sample]) -> None:
        """Take in what a turn found."""
        known = self.outcome(outcome.stack, outcome.step)
        if known:
            self.outcomes[self.outcomes.index(known)] = outcome
        else:
            self.outcomes.append(outcome)
        for sample in samples:
            at = self._place(outcome.stack, outcome.step, sample.name, sample.case)
            before = [] if at is None else self.measures[at].samples
            self.put(Measure.of(outcome.stack, outcome.step, sample, [*before, sample.value]))

    def put(self, measure: Measure) -> None:
        """Take in a measure, in the place of an older one."""
        at = self._place(measure.stack, *measure.key)
        if at is None:
            self.measures.append(measure)
        else:
            self.measures[at] = measure

    def _place(self, *key: str) -> int | None:
        return next((at for at, each in enumerate(self.measures) if (each.stack, *each.key) == key), None)


def read(path: Path) -> Results:
    """Read a results file, or that of a folder.

    Raises:
        NotFoundError: It isn't there.
        InvalidQueryError: It is no results file, or one of another version.
    """
    file = path / "results.json" if path.is_dir() else path
    try:
        return Results.model_validate_json(file.read_bytes())
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {file}", hint="`polyreel bench` writes one") from error
    except OSError as error:
        raise disk_error(error, f"{file} can't be read") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = f"{file} is no results file of format {FORMAT}: {where}: {first['msg']}"
        raise InvalidQueryError(message, hint="measure again with this version of polyreel") from error


def write(results: Results, path: Path) -> None:
    """Write the file anew, whole or not at all."""
    try:
        with replacing(path.absolute()) as file:
            file.write(results.model_dump_json(indent=1).encode())
    except OSError as error:
        raise disk_error(error, f"the file {path} can't be written") from error
