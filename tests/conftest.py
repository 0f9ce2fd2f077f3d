"""What every test stands on: no network but loopback, a clean environment, and skips that CI can forbid."""

from __future__ import annotations

import ipaddress
import os
import resource
import select
import socket
import sqlite3
import subprocess
import sys
import time
import traceback
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

ROOT = Path(__file__).resolve().parents[1]

# The same examples in every run: fewer by `--hypothesis-profile=quick`, new ones by `explore`.
settings.register_profile("ci", derandomize=True, deadline=None, database=None, print_blob=True)
settings.register_profile("quick", settings.get_profile("ci"), max_examples=10)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("ci")

# `python -m pytest` puts the root in front, where `import core` would find a room of the package.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != ROOT]


class Database(sqlite3.Connection):
    """A connection to a file of SQLite that is known until it is closed."""

    opened: ClassVar[dict[Database, str]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.opened[self] = "".join(traceback.format_stack(limit=14)[:-2])

    def close(self) -> None:
        super().close()
        self.opened.pop(self, None)


class BlockedAddressError(RuntimeError):
    """A test tried to reach an address outside this machine."""


class Need(Protocol):
    """Skips a test for lack of a resource, or fails it where `POLYREEL_MUST_RUN` names the resource."""

    def __call__(self, resource: str, reason: str) -> NoReturn: ...


@pytest.fixture(scope="session")
def need() -> Need:
    """`need("milvus-server", "make servers installs it")` where a test finds that it can't run."""
    return _need


def _need(resource: str, reason: str) -> NoReturn:
    message = f"needs {resource}: {reason}"
    if resource in os.environ.get("POLYREEL_MUST_RUN", "").replace(",", " ").split():
        pytest.fail(f"{message} (POLYREEL_MUST_RUN forbids the skip)", pytrace=False)
    pytest.skip(message)


class Serve(Protocol):
    """Starts a real server for the rest of the module, since an idle one slows others; gives its address."""

    def __call__(self, name: str, *arguments: str) -> str: ...


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """`serve("milvus", "--data", folder)` runs `tools/servers/milvus.py` where `make servers` installed it.

    A script prints `READY <address>` once it serves, and ends when it is sent SIGTERM.
    """
    with ExitStack() as servers:

        def start(name: str, *arguments: str) -> str:
            python = ROOT / ".servers" / name / "bin" / "python"
            if not python.exists():
                _need(f"{name}-server", "`make servers` installs it")
            command = [
                str(python),
                "-P",
                f"tools/servers/{name}.py",
                *arguments,
            ]  # which may bear the package's name
            return servers.enter_context(_serving(command))

        yield start


@contextmanager
def _serving(command: list[str], *, seconds: float = 90.0) -> Iterator[str]:
    """A server's address, while it runs."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            end, line = time.monotonic() + seconds, ""
            while not line.startswith("READY "):
                assert select.select([server.stdout], [], [], max(0.0, end - time.monotonic()))[0], (
                    f"{command[2]} isn't ready after {seconds:g} s"
                )
                line = server.stdout.readline()
                assert line, f"{command[2]} ended with {server.wait()} before it was ready"
            yield line.split()[1]
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


class Within(Protocol):
    """Fails where a run takes more than so many times what a start of Python with some code takes."""

    def __call__(self, times: float, code: str, run: Callable[[], object]) -> None: ...


@pytest.fixture(scope="session")
def within() -> Within:
    """`within(3, "import typer", run)`, where `run` starts one process and waits for it.

    A ratio, since machines differ, and of the processor's time, so that a busy machine doesn't count. The
    two are run in turns and the least of each counts, since noise only ever adds time.
    """
    return _within


def _within(times: float, code: str, run: Callable[[], object]) -> None:
    floors: list[float] = []
    spent: list[float] = []
    while not spent or min(spent) > times * min(floors):
        assert len(spent) < 30, (spent, floors)
        floors.append(_spent(lambda: subprocess.run([sys.executable, "-P", "-c", code], check=True)))
        spent.append(_spent(run))


def _spent(run: Callable[[], object]) -> float:
    """Seconds that the processes took of the processor that `run` waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


@pytest.fixture(scope="session", autouse=True)
def _hermetic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The developer's own configuration and home folder change no test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("POLYREEL_") and not name.startswith(("POLYREEL_TEST_", "POLYREEL_MUST_RUN")):
                patch.delenv(name)
        for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(autouse=True, scope="module")
def _closed_databases() -> Iterator[None]:
    """A module closes each database that it opened: Python 3.13 warns of one left open, at any later time."""
    before = set(Database.opened)
    yield
    left = {each: where for each, where in Database.opened.items() if each not in before}
    for database in left:
        database.close()
    assert not left, "a database was left open; it was opened here:\n" + "\n".join(left.values())


def pytest_configure(config: pytest.Config) -> None:
    """Blocks the network, and watches databases, before a test module is imported."""
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    patch.setattr(sqlite3, "connect", _watch_databases(sqlite3.connect))
    for name in ("connect", "connect_ex"):
        patch.setattr(socket.socket, name, _guard_address(getattr(socket.socket, name)))
    patch.setattr(socket.socket, "sendto", _guard_sendto(socket.socket.sendto))
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        patch.setattr(socket, name, _guard_lookup(getattr(socket, name)))


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """What tests print may hold half a surrogate pair, which no process could send to another."""
    return _sendable((yield))


def _sendable(told: Any) -> Any:
    match told:
        case str():
            return told.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_sendable(key): _sendable(value) for key, value in told.items()}
        case list() | tuple():
            return type(told)(map(_sendable, told))
        case _:
            return told


def _watch_databases(connect: Callable[..., sqlite3.Connection]) -> Callable[..., sqlite3.Connection]:
    """Watches those of our code: a vendor's package may leave one open where it fails."""

    def watched(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        ours = sys._getframe(1).f_globals["__name__"].partition(".")[0] in {"polyreel", "tests"}
        return connect(*args, **kwargs, factory=Database) if ours else connect(*args, **kwargs)

    return watched


def _guard_address(method: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        _refuse_remote(self, address)
        return method(self, address)

    return guarded


def _guard_sendto(method: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, data: Any, *flags_and_address: Any) -> Any:
        _refuse_remote(self, flags_and_address[-1])
        return method(self, data, *flags_and_address)

    return guarded


def _guard_lookup(function: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host and not _is_local(host):
            raise BlockedAddressError(_message(host))
        return function(host, *args, **kwargs)

    return guarded


def _refuse_remote(used: socket.socket, address: Any) -> None:
    if used.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
        raise BlockedAddressError(_message(address[0]))


def _is_local(host: str | bytes) -> bool:
    """Whether a name or a number is this machine's own, as the unspecified address of a listener is."""
    name = (host.decode() if isinstance(host, bytes) else host).rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        number = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return number.is_loopback or number.is_unspecified


def _message(host: object) -> str:
    return f"tests may reach this machine only, not {host!r}: use a fake or a server on 127.0.0.1"
