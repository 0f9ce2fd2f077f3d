"""What the sources say: a tree of sections and keys, each of which knows where it was written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.errors import ConfigurationError
from ..core.fields import shown

PREFIX = "POLYREEL_"
NESTED = "__"

_BARE = re.compile(r"[A-Za-z0-9_-]+")

Keys = tuple[str, ...]
"""The way to a key: `("stacks", "local", "store", "path")`."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where values were written.

    Args:
        name: For messages: a file, or `the environment`.
        base: The folder where relative paths start.
        variables: Keys are names of variables, and values are text to be read by the key's type.
        shipped: Part of polyreel, not of the user's configuration.
    """

    name: str
    base: Path
    variables: bool = False
    shipped: bool = False


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value. It may be a secret, so it stays out of `repr`."""

    path: Keys
    origin: Origin
    value: Any = field(repr=False)

    @property
    def where(self) -> str:
        """The key and its file, or the variable."""
        name = variable(self.path) if self.origin.variables else dotted(self.path)
        return f"{name} in {self.origin.name}"

    @property
    def leaves(self) -> Iterator[Leaf]:
        """Itself."""
        yield self


@dataclass(frozen=True, slots=True)
class Tree:
    """A section: keys and sections by name."""

    path: Keys
    origin: Origin
    children: Mapping[str, Leaf | Tree] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        """The value of a key, or a section."""
        child = self.children[key]
        return child.value if isinstance(child, Leaf) else child

    @property
    def where(self) -> str:
        """The section and the files that fill it, or the variable that does."""
        first = next(self.leaves, None)
        return (
            first.where
            if first and self._sources == [first.origin] and first.origin.variables
            else self.section
        )

    @property
    def section(self) -> str:
        """The section and the sources that fill it."""
        names = " and ".join(dict.fromkeys(origin.name for origin in self._sources))
        return f"{dotted(self.path)} in {names}"

    @property
    def leaves(self) -> Iterator[Leaf]:
        """Every value in it."""
        for child in self.children.values():
            yield from child.leaves

    @property
    def _sources(self) -> list[Origin]:
        """The user's own, or what shipped where the user said nothing."""
        origins = list(dict.fromkeys(leaf.origin for leaf in self.leaves)) or [self.origin]
        return [origin for origin in origins if not origin.shipped] or origins


Node = Leaf | Tree


def plant(value: object, path: Keys, origin: Origin) -> Node:
    """The tree of a table as `tomllib` reads it; names of stacks may be written with hyphens."""
    if not isinstance(value, dict):
        return Leaf(path, origin, value)
    children: dict[str, Node] = {}
    for key, child in value.items():
        name = key.replace("-", "_") if path == ("stacks",) else key
        if name in children:
            raise ConfigurationError(
                f"{dotted((*path, name))} is there twice in {origin.name}, with - and with _"
            )
        children[name] = plant(child, (*path, name), origin)
    return Tree(path, origin, children)


def variable(path: Keys) -> str:
    """The variable that sets a key."""
    return PREFIX + NESTED.join(path).upper()


def dotted(path: Keys) -> str:
    """A key as TOML writes it, on one line."""
    return ".".join(key if _BARE.fullmatch(key) else shown(key) for key in path)
