"""The way to a Milvus server, and the time that a call to any Milvus may take."""

from __future__ import annotations

import contextlib
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from ...core.deadline import time_left
from ...core.errors import ConfigurationError
from ...core.secret import Secret
from .client import Client

_CONNECT = 10.0  # seconds, at most, for a first answer
GRPC = {
    "grpc.enable_retries": 0,  # retries are the base's
    "grpc.use_local_subchannel_pool": 1,  # else other certificates get the first one's connection
}

for _name in (
    "pymilvus",
    "milvus_lite",
):  # which write each error to stderr with a traceback, and raise it, too
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class _Once(float):
    """Seconds for one call, which pymilvus takes for used up as soon as its first try has failed.

    With a timeout pymilvus tries again until `time.time() - start >= timeout` (`retry_on_rpc_failure`; its
    `retry_times` counts only without one), and we want the timeout without the retries.
    """

    def __le__(self, _other: float, /) -> bool:
        return True


def limit(*, at_least: float = 0.001) -> float:
    """What is left of the deadline in seconds, for the `timeout=` that every call of pymilvus must have.

    Without one, a failing call is repeated for minutes.
    """
    return _Once(max(at_least, time_left(default=30.0)))


class Connection(Protocol):
    """A client and what belongs to it."""

    client: Client
    where: str
    """For messages."""
    version: str

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Inside, nobody else calls, where the engine bears one caller only."""

    def close(self) -> None:
        """Let go of it; a second call does nothing."""


@dataclass(frozen=True, slots=True)
class Address:
    """A server and how to be let in.

    Args:
        url: `http://host:19530`, or `https://` for TLS.
        token: `user:password`, or an API key.
        database: Of the server; empty for the default one.
        ca_file: PEM of the authority that signed the server's certificate; the system's ones when it is None.
        server_name: In the certificate, where it isn't the host's.
    """

    url: str
    token: Secret | None = None
    database: str = ""
    ca_file: Path | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        """Refuse what pymilvus would misread or pass over.

        Raises:
            ConfigurationError: The address isn't one of Milvus, or TLS is half said.
        """
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError("the url of Milvus must be http://host:port or https://host:port")
        if parts.username or parts.password:
            raise ConfigurationError(
                "the url of Milvus holds a password", hint='write it as token = "user:password"'
            )
        if parts.path.strip("/") or parts.query:
            raise ConfigurationError(
                "the url of Milvus has a path", hint="name the database by the key `database`"
            )
        if parts.scheme == "http" and (self.ca_file or self.server_name):
            raise ConfigurationError(
                "ca_file and server_name are for TLS, and the url says http", hint="write https"
            )
        if self.ca_file and not self.ca_file.is_file():
            raise ConfigurationError(
                f"there is no file {self.ca_file}", hint="ca_file is a PEM of certificates"
            )

    @property
    def shown(self) -> str:
        """For messages."""
        return f"Milvus at {self.url}"

    @property
    def is_zilliz(self) -> bool:
        """Whether it is Zilliz Cloud, by the name of the host."""
        return "zilliz" in (urlsplit(self.url).hostname or "")


class ServerConnection:
    """A client of its own connection to a server."""

    def __init__(self, address: Address) -> None:
        tls = {"server_pem_path": str(address.ca_file)} if address.ca_file else {}
        if address.server_name:
            tls["server_name"] = address.server_name
        self.where = address.shown
        self.client = Client(
            address.url,
            token=address.token.get_secret_value() if address.token else "",
            db_name=address.database,
            timeout=_Once(min(_CONNECT, time_left())),
            dedicated=True,
            grpc_options=GRPC,
            **tls,
        )
        try:
            self.version = str(self.client.get_server_version(timeout=limit()))
        except BaseException:
            self.close()
            raise

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """A server bears any number of callers."""
        return contextlib.nullcontext()

    def close(self) -> None:
        """Close the connection."""
        self.client.close()


def release(version: str) -> tuple[int, int]:
    """Major and minor number of a server's version (`v2.3.5-lite`); zeros for one that has none."""
    found = re.search(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)
