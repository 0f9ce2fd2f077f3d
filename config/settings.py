"""The settings of polyreel, checked: `load` reads every source and names the place of every mistake."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, InstanceOf
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from ..core.errors import ConfigurationError, InvalidQueryError
from ..core.fields import FieldType, check_schema
from ..core.levels import Levels
from ..core.media import Modality
from ..core.rates import Rate
from ..core.recipe import Recipe
from ..core.registry import kinds, nearest
from .layers import NEEDED, ROLES, find, merged
from .tree import Leaf, Node, Tree
from .values import construct, keywords, read, suggestion

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Ingest:
    """The section `[ingest]`.

    Args:
        workers: Videos taken in at once.
    """

    workers: Annotated[int, Field(ge=1, le=64)] = 2


@dataclass(frozen=True, slots=True)
class StackSettings:
    """A section `[stacks.<name>]` over its preset. The adapters' own keys are checked when it is built.

    Args:
        name: The section's name.
        collection: The collection's name.
        state: The folder of the journal and caches.
        store: Its kind, and the keys of that kind.
        objects: The same for the object store.
        embedder: The same; None where the store vectorizes.
        reranker: The same; None where searches can't be reranked.
        understanding: The same of a model that looks at videos; None where there is none.
        fields: Declared fields.
        recipe: How videos are cut and sampled.
        query_cache_mb: Megabytes of vectors of queries kept in `state`; 0 keeps none.
        cache_results: Whether whole answers are kept in memory until somebody writes.
        levels: Of confidence, by the medium of a query.
        preset: The stack that this one starts from.
    """

    name: str
    collection: str
    state: Path
    store: Tree
    objects: Tree
    embedder: Tree | None = None
    reranker: Tree | None = None
    understanding: Tree | None = None
    fields: Mapping[str, FieldType] = field(default_factory=dict)
    recipe: Recipe = field(default_factory=Recipe)
    query_cache_mb: Annotated[int, Field(ge=0, le=1_000_000)] = 64
    cache_results: bool = False
    levels: Mapping[Modality, Levels] = field(default_factory=dict)
    preset: str | None = None

    def kind(self, role: str) -> str | None:
        """The kind of the adapter of a role; None where there is no such section."""
        section = getattr(self, role)
        return str(read(section.children["kind"], str)) if section is not None else None


class Settings(BaseSettings):
    """The checked settings. Made by `load`."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    where: Path | None
    """The configuration file that was read; None where there is none."""
    default_stack: str
    """The stack to use when none is named."""
    ingest: InstanceOf[Ingest]
    """How videos are taken in."""
    rates: Mapping[str, InstanceOf[Rate]]
    """What embedding costs and how fast it is, by the kind of the embedder, or of a store that vectorizes;
    and what tokens cost, by that of the model that looks at videos."""
    stacks: Mapping[str, InstanceOf[StackSettings]] = Field(repr=False, exclude=True)
    """The settings of every stack by name; kept out of `repr` and dumps, since they may hold secrets."""

    @property
    def stack_names(self) -> tuple[str, ...]:
        """Every stack by name, presets included."""
        return tuple(sorted(self.stacks))

    def stack(self, name: str | None = None) -> StackSettings:
        """The settings of a stack; of the default one when none is named. Hyphens are read as underscores.

        Raises:
            ConfigurationError: There is no such stack.
        """
        wanted = self.default_stack if name is None else name.replace("-", "_")
        if wanted not in self.stacks:
            raise _no_stack(wanted, self.stacks)
        return self.stacks[wanted]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base's signature
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """One source, which reads all layers.

        pydantic-settings merges from the top, where it can't be seen that an adapter of another kind replaces
        the section below; and its own sources don't remember where a value was written.
        """
        assert isinstance(init_settings, InitSettingsSource)
        return (_Source(settings_cls, **init_settings.init_kwargs),)


def load(config: Path | None = None, *, stack: str | None = None) -> Settings:
    """Read and check the configuration.

    Args:
        config: The configuration file; else POLYREEL_CONFIG names it, else it is `polyreel.toml` in the
            working directory, if there is one.
        stack: The default stack, before what the file or POLYREEL_STACK says.

    Raises:
        ConfigurationError: A file can't be read, or a section, key, value or variable is wrong.
    """
    return Settings(config=config, stack=stack)  # type: ignore[call-arg]  # they are the source's


class _Source(PydanticBaseSettingsSource):
    """The layers of `config.layers`, merged and checked."""

    def __init__(self, settings: type[BaseSettings], config: Path | None, stack: str | None) -> None:
        super().__init__(settings)
        self._file = config
        self._stack = stack

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Never asked: all fields are made together."""
        raise NotImplementedError

    def __call__(self) -> dict[str, Any]:
        place = find(self._file)
        tree = merged(place)
        top = keywords(_top, tree)
        known = top["stacks"].children
        stacks = {name: _stack(name, node, known) for name, node in known.items()}
        default = _default(tree.children["stack"], self._stack, stacks)
        return {
            "where": place.file,
            "default_stack": default,
            "ingest": top["ingest"],
            "rates": _rates(top["rates"]),
            "stacks": stacks,
        }


def _top(*, stack: str, ingest: Ingest, rates: Tree, stacks: Tree) -> None:
    """The keys of the file itself."""


def _default(leaf: Node, given: str | None, stacks: Mapping[str, object]) -> str:
    """The name that was given, else the one that the layers say."""
    written = str(read(leaf, str) if given is None else given)
    name = written.replace("-", "_")
    if name not in stacks:
        said = f"{leaf.where} is {written!r}: " if given is None else ""
        raise _no_stack(written, stacks, said)
    return name


def _rates(tree: Tree) -> dict[str, Rate]:
    """The rates by kind; those of a kind that no adapter has are refused, for its name may be mistyped."""
    written = {kind: node for kind, node in tree.children.items() if not _ships(node)}
    known = {**kinds("embedder"), **kinds("store"), **kinds("understanding")} if written else {}
    for kind, node in written.items():
        if kind not in known:
            raise ConfigurationError(f"{node.where}: there is no such kind", hint=nearest(kind, known))
    return {kind: construct(Rate, read(node, Tree)) for kind, node in tree.children.items()}


def _ships(node: Node) -> bool:
    """Whether it has no value of the user's own."""
    return all(leaf.origin.shipped for leaf in node.leaves)


def _no_stack(name: str, known: Iterable[str], said: str = "") -> ConfigurationError:
    what = f"{said}there is no such stack" if said else f"there is no stack {name!r}"
    hint = suggestion(name.replace("-", "_"), known)
    return ConfigurationError(f"{what} among {', '.join(sorted(known))}", hint=hint)


def _stack(name: str, node: Node, known: Iterable[str]) -> StackSettings:
    if not _NAME.fullmatch(name):
        rule = "a stack's name has a-z, 0-9 and _ only, and begins with a letter"
        raise ConfigurationError(f"{node.where}: {rule}", hint=suggestion(name.lower(), known))
    tree = read(node, Tree)
    _check_complete(tree, [other for other in known if other != name])
    made = construct(StackSettings, tree, name=name)
    _check_fields(tree.children.get("fields"))
    return made


def _check_complete(stack: Tree, others: Iterable[str]) -> None:
    """Refuse a stack without store or objects, or an adapter without a kind: its name may be mistyped."""
    preset = 'start from a stack that ships with `preset = "local"`'
    hint = suggestion(stack.path[-1], others) or preset
    for role in ROLES:
        section = stack.children.get(role)
        if section is None and role in NEEDED:
            raise ConfigurationError(f"{stack.section} lacks the section {role!r}", hint=hint)
        if isinstance(section, Tree) and "kind" not in section.children:
            raise ConfigurationError(f"{section.section} lacks the key 'kind'", hint=hint)


def _check_fields(section: Node | None) -> None:
    for leaf in section.leaves if section else ():
        assert isinstance(leaf, Leaf)
        try:
            check_schema({leaf.path[-1]: leaf.value})
        except InvalidQueryError as error:
            raise ConfigurationError(f"{leaf.where}: {error.message}", hint=error.hint) from error
