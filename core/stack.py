"""A stack: the three adapters and the settings that belong to them, opened together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .embedder import Embedder
from .errors import ConfigurationError
from .fields import FieldType
from .levels import Levels
from .media import Modality
from .objects import ObjectStore
from .rates import Rate
from .recipe import Recipe
from .records import Channel, Scope
from .space import CollectionSpec, Space
from .store import VectorStore

if TYPE_CHECKING:
    from .reranking import Reranker
    from .understanding import VideoUnderstanding


@dataclass(frozen=True, slots=True)
class Stack:
    """What a named section of the configuration becomes.

    Args:
        name: The section's name.
        store: Not open yet.
        embedder: None where the store vectorizes.
        objects: Files, cut clips and manifests.
        state: The folder of the journal and caches.
        collection: The collection's name.
        fields: Declared fields.
        recipe: How videos are cut and sampled.
        workers: Videos taken in at once.
        rate: What embedding costs; nothing is known of it when left out.
        reranker: Puts the best candidates of a search into another order; None where there is none.
        query_cache_mb: Megabytes of vectors of queries kept in `state`; 0 keeps none.
        cache_results: Whether whole answers are kept in memory until somebody writes.
        levels: Of confidence, by the medium of a query; they go before those that the embedder has.
        understanding: A model that looks at videos and answers; None where none is configured.
        understanding_rate: What its tokens cost.
    """

    name: str
    store: VectorStore
    embedder: Embedder | None
    objects: ObjectStore
    state: Path
    collection: str = "videos"
    fields: Mapping[str, FieldType] = field(default_factory=dict)
    recipe: Recipe = field(default_factory=Recipe)
    workers: int = 2
    rate: Rate = field(default_factory=Rate)
    reranker: Reranker | None = None
    query_cache_mb: int = 64
    cache_results: bool = False
    levels: Mapping[Modality, Levels] = field(default_factory=dict)
    understanding: VideoUnderstanding | None = None
    understanding_rate: Rate = field(default_factory=Rate)

    def __post_init__(self) -> None:
        """Refuse a recipe whose records nobody in the stack makes."""
        if self.embedder is None or Channel.PROXY in self.recipe.channels:
            from .proxies import check_recipe  # a search on any other stack does without

            check_recipe(self.recipe, vectorizes=self.embedder is None)

    @property
    def space(self) -> Space:
        """The space of the vectors."""
        space = self.embedder.space if self.embedder else self.store.space
        if space is None:
            raise ConfigurationError(
                f"the stack {self.name!r} has no embedder, and its store doesn't vectorize",
                hint=f"add a section [stacks.{self.name}.embedder]",
            )
        return space

    @property
    def makes(self) -> tuple[Scope, ...]:
        """The scopes of the records that an ingest makes."""
        if self.embedder is not None:
            return self.recipe.scopes
        from .unmade import made_where_vectorized  # a search on any other stack does without

        return made_where_vectorized(self.recipe)

    @property
    def spec(self) -> CollectionSpec:
        """What the collection must be."""
        media = frozenset() if self.embedder else self.store.vectorizes
        return CollectionSpec(self.collection, self.space, self.fields, media)
