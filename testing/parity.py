"""Every store must agree with the exact one: random records, changes and filters, and the answers compared.

    class TestMyParity(ParityContract):
        @pytest.fixture
        def make_store(self, tmp_path):
            return partial(MyStore, path=tmp_path)

The examples are the same in every run. Scores are compared, and ids by their own score, since ties may swap.
"""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
from hypothesis import Phase, given, note, settings
from hypothesis import strategies as st

from ..backends.memory import MemoryStore
from ..core.capabilities import Feature
from ..core.facets import facets
from ..core.fields import BUILT_IN
from ..core.filters import ALL, Filter
from ..core.records import Hit, Record
from ..core.requests import Group, Lexical, NearVector, SearchRequest
from ..core.store import VectorStore
from .store import StoreTests
from .store.rows import SCHEMA
from .strategies import Change, changes, filters, records, seeded

__all__ = ["ParityContract"]

_MANY = 200  # more hits than an example has records


@dataclass(frozen=True, slots=True)
class _Example:
    """What one example writes and asks."""

    records: Sequence[Record]
    changes: Sequence[Change]
    wheres: Sequence[Filter]
    query: Sequence[float]
    limit: int


class ParityContract(StoreTests):
    """Compares a store with `MemoryStore`. Inherit it as `StoreContract`, with the same fixture and hooks."""

    examples: ClassVar[int] = 40
    """How many examples each test tries, or fewer where hypothesis' own profile says so."""

    phases: ClassVar[Sequence[Phase]] = (Phase.generate, Phase.shrink)
    """What is done; an example that fails is made smaller, which takes long on a slow store."""

    @pytest.fixture
    def pair(self, store: VectorStore) -> Iterator[tuple[VectorStore, VectorStore]]:
        """The store and the exact one, both with one collection that the examples share."""
        with MemoryStore() as exact:
            exact.open(replace(self.spec(), media=frozenset()), create=True)
            yield store, exact

    def test_reads_agree_with_the_exact_store(self, pair: tuple[VectorStore, VectorStore]) -> None:
        def check(store: VectorStore, exact: VectorStore, example: _Example) -> None:
            ids = [record.id for record in exact.scan()]
            assert store.fetch(ids) == exact.fetch(ids)
            for where in (ALL, *example.wheres):
                note(f"where {where!r}")
                assert {r.id: r for r in store.scan(where)} == {r.id: r for r in exact.scan(where)}
                assert store.count(where) == exact.count(where)

        self.try_examples(pair, check)

    def test_searches_agree_with_the_exact_store(self, pair: tuple[VectorStore, VectorStore]) -> None:
        def check(store: VectorStore, exact: VectorStore, example: _Example) -> None:
            for where in (ALL, *example.wheres):
                note(f"where {where!r}")
                expected = self.exact_scores(exact, example.query, where)
                hits = self.exact_hits(store, example.query, where=where, limit=example.limit)
                _compare(hits, expected, store.can.tolerance)
                best = sorted(expected.values(), reverse=True)[: example.limit]
                assert _near([hit.score for hit in hits], best, store.can.tolerance)

        self.try_examples(pair, check)

    def test_groups_agree_with_the_exact_store(self, pair: tuple[VectorStore, VectorStore]) -> None:
        if Feature.GROUP not in pair[0].can.features:
            pytest.skip(f"{pair[0].can.form} can't group")

        def check(store: VectorStore, exact: VectorStore, example: _Example) -> None:
            # With more than one hit a video, a tie for the last place could change which others follow it.
            for where in (ALL, *example.wheres):
                for group, limit in ((Group(1), example.limit), (Group(2), _MANY)):
                    note(f"where {where!r}, {group}, limit {limit}")
                    parts = {"where": where, "group": group, "limit": limit}
                    hits = self.exact_hits(store, example.query, **parts)
                    _compare(hits, self.exact_scores(exact, example.query, where), store.can.tolerance)
                    best = [hit.score for hit in self.exact_hits(exact, example.query, **parts)]
                    assert _near([hit.score for hit in hits], best, store.can.tolerance)

        self.try_examples(pair, check)

    def test_words_agree_with_the_exact_store(self, pair: tuple[VectorStore, VectorStore]) -> None:
        if Feature.LEXICAL not in pair[0].can.features:
            pytest.skip(f"{pair[0].can.form} has no lexical side")

        def check(store: VectorStore, exact: VectorStore, example: _Example) -> None:
            for where in (ALL, *example.wheres):
                for words in ("a title", "say hi or drop the records", "海辺 动画 line"):
                    note(f"words {words!r}, where {where!r}")
                    request = SearchRequest(Lexical(words), where, _MANY)
                    (expected,), (answer,) = exact.search([request]), store.search([request])
                    scores = {hit.id: hit.score for hit in answer.hits}
                    assert scores == pytest.approx({hit.id: hit.score for hit in expected.hits}, abs=1e-4)

        self.try_examples(pair, check)

    def test_facets_agree_with_the_exact_store(self, pair: tuple[VectorStore, VectorStore]) -> None:
        names = [*SCHEMA, *BUILT_IN]

        def check(store: VectorStore, exact: VectorStore, example: _Example) -> None:
            for where in (ALL, *example.wheres):
                note(f"where {where!r}")
                found = facets(store, names, where, _MANY)
                assert found == facets(exact, names, where, _MANY)
                assert found["video_id"].records == exact.count(where)

        self.try_examples(pair, check)

    # -- inside -------------------------------------------------------------------------------------------

    def try_examples(
        self,
        pair: tuple[VectorStore, VectorStore],
        check: Callable[[VectorStore, VectorStore, _Example], None],
    ) -> None:
        """Write each example into both stores, and compare."""
        where = filters(prefix=Feature.PREFIX in pair[0].can.features)
        examples = st.builds(
            _Example,
            records=st.lists(records(), min_size=6, max_size=14),
            changes=st.lists(changes(where), max_size=4),
            wheres=st.lists(where, min_size=3, max_size=6),
            query=seeded(),
            limit=st.sampled_from((1, 2, 5, _MANY)),
        )

        @settings(
            max_examples=min(self.examples, settings().max_examples),
            derandomize=True,
            database=None,
            deadline=None,
            phases=self.phases,
        )
        @given(examples)
        def try_one(example: _Example) -> None:
            for store in pair:
                self.erase(store, where=ALL)
                self.write(store, self.carried(store, example.records))
                for change in example.changes:
                    self.apply(store, change)
            assert pair[1].count() == pair[0].count()
            check(*pair, example)

        try_one()

    def apply(self, store: VectorStore, change: Change) -> None:
        """Make one change, and wait until it can be seen."""
        if change.records:
            self.write(store, self.carried(store, change.records))
        elif change.where is not None:
            self.erase(store, where=change.where)
        elif change.patch is not None:
            store.wait(store.update_fields(change.ids, **change.patch))
        else:
            self.erase(store, change.ids)

    def carried(self, store: VectorStore, rows: Sequence[Record]) -> list[Record]:
        """The records as the store's collection takes them: vectors, or media."""
        if not store.meta.spec.media:
            return list(rows)
        return [replace(row, content=self.content(row.content)) for row in rows]  # type: ignore[arg-type]

    def exact_hits(self, store: VectorStore, vector: Sequence[float], **parts: Any) -> tuple[Hit, ...]:
        """The hits of a search by brute force, where the store has one."""
        exact = Feature.EXACT in store.can.features
        near = self.near(vector) if store.meta.spec.media else NearVector(vector)
        return store.search([SearchRequest(near, exact=exact, **parts)])[0].hits

    def exact_scores(self, store: VectorStore, vector: Sequence[float], where: Filter) -> dict[str, float]:
        """The score of every record that matches, by id."""
        return {hit.id: hit.score for hit in self.exact_hits(store, vector, where=where, limit=_MANY)}


def _compare(hits: Sequence[Hit], expected: Mapping[str, float], tolerance: float) -> None:
    """Every hit once, best first, with its own score."""
    scores = {hit.id: hit.score for hit in hits}
    assert len(scores) == len(hits)
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    assert scores.keys() <= expected.keys()
    assert _near(list(scores.values()), [expected[id] for id in scores], tolerance)


def _near(scores: Sequence[float], expected: Sequence[float], tolerance: float) -> bool:
    return list(scores) == pytest.approx(list(expected), abs=tolerance + 1e-6)
