"""Checks of what object stores are configured with."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from ..core.errors import ConfigurationError, InvalidQueryError
from ..core.objects import checked_key

_LONGEST_PREFIX = 100  # bytes, so that prefix and key stay under the 1024 of S3 and of TOS


def checked_prefix(prefix: str) -> str:
    """The prefix with one slash at its end; empty where there is none."""
    bare = prefix.strip("/")
    if not bare:
        return ""
    try:
        checked_key(bare)
    except InvalidQueryError as error:
        raise ConfigurationError(
            f"prefix is {prefix[:80]!a}; it must be a folder, such as 'polyreel/'"
        ) from error
    if len(bare.encode()) > _LONGEST_PREFIX:
        raise ConfigurationError(f"prefix has more than {_LONGEST_PREFIX} bytes")
    return f"{bare}/"


def checked_address(address: str | None, what: str) -> str | None:
    """An address of a server without a slash at its end."""
    if address is None:
        return None
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"{what} must begin with https:// or http:// and a host")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError(f"{what} must be an address without user, password, query and fragment")
    return address.rstrip("/")


def given(**arguments: Any) -> dict[str, Any]:
    """The arguments that have a value: a driver takes no None."""
    return {name: value for name, value in arguments.items() if value is not None}
