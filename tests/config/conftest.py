"""A working directory of its own for every test, and adapters that only remember what they were given."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from polyreel.core import registry
from polyreel.core.adapter import Adapter
from polyreel.core.deadline import RetryPolicy
from polyreel.core.secret import Secret


class Level(StrEnum):
    LOW = "low"
    HIGH = "high"


class Remembering(Adapter):
    """Keeps its arguments; `closed` counts."""

    closed: ClassVar[list[str]] = []

    def __init__(self, *, timeout: float = 30.0, retry: RetryPolicy | None = None) -> None:
        super().__init__(timeout=timeout, retry=retry)
        self.given: dict[str, Any] = {"timeout": timeout}

    def _close(self) -> None:
        self.closed.append(self.kind)


class FolderStore(Remembering):
    kind = "qdrant"

    def __init__(
        self, *, path: Path, lock_wait: float = 10.0, timeout: float = 30.0, retry: RetryPolicy | None = None
    ) -> None:
        super().__init__(timeout=timeout, retry=retry)
        self.given |= {"path": path, "lock_wait": lock_wait}


class FileStore(FolderStore):
    kind = "milvus"


class MemoryStore(Remembering):
    kind = "memory"

    def __init__(
        self, *, path: Path | None = None, timeout: float = 30.0, retry: RetryPolicy | None = None
    ) -> None:
        super().__init__(timeout=timeout, retry=retry)
        self.given |= {"path": path}


class RemoteStore(Remembering):
    """Has a parameter of every type that a configuration can say, and hands the rest to its base."""

    kind = "remote"

    def __init__(
        self,
        *,
        url: str,
        api_key: Secret | None = None,
        credentials: Secret | None = None,
        pool: int = 4,
        secure: bool = True,
        level: Level = Level.LOW,
        mode: Literal["fast", "exact"] = "fast",
        folders: tuple[Path, ...] = (),
        tags: list[str] | None = None,
        headers: Mapping[str, str] | None = None,
        session_token: int = 0,
        client: Callable[[], None] | None = None,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        self.given |= {
            "url": url,
            "api_key": api_key,
            "credentials": credentials,
            "pool": pool,
            "secure": secure,
            "level": level,
            "mode": mode,
            "folders": folders,
            "tags": tags,
            "headers": headers,
            "session_token": session_token,
        }


class FakeEmbedder(Remembering):
    kind = "builtin"


class FakeObjects(Remembering):
    kind = "local"

    def __init__(self, *, path: Path, copy: bool = False) -> None:
        super().__init__()
        self.given |= {"path": path, "copy": copy}


@dataclass(frozen=True)
class Entry:
    """Stands for an entry point."""

    target: Any

    def load(self) -> Any:
        if isinstance(self.target, Exception):
            raise self.target
        return self.target


class Adapters(dict[str, dict[str, Entry]]):
    """What the registry knows, by role and kind."""

    def add(self, role: str, kind: str, target: Any) -> None:
        self[role][kind] = Entry(target)


@pytest.fixture
def adapters(monkeypatch: pytest.MonkeyPatch) -> Adapters:
    """The registry with fakes of the built-in kinds in it, and a remote store."""
    fakes = Adapters(store={}, embedder={}, objects={})
    built_in: list[tuple[str, type[Remembering]]] = [
        ("store", FolderStore),
        ("store", FileStore),
        ("store", MemoryStore),
        ("store", RemoteStore),
        ("embedder", FakeEmbedder),
        ("objects", FakeObjects),
    ]
    for role, fake in built_in:
        fakes.add(role, fake.kind, fake)
    monkeypatch.setattr(registry, "kinds", fakes.__getitem__)
    monkeypatch.setattr(Remembering, "closed", [])
    return fakes


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("POLYREEL_")]:
        monkeypatch.delenv(name)
    return tmp_path
