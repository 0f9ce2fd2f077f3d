"""Checking who calls TOS: a signature in the headers, or one in the query of a presigned address."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import parse_qsl, quote, unquote

from ..emulation import Seen
from ..signature import SKEW, Claim, age, claimed, lines, matches, sorted_query
from .refusal import Refusal

if TYPE_CHECKING:
    from .emulator import Settings

_ALGORITHM = "TOS4-HMAC-SHA256"
_UNSIGNED = "UNSIGNED-PAYLOAD"
_LONGEST = 604_800  # seconds


def verify(seen: Seen, settings: Settings) -> None:
    """Recompute the signature of a request.

    Raises:
        Refusal: It is missing, of another scope, too old, or wrong.
    """
    query = dict(parse_qsl(seen.query, keep_blank_values=True))
    if "X-Tos-Algorithm" in query:
        _check(seen, settings, _presigned(query, settings.now()), query["X-Tos-Date"], _UNSIGNED)
        token = query.get("X-Tos-Security-Token")
    else:
        claim, stamp = _signed(seen, settings.now())
        _check(seen, settings, claim, stamp, seen.headers.get("x-tos-content-sha256", _UNSIGNED))
        token = seen.headers.get("x-tos-security-token")
    if token != settings.session_token:
        raise Refusal(403, "InvalidSecurityToken", "the token isn't that of these keys")


def _signed(seen: Seen, now: datetime) -> tuple[Claim, str]:
    claim = claimed(seen.headers.get("authorization", ""), _ALGORITHM)
    if claim is None:
        raise Refusal(403, "AccessDenied", "the request is not signed")
    must = {name for name in seen.headers if name.startswith("x-tos-") or name in ("host", "content-type")}
    if set(claim.names) != must or list(claim.names) != sorted(claim.names):
        _wrong("other headers are signed than must be")
    stamp = seen.headers.get("x-tos-date", "")
    seconds = age(stamp, claim.date, now)
    if seconds is None or abs(seconds) > SKEW:
        raise Refusal(403, "RequestTimeTooSkewed", "the time can't be read, or is too far from now")
    return claim, stamp


def _presigned(query: dict[str, str], now: datetime) -> Claim:
    names = ("X-Tos-Credential", "X-Tos-SignedHeaders", "X-Tos-Signature")
    claim = Claim.of(*(query.get(name, "") for name in names))
    lasts = query.get("X-Tos-Expires", "")
    seconds = age(query.get("X-Tos-Date", ""), claim.date, now)
    if query["X-Tos-Algorithm"] != _ALGORITHM or claim.names != ("host",) or seconds is None:
        _wrong("it isn't signed as an address is")
    if not lasts.isdecimal() or not 1 <= int(lasts) <= _LONGEST or not -SKEW <= seconds <= int(lasts):
        raise Refusal(403, "AccessDenied", "the signature has expired")
    return claim


def _check(seen: Seen, settings: Settings, claim: Claim, stamp: str, payload: str) -> None:
    if claim.access != settings.access_key:
        raise Refusal(403, "InvalidAccessKeyId", "the access key is unknown")
    if claim.scope != f"{settings.region}/tos/request":
        _wrong("the scope is another one")
    canonical = "\n".join(
        (
            seen.method,
            quote(unquote(seen.path), safe="/~"),
            sorted_query(seen.query, without="X-Tos-Signature"),
            lines(seen.headers, claim.names),
            ";".join(claim.names),
            payload,
        )
    )
    if not matches(claim, settings.secret_key, algorithm=_ALGORITHM, stamp=stamp, canonical=canonical):
        _wrong("the signature is not that of the request")


def _wrong(message: str) -> NoReturn:
    raise Refusal(403, "SignatureDoesNotMatch", message)
