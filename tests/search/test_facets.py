"""Facets: values and counts under a condition, by a scan; the parity suite tests that every store agrees."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from polyreel.core import facets as module
from polyreel.core.errors import InvalidQueryError
from polyreel.core.fields import FieldType
from polyreel.core.filters import F
from polyreel.core.records import Record, Scope

if TYPE_CHECKING:
    from polyreel.core.search import VideoSearch

    from .conftest import OpenSearch

FIELDS = {
    "rating": FieldType.FLOAT,
    "taken": FieldType.DATETIME,
    "tags": FieldType.STRINGS,
    "public": FieldType.BOOL,
}
NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)


def row(id: str, scope: Scope = Scope.CLIP, **given: object) -> Record:
    return Record(id, f"video {id}", "file:///a.mp4", scope, content=[1.0] * 13, fields=given)


@pytest.fixture
def search(open_search: OpenSearch) -> VideoSearch:
    opened = open_search(fields=FIELDS)
    opened._opened(create=True).upsert(
        [
            row("a", place="sea", year=2019, rating=0.5, taken=NOON, tags=["x", "y", "x"], public=True),
            row("b", place="sea", year=2021, rating=-1.5, taken=NOON + timedelta(days=1), tags=["x"]),
            row("c", place="city", year=2021, public=False),
            row("d", place=""),
            row("w", Scope.VIDEO, place="sea", year=1900),
        ]
    )
    return opened


def test_values_are_counted_the_commonest_first(search: VideoSearch) -> None:
    facet = search.facets("place")["place"]
    assert facet.values == (("sea", 2), ("", 1), ("city", 1))
    assert (facet.records, facet.missing, facet.distinct) == (4, 0, 3)
    assert (facet.least, facet.greatest) == (None, None)


def test_numbers_and_instants_have_a_least_and_a_greatest(search: VideoSearch) -> None:
    found = search.facets("year", "rating", "taken")
    assert [(each.least, each.greatest) for each in found.values()] == [
        (2019, 2021),
        (-1.5, 0.5),
        (NOON, NOON + timedelta(days=1)),
    ]
    assert found["year"].values == ((2021, 2), (2019, 1))
    assert (found["year"].records, found["year"].missing) == (3, 1)


def test_a_record_counts_once_for_each_value_of_a_list(search: VideoSearch) -> None:
    assert search.facets("tags")["tags"].values == (("x", 2), ("y", 1))
    assert search.facets("tags")["tags"].missing == 2


def test_only_what_matches_is_counted(search: VideoSearch) -> None:
    assert search.facets("place", where=F.year >= 2021)["place"].values == (("city", 1), ("sea", 1))
    assert search.facets("place", scope="video")["place"].values == (("sea", 1),)
    assert search.facets("year", scope=None)["year"].least == 1900
    nothing = search.facets("year", where=F.year > 3000)["year"]
    assert (nothing.values, nothing.least, nothing.distinct, nothing.missing) == ((), None, 0, 0)


def test_without_names_all_declared_fields_are_told(search: VideoSearch) -> None:
    assert list(search.facets()) == sorted({"year", "place", *FIELDS})
    assert search.facets("video_id", "start")["video_id"].distinct == 4


def test_values_beyond_the_limit_are_left_out_but_known(search: VideoSearch) -> None:
    facet = search.facets("place", limit=1)["place"]
    assert (facet.values, facet.distinct) == ((("sea", 2),), 3)


def test_of_too_many_values_only_the_ends_are_told(
    search: VideoSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    search._opened().upsert([row("e", year=1999)])
    facet = search.facets("year")["year"]
    assert (facet.values, facet.distinct, facet.records) == ((), None, 4)
    assert (facet.least, facet.greatest) == (1999, 2021)


def test_instants_in_json_are_text(search: VideoSearch) -> None:
    shifted = NOON.astimezone(timezone(timedelta(hours=8)))
    assert shifted == NOON
    document: Any = search.facets("taken")["taken"].to_json()
    assert document["min"] == "2024-06-01T12:00:00+00:00"
    assert document["values"][0] == {"value": "2024-06-01T12:00:00+00:00", "records": 1}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"names": ["yeer"]}, "no field 'yeer'; did you mean 'year'"),
        ({"names": ["year"], "limit": 0}, "limit is 0"),
        ({"names": ["year"], "where": {"field": "x", "op": "==", "value": 1}}, "x"),
        ({"names": ["year"], "scope": "scene"}, "scope is 'scene'"),
    ],
)
def test_a_wrong_question_is_refused(search: VideoSearch, given: dict[str, Any], message: str) -> None:
    names = given.pop("names")
    with pytest.raises(InvalidQueryError, match=message):
        search.facets(*names, **given)
