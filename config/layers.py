"""The layers of the configuration, lowest first: what ships, the file, `.env`, the environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, DotEnvSettingsSource

from ..core.errors import ConfigurationError
from ..core.fields import shown
from .shipped import presets, rates
from .tree import NESTED, PREFIX, Keys, Leaf, Node, Origin, Tree, plant, variable
from .values import suggestion

CONFIG = f"{PREFIX}CONFIG"
FILE = "polyreel.toml"
ROLES = ("store", "embedder", "objects", "reranker", "understanding")
NEEDED = ("store", "objects")
"""The roles that no stack lacks."""
PLACES = frozenset({"path", "client_path", "client_memory", "url"})
"""Keys of a store of which one says where the records are."""
DEFAULTS = {"collection": "videos", "state": ".polyreel/state"}
"""Keys of a stack that neither it nor its preset sets."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which configuration file is read.

    Args:
        file: None where there is none.
        name: The file for messages.
        named: By whom the file was named, for messages; empty when it was found in the working directory.
    """

    file: Path | None
    name: str = FILE
    named: str = ""

    @property
    def folder(self) -> Path:
        """Where relative paths start and `.env` lies: the file's folder, or the working directory."""
        return self.file.parent if self.file else Path.cwd()


def find(config: Path | None) -> Place:
    """The file that the argument names, or POLYREEL_CONFIG, or `polyreel.toml` in the working directory."""
    if config is not None:
        return _named(str(config), "the configuration file")
    if name := os.environ.get(CONFIG):
        return _named(name, f"{CONFIG} in the environment: the configuration file")
    default = Path.cwd() / FILE
    return Place(default if default.exists() or default.is_symlink() else None)


def merged(place: Place) -> Tree:
    """All layers in one tree."""
    layers = [*_file(place), *_dotenv(place), _environment()]
    tree = _shipped(layers, place.folder)
    for layer in layers:
        tree = overlay(tree, layer)
    return tree


def overlay(below: Tree, above: Tree) -> Tree:
    """Both trees in one: the upper one's values win, and an adapter of another kind replaces the section."""
    children = _staying(below, above)
    for key, node in above.children.items():
        under = children.get(key)
        merge = isinstance(node, Tree) and isinstance(under, Tree) and not _switches(under, node)
        children[key] = overlay(under, node) if merge else node  # type: ignore[arg-type]
    return Tree(above.path, above.origin, children)


def _staying(below: Tree, above: Tree) -> dict[str, Node]:
    """The lower children; a preset's place of the records goes where the upper tree names another one."""
    is_store = len(above.path) == 3 and above.path[0] == "stacks" and above.path[2] == "store"
    going = PLACES if is_store and PLACES & above.children.keys() else frozenset()
    return {
        key: node
        for key, node in below.children.items()
        if key not in going or not all(leaf.origin.shipped for leaf in node.leaves)
    }


def _switches(below: Tree, above: Tree) -> bool:
    old, new = below.children.get("kind"), above.children.get("kind")
    adapter = len(above.path) == 3 and above.path[0] == "stacks" and above.path[2] in ROLES
    return adapter and isinstance(old, Leaf) and isinstance(new, Leaf) and old.value != new.value


# -- what ships ----------------------------------------------------------------------------------------------


def _shipped(layers: list[Tree], base: Path) -> Tree:
    """The lowest layer: every preset under its own name, and under the stacks that start from it."""
    known = presets()
    chosen = {name: name for name in known} | _chosen(layers, known)
    stacks = {
        name: plant(
            DEFAULTS | known.get(preset, {}),
            ("stacks", name),
            Origin(f"the preset {preset}" if preset in known else "the defaults", base, shipped=True),
        )
        for name, preset in chosen.items()
    }
    origin = Origin("the defaults", base, shipped=True)
    measured = Origin("the measured rates", base, shipped=True)
    top: dict[str, Node] = {
        "stack": Leaf(("stack",), origin, "local"),
        "ingest": Tree(("ingest",), origin),
        "rates": plant(rates(), ("rates",), measured),
    }
    return Tree((), origin, top | {"stacks": Tree(("stacks",), origin, stacks)})


def _chosen(layers: list[Tree], known: Mapping[str, object]) -> dict[str, str]:
    """The preset of every stack in the layers: the one that it names, else the one of its own name."""
    chosen: dict[str, str] = {}
    for name, stack in (pair for layer in layers for pair in _stacks(layer)):
        named = stack.children.get("preset")
        if isinstance(named, Leaf):
            chosen[name] = _preset(named, known)
        chosen.setdefault(name, name)
    return chosen


def _stacks(layer: Tree) -> Iterator[tuple[str, Tree]]:
    stacks = layer.children.get("stacks")
    for name, stack in stacks.children.items() if isinstance(stacks, Tree) else ():
        if isinstance(stack, Tree):
            yield name, stack


def _preset(leaf: Leaf, known: Mapping[str, object]) -> str:
    name = str(leaf.value).replace("-", "_")
    if name not in known:
        raise ConfigurationError(
            f"{leaf.where} is {shown(leaf.value)}; the presets are {', '.join(known)}",
            hint=suggestion(name, known),
        )
    return name


# -- the file ------------------------------------------------------------------------------------------------


def _named(name: str, by: str) -> Place:
    try:
        return Place(Path(name).expanduser().absolute(), name, by)
    except RuntimeError as error:
        raise ConfigurationError(f"{by} {name} can't be read: its home folder is unknown") from error


def _file(place: Place) -> Iterator[Tree]:
    if place.file is not None:
        tree = plant(_toml(place.file, place), (), Origin(place.name, place.folder))
        assert isinstance(tree, Tree)
        yield tree


def _toml(file: Path, place: Place) -> dict[str, Any]:
    named = f"{place.named} {place.name}".strip()
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        hint = "`polyreel init` writes one" if isinstance(error, FileNotFoundError) else None
        raise ConfigurationError(f"{named} can't be read: {error.strerror}", hint=hint) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{named} can't be read: it is not UTF-8 at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        # tomllib says "Invalid value (at line 3, column 8)".
        what, _, position = str(error).removesuffix(")").partition(" (at ")
        raise ConfigurationError(f"{place.name} is no TOML at {position}: {what}") from error


# -- variables -----------------------------------------------------------------------------------------------


def _environment() -> Tree:
    values = {name: value for name, value in os.environ.items() if name != CONFIG}
    return _variables(values, Origin("the environment", Path.cwd(), variables=True))


def _dotenv(place: Place) -> Iterator[Tree]:
    file = place.folder / ".env"
    if not file.is_file():
        return
    name = ".env" if place.folder == Path.cwd() else str(file)
    values = _env_file(file, name)
    if values.pop(CONFIG, None) and not place.named:
        raise ConfigurationError(
            f"{CONFIG} in {name} comes too late: .env is read beside the configuration file",
            hint=f"set {CONFIG} in the environment, or name the file with --config",
        )
    yield _variables(values, Origin(name, place.folder, variables=True))


def _env_file(file: Path, name: str) -> dict[str, str | None]:
    try:
        return dict(DotEnvSettingsSource(BaseSettings, env_file=file, case_sensitive=True).env_vars)
    except OSError as error:
        raise ConfigurationError(f"{name} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{name} can't be read: it is not UTF-8 at byte {error.start}") from None


def _variables(values: Mapping[str, str | None], origin: Origin) -> Tree:
    """A tree of all POLYREEL_* variables but those of the tests; an empty variable counts as not set."""
    nested: dict[str, Any] = {}
    for name, value in sorted(values.items()):
        if name.startswith(PREFIX) and value and not name.startswith((f"{PREFIX}TEST_", f"{PREFIX}MUST_RUN")):
            _put(nested, tuple(name.removeprefix(PREFIX).lower().split(NESTED)), value, origin)
    tree = plant(nested, (), origin)
    assert isinstance(tree, Tree)
    return tree


def _put(nested: dict[str, Any], path: Keys, value: str, origin: Origin) -> None:
    """Set a value in nested tables, which are made on the way."""
    table = nested
    for depth, key in enumerate(path[:-1], 1):
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            name = variable(path[:depth])
            raise ConfigurationError(f"{name} in {origin.name} must be a section, set by {name}{NESTED}…")
    table[path[-1]] = value
