"""Which room may import what: the table of the design, checked against the source of every module."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "polyreel"


@dataclass(frozen=True)
class Rule:
    """What the modules under one dotted prefix may import.

    `rooms` are prefixes inside polyreel, besides the unit itself; `packages` are other distributions'
    modules, `lazy` those that may be imported inside a function or under TYPE_CHECKING only.
    """

    rooms: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()
    lazy: frozenset[str] = frozenset()
    everything: bool = False


def rule(rooms: str = "", packages: str = "", lazy: str = "") -> Rule:
    return Rule(frozenset(rooms.split()), frozenset(packages.split()), frozenset(lazy.split()))


# The longest prefix of a module's name decides. A unit with a row of its own is closed to its siblings.
RULES = {
    "": Rule(everything=True),  # the root's own modules join the rooms
    "core": rule("core", lazy="numpy"),
    "core.bundle_rows": rule("core", lazy="numpy pyarrow"),
    "core.deadline": rule("core", lazy="tenacity"),
    "media": rule("core", "av numpy scenedetect"),
    "backends": rule("core"),
    "backends.memory": rule("core", "numpy"),
    "backends.milvus": rule("core", "grpc pymilvus milvus_lite", lazy="numpy"),
    "backends.qdrant": rule("core", "grpc httpx numpy pydantic qdrant_client qdrant_edge"),
    "backends.vikingdb": rule("core", "httpx volcengine"),
    "embedders": rule("core media", "numpy"),
    "embedders.ark": rule("core media", "httpx"),
    "embedders.clip": rule("core media", "PIL fastembed httpx huggingface_hub numpy onnxruntime"),
    "embedders.marengo": rule("core media", "httpx pydantic twelvelabs"),
    "storage": rule("core"),
    "storage.https": rule("core", lazy="httpx"),
    "storage.s3": rule("core storage.s3_client storage.s3_upload"),
    "storage.s3_client": rule("core", "boto3 botocore"),
    "storage.s3_upload": rule("core storage.s3_client"),
    "storage.tos": rule("core storage.tos_client storage.tos_upload", "tos"),
    "storage.tos_client": rule("core", "requests tos urllib3"),
    "storage.tos_upload": rule("core storage.tos_client", "tos"),
    "exploring": rule("core exploring"),
    "exploring.analysis": rule("core exploring.sampling", "numpy sklearn threadpoolctl"),
    "exploring.sampling": rule("core", "numpy"),
    "config": rule("core", "pydantic pydantic_settings"),
    "understanding": rule("core media"),
    "understanding.ark": rule("core media", "httpx volcenginesdkarkruntime"),
    "testing": rule("core media embedders.builtin backends.memory", "hypothesis numpy pytest"),
    "testing.qdrant": rule("core testing.web", "pydantic pydantic_core qdrant_client"),
    "testing.qdrant_grpc": rule("core testing.qdrant", "grpc qdrant_client"),
    "testing.twelvelabs": rule("core media embedders.builtin", "av numpy"),
    "bench": Rule(everything=True),
    "cli": Rule(everything=True),
}
ROOMS = {unit for unit in RULES if "." not in unit}


@dataclass(frozen=True)
class Import:
    """One module named by an import statement; `lazy` when it does not run as the module is loaded."""

    target: str
    line: int
    lazy: bool


def imports_of(source: str, module: str, *, is_package: bool) -> list[Import]:
    """Every import of a module, relative ones resolved; `from x import a` names `x.a` inside polyreel."""
    found: list[Import] = []

    def visit(node: ast.AST, *, lazy: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, node.lineno, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module, is_package=is_package)
            inside = base.partition(".")[0] == PACKAGE
            names = [f"{base}.{alias.name}" for alias in node.names] if inside else [base]
            found.extend(Import(name, node.lineno, lazy) for name in names)
        elif isinstance(node, ast.If) and ast.unparse(node.test).removeprefix("typing.") == "TYPE_CHECKING":
            for typed in node.body:
                visit(typed, lazy=True)
            for untyped in node.orelse:
                visit(untyped, lazy=lazy)
        else:
            inner = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                visit(child, lazy=inner)

    visit(ast.parse(source), lazy=False)
    return found


def _absolute(node: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    parts = parts[: len(parts) - node.level + is_package]
    return ".".join([*parts, *([node.module] if node.module else [])])


def violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """One line per import that the module's row does not allow."""
    unit = _unit(module.removeprefix(PACKAGE).lstrip("."))
    allowed = RULES[unit]
    if allowed.everything:
        return []
    return [
        f"{module}:{found.line}: {unit} may not import {found.target}{'' if found.lazy else ' on loading'}"
        for found in imports_of(source, module, is_package=is_package)
        if not _may(unit, allowed, found)
    ]


def _unit(name: str) -> str:
    return max((unit for unit in RULES if not unit or _within(name, unit)), key=len)


def _may(unit: str, allowed: Rule, found: Import) -> bool:
    top, _, inside = found.target.partition(".")
    if top != PACKAGE:
        return top in sys.stdlib_module_names | allowed.packages or (found.lazy and top in allowed.lazy)
    if not inside:
        return False  # the root joins the rooms, so no room may stand on it
    if any(_within(inside, room) for room in allowed.rooms):
        return True
    return _within(unit, _unit(inside)) and _unit(inside) != ""  # the unit itself, or what its room shares


def _within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def modules() -> dict[str, Path]:
    """Dotted name and path of every module of the package."""
    paths = [*ROOT.glob("*.py"), *(path for room in ROOMS - {""} for path in (ROOT / room).rglob("*.py"))]
    return {
        ".".join([PACKAGE, *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__"): path
        for path in paths
    }


def test_every_import_is_one_that_the_table_allows() -> None:
    sources = modules()
    assert len(sources) > len(ROOMS)
    assert [
        line
        for module, path in sorted(sources.items())
        for line in violations(path.read_text(), module, is_package=path.name == "__init__.py")
    ] == []


def test_every_room_has_a_row() -> None:
    rooms = {init.parent.name for init in ROOT.glob("*/__init__.py")}
    assert rooms == ROOMS - {""}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("core.store", "import numpy as np"),
        ("core.store", "try:\n    import numpy\nexcept ImportError:\n    numpy = None"),
        ("core.store", "class A:\n    import numpy"),
        ("core.store", "if TYPE_CHECKING:\n    pass\nelse:\n    import numpy"),
        ("core.store", "def f():\n    import tenacity"),
        ("core.store", "def f():\n    from qdrant_client import models"),
        ("core.store", "def f():\n    from ..backends.memory import MemoryStore"),
        ("core.store", "from .. import backends"),
        ("core.store", "from .. import VideoSearch"),
        ("core.store", "import polyreel"),
        ("core.store", "import polyreel.media.probe"),
        ("core.deadline", "import tenacity"),
        ("core.deadline", "async def f():\n    import pydantic"),
        ("backends.qdrant.edge", "from ..memory import MemoryStore"),
        ("backends.qdrant.edge", "from ...embedders import builtin"),
        ("backends.qdrant.edge", "import pymilvus"),
        ("backends.memory", "import qdrant_edge"),
        ("backends.memory", "from .qdrant import filters"),
        ("embedders.builtin.embedder", "import av"),
        ("embedders.builtin.embedder", "from ...storage.local import LocalObjects"),
        ("storage.local", "import numpy"),
        ("storage.local", "from ..media import probe"),
        ("config.settings", "from ..storage import local"),
        ("config.settings", "import typer"),
        ("media.probe", "from ..config import settings"),
        ("testing.stores", "from ..backends.qdrant import QdrantEdgeStore"),
        ("testing.stores", "from ..embedders.clip import ClipEmbedder"),
    ],
)
def test_a_planted_violation_is_found(module: str, source: str) -> None:
    assert len(violations(source, f"polyreel.{module}")) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("core.store", "import json, sqlite3\nfrom . import errors\nfrom .deadline import poll"),
        ("core.store", "def f():\n    import numpy"),
        ("core.store", "if TYPE_CHECKING:\n    from numpy.typing import NDArray"),
        ("core.deadline", "from .errors import PolyreelError\ndef f():\n    import tenacity"),
        (
            "backends.qdrant.edge",
            "import qdrant_edge\nfrom . import filters\nfrom ...core.store import Store",
        ),
        ("backends.qdrant.edge", "from .._shared import page"),
        ("embedders.builtin.embedder", "import numpy\nfrom ...media.sample import frames"),
        ("config.settings", "from pydantic_settings import BaseSettings\nfrom ..core import errors"),
        ("media.shots", "import av, scenedetect\nfrom ..core.media import Media"),
        ("testing.stores", "import pytest, hypothesis\nfrom ..embedders.builtin import embedder"),
        ("cli.main", "import typer\nfrom ..backends.qdrant import edge\nfrom .. import open"),
        ("bench.run", "import qdrant_client"),
        ("opening", "from .backends import memory"),
    ],
)
def test_an_allowed_import_passes(module: str, source: str) -> None:
    assert violations(source, f"polyreel.{module}") == []


def test_relative_imports_of_a_package_start_at_the_package_itself() -> None:
    source = "from .edge import QdrantEdgeStore\nfrom ...core import store\nfrom ..memory import MemoryStore"
    (line,) = violations(source, "polyreel.backends.qdrant", is_package=True)
    assert "polyreel.backends.memory" in line
