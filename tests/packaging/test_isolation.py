"""Tests reach no network, see no configuration of the developer, and import polyreel as a user does."""

from __future__ import annotations

import importlib.util
import os
import socket
import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

REMOTE = "192.0.2.1"  # TEST-NET-1 of RFC 5737: nobody's address


@pytest.mark.parametrize(
    "reach",
    [
        lambda: socket.create_connection((REMOTE, 80), timeout=1),
        lambda: socket.create_connection(("example.invalid", 80), timeout=1),
        lambda: socket.getaddrinfo("example.invalid", 443),
        lambda: socket.getaddrinfo(b"example.invalid", 443),
        lambda: socket.gethostbyname("example.invalid"),
        lambda: urllib.request.urlopen("http://example.invalid/", timeout=1),
    ],
)
def test_a_remote_address_is_refused_with_a_clear_error(reach: Callable[[], Any]) -> None:
    with pytest.raises(RuntimeError, match="tests may reach this machine only"):
        reach()


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, (REMOTE, 80)), (socket.AF_INET6, ("2001:db8::1", 80))]
)
def test_a_socket_cannot_connect_to_a_number(method: str, family: int, address: tuple[str, int]) -> None:
    with (
        socket.socket(family, socket.SOCK_STREAM) as sock,
        pytest.raises(RuntimeError, match="tests may reach this machine only"),
    ):
        getattr(sock, method)(address)


def test_a_datagram_cannot_leave_the_machine() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        pytest.raises(RuntimeError, match="tests may reach this machine only"),
    ):
        sock.sendto(b"x", (REMOTE, 53))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_works(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_greet, args=(server,))
        thread.start()
        with socket.create_connection((host, server.getsockname()[1]), timeout=5) as client:
            assert client.recv(2) == b"hi"
        thread.join()


def test_unix_sockets_work(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
        _greet(server)
        assert client.recv(2) == b"hi"


def _greet(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"hi")


def test_the_environment_holds_no_configuration_of_polyreel() -> None:
    ours = {name for name in os.environ if name.startswith("POLYREEL_")}
    assert {name for name in ours if not name.startswith(("POLYREEL_TEST_", "POLYREEL_MUST_RUN"))} == set()


def test_the_home_folder_is_empty_and_temporary(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert Path.home().is_relative_to(tmp_path_factory.getbasetemp())


@pytest.mark.parametrize("room", ["core", "backends", "embedders", "storage", "media", "cli"])
def test_a_room_is_no_top_level_module(room: str) -> None:
    assert importlib.util.find_spec(room) is None
    assert importlib.util.find_spec(f"polyreel.{room}") is not None


def test_a_missing_resource_skips_by_name(
    need: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYREEL_MUST_RUN", "s3")
    with pytest.raises(pytest.skip.Exception, match="needs milvus-server: make servers"):
        need("milvus-server", "make servers")


def test_a_skip_that_must_run_is_a_failure(
    need: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYREEL_MUST_RUN", "milvus-server,s3")
    with pytest.raises(pytest.fail.Exception, match="needs milvus-server: make servers"):
        need("milvus-server", "make servers")
