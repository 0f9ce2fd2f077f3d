"""Addresses as people give them: which are URIs, which are local files, and what of them may be shown.

A presigned URL is a password. The address that is kept and shown (`lasting`) has no user, password, query or
fragment; the whole one is used to fetch the file and goes nowhere else.
"""

from __future__ import annotations

import ipaddress
import os
import re
from hashlib import sha256
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, parse_qsl, unquote, unquote_to_bytes, urlencode, urlsplit

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|file:/", re.IGNORECASE)
_SIGNING = re.compile(
    r"x-(amz|goog|tos|oss|ms)-.*|signature|expires|awsaccesskeyid|ossaccesskeyid|googleaccessid",
    re.IGNORECASE,
)
"""Parameters that sign a URL and so differ from one signing to the next (S3, GCS, TOS, OSS)."""
_NAME_BYTES = 100  # of a temporary file: enough to recognise it, and short enough for every disk


def is_uri(given: str) -> bool:
    """Whether it begins with a scheme, such as `https://`."""
    return _URI.match(given) is not None


def scheme_of(uri: str) -> str:
    """The scheme in small letters, such as `https`."""
    return uri.partition(":")[0].lower()


def local_path(uri: str) -> Path | None:
    """The file of a `file:` URI of this machine; None for any other address."""
    if scheme_of(uri) != "file":
        return None
    rest = uri.partition(":")[2]
    for here in ("///", "//localhost/"):
        if rest.startswith(here):
            rest = "/" + rest.removeprefix(here)
    local = rest.startswith("/") and not rest.startswith("//")
    return Path(os.fsdecode(unquote_to_bytes(rest))) if local else None


def lasting(uri: str) -> str:
    """The address without user, password, query and fragment: what may be kept, logged and shown."""
    parts = _split(uri)
    if parts is None:
        return f"{scheme_of(uri)}://…"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def same_file(uri: str) -> str:
    """A digest that is the same however the address of a file is signed; nothing can be read from it."""
    parts = _split(uri)
    if parts is not None:
        kept = [(name, value) for name, value in parse_qsl(parts.query) if not _SIGNING.fullmatch(name)]
        uri = parts._replace(
            netloc=parts.netloc.rpartition("@")[2], query=urlencode(kept), fragment=""
        ).geturl()
    return sha256(uri.encode(errors="surrogatepass")).hexdigest()


def is_public(uri: str) -> bool:
    """Whether it is `https` to a host that may be seen from outside; no name is looked up."""
    parts = _split(uri)
    host = (parts.hostname or "").rstrip(".").lower() if parts else ""
    if parts is None or parts.scheme != "https" or "." not in host:
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return not host.endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test"))


def file_name(uri: str) -> str:
    """The last part of the address as a name that a local file can have."""
    parts = _split(uri)
    name = PurePosixPath(unquote(parts.path if parts else "")).name.replace("\0", "")
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a name that begins with a dot stays whole
    short = stem.encode(errors="replace")[:_NAME_BYTES].decode(errors="ignore")
    return f"{short}{suffix[:10]}" if short.strip(".") else "video"


def _split(uri: str) -> SplitResult | None:
    """The parts; None where the address is broken, as by a password with a slash in it."""
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return None
    return parts
