"""Checking who calls: a signature over the headers that the request itself names, or an API key."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote

from .refusal import Refusal

_SKEW = 15 * 60  # seconds, as is customary; the service's own window isn't known
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
    given = _authorization(headers.get("authorization", ""))
    access, date, scope = _scope(given.get("Credential", ""))
    if access not in keys or scope != f"{region}/vikingdb/request":
        raise Refusal(401, "InvalidCredential", "the access key or its scope is unknown")
    names = given.get("SignedHeaders", "").split(";")
    if names != sorted(names) or not set(names) >= _ALWAYS or not set(names) <= headers.keys():
        raise Refusal(401, "InvalidSignedHeaders", "the signed headers are not those of the request")
    if headers["x-content-sha256"] != hashlib.sha256(body).hexdigest():
        raise Refusal(401, "SignatureDoesNotMatch", "X-Content-Sha256 is not the digest of the body")
    _check_date(headers["x-date"], date, now)
    signed = "".join(f"{name}:{_value(headers, name)}\n" for name in names)
    canonical = "\n".join(
        (method, quote(path), _query(query), signed, ";".join(names), headers["x-content-sha256"])
    )
    text = "\n".join(
        ("HMAC-SHA256", headers["x-date"], f"{date}/{scope}", hashlib.sha256(canonical.encode()).hexdigest())
    )
    key = keys[access].encode()
    for part in (date, *scope.split("/")):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    wanted = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, given.get("Signature", "")):
        raise Refusal(401, "SignatureDoesNotMatch", "the signature is not that of the request")


def _authorization(value: str) -> dict[str, str]:
    algorithm, _, rest = value.partition(" ")
    if algorithm != "HMAC-SHA256":
        raise Refusal(401, "MissingAuthentication", "the request is not signed")
    return dict(part.strip().partition("=")[::2] for part in rest.split(","))


def _scope(credential: str) -> tuple[str, str, str]:
    access, _, rest = credential.partition("/")
    date, _, scope = rest.partition("/")
    return access, date, scope


def _check_date(value: str, date: str, now: datetime) -> None:
    try:
        then = datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise Refusal(401, "InvalidTimestamp", "X-Date can't be read") from error
    if value[:8] != date or abs((now - then).total_seconds()) > _SKEW:
        raise Refusal(401, "InvalidTimestamp", "X-Date is too far from now, or another day's")


def _value(headers: Mapping[str, str], name: str) -> str:
    value = headers[name]
    host, _, port = value.rpartition(":")
    return host if name == "host" and port in ("80", "443") else value


def _query(raw: str) -> str:
    pairs = sorted(parse_qsl(raw, keep_blank_values=True))
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)
