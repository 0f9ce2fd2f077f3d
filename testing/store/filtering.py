"""Filters: every operator on every type, null and not, and values that a careless adapter lets through."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from ...core.capabilities import Feature
from ...core.errors import UnsupportedError
from ...core.filters import ALL, F, Filter
from ...core.records import Record, Text
from ...core.store import VectorStore
from .base import MakeStore, StoreTests
from .cases import CASES, ROWS
from .rows import HOSTILE, axis


@dataclass(frozen=True, slots=True)
class _Found:
    """What one filter found in each way of asking; or the error that one of them raised."""

    searched: set[str]
    scanned: set[str]
    counted: int
    error: Exception | None = None


_ANSWERS = pytest.StashKey[Mapping[str, _Found]]()


class FilteringTests(StoreTests):
    """`where`."""

    @pytest.fixture
    def answers(self, request: pytest.FixtureRequest, make_store: MakeStore) -> Mapping[str, _Found]:
        """What each case finds; asked once, since a collection is expensive on some stores."""
        stash: pytest.Stash = request.node.getparent(pytest.Class).stash
        if _ANSWERS not in stash:
            with make_store() as store:
                store.open(self.spec(), create=True)
                self.write(store, self.rows())
                stash[_ANSWERS] = {name: self.ask(store, where) for name, (where, _) in CASES.items()}
        return stash[_ANSWERS]

    def rows(self) -> list[Record]:
        """The rows of the table as records."""
        return [
            self.record(
                id,
                video_id=row.video_id,
                uri=row.uri,
                start_ms=row.start_ms,
                end_ms=row.end_ms,
                channel=row.channel,
                scope=row.scope,
                fields=row.fields,
            )
            for id, row in ROWS.items()
        ]

    def ask(self, store: VectorStore, where: Filter) -> _Found:
        """What a filter finds by searching, scanning and counting."""
        try:
            searched = self.found(store, axis(0), where=where, limit=len(ROWS))
            return _Found(set(searched), self.stored(store, where), store.count(where))
        except Exception as error:  # noqa: BLE001 - the case's own test raises it
            return _Found(set(), set(), 0, error)

    @pytest.mark.parametrize("case", CASES)
    def test_a_filter_finds(self, answers: Mapping[str, _Found], case: str) -> None:
        found, expected = answers[case], set(CASES[case][1])
        if found.error is not None:
            if "prefix" in case and isinstance(found.error, UnsupportedError):
                pytest.skip(str(found.error))  # the form says that it has no Feature.PREFIX
            raise found.error
        assert (found.searched, found.scanned) == (expected, expected)
        assert found.counted == len(expected)

    def test_a_filter_that_holds_for_nothing_or_everything_is_kept(self, store: VectorStore) -> None:
        self.write(store, self.rows())
        nothing = (F.year.is_in([]), F.tags.any(), F.year.between(5, 4), ~ALL, (F.year == 1) & ~ALL)
        for where in nothing:
            assert self.ask(store, where) == _Found(set(), set(), 0)
            assert self.ask(store, ~where) == _Found(set(ROWS), set(ROWS), len(ROWS))
        for where in (ALL, F.tags.none(), F.year.not_in([]), (F.year == 1) | ALL):
            assert self.ask(store, where).searched == set(ROWS)

    def test_a_prefix_is_literal_or_refused(self, store: VectorStore) -> None:
        places = ["50%", "50 of", "a_b", "axb", "[a]", "a", "A", "*", "\\d"]
        self.write(store, [self.record(f"p{n}", fields={"place": place}) for n, place in enumerate(places)])
        assert store.count() == len(places)
        for prefix in ("50%", "a_", "[a", "a", "*", "\\"):
            expected = {f"p{n}" for n, place in enumerate(places) if place.startswith(prefix)}
            if Feature.PREFIX in store.can.features:
                assert self.stored(store, F.place.prefix(prefix)) == expected
            else:
                with pytest.raises(UnsupportedError, match="prefix"):
                    store.count(F.place.prefix(prefix))

    def test_a_filter_of_many_values_is_answered(self, store: VectorStore) -> None:
        self.write(store, self.records(30))
        assert self.stored(store, F.year.is_in(range(20, 2000))) == {f"r{n}" for n in range(20, 30)}
        names = [f"nobody {n}" for n in range(500)]
        assert self.stored(store, F.video_id.not_in([*names, "video 0"])) == {f"r{n}" for n in range(5, 30)}
        assert self.stored(store, F.video_id.is_in([*names, "video 0"])) == {f"r{n}" for n in range(5)}

    # -- hostile texts ------------------------------------------------------------------------------------

    def test_hostile_ids_are_found_changed_and_deleted_and_touch_nothing_else(
        self, store: VectorStore
    ) -> None:
        self.write(store, [self.record(id, fields={"year": n}) for n, id in enumerate(HOSTILE)])
        assert store.count() == len(HOSTILE)
        assert self.stored(store) == set(HOSTILE)
        assert {id: record.fields["year"] for id, record in store.fetch(HOSTILE).items()} == {
            id: n for n, id in enumerate(HOSTILE)
        }
        for n, id in enumerate(HOSTILE):
            assert {key: record.id for key, record in store.fetch([id]).items()} == {id: id}
            store.wait(store.update_fields([id], fields={"year": n + 1000}))
        assert store.count(F.year >= 1000) == len(HOSTILE)
        for n, id in enumerate(HOSTILE):
            self.erase(store, [id])
            assert store.fetch([id]) == {}
            assert store.count() == len(HOSTILE) - n - 1

    def test_hostile_texts_come_back_as_they_were(self, store: VectorStore) -> None:
        records = {
            f"h{n}": self.record(
                f"h{n}",
                video_id=text,
                uri=text,
                recipe=text,
                text=Text(text, (text, text), text, text),
                fields={"place": text, "tags": [text, "x"]},
                extra={"note": text, "list": [text, {text: text}]},
            )
            for n, text in enumerate(HOSTILE)
        }
        self.write(store, records.values())
        found = store.fetch(list(records))
        assert len(found) == len(HOSTILE)
        for id, record in records.items():
            text = record.video_id
            assert (found[id].video_id, found[id].uri, found[id].recipe) == (text, text, text)
            assert found[id].text == record.text
            assert dict(found[id].fields) == {"place": text, "tags": (text, "x")}
            assert dict(found[id].extra) == dict(record.extra)

    def test_a_filter_by_a_hostile_text_finds_its_record_alone(self, store: VectorStore) -> None:
        self.write(
            store,
            [
                self.record(f"h{n}", video_id=text, fields={"place": text, "tags": [text]})
                for n, text in enumerate(HOSTILE)
            ],
        )
        others = len(HOSTILE) - 1
        for n, text in enumerate(HOSTILE):
            assert self.stored(store, F.place == text) == {f"h{n}"}
            assert self.stored(store, F.tags.any(text)) == {f"h{n}"}
            assert self.found(store, axis(0), where=F.video_id == text) == [f"h{n}"]
            assert store.count(F.place.not_in([text])) == others
            assert store.count(F.tags.none(text)) == others

    def test_deleting_by_a_hostile_filter_deletes_nothing_else(self, store: VectorStore) -> None:
        self.write(store, [self.record(f"h{n}", fields={"place": text}) for n, text in enumerate(HOSTILE)])
        for n, text in enumerate(HOSTILE):
            self.erase(store, where=F.place == text)
            assert store.count() == len(HOSTILE) - n - 1
