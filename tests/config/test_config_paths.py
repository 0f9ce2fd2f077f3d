"""Where relative paths start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from polyreel.config import build_stack, load


def given(stack: Any, role: str = "store") -> dict[str, Any]:
    remembered: dict[str, Any] = getattr(stack, role).given
    return remembered


@pytest.fixture
def elsewhere(folder: Path) -> Path:
    path = folder / "conf" / "polyreel.toml"
    path.parent.mkdir()
    path.write_text("[stacks.local]\nstate = 'state'\n[stacks.local.store]\npath = '../store'\n")
    return path


def test_those_of_the_file_and_of_the_presets_start_at_its_folder(elsewhere: Path, adapters: object) -> None:
    stack = build_stack(load(elsewhere))
    assert stack.state == elsewhere.parent / "state"
    assert given(stack)["path"] == elsewhere.parent / "../store"
    assert given(stack, "objects")["path"] == elsewhere.parent / ".polyreel/objects"


def test_those_of_the_environment_start_at_the_working_directory(
    elsewhere: Path, folder: Path, adapters: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYREEL_STACKS__LOCAL__STORE__PATH", "here")
    assert given(build_stack(load(elsewhere)))["path"] == folder / "here"


def test_dotenv_lies_beside_the_file_and_its_paths_start_there(elsewhere: Path, adapters: object) -> None:
    (elsewhere.parent / ".env").write_text("POLYREEL_STACKS__LOCAL__STORE__PATH=there\n")
    Path(".env").write_text("POLYREEL_STACKS__LOCAL__STORE__PATH=nowhere\n")
    assert given(build_stack(load(Path("conf/polyreel.toml"))))["path"] == elsewhere.parent / "there"


def test_a_tilde_is_the_home_folder_and_absolute_paths_stay(adapters: object) -> None:
    Path("polyreel.toml").write_text("[stacks.local]\nstate='~/s'\n[stacks.local.store]\npath='/tmp/p'\n")
    stack = build_stack(load())
    assert stack.state == Path.home() / "s"
    assert given(stack)["path"] == Path("/tmp/p")
