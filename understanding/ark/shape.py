"""What an answer of Ark should look like: a value of another shape is a broken answer, not our own bug."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ...core.errors import UnavailableError


def broken(*, request_id: str | None = None) -> UnavailableError:
    """The error of an answer that can't be read; the next one may be whole."""
    return UnavailableError("Ark sent a broken answer", hint="try again", request_id=request_id)


@contextmanager
def decoded() -> Iterator[None]:
    """Let JSON or text that the vendor's package can't decode count as a broken answer."""
    try:
        yield
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise broken() from error


def table(value: object) -> Mapping[str, Any]:
    """An object; a missing one is empty."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise broken()
    return value


def tables(value: object) -> list[Mapping[str, Any]]:
    """A list of objects; a missing one is empty."""
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise broken()
    return [table(each) for each in value]


def words(value: object) -> str:
    """A text; a missing one is empty."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise broken()
    return value


def tokens(usage: object, *, given: str, made: str) -> dict[str, float]:
    """What was counted, by the names of `Reply.usage`.

    Args:
        usage: Of the answer.
        given: What the API calls the question, such as `prompt`.
        made: What it calls the answer, such as `completion`.
    """
    told = table(usage)
    of_given, of_made = table(told.get(f"{given}_tokens_details")), table(told.get(f"{made}_tokens_details"))
    counted = {
        "input_tokens": told.get(f"{given}_tokens"),
        "output_tokens": told.get(f"{made}_tokens"),
        "total_tokens": told.get("total_tokens"),
        "cached_tokens": of_given.get("cached_tokens"),
        "reasoning_tokens": of_made.get("reasoning_tokens"),
    }
    return counts(counted)


def counts(usage: Mapping[str, object]) -> dict[str, float]:
    """What was counted, without what is missing or 0."""
    if not all(each is None or isinstance(each, int | float) for each in usage.values()):
        raise broken()
    return {name: float(count) for name, count in usage.items() if isinstance(count, int | float) and count}
