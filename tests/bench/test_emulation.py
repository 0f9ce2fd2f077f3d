"""Emulators are refused unless they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from polyreel.bench import VectorBench, emulation
from polyreel.bench.results import StackInfo
from polyreel.cli.main import app
from polyreel.core.errors import ConfigurationError
from polyreel.testing.qdrant import imitation

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("kind", "settings", "emulated"),
    [
        ("vikingdb", {"data_endpoint": "http://127.0.0.1:8000"}, ["store"]),
        ("vikingdb", {"data_endpoint": "http://localhost:8000"}, ["store"]),
        ("vikingdb", {"data_endpoint": "https://api-vikingdb.example"}, []),
        ("milvus", {"url": "http://127.0.0.1:9"}, []),
        ("memory", {"objects.kind": "tos", "objects.endpoint": "http://127.0.0.1:9"}, ["objects"]),
        ("memory", {"embedder.kind": "ark", "embedder.base_url": "http://[::1]:9/v3"}, ["embedder"]),
        ("vikingdb", {"data_endpoint": "127.0.0.1:8000"}, ["store"]),
        ("vikingdb", {"data_endpoint": "http://0.0.0.0:8000"}, ["store"]),
        ("vikingdb", {"data_endpoint": "http://10.0.0.7:8000"}, ["store"]),
        ("memory", {"objects.kind": "tos", "objects.endpoint": "localhost:9"}, ["objects"]),
        ("memory", {"reranker.kind": "vikingdb", "reranker.data_endpoint": "http://[::1]:9"}, ["reranker"]),
        ("memory", {}, []),
    ],
)
def test_a_service_at_an_address_of_this_machine_is_an_emulator(
    kind: str, settings: dict[str, str], emulated: list[str]
) -> None:
    assert emulation.marked(StackInfo(name="s", store=kind, settings=settings)).emulated == emulated


@pytest.fixture
def imitated(tmp_path: Path) -> Any:
    """A configuration with a stack on the imitation of a Qdrant server."""
    with imitation() as server:
        config = tmp_path / "polyreel.toml"
        config.write_text(
            '[stacks.cloud]\npreset = "memory"\n[stacks.cloud.store]\nkind = "qdrant"\n'
            f'url = "{server.url}"\n'
        )
        yield config


def test_an_imitation_is_refused_unless_allowed(imitated: Path, settings: Any, tmp_path: Path) -> None:
    told = settings(steps=("load", "search"), rounds=1)
    with pytest.raises(ConfigurationError, match="'cloud' has an emulator for store"):
        VectorBench(told, ["cloud"], tmp_path / "out", imitated).run()
    assert not (tmp_path / "out" / "results.json").exists()
    results = VectorBench(told, ["cloud"], tmp_path / "out", imitated, allow_emulators=True).run()
    assert results.complete
    assert results.emulated == ["cloud"]


def test_the_command_labels_it_in_the_table_too(imitated: Path, tmp_path: Path) -> None:
    told = ["bench", "--stacks", "cloud", "--config", str(imitated), "--out", str(tmp_path / "out")]
    told += [
        "--records",
        "50",
        "--dimension",
        "8",
        "--queries",
        "3",
        "--rounds",
        "1",
        "--steps",
        "load,search",
    ]
    refused = CliRunner().invoke(app, told)
    assert (refused.exit_code, "--allow-emulators" in refused.stderr) == (2, True)
    allowed = CliRunner().invoke(app, [*told, "--allow-emulators"])
    assert allowed.exit_code == 0, allowed.stderr
    assert "search: cloud (emulated) done" in allowed.stderr
    assert allowed.stdout.startswith("stack\tcloud (emulated)\n")
    assert "Emulated: cloud." in (tmp_path / "out" / "report.html").read_text()
