"""Real S3 servers, and the keys to them."""

from __future__ import annotations

import copy
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from pydantic import SecretStr

from polyreel.core.deadline import RetryPolicy
from polyreel.storage.s3 import S3Objects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Server:
    """An S3 server and how to call it."""

    endpoint: str
    access_key: str
    secret_key: str
    settings: dict[str, Any]
    made: list[S3Objects] = field(default_factory=list)

    @contextmanager
    def bucket(self) -> Iterator[S3Objects]:
        """A store in a new bucket. All of them share connections: to make a client takes a while."""
        if not self.made:
            self.made.append(self.objects())
        store = copy.copy(self.made[0])
        store._bucket, store._found = f"b-{uuid.uuid4().hex}", False
        store.ensure_bucket()
        yield store

    def objects(self, **changes: Any) -> S3Objects:
        """A store of its own, whose bucket isn't made yet."""
        keys = {"access_key": SecretStr(self.access_key), "secret_key": SecretStr(self.secret_key)}
        given = {"bucket": f"b-{uuid.uuid4().hex}", "endpoint": self.endpoint, "region": "us-east-1", **keys}
        return S3Objects(**{**given, **self.settings, **changes})


class Serve(Protocol):
    def __call__(self, name: str, *arguments: str) -> str: ...


@pytest.fixture(autouse=True)
def _no_ambient_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither keys of the developer nor those of a machine in the cloud change a test."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_REGION",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


@pytest.fixture(scope="module")
def swift(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    endpoint = serve("swift", "--data", str(tmp_path_factory.mktemp("swift") / "data"), "--fresh")
    return Server(endpoint, "test:tester", "testing", {})


@pytest.fixture(scope="module")
def rclone(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    endpoint = serve("rclone", "--data", str(tmp_path_factory.mktemp("rclone") / "data"), "--fresh")
    # It writes over a file in place: on a busy machine a reader may meet a half more than five times.
    retry = RetryPolicy(attempts=15, base=0.2, cap=1.0)
    return Server(endpoint, "test-access", "test-secret", {"checksums": "when_required", "retry": retry})


@pytest.fixture(params=["swift", "rclone"])
def server(request: pytest.FixtureRequest) -> Server:
    """Either of the two, one after the other."""
    found: Server = request.getfixturevalue(request.param)
    return found
