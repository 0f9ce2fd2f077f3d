"""`polyreel describe`: ask the stack's model about a video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from . import options, output

if TYPE_CHECKING:
    from ..core.frameplan import FramePlan
    from ..core.questions import Piece, Reply
    from ..core.rates import Rate
    from ..core.result import Result
    from ..core.search import VideoSearch

Fps = Annotated[
    float | None, typer.Option("--fps", help="Frames a second that the model sees; its setting if left out.")
]
Thinking = Annotated[
    str | None, typer.Option("--thinking", metavar="on|off", help="Whether the model reasons first.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(describe)


def describe(
    video: Annotated[
        str, typer.Argument(metavar="VIDEO|RECORD_ID", help="A file, an address, or an id in the collection.")
    ],
    question: Annotated[str | None, typer.Argument(help="A description if left out.")] = None,
    fps: Fps = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Print the answer as it comes; the reasoning goes to stderr.")
    ] = False,
    thinking: Thinking = None,
    follow_up: Annotated[
        bool, typer.Option("--follow-up", help="Go on from the last answer about it; the video isn't sent.")
    ] = False,
    events: Annotated[
        bool, typer.Option("--events", help="List what happens and when; QUESTION says what to look for.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say how the video would be sampled, and by the rates its cost."),
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Afterwards delete what was uploaded of it at the service.")
    ] = False,
    stack: options.Stack = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Ask the stack's model, which is paid, about a video or a record's piece of one.

    Example: polyreel describe talk.mp4 "Who speaks first?" --stream
    """
    from .. import opening

    _check(stream=stream, events=events, follow_up=follow_up, as_json=as_json)
    _check_video(fps=fps, follow_up=follow_up, dry_run=dry_run, paid=stream or forget)
    thinks = thinking_of(thinking)
    with opening.open(stack, config) as search:
        if dry_run:
            _plan(search.frame_plan(video, fps=fps), search.stack.understanding_rate, as_json=as_json)
            return
        try:
            if events:
                _events(search, video, question, fps=fps, thinking=thinks, as_json=as_json)
                return
            spoken = _Spoken() if stream else None
            after = search.last_reply(video) if follow_up else None
            try:
                reply = search.describe(
                    video,
                    question,
                    fps=fps,
                    thinking=thinks,
                    after=after,
                    listener=spoken.hear if spoken else None,
                )
            finally:
                if spoken:  # an answer that breaks off leaves its line open
                    spoken.done()
            _print(reply, streamed=stream, as_json=as_json)
        finally:
            if forget:
                search.forget_uploads(video)


def thinking_of(given: str | None) -> bool | None:
    """What `--thinking` says.

    Raises:
        InvalidQueryError: It is neither `on` nor `off`.
    """
    from ..core.errors import InvalidQueryError

    if given not in (None, "on", "off"):
        raise InvalidQueryError(f"--thinking is {given!r}", hint="write on or off, or leave it out")
    return None if given is None else given == "on"


def money(cost: float | None, currency: str) -> str:
    """A cost as it is printed."""
    return "an unknown price" if cost is None else f"{cost:.4f} {currency}".rstrip()


class _Spoken:
    """Prints an answer as it comes: the answer on stdout, the reasoning before it on stderr."""

    def __init__(self) -> None:
        self._reasoned = self._answered = False

    def hear(self, piece: Piece) -> None:
        """Print a piece."""
        if piece.reasoning:
            output.piece(piece.text if self._reasoned else f"reasoning: {piece.text}", aside=True)
            self._reasoned = True
            return
        self._end_reasoning()
        self._answered = True
        output.piece(piece.text)

    def done(self) -> None:
        """End the last line."""
        self._end_reasoning()
        if self._answered:
            output.piece("\n")

    def _end_reasoning(self) -> None:
        if self._reasoned:
            output.piece("\n", aside=True)
            self._reasoned = False


def verdicts(result: Result) -> None:
    """Print what a model said of each hit that it looked at, and what that took."""
    for rank, hit in enumerate(result, start=1):
        for each in hit.verdicts:
            when = "" if each.time is None else f" at {output.clock(each.time)}"
            why = f": {each.reason}" if each.reason else ""
            output.line(f"{rank}. {each.outcome}{when}: {each.criterion}{why}")
    told = result.explain.get("verify")
    if isinstance(told, dict):
        cost, currency = told["cost"], str(told["currency"])
        known = f", {told['cached']} answers were known" if told["cached"] else ""
        output.message(
            f"checked {told['hits']} hits: {told['submits']} requests, {money(cost, currency)}{known}"
        )
        output.message("the model saw pictures only: sound is not heard")


def _check(*, stream: bool, events: bool, follow_up: bool, as_json: bool) -> None:
    from ..core.errors import InvalidQueryError

    if stream and (as_json or events):
        raise InvalidQueryError("--stream prints words as they come", hint="leave --json and --events out")
    if events and follow_up:
        raise InvalidQueryError("--events looks at the video itself", hint="leave --follow-up out")


def _check_video(*, fps: float | None, follow_up: bool, dry_run: bool, paid: bool) -> None:
    from ..core.errors import InvalidQueryError

    if follow_up and (fps is not None or dry_run):
        raise InvalidQueryError(
            "--follow-up sends no video, so it has no frames", hint="leave --fps and --dry-run out"
        )
    if dry_run and paid:
        raise InvalidQueryError("--dry-run sends nothing", hint="leave --stream and --forget out")


def _plan(plan: FramePlan, rate: Rate, *, as_json: bool) -> None:
    cost = plan.cost(rate)
    if as_json:
        output.document({"plan": plan.to_json(), "cost": cost, "currency": rate.currency})
        return
    output.line(
        f"{plan.frames} frames of {plan.duration:.1f} s, one every {plan.interval:.2f} s; at most "
        f"{plan.tokens_per_frame} tokens and {plan.pixels_per_frame:,} pixels each, {plan.tokens:,} tokens "
        f"together: {money(cost, rate.currency)}, and the answer on top"
    )
    if plan.spread:
        output.message(
            f"a model sees {plan.frames} frames at most: cut the video to have them closer together"
        )


def _print(reply: Reply, *, streamed: bool, as_json: bool) -> None:
    if as_json:
        output.document(reply.to_json())
    elif not streamed:
        if reply.reasoning:
            output.message(f"reasoning: {reply.reasoning}")
        for line in reply.text.splitlines():
            output.line(line)
    tell(reply)


def tell(reply: Reply) -> None:
    """Say on stderr what an answer took, and what it can't know."""
    if not reply.complete:
        output.message("the answer met its limit of tokens and isn't whole")
    if not reply.hears:
        output.message("the model saw pictures only: sound is not heard")
    if reply.lost:
        output.message(
            f"{reply.lost} of {reply.submits} requests were lost on the way and may be paid for, too"
        )
    given, made = (int(reply.usage.get(f"{name}_tokens", 0)) for name in ("input", "output"))
    output.message(f"{given:,} tokens in, {made:,} out: {money(reply.cost, reply.currency)}")


def _events(
    search: VideoSearch,
    video: str,
    look_for: str | None,
    *,
    fps: float | None,
    thinking: bool | None,
    as_json: bool,
) -> None:
    found = search.events(video, look_for, fps=fps, thinking=thinking)
    if as_json:
        output.document({**found.reply.to_json(), "events": [event.to_json() for event in found]})
    else:
        rows = [
            (output.span(event.start, event.end), "danger" if event.danger else "", event.event)
            for event in found
        ]
        output.table(("time", "", "event"), rows)
    tell(found.reply)
