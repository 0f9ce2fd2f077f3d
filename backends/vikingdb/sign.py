"""Signing a request with HMAC-SHA256 (V4), by the vendor's own `SignerV4`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from volcengine.auth.SignerV4 import SignerV4
from volcengine.auth.SignParam import SignParam
from volcengine.Credentials import Credentials

_SERVICE = "vikingdb"


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key and its secret.

    Args:
        access_key: Public.
        secret_key: Never shown.
        session_token: Of temporary keys (STS).
    """

    access_key: str
    secret_key: str
    session_token: str = ""

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Keys({self.access_key!r})"


def signed(
    keys: Keys, region: str, now: datetime, *, host: str, path: str, query: Mapping[str, str], body: bytes
) -> dict[str, str]:
    """The headers of a signed POST of JSON.

    `Content-Type`, `Host`, `X-Content-Sha256` and `X-Date` are signed, as the vendor's pages show it by hand.

    Args:
        keys: Who calls.
        region: Such as `cn-beijing`.
        now: The instant that the signature is for, in UTC.
        host: As the request names it, with a port that is not the scheme's own.
        path: Of the address.
        query: Of the address.
        body: The very bytes that are sent.
    """
    param = SignParam()
    param.method, param.host, param.path, param.query = "POST", host, path, dict(query)
    param.body, param.date = body, now
    param.header_list = {"Content-Type": "application/json", "Host": host}
    credentials = Credentials(keys.access_key, keys.secret_key, _SERVICE, region, keys.session_token)
    result = SignerV4.sign_only(param, credentials)
    return {**param.header_list, "Authorization": result.authorization}
