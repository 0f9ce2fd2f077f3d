"""The stacks that can be measured, and how a store is made for it: apart from the user's own records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

from .. import media
from ..config import effective, load
from ..config.build import checked_adapter
from ..config.settings import Settings
from ..core.errors import ConfigurationError
from ..core.fields import FieldType
from ..core.rates import Rate
from ..core.search import VideoSearch
from ..core.space import Space, digest
from ..core.stack import Stack
from ..core.store import VectorStore
from ..storage.local import LocalObjects
from .conditions import FIELDS
from .given import GivenVectors
from .results import StackInfo
from .servers import installed

OWN = Path(__file__).with_name("stacks.toml")
"""The configuration of the stores that the benchmark knows by itself."""

SERVERS: Mapping[str, str] = {"milvus_server": "milvus"}
"""Its stacks whose server the benchmark starts, and the server's name in `tools/servers`."""

PACKAGES = (
    "polyreel",
    "numpy",
    "qdrant-edge-py",
    "qdrant-client",
    "pymilvus",
    "milvus-lite",
    "volcengine",
    "fastembed",
    "onnxruntime",
    "av",
)
"""Packages whose versions stand in the results."""

_PLACES = ("path", "client_path")  # keys of a store that say where on this machine its records are


@dataclass(frozen=True, slots=True)
class Chosen:
    """A stack to measure.

    Args:
        name: As it was asked for.
        config: The configuration that has it.
        folder: Everything that it keeps on this machine goes below it.
        collection: The collection to measure in.
        overrides: Keys of the store that the benchmark sets.
    """

    name: str
    config: Path | None
    folder: Path
    collection: str
    overrides: Mapping[str, object] = field(default_factory=dict)

    def settings(self) -> Settings:
        """The configuration, with this stack as the default one."""
        return load(self.config, stack=self.name)

    def store(self) -> VectorStore:
        """The store, not open yet, over the stack's own folder."""
        checked = checked_adapter(self.settings().stack(), "store")
        assert checked is not None  # every stack has one
        make, arguments = checked
        return cast("VectorStore", make(**{**self._placed(arguments, "store"), **self.overrides}))

    def stack(self) -> Stack:
        """The whole stack with its own embedder, not open yet; what it keeps goes into its own places."""
        settings = self.settings()
        stack = settings.stack()
        made: dict[str, Any] = {"store": self.store(), "embedder": None}
        for role in ("embedder", "objects", "reranker"):
            if checked := checked_adapter(stack, role):
                made[role] = checked[0](**self._placed(checked[1], role))
        return Stack(
            self.name,
            state=self.folder / "state",
            collection=self.collection,
            fields=stack.fields,
            recipe=stack.recipe,
            query_cache_mb=0,  # a query that is asked again would be looked up, and not embedded
            rate=settings.rates.get(stack.kind("embedder") or stack.kind("store") or "", Rate()),
            **made,
        )

    def info(self, roles: Sequence[str] = ("store",)) -> StackInfo:
        """What is known of it before it is opened; keys of other roles than the store's have it in front."""
        settings = self.settings()
        told = {}
        for each in effective(settings, self.config).settings:
            role, _, key = each.key.removeprefix(f"stacks.{self.name}.").partition(".")
            if role in roles and key and each.value is not None and each.source != "default":
                shown = "in the folder of the run" if key in _PLACES else str(each.value)
                told[key if role == "store" else f"{role}.{key}"] = shown
        told |= {key: f"{value}" for key, value in self.overrides.items()}
        if self.name in SERVERS and self.config == OWN:
            told["url"] = "started by the benchmark"
        stack = settings.stack()
        embedder = stack.kind("embedder") if "embedder" in roles else None
        return StackInfo(
            name=self.name, store=str(stack.kind("store")), embedder=embedder or "", settings=told
        )

    def _placed(self, arguments: Mapping[str, Any], role: str) -> dict[str, Any]:
        """The arguments of an adapter, with its paths below the stack's folder."""
        inside = {
            key: self.folder / role / Path(arguments[key]).name
            for key in _PLACES
            if arguments.get(key) is not None
        }
        return {**arguments, **inside}


def chosen(names: Sequence[str], config: Path | None, work: Path) -> list[Chosen]:
    """The stacks of these names: of the configuration first, then the benchmark's own.

    Raises:
        ConfigurationError: There is no such stack, a name is given twice, or a package isn't installed.
    """
    settings = load(config)
    own = load(OWN, stack="edge").stack_names
    wanted = [name.strip().replace("-", "_") for name in names]
    if len(set(wanted)) < len(wanted) or not wanted:
        raise ConfigurationError("name each stack once", hint="such as --stacks memory,edge")
    found = []
    for name in wanted:
        if name not in (*settings.stack_names, *own):
            known = ", ".join(sorted({*settings.stack_names, *own}))
            raise ConfigurationError(f"there is no stack {name!r} to measure", hint=f"known are {known}")
        where = config if name in settings.stack_names else OWN
        collection = f"polyreel_bench_{digest(str(work.absolute()))[:8]}"
        one = Chosen(name, where, work / name, collection)
        checked_adapter(one.settings().stack(), "store")
        found.append(one)
    return found


def usual() -> tuple[str, ...]:
    """The stacks of the suite `vectors` where none is named: those that are installed."""
    needs: dict[str, tuple[str, ...]] = {
        "memory": (),
        "edge": (),
        "qdrant_local": ("qdrant-client",),
        "milvus_lite": ("milvus-lite", "pymilvus"),
    }
    here = tuple(name for name, packages in needs.items() if set(packages) <= versions().keys())
    servers = tuple(
        name for name, server in SERVERS.items() if installed(server) and "pymilvus" in versions()
    )
    return here + servers


def versions() -> dict[str, str]:
    """The versions of the packages that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def stack_of(one: Chosen, dimension: int, fields: Mapping[str, FieldType] = FIELDS) -> Stack:
    """A stack whose vectors are given."""
    embedder = GivenVectors(Space("given", "benchmark", "1", dimension))
    return Stack(
        "bench",
        one.store(),
        embedder,
        LocalObjects(path=one.folder / "objects"),
        one.folder / "state",
        collection=one.collection,
        fields=fields,
    )


@contextmanager
def opened(
    one: Chosen, dimension: int, *, create: bool = True, fields: Mapping[str, FieldType] = FIELDS
) -> Iterator[tuple[VideoSearch, VectorStore]]:
    """A search over the stack's collection, and its store."""
    stack = stack_of(one, dimension, fields)
    with VideoSearch(stack, cast("Any", media)) as search:
        stack.store.open(stack.spec, create=create)
        search.count()
        yield search, stack.store
