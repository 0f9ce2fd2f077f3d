"""Hits looked at by a model: does a hit's own moment meet the criteria?

One question for each of the best hits, about the piece of its video alone. Answers are kept in the journal by
content, span, criteria and model, so that the same check isn't paid for twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from .errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidQueryError,
    PolyreelError,
    UnsupportedError,
)
from .fields import shown
from .logs import LOGGER, redacted
from .records import Hit, Verdict, Verdicts
from .result import Result
from .running import side_by_side
from .space import digest
from .structured import Spent, UnreadableError, once, seconds, structured, wasted
from .viewing import Asked, Viewer

MOST = 50
"""Hits that one search may have looked at."""

PROMPT = (
    "Check this piece of a video against the criteria below. You see pictures only and hear no sound: a "
    "criterion about sound is unsure.\n{criteria}\n"
    'Answer with JSON and nothing else: {{"verdicts": [...]}}, one object for each criterion in their order: '
    '"criterion" (its number), "verdict" ("confirmed" where the pictures show it, "rejected" where they show '
    'that it isn\'t so, else "unsure"), "time" (seconds from the beginning of this piece at which that is '
    'seen, or null), and "reason" (one sentence). The piece is {duration:.2f} s long.'
)


@dataclass(frozen=True, slots=True)
class Check:
    """What hits are checked for.

    Args:
        criteria: In words.
        top: Hits that are looked at, the best first.
        how: Of the questions.
    """

    criteria: tuple[str, ...]
    top: int
    how: Asked = field(default_factory=Asked)

    def __post_init__(self) -> None:
        """Refuse what can't be checked.

        Raises:
            InvalidQueryError: A criterion is no text, or `top` is out of range.
        """
        if not self.criteria or not all(isinstance(each, str) and each.strip() for each in self.criteria):
            raise InvalidQueryError(f"verify takes criteria in words, not {shown(list(self.criteria))}")
        if isinstance(self.top, bool) or not isinstance(self.top, int) or not 1 <= self.top <= MOST:
            raise InvalidQueryError(
                f"verify_top is {self.top!r}; it must be a number of hits from 1 to {MOST}"
            )


def check_of(criteria: Sequence[str], top: int) -> Check:
    """The check of a search's arguments.

    Raises:
        InvalidQueryError: They can't be checked.
    """
    if isinstance(criteria, str) or not isinstance(criteria, Sequence):
        raise InvalidQueryError(f"verify takes a list of criteria, not {shown(criteria)}")
    return Check(tuple(criteria), top)


def verified(result: Result, viewer: Viewer, check: Check) -> Result:
    """The result with a verdict for each criterion on its best hits. Their order doesn't change."""
    looked, rest = result.hits[: check.top], result.hits[check.top :]
    calls = [partial(_one, hit, viewer, check) for hit in looked]
    answers = side_by_side(calls, viewer.model.at_once) if calls else []
    took = sum((each for _, each in answers), Spent())
    usage = {f"verify_{name}": float(amount) for name, amount in (took.usage or {}).items()}
    asked: dict[str, object] = {**took.to_json(), "hits": len(looked), "currency": viewer.rate.currency}
    asked["sound_heard"] = viewer.model.hears
    return replace(
        result,
        hits=(*(hit for hit, _ in answers), *rest),
        usage={**result.usage, **usage},
        explain={**result.explain, "verify": asked},
    )


def _one(hit: Hit, viewer: Viewer, check: Check) -> tuple[Hit, Spent]:
    """A hit with its verdicts. One that can't be looked at is unsure, for the others may be paid for."""
    try:
        verdicts, took = _asked(hit, viewer, check)
    except (AuthenticationError, ConfigurationError, UnsupportedError):
        raise
    except PolyreelError as error:
        LOGGER.warning("not verified", extra={"record": hit.id}, exc_info=error)
        took, verdicts = wasted(error), _unsure(check, error)
    return replace(hit, verdicts=verdicts), took


def _asked(hit: Hit, viewer: Viewer, check: Check) -> tuple[Verdicts, Spent]:
    model = viewer.model
    with viewer.located(hit) as found:
        key = digest([found.key, PROMPT, list(check.criteria), model.fps, model.service, model.model])
        duration = viewer.planned(found, check.how.fps).duration
        numbered = "\n".join(f"{at}. {text}" for at, text in enumerate(check.criteria, start=1))
        question = PROMPT.format(criteria=numbered, duration=duration)
        read = partial(read_verdicts, criteria=len(check.criteria), duration=duration)
        value, took = once(
            viewer.journal, key, lambda: structured(viewer, [found], question, check.how, read)
        )
        offset = found.span[0] / 1000 if found.span else 0.0
    assert isinstance(value, list)
    return tuple(
        Verdict(criterion, outcome, None if time is None else round(time + offset, 3), reason)
        for criterion, (outcome, time, reason) in zip(check.criteria, value, strict=True)
    ), took


def read_verdicts(value: object, *, criteria: int, duration: float) -> list[list[object]]:
    """Verdict, time in the piece and reason of each criterion, in their order.

    Raises:
        UnreadableError: One is missing, or isn't as it should be.
    """
    listed = value.get("verdicts") if isinstance(value, dict) else value
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise UnreadableError('it is no object with a list "verdicts" of objects')
    by_number = {at: each for each in listed if isinstance(at := each.get("criterion"), int)}
    missing = [at for at in range(1, criteria + 1) if at not in by_number]
    if missing or len(listed) != criteria:
        raise UnreadableError(f"it must have one verdict for each of the criteria 1 to {criteria}")
    return [_verdict(by_number[at], at, duration) for at in range(1, criteria + 1)]


def _verdict(value: dict[str, object], at: int, duration: float) -> list[object]:
    outcome, time = value.get("verdict"), value.get("time")
    if outcome not in ("confirmed", "rejected", "unsure"):
        raise UnreadableError(f"verdict {at} is {shown(outcome)}; write confirmed, rejected or unsure")
    if time is not None:
        time = seconds(time, f"'time' of verdict {at}", duration)
    return [outcome, time, " ".join(str(value.get("reason") or "").split())]


def _unsure(check: Check, error: PolyreelError) -> Verdicts:
    reason = f"it couldn't be looked at: {redacted(error)}"
    return tuple(Verdict(criterion, "unsure", None, reason) for criterion in check.criteria)
