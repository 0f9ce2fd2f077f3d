"""Signatures of Volcengine's services, recomputed from a request; what differs by service is told."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote

SKEW = 15 * 60  # seconds, as is customary; the services' own windows aren't known


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of its signature.

    Args:
        access: The access key.
        date: Of the scope, as eight digits.
        scope: Region, service and `request`.
        names: Of the headers that it signed.
        signature: In hexadecimal.
    """

    access: str
    date: str
    scope: str
    names: tuple[str, ...]
    signature: str

    @classmethod
    def of(cls, credential: str, names: str, signature: str) -> Claim:
        """By its three texts."""
        access, _, rest = credential.partition("/")
        date, _, scope = rest.partition("/")
        return cls(access, date, scope, tuple(names.split(";")), signature)


def claimed(authorization: str, algorithm: str) -> Claim | None:
    """What the header `Authorization` says; None for another algorithm."""
    said, _, rest = authorization.partition(" ")
    if said != algorithm:
        return None
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    return Claim.of(parts.get("Credential", ""), parts.get("SignedHeaders", ""), parts.get("Signature", ""))


def matches(claim: Claim, secret: str, *, algorithm: str, stamp: str, canonical: str) -> bool:
    """Whether the signature is that of the canonical request.

    Args:
        claim: What the request says.
        secret: Of its access key.
        algorithm: Such as `HMAC-SHA256`.
        stamp: The time of the signature, as `20251121T120000Z`.
        canonical: The request, line by line.
    """
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join((algorithm, stamp, f"{claim.date}/{claim.scope}", digest))
    key = secret.encode()
    for part in (claim.date, *claim.scope.split("/")):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    wanted = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, claim.signature)


def age(stamp: str, date: str, now: datetime) -> float | None:
    """Seconds since the stamp; None where it can't be read, or is another day's than the scope's."""
    try:
        then = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return (now - then).total_seconds() if stamp[:8] == date else None


def lines(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    """The signed headers, one a line."""
    return "".join(f"{name}:{headers[name]}\n" for name in names)


def sorted_query(raw: str, *, without: str = "") -> str:
    """The query as it is signed."""
    pairs = sorted(pair for pair in parse_qsl(raw, keep_blank_values=True) if pair[0] != without)
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)
