"""A command line in a folder of its own, with a few rendered clips taken in."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from polyreel.cli.main import app
from polyreel.testing.samples import drawn_samples

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Shell:
    """Runs commands in a folder."""

    folder: Path

    def __call__(self, *arguments: str | Path) -> Said:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rendered clips with sidecars; not to be changed."""
    return drawn_samples(tmp_path_factory)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path)


@pytest.fixture(scope="session")
def ingested(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an ingest of the samples leaves in the working directory; not to be changed."""
    folder = tmp_path_factory.mktemp("ingested")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert Shell(folder)("ingest", samples).code == 0
    return folder


@pytest.fixture
def filled(shell: Shell, ingested: Path) -> Shell:
    """A shell in a folder where the samples were taken in."""
    # Not by shutil: the engine's files are 160 MB, nearly all of it holes, which cp leaves out.
    subprocess.run(["cp", "-a", f"{ingested}/.", str(shell.folder)], check=True)
    return shell
