"""The table of filters: seven rows with nulls, defaults and odd values, and which of them each matches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ...core.filters import ALL, F, Filter
from ...core.records import Channel, Scope
from .rows import NOON

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Row:
    """The parts of one record that filters see."""

    video_id: str
    uri: str
    start_ms: int
    end_ms: int
    channel: Channel = Channel.VISUAL
    scope: Scope = Scope.CLIP
    fields: Mapping[str, object] = field(default_factory=dict)


ROWS: Mapping[str, Row] = {
    "a": Row(
        "v1",
        "file:///a.mp4",
        0,
        5000,
        fields={
            "year": 2019,
            "rating": 1.5,
            "place": "beach",
            "outdoors": True,
            "taken": _NEW_YEAR,
            "tags": ["sea", "sun"],
        },
    ),
    "b": Row(
        "v1",
        "file:///a.mp4",
        5000,
        10_000,
        Channel.AUDIO,
        fields={
            "year": 2020,
            "rating": 2.0,
            "place": "beach house",
            "outdoors": False,
            "taken": NOON,
            "tags": ["sea"],
        },
    ),
    "c": Row(
        "v2",
        "s3://b/c.mp4",
        300,
        900,
        Channel.FUSED,
        fields={"year": 2021, "rating": -3.25, "place": "Beach", "outdoors": True, "tags": []},
    ),
    "d": Row("v3", "", 0, 60_000, scope=Scope.VIDEO),  # nothing is given
    "e": Row(  # every default is given
        "v4",
        "it's.mp4",
        0,
        0,
        fields={
            "year": 0,
            "rating": 0.0,
            "place": "",
            "outdoors": False,
            "taken": _EPOCH,
            "tags": [""],
        },
    ),
    "f": Row(
        "v5",
        "https://h/f",
        100,
        1500,
        Channel.TRANSCRIPTION,
        fields={
            "year": -5,
            "rating": 0.25,
            "place": "北京",
            "taken": _EPOCH - _TICK,
            "tags": ["北京", "sun", "sea"],
        },
    ),
    "g": Row(
        "v5",
        "https://h/f",
        1500,
        3000,
        Channel.PROXY,
        fields={
            "year": 2**53,
            "place": "a\"b\\c'",
            "outdoors": True,
            "taken": datetime(2100, 1, 1, tzinfo=UTC),
        },
    ),
}

_NOTHING = F.year.is_in([])
_TWENTY_NOTS = F.year == 2019
for _ in range(20):
    _TWENTY_NOTS = ~_TWENTY_NOTS

CASES: Mapping[str, tuple[Filter, str]] = {
    # int
    "year == 2020": (F.year == 2020, "b"),
    "year == 0, a default that was given": (F.year == 0, "e"),
    "year == 2^53": (F.year == 2**53, "g"),
    "year != 2020, true on null": (F.year != 2020, "acdefg"),
    "year != 0, true on null": (F.year != 0, "abcdfg"),
    "year < 0": (F.year < 0, "f"),
    "year < 1, false on null": (F.year < 1, "ef"),
    "year <= 0": (F.year <= 0, "ef"),
    "year > 2019": (F.year > 2019, "bcg"),
    "year >= 2019": (F.year >= 2019, "abcg"),
    "year in": (F.year.is_in([2019, -5, 77]), "af"),
    "year not in": (F.year.not_in([2019, 2020]), "cdefg"),
    "year between, both included": (F.year.between(0, 2020), "abe"),
    "year exists": (F.year.exists(), "abcefg"),
    "year missing": (~F.year.exists(), "d"),
    "not year > 2019": (~(F.year > 2019), "adef"),
    "not year in": (~F.year.is_in([2019, 2020]), "cdefg"),
    "not year between": (~F.year.between(0, 2020), "cdfg"),
    # float
    "rating == 0": (F.rating == 0, "e"),
    "rating == 2, an int": (F.rating == 2, "b"),
    "rating == -3.25": (F.rating == -3.25, "c"),
    "rating != 1.5": (F.rating != 1.5, "bcdefg"),
    "rating < 0.5": (F.rating < 0.5, "cef"),
    "rating <= 0.25": (F.rating <= 0.25, "cef"),
    "rating > 0": (F.rating > 0, "abf"),
    "rating >= 1.5": (F.rating >= 1.5, "ab"),
    "rating in": (F.rating.is_in([1.5, 0.25, 7]), "af"),
    "rating not in": (F.rating.not_in([1.5]), "bcdefg"),
    "rating between": (F.rating.between(-3.25, 0), "ce"),
    "rating exists": (F.rating.exists(), "abcef"),
    "not rating < 1": (~(F.rating < 1), "abdg"),
    # string
    "place == beach": (F.place == "beach", "a"),
    "place == an empty text": (F.place == "", "e"),
    "place == Chinese": (F.place == "北京", "f"),
    "place == quotes and backslashes": (F.place == "a\"b\\c'", "g"),
    "place != beach": (F.place != "beach", "bcdefg"),
    "place != an empty text": (F.place != "", "abcdfg"),
    "place in, case counts": (F.place.is_in(["beach", "Beach", "x"]), "ac"),
    "place not in": (F.place.not_in(["beach", ""]), "bcdfg"),
    "place exists": (F.place.exists(), "abcefg"),
    "place prefix": (F.place.prefix("beach"), "ab"),
    "place prefix of Chinese": (F.place.prefix("北"), "f"),
    "place prefix with a quote": (F.place.prefix('a"'), "g"),
    "place prefix of nothing": (F.place.prefix(""), "abcefg"),
    "not place prefix": (~F.place.prefix("b"), "cdefg"),
    # bool
    "outdoors == true": (F.outdoors == True, "acg"),  # noqa: E712 - this makes a filter
    "outdoors == false": (F.outdoors == False, "be"),  # noqa: E712
    "outdoors != true": (F.outdoors != True, "bdef"),  # noqa: E712
    "outdoors != false": (F.outdoors != False, "acdfg"),  # noqa: E712
    "outdoors exists": (F.outdoors.exists(), "abceg"),
    "outdoors missing": (~F.outdoors.exists(), "df"),
    # datetime
    "taken == to the microsecond": (F.taken == NOON, "b"),
    "taken == in another zone": (F.taken == "2024-01-01T08:00:00+08:00", "a"),
    "taken == 1970, a default that was given": (F.taken == _EPOCH, "e"),
    "taken != ": (F.taken != NOON, "acdefg"),
    "taken < 1970": (F.taken < _EPOCH, "f"),
    "taken <= 1970": (F.taken <= _EPOCH, "ef"),
    "taken < a microsecond later": (F.taken < NOON, "aef"),
    "taken > ": (F.taken > _NEW_YEAR, "bg"),
    "taken > a microsecond earlier": (F.taken > NOON - _TICK, "bg"),
    "taken >= ": (F.taken >= _NEW_YEAR, "abg"),
    "taken in": (F.taken.is_in([_EPOCH, NOON]), "be"),
    "taken not in": (F.taken.not_in([NOON, _EPOCH]), "acdfg"),
    "taken between": (F.taken.between(_EPOCH, NOON), "abe"),
    "taken exists": (F.taken.exists(), "abefg"),
    # lists of strings
    "tags any": (F.tags.any("sea"), "abf"),
    "tags any of two": (F.tags.any("sun", "北京", "x"), "af"),
    "tags any of an empty text": (F.tags.any(""), "e"),
    "tags all": (F.tags.all("sea", "sun"), "af"),
    "tags all of one": (F.tags.all("sea"), "abf"),
    "tags all of none, true where given": (F.tags.all(), "abcef"),
    "tags none": (F.tags.none("sea"), "cdeg"),
    "tags none of two": (F.tags.none("sea", ""), "cdg"),
    "tags exists, an empty list too": (F.tags.exists(), "abcef"),
    "tags missing": (~F.tags.exists(), "dg"),
    "not tags any": (~F.tags.any("sea"), "cdeg"),
    "not tags all": (~F.tags.all("sea", "sun"), "bcdeg"),
    "not tags none": (~F.tags.none("sea"), "abf"),
    # built-in columns
    "video_id ==": (F.video_id == "v1", "ab"),
    "video_id !=": (F.video_id != "v1", "cdefg"),
    "video_id in": (F.video_id.is_in(["v2", "v3"]), "cd"),
    "scope ==": (F.scope == "video", "d"),
    "scope !=": (F.scope != "video", "abcefg"),
    "channel ==": (F.channel == "visual", "ade"),
    "channel in": (F.channel.is_in(["audio", "proxy"]), "bg"),
    "uri == with a quote": (F.uri == "it's.mp4", "e"),
    "uri == an empty text": (F.uri == "", "d"),
    "uri prefix": (F.uri.prefix("file:///a"), "ab"),
    "start == seconds": (F.start == 0.3, "c"),
    "start == 0.1 + 0.2": (F.start == 0.1 + 0.2, "c"),
    "start != 0": (F.start != 0, "bcfg"),
    "start < ": (F.start < 0.1, "ade"),
    "start >= ": (F.start >= 1.5, "bg"),
    "start > between milliseconds": (F.start > 0.2999, "bcg"),
    "start between": (F.start.between(0.1, 1.5), "cfg"),
    "start in": (F.start.is_in([5, 0.1]), "bf"),
    "end > ": (F.end > 5, "bd"),
    "end <= ": (F.end <= 0.9, "ce"),
    "not end > ": (~(F.end > 5), "acefg"),
    # joined
    "and": ((F.year >= 2019) & (F.outdoors == True), "acg"),  # noqa: E712
    "or": ((F.place == "beach") | F.tags.any("北京"), "af"),
    "not and": (~((F.year >= 2019) & (F.outdoors == True)), "bdef"),  # noqa: E712
    "not or": (~((F.place == "beach") | ~F.tags.exists()), "bcef"),
    "or of and of not": ((F.year == 2020) | ((F.rating < 1) & ~(F.place == "")), "bcf"),
    "and of or and not": ((F.year.exists() | (F.scope == "video")) & ~(F.channel == "visual"), "bcfg"),
    "and of three negations": ((F.year != 2019) & (F.year != 2020) & (F.place != "Beach"), "defg"),
    "not not": (~~(F.year != 2019), "bcdefg"),
    "twenty nots": (_TWENTY_NOTS, "a"),
    "and with everything": (ALL & (F.year == 2019), "a"),
    "or with nothing": (_NOTHING | (F.year == 2019), "a"),
    "and with not nothing": (~_NOTHING & (F.year < 0), "f"),
    "or of one field on null and not": ((F.rating < 0) | ~F.rating.exists(), "cdg"),
    "and over every type": (
        (F.year > 0) & (F.rating > 0) & F.place.exists() & F.outdoors.exists() & F.tags.any("sea"),
        "ab",
    ),
}
"""Name, filter, and the ids of the rows that it matches: never none of them, never all."""
