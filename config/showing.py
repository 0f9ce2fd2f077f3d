"""The settings in force, each with the place where it was written; secrets masked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import SecretStr

from ..core.errors import ConfigurationError
from ..core.rates import Rate
from ..core.recipe import Recipe
from ..core.registry import load as load_adapter
from .hints import is_secret, keys_of
from .layers import ROLES, find, merged
from .settings import Ingest, Settings
from .tree import Leaf, Tree, dotted, variable
from .values import read

_MASK = "***"


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting: its key as TOML writes it, its value, and where it was written."""

    key: str
    value: str | int | float | bool | list[str]
    source: str


def effective(settings: Settings, config: Path | None = None) -> list[Shown]:
    """Every setting that is in force for the default stack, by key.

    Args:
        settings: Checked ones, of the same configuration file.
        config: That file, as it was given to `load`.
    """
    tree, name = merged(find(config)), settings.default_stack
    stack = tree.children["stacks"].children[name]  # type: ignore[union-attr]  # it was checked
    assert isinstance(stack, Tree)
    shown = [Shown("stack", name, _source(tree.children["stack"]) if _is_default(tree, name) else "the call")]
    shown += [
        _shown(leaf, get_type_hints(kind).get(leaf.path[-1]))
        for part, kind in (("ingest", Ingest), ("rates", Rate))
        if part in tree.children
        for leaf in tree.children[part].leaves
    ]
    shown += [_shown(leaf, _hint(stack, leaf)) for leaf in stack.leaves]
    known = {each.key for each in shown}
    return [*shown, *(each for each in _defaults(settings, name) if each.key not in known)]


def _is_default(tree: Tree, name: str) -> bool:
    return str(tree["stack"]).replace("-", "_") == name


def _shown(leaf: Leaf, hint: Any = None) -> Shown:
    return Shown(dotted(leaf.path), _value(leaf, hint), _source(leaf))


def _source(node: Leaf | Tree) -> str:
    """The variable, or the file."""
    return variable(node.path) if node.origin.variables else node.origin.name


def _hint(stack: Tree, leaf: Leaf) -> Any:
    """The type of an adapter's parameter; None where it can't be known, since a package is missing."""
    if leaf.path[2] == "recipe":
        return get_type_hints(Recipe).get(leaf.path[3])
    role, section = leaf.path[2], stack.children.get(leaf.path[2])
    if leaf.path[2:] == ("state",):
        return Path
    if role not in ROLES or not isinstance(section, Tree) or leaf.path[-1] == "kind":
        return None
    try:
        keys = keys_of(load_adapter(role, str(section["kind"])))
    except ConfigurationError:
        return None
    return keys[leaf.path[3]].hint if leaf.path[3] in keys else None


def _value(leaf: Leaf, hint: Any) -> str | int | float | bool | list[str]:
    value = leaf.value if hint is None else read(leaf, hint)
    if isinstance(value, SecretStr) or is_secret(leaf.path[2:], hint):
        return _MASK
    if isinstance(value, list | tuple):
        return [str(each) for each in value]
    return value if isinstance(value, int | float) else str(value)


def _defaults(settings: Settings, name: str) -> Iterator[Shown]:
    """What nobody wrote: the parts of the recipe, and how videos are taken in."""
    for key, part in (("ingest", settings.ingest), (f"stacks.{name}.recipe", settings.stack(name).recipe)):
        for each in fields(part):
            value = getattr(part, each.name)
            plain = [str(one) for one in value] if isinstance(value, tuple) else value
            yield Shown(
                f"{key}.{each.name}",
                plain if isinstance(plain, int | float | list) else str(plain),
                "default",
            )
