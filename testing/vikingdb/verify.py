"""Checking who calls: a signature over the headers that the request itself names, or an API key."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from ..signature import SKEW, age, claimed, lines, matches, sorted_query
from .refusal import Refusal

_ALGORITHM = "HMAC-SHA256"
_ALWAYS = {"x-date", "x-content-sha256"}


def check_key(headers: Mapping[str, str], api_key: str | None) -> bool:
    """Whether the request carries the data plane's API key.

    Raises:
        Refusal: It carries another one.
    """
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme != "Bearer":
        return False
    if api_key is None or not hmac.compare_digest(given, api_key):
        raise Refusal(401, "Unauthorized", "the API key is unknown")
    return True


def check_signature(
    target: tuple[str, str, str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    keys: Mapping[str, str],
    region: str,
    now: datetime,
) -> None:
    """Recompute the signature from the headers that the request says it signed.

    Args:
        target: Method, path and raw query.
        headers: By small letters.
        body: As it came.
        keys: Secrets by access key.
        region: Of the emulator.
        now: The emulator's clock.

    Raises:
        Refusal: The signature is missing, of another scope, too old, or wrong.
    """
    method, path, query = target
    claim = claimed(headers.get("authorization", ""), _ALGORITHM)
    if claim is None:
        raise Refusal(401, "MissingAuthentication", "the request is not signed")
    if claim.access not in keys or claim.scope != f"{region}/vikingdb/request":
        raise Refusal(401, "InvalidCredential", "the access key or its scope is unknown")
    names = list(claim.names)
    if names != sorted(names) or not set(names) >= _ALWAYS or not set(names) <= headers.keys():
        raise Refusal(401, "InvalidSignedHeaders", "the signed headers are not those of the request")
    digest, stamp = headers["x-content-sha256"], headers["x-date"]
    if digest != hashlib.sha256(body).hexdigest():
        raise Refusal(401, "SignatureDoesNotMatch", "X-Content-Sha256 is not the digest of the body")
    seconds = age(stamp, claim.date, now)
    if seconds is None or abs(seconds) > SKEW:
        raise Refusal(401, "InvalidTimestamp", "X-Date can't be read, is another day's, or too far from now")
    signed = lines({**headers, "host": _host(headers.get("host", ""))}, claim.names)
    canonical = "\n".join((method, quote(path), sorted_query(query), signed, ";".join(names), digest))
    if not matches(claim, keys[claim.access], algorithm=_ALGORITHM, stamp=stamp, canonical=canonical):
        raise Refusal(401, "SignatureDoesNotMatch", "the signature is not that of the request")


def _host(value: str) -> str:
    """Without a port that goes without saying."""
    host, _, port = value.rpartition(":")
    return host if port in ("80", "443") else value
