"""What pymilvus raises, in our words. Its codes differ between Lite and servers, so few of them are read."""

from __future__ import annotations

import grpc
from pymilvus.exceptions import ErrorCode, MilvusException

from ...core.errors import (
    AuthenticationError,
    NotFoundError,
    PolyreelError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)

NOT_LOADED = 101
_OLD_RATE_LIMIT = 49  # of servers before 2.3
_PASSING = frozenset(
    {2, 3, 4, 5, 7, 10}
)  # the service: unavailable, out of memory, too busy, failing, disk, rate
_CODE = grpc.StatusCode
_MEANINGS: dict[grpc.StatusCode, tuple[type[PolyreelError], str | None]] = {
    _CODE.UNAUTHENTICATED: (AuthenticationError, "look after the store's token"),
    _CODE.PERMISSION_DENIED: (AuthenticationError, "give this user the right to it, or use another token"),
    _CODE.UNIMPLEMENTED: (UnsupportedError, "upgrade the server"),
    _CODE.INVALID_ARGUMENT: (RejectedError, None),
    _CODE.RESOURCE_EXHAUSTED: (RejectedError, "the message is larger than the server takes"),
    _CODE.DEADLINE_EXCEEDED: (UnavailableError, "raise the store's timeout, or look after the server"),
    _CODE.UNAVAILABLE: (UnavailableError, "is the server running, and the url right?"),
}


def translate(error: Exception, where: str) -> PolyreelError | None:
    """A driver's error in one line; None for any other."""
    if not isinstance(error, MilvusException | grpc.RpcError):
        return None
    first = innermost(error)
    if isinstance(first, grpc.RpcError):
        return _of_status(first, where)
    text = f"{where}: {_line(first.message)}"
    if ErrorCode.RATE_LIMIT in _codes(first) or first.compatible_code == _OLD_RATE_LIMIT:
        return RateLimitedError(text)
    if ErrorCode.COLLECTION_NOT_FOUND in _codes(first):
        return NotFoundError(text, hint="the collection was dropped meanwhile: open the store again")
    waited = first.message.startswith("wait for")  # pymilvus gave up waiting, by itself
    closing = "delegator closed" in first.message  # the collection is just leaving the server's memory
    retriable = getattr(first, "retriable", False)  # pymilvus 3 has it
    if retriable or waited or closing or NOT_LOADED in _codes(first) or _codes(first) & _PASSING:
        return UnavailableError(text)
    return RejectedError(text)


def innermost(error: BaseException) -> MilvusException | grpc.RpcError:
    """The first of the errors that pymilvus wrapped round each other, which says what happened.

    A token that is refused and a server that is down are the same outside: code 2, "illegal connection params
    or server unavailable".
    """
    found = error
    while isinstance(before := _before(found), MilvusException | grpc.RpcError):
        found = before
    assert isinstance(found, MilvusException | grpc.RpcError)
    return found


def is_not_loaded(error: MilvusException) -> bool:
    """Whether a collection isn't in the server's memory: after a restart of some."""
    return NOT_LOADED in _codes(error)


def is_forbidden(error: MilvusException | grpc.RpcError) -> bool:
    """Whether the user has no right to the call."""
    first = innermost(error)
    return isinstance(first, grpc.Call) and first.code() is _CODE.PERMISSION_DENIED


def _before(error: BaseException) -> BaseException | None:
    """What an error was raised from; pymilvus' `raise e from e` makes an error its own cause."""
    return error.__context__ if error.__cause__ is error else error.__cause__


def _codes(error: MilvusException | grpc.RpcError) -> set[object]:
    code = error.code
    return {code() if callable(code) else code}


def _of_status(error: grpc.RpcError, where: str) -> PolyreelError:
    status = error.code() if isinstance(error, grpc.Call) else None
    details = _line(error.details() or "") if isinstance(error, grpc.Call) else _line(str(error))
    name = status.name.lower().replace("_", " ") if status is not None else "no answer"
    text = f"{where}: {name}: {details}" if details else f"{where}: {name}"
    kind, hint = (
        _MEANINGS.get(status, (UnavailableError, None)) if status is not None else (UnavailableError, None)
    )
    return kind(text, hint=hint)


def _line(text: object) -> str:
    return " ".join(str(text).split())[:300]
