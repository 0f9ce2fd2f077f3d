"""Whole videos as paid tasks: submitted once, found again after a lost reply, awaited, and finished.

The journal has the intent before a submit and the ticket after it. A process that is killed at any moment
goes on with its tickets, and looks for the task of an intent without one before it pays a second time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from .deadline import time_left, within
from .embedder import Embedder
from .errors import (
    MediaError,
    NotFoundError,
    PolyreelError,
    RateLimitedError,
    RejectedError,
    RetryableError,
    UnavailableError,
)
from .journal import Journal
from .logs import LOGGER
from .orders import Failed, Order, Pending, Segments, Ticket

_RUN_AGAIN = "run the same ingest again later"
_LIMITED = 30.0  # seconds to leave a service alone that doesn't say for how long
_NEW = 0.3  # weight of what was seen last


@dataclass(slots=True)
class Spent:
    """What the tasks of one video took.

    Args:
        submits: That may have been paid for.
        lost: Submits whose reply was lost. The task was found again, or else submitted once more.
    """

    submits: int = 0
    lost: int = 0


class Pace:
    """When to ask for a task again: first when it should be done by what others took, then ever more seldom.

    While nothing is known, the wait is a share of the time that has passed, and the result late by that share
    at most. May be used from several threads.

    Args:
        first: Seconds of the shortest wait.
        share: Of the time that has passed.
        longest: Seconds of the longest wait.
    """

    def __init__(self, *, first: float = 0.1, share: float = 0.15, longest: float = 30.0) -> None:
        self._first, self._share, self._longest = first, share, longest
        self._speed: float | None = None  # seconds of a task for a second of video

    def wait(self, passed: float, length: float) -> float:
        """Seconds to wait; some more or less, lest all ask at once.

        Args:
            passed: Seconds since the ticket was issued.
            length: Seconds of the video.
        """
        expected = (self._speed or 0.0) * length
        if passed < expected - self._first:
            return min(expected - passed, self._longest)
        share = self._share / 3 if expected else self._share
        return min(max(self._first, share * passed), self._longest) * random.uniform(0.9, 1.1)

    def learn(self, pending: float, ready: float, length: float) -> None:
        """Remember how long a task took, as far as that was seen; what was seen last counts most.

        Args:
            pending: Seconds after which it was seen last not to be done.
            ready: Seconds after which it was seen to be done.
            length: Seconds of the video.
        """
        seen = (pending + ready) / 2 / max(length, 1.0)
        before = seen if self._speed is None else self._speed
        self._speed = before + _NEW * (seen - before)


@dataclass(frozen=True, slots=True)
class Tasks:
    """The tasks of one collection.

    Args:
        embedder: Takes whole videos.
        journal: Remembers intents, tickets and what was handed over.
        timeout: Seconds for one video, from handing it over to its result.
        tries: Submits of one video in one run. One for which there is no place waits for its turn instead.
        pace: Of asking; share one among the videos of a run, since it learns.
        sleep: Tests put their own clock here.
    """

    embedder: Embedder
    journal: Journal
    timeout: float = 3600.0
    tries: int = 4
    pace: Pace = field(default_factory=Pace)
    sleep: Callable[[float], None] = time.sleep

    def result(self, order: Order, spent: Spent) -> Segments:
        """The segments of a video; `finish` follows once they are stored for good.

        Raises:
            MediaError: The service can't make anything of the video.
            RejectedError: The service refused the order.
            RetryableError: There is no result yet; the ticket stays in the journal.
        """
        with within(self.timeout):
            while True:
                outcome = self._outcome(*self._ticket(order, spent), order)
                if isinstance(outcome, Segments):
                    return outcome
                self.journal.drop(order.video_id, self._work(order))
                if not outcome.again:
                    raise MediaError(f"{self.embedder.kind} can't embed the video: {outcome.reason}")
                if spent.submits >= self.tries:
                    raise UnavailableError(f"{self.embedder.kind}: {outcome.reason}", hint=_RUN_AGAIN)

    def finish(self, order: Order) -> None:
        """Forget the task of a video that is stored for good, and what was handed over for it."""
        work = self._work(order)
        address = self.journal.handed(order.video_id, work)
        if address is not None:
            try:
                self.embedder.release(address)
            except (
                PolyreelError
            ) as error:  # what stays there costs nothing that a failed video would be worth
                LOGGER.warning("not released", extra={"video_id": order.video_id}, exc_info=error)
        self.journal.done(order.video_id, work)

    # -- a ticket -----------------------------------------------------------------------------------------

    def _ticket(self, order: Order, spent: Spent) -> tuple[Ticket, bool]:
        """The ticket in the journal, or that of a lost task, or a new one; and whether it is new."""
        known = self.journal.task(order.video_id, self._work(order))
        if known is not None and known.ticket is not None:
            spent.submits = known.submits
            if known.ticket.expires is None or known.ticket.expires > time.time():
                return known.ticket, False
            self.journal.drop(order.video_id, self._work(order))
            known = None
        self.embedder.check(order)
        handed = self._handed_over(order)
        if known is not None and known.open:  # killed, or cut off, between intent and ticket
            spent.submits, spent.lost = known.submits, spent.lost + known.open
            if (ticket := self._found(handed, known.since)) is not None:
                return ticket, False
        return self._submitted(handed, spent), True

    def _submitted(self, order: Order, spent: Spent) -> Ticket:
        work, left = self._work(order), self.tries
        while True:
            task = self.journal.intend(order.video_id, work)
            spent.submits = task.submits
            try:
                ticket = self.embedder.submit(order)
            except UnavailableError as error:  # the reply is lost; the task may be there
                spent.lost, left = spent.lost + 1, left - 1
                LOGGER.warning("reply lost", extra={"video_id": order.video_id}, exc_info=error)
                self._pause(self.pace.wait(0.0, 0.0), error)
                found = self._found(order, task.since)
                if found is not None:
                    return found
                if not left:
                    raise
            except RateLimitedError as error:  # nothing was done: there is no place for it yet
                self.journal.withdraw(order.video_id, work)
                self._pause(_asked_wait(error), error)
            except PolyreelError:  # refused: nothing was done, and what was handed over may be to blame
                self.journal.withdraw(order.video_id, work)
                self.journal.forget_handed(order.video_id, work)
                raise
            else:
                self.journal.issued(work, ticket)
                return ticket

    def _found(self, order: Order, since: float) -> Ticket | None:
        ticket = self.embedder.find(order, since)
        if ticket is not None:
            self.journal.issued(self._work(order), ticket)
        return ticket

    def _handed_over(self, order: Order) -> Order:
        """The order with the video where the service can read it, brought there once."""
        work = self._work(order)
        address = self.journal.handed(order.video_id, work)
        if address is None:
            address = self.embedder.hand_over(order)
            if address is None:
                return order
            self.journal.hand(order.video_id, work, address)
        try:
            self.embedder.await_handed(address)
        except (MediaError, NotFoundError, RejectedError):
            self.journal.forget_handed(order.video_id, work)
            raise
        return replace(order, video=replace(order.video, uri=address))

    # -- its result ---------------------------------------------------------------------------------------

    def _outcome(self, ticket: Ticket, new: bool, order: Order) -> Failed | Segments:  # noqa: FBT001 - of `_ticket`
        began, length, pending = time.monotonic(), order.info.duration_ms / 1000, 0.0
        late = UnavailableError(f"the task {ticket.id} is not done after {self.timeout:g} s", hint=_RUN_AGAIN)
        if new:
            self._pause(self.pace.wait(0.0, length), late)
        while True:
            try:
                look = self.embedder.collect(ticket, order)
            except NotFoundError as error:
                return Failed(error.message, again=True)
            except RateLimitedError as error:  # too many asked; the task goes on
                look = Pending(_asked_wait(error))
            passed = time.monotonic() - began
            if not isinstance(look, Pending):
                if new:  # of an older task, nobody knows since when it was done
                    self.pace.learn(pending, passed, length)
                return look
            self._pause(self.pace.wait(passed, length) if look.after is None else look.after, late)
            pending = passed

    def _pause(self, seconds: float, error: RetryableError) -> None:
        """Wait, or give up with the error where there is no time for it."""
        if seconds >= time_left():
            raise error
        self.sleep(seconds)

    def _work(self, order: Order) -> str:
        return f"{self.embedder.space.key}/{order.recipe.key}"


def _asked_wait(error: RateLimitedError) -> float:
    return _LIMITED if error.retry_after is None else error.retry_after
