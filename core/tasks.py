"""Whole videos as paid tasks: submitted once, found again after a lost reply, awaited, and finished.

The journal has the intent before a submit and the ticket after it. A process that is killed at any moment
goes on with its tickets, and looks for the task of an intent without one before it pays a second time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

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


@dataclass(slots=True)
class Spent:
    """What the tasks of one video took.

    Args:
        submits: That may have been paid for.
        lost: Submits whose reply was lost. The task was found again, or else submitted once more.
    """

    submits: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait before asking for a task again: a share of the time that has passed.

    The result is late by that share at most; a task of an hour is asked for some 150 times.

    Args:
        first: Seconds of the shortest wait.
        share: Of the time since the ticket was issued.
        longest: Seconds of the longest wait.
    """

    first: float = 0.25
    share: float = 0.15
    longest: float = 30.0

    def wait(self, passed: float) -> float:
        """Seconds to wait when so many have passed; some more or less, lest all ask at once."""
        return min(max(self.first, self.share * passed), self.longest) * random.uniform(0.9, 1.1)


@dataclass(frozen=True, slots=True)
class Tasks:
    """The tasks of one collection.

    Args:
        embedder: Takes whole videos.
        journal: Remembers intents, tickets and what was handed over.
        timeout: Seconds for one video, from handing it over to its result.
        tries: Submits of one video in one run.
        pace: Of asking.
        sleep: Tests put their own clock here.
    """

    embedder: Embedder
    journal: Journal
    timeout: float = 3600.0
    tries: int = 4
    pace: Pace = Pace()
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
                outcome = self._outcome(self._ticket(order, spent), order)
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
            except PolyreelError as error:  # what stays there costs nothing that a failed video would be worth
                LOGGER.warning("not released", extra={"video_id": order.video_id}, exc_info=error)
        self.journal.done(order.video_id, work)

    # -- a ticket -----------------------------------------------------------------------------------------

    def _ticket(self, order: Order, spent: Spent) -> Ticket:
        """The ticket in the journal, or that of a lost task, or a new one."""
        known = self.journal.task(order.video_id, self._work(order))
        if known is not None and known.ticket is not None:
            spent.submits = known.submits
            if known.ticket.expires is None or known.ticket.expires > time.time():
                return known.ticket
            self.journal.drop(order.video_id, self._work(order))
            known = None
        self.embedder.check(order)
        handed = self._handed_over(order)
        if known is not None and known.open:  # killed, or cut off, between intent and ticket
            spent.submits, spent.lost = known.submits, spent.lost + known.open
            if (ticket := self._found(handed, known.since)) is not None:
                return ticket
        return self._submitted(handed, spent)

    def _submitted(self, order: Order, spent: Spent) -> Ticket:
        work = self._work(order)
        for left in reversed(range(self.tries)):
            task = self.journal.intend(order.video_id, work)
            spent.submits = task.submits
            try:
                ticket = self.embedder.submit(order)
            except UnavailableError as error:  # the reply is lost; the task may be there
                spent.lost += 1
                LOGGER.warning("reply lost", extra={"video_id": order.video_id}, exc_info=error)
                self._pause(self.pace.first, error)
                found = self._found(order, task.since)
                if found is not None:
                    return found
                if not left:
                    raise
            except RateLimitedError as error:
                self.journal.withdraw(order.video_id, work)
                self._pause(error.retry_after or self.pace.longest, error)
            except PolyreelError:  # refused: nothing was done, and what was handed over may be to blame
                self.journal.withdraw(order.video_id, work)
                self.journal.forget_handed(order.video_id, work)
                raise
            else:
                self.journal.issued(work, ticket)
                return ticket
        raise UnavailableError(f"{self.embedder.kind} takes no more tasks for now", hint=_RUN_AGAIN)

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

    def _outcome(self, ticket: Ticket, order: Order) -> Failed | Segments:
        began = time.monotonic()
        while True:
            try:
                look = self.embedder.collect(ticket, order)
            except NotFoundError as error:
                return Failed(error.message, again=True)
            if not isinstance(look, Pending):
                return look
            pause = self.pace.wait(time.monotonic() - began) if look.after is None else look.after
            message = f"the task {ticket.id} is not done after {self.timeout:g} s"
            self._pause(pause, UnavailableError(message, hint=_RUN_AGAIN))

    def _pause(self, seconds: float, error: RetryableError) -> None:
        """Wait, or give up with the error where there is no time for it."""
        if seconds >= time_left():
            raise error
        self.sleep(seconds)

    def _work(self, order: Order) -> str:
        return f"{self.embedder.space.key}/{order.recipe.key}"
