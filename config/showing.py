"""The settings in force, each with the place where it was written; secrets masked. Nothing is opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from ..core.errors import ConfigurationError
from ..core.logs import redacted
from ..core.masking import MASK
from ..core.rates import Rate
from .build import checked_adapter
from .hints import Key, inner, is_secret, keys_of
from .layers import ROLES, find, merged
from .settings import Ingest, Settings, StackSettings
from .tree import Leaf, Tree, dotted, variable
from .values import read

Value = str | int | float | bool | list[str] | None

_PATHS = frozenset({"path", "folder", "root", "directory"})
"""Keys whose values can be shown although nobody knows their types."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting: its key as TOML writes it, its value (None: not set), and where it was written."""

    key: str
    value: Value
    source: str


@dataclass(frozen=True, slots=True)
class Effective:
    """What is in force.

    Args:
        settings: By key.
        notes: Which values are masked because their types can't be known, and why.
    """

    settings: tuple[Shown, ...]
    notes: tuple[str, ...]


def effective(settings: Settings, config: Path | None = None) -> Effective:
    """Every setting that is in force for the default stack.

    Args:
        settings: Checked ones, of the same configuration file.
        config: That file, as it was given to `load`.

    Raises:
        ConfigurationError: The stack can't be built of its keys; a package that is missing is a note only.
    """
    tree, name = merged(find(config)), settings.default_stack
    stack = tree.children["stacks"].children[name]  # type: ignore[union-attr]  # it was checked
    assert isinstance(stack, Tree)
    keys, notes = _adapters(settings, name)
    written = [
        Shown("stack", name, _source(tree.children["stack"]) if _is_default(tree, name) else "the call"),
        *(
            _shown(leaf, get_type_hints(kind).get(leaf.path[-1]))
            for part, kind in (("ingest", Ingest), ("rates", Rate))
            if part in tree.children
            for leaf in tree.children[part].leaves
        ),
        *(_in_stack(leaf, keys) for leaf in stack.leaves),
    ]
    known = {each.key for each in written}
    defaults = [*_defaults(settings, name), *_adapter_defaults(stack, keys)]
    return Effective((*written, *(each for each in defaults if each.key not in known)), tuple(notes))


Keys = Mapping[str, Mapping[str, Key] | None]
"""The keys of each role's adapter; None where its package is missing."""


def _adapters(settings: Settings, name: str) -> tuple[Keys, list[str]]:
    """The keys of the stack's adapters, after the check that building makes; and what couldn't be checked."""
    stack, notes = settings.stack(name), []
    keys: dict[str, Mapping[str, Key] | None] = {}
    for role in ROLES:
        try:
            checked = checked_adapter(stack, role)
        except ConfigurationError as error:
            if not isinstance(error.__cause__, ModuleNotFoundError):
                raise
            notes.append(
                f"not checked, and masked since the types are unknown: stacks.{name}.{role}: {error}"
            )
            keys[role] = None
        else:
            keys[role] = keys_of(checked[0]) if checked else {}
    return keys, notes


def _is_default(tree: Tree, name: str) -> bool:
    return str(tree["stack"]).replace("-", "_") == name


def _shown(leaf: Leaf, hint: Any = None) -> Shown:
    return Shown(dotted(leaf.path), _value(leaf, hint), _source(leaf))


def _source(node: Leaf | Tree) -> str:
    """The variable, or the file."""
    return variable(node.path) if node.origin.variables else node.origin.name


def _in_stack(leaf: Leaf, keys: Keys) -> Shown:
    part, names = leaf.path[2], leaf.path[3:]
    if part not in ROLES or names == ("kind",):
        return _shown(leaf, inner(keys_of(StackSettings)[part].hint, names))
    known = keys[part]
    if known is None:
        plain = names[-1] in _PATHS and isinstance(leaf.value, str) and "://" not in leaf.value
        return _shown(leaf) if plain else Shown(dotted(leaf.path), MASK, _source(leaf))
    return _shown(leaf, inner(known[names[0]].hint, names[1:]))


def _value(leaf: Leaf, hint: Any) -> Value:
    if is_secret(leaf.path[2:], hint):
        return MASK
    return _plain(leaf.value if hint is None else read(leaf, hint))


def _plain(value: object) -> Value:
    """A value as JSON has it, without the credentials of addresses."""
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(each) for each in value]
    return value if value is None or isinstance(value, int | float) else redacted(value)


def _defaults(settings: Settings, name: str) -> Iterator[Shown]:
    """What nobody wrote: the parts of the recipe, and how videos are taken in."""
    for key, part in (("ingest", settings.ingest), (f"stacks.{name}.recipe", settings.stack(name).recipe)):
        for each in fields(part):
            yield Shown(f"{key}.{each.name}", _plain(getattr(part, each.name)), "default")


def _adapter_defaults(stack: Tree, keys: Keys) -> Iterator[Shown]:
    """What nobody wrote of the adapters' keys; a secret that is not set, too."""
    for role, known in keys.items():
        section = stack.children.get(role)
        for name, key in (known or {}).items():
            path = (*stack.path, role, name)
            if isinstance(section, Tree) and name not in section.children:
                masked = key.default is not None and is_secret(path[2:], key.hint)
                yield Shown(dotted(path), MASK if masked else _plain(key.default), "default")
