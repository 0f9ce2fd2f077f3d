"""What goes wrong on command, and what goes wrong now and then."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Args:
        name: What it is called when it is counted.
        status: Answered in place of the work; None where the connection ends without an answer.
        headers: Of the answer.
        body: Of the answer; None makes the documented one of the status.
        seconds: To wait before anything else.
        works: Whether the work is done all the same, and only the reply is lost.
        keep: Share of the reply's bytes that are sent before the connection is cut.
    """

    name: str
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    seconds: float = 0.0
    works: bool = False
    keep: float = 0.0

    @classmethod
    def limited(cls, retry_after: str | None = None, *, body: str | None = None, **headers: str) -> Fault:
        """Too many requests; `headers` are written with underscores."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls("429", 429, {**sent, **({"Retry-After": retry_after} if retry_after else {})}, body)

    @classmethod
    def broken(cls, status: int = 500, body: str | None = None) -> Fault:
        """A failing service."""
        return cls(str(status), status, {}, body)

    @classmethod
    def answer(cls, body: str, status: int = 200) -> Fault:
        """Another answer than the right one."""
        return cls("answer", status, {}, body)

    @classmethod
    def hanging(cls, seconds: float) -> Fault:
        """No answer for so long, and then none."""
        return cls("hang", seconds=seconds)

    @classmethod
    def cut(cls) -> Fault:
        """The connection ends before anything was done."""
        return cls("cut")

    @classmethod
    def lost(cls) -> Fault:
        """The work is done, and the connection ends before the reply."""
        return cls("lost", works=True)

    @classmethod
    def truncated(cls) -> Fault:
        """The work is done, and half of the reply arrives."""
        return cls("truncated", works=True, keep=0.5)


class Faults:
    """Planned faults, and random ones.

    Args:
        rates: Faults, and how often each strikes, from 0 to 1.
        seed: Of the random ones.
    """

    def __init__(self, rates: Sequence[tuple[Fault, float]] = (), seed: int = 0) -> None:
        self.rates = tuple(rates)
        self.struck: Counter[str] = Counter()
        self._planned: list[tuple[str, Fault]] = []
        self._random = random.Random(seed)
        self._guard = threading.Lock()

    def plan(self, call: str, *faults: Fault) -> None:
        """Let the next requests that begin like `POST /embed-v2/tasks` fail in turn."""
        with self._guard:
            self._planned += [(call, fault) for fault in faults]

    def next(self, call: str) -> Fault | None:
        """The fault of this request."""
        with self._guard:
            for index, (start, fault) in enumerate(self._planned):
                if call.startswith(start):
                    del self._planned[index]
                    return self._counted(call, fault)
            draw = self._random.random()
            for fault, rate in self.rates:
                if draw < rate:
                    return self._counted(call, fault)
                draw -= rate
            return None

    def worked(self, call: str, fault: Fault, status: int) -> None:
        """Count what the work would have been answered with: a lost reply may have been a refusal, too."""
        with self._guard:
            self.struck[f"{fault.name} {call} {status}"] += 1

    def _counted(self, call: str, fault: Fault) -> Fault:
        self.struck[fault.name] += 1
        self.struck[f"{fault.name} {call}"] += 1
        return fault
