"""Recommendations: what is like several examples, a profile and a mood, and unlike other examples.

The vector that is searched for is twice the mean of what is liked minus the mean of what isn't, each at unit
length; without anything disliked it is the mean alone. A text of profile and mood counts as one more thing
that is liked. That is Rocchio's relevance feedback (Salton, "The SMART Retrieval System", 1971, chapter 14),
and what Qdrant's `average_vector` does. It is one search by a vector on every store, also on one that
recommends by itself: the examples must be looked up in any case, since neither they nor other records of the
same moments (of the same videos, where videos are recommended) may be among the hits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .digests import sha256_of
from .errors import InvalidQueryError, NotFoundError
from .fields import FieldType, Schema, shown
from .filter_json import from_json
from .filters import ALL, F, Filter
from .query import Fusion, Query, Sources
from .records import Hit, Record, Scope
from .registry import nearest

Example = str | Hit | Record | Mapping[str, Sources]
"""A record's id, a video's id or its start, a hit, a record, or media such as `{"image": "frame.jpg"}`."""

Examples = Example | Sequence[Example]

_MEDIA = ("image", "video", "audio")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for, as `VideoSearch.recommend` takes it."""

    like: Examples = ()
    unlike: Examples = ()
    profile: str | Sequence[str] = ()
    mood: str | None = None
    category: str | Sequence[str] = ()
    category_field: str = "category"
    where: Filter | Mapping[str, object] | None = None
    scope: Scope | str | None = Scope.VIDEO
    limit: int = 10


@dataclass(slots=True)
class _Taste:
    """One side of the examples: records, and media that aren't records."""

    records: list[Record] = field(default_factory=list)
    media: dict[str, list[str | Path]] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many examples there are."""
        return len(self.records) + sum(map(len, self.media.values()))


def query_of(wish: Wish, find: Callable[[str], Record], schema: Schema, *, whole: bool = True) -> Query:
    """The search for a wish.

    Args:
        wish: What is asked for.
        find: The record of an id, or the one that stands for the video of an id.
        schema: Declared fields.
        whole: Whether there are records of whole videos; else a video is as good as its best clip.

    Raises:
        InvalidQueryError: Nothing is asked for, or an example or the category can't be read.
        NotFoundError: There is no such record, video or file.
    """
    liked, disliked = _taste(wish.like, find), _taste(wish.unlike, find)
    text = _text(wish.profile, wish.mood)
    wanted = len(liked) + bool(text)
    if not wanted:
        raise InvalidQueryError(
            "there is nothing to recommend by", hint="give an example, a profile or a mood"
        )
    videos = wish.scope == Scope.VIDEO
    by_clips = videos and not whole
    known = [*liked.records, *disliked.records]
    files = [*liked.media.get("video", ()), *disliked.media.get("video", ())]
    return Query(
        text=text,
        image=liked.media.get("image", ()),
        video=liked.media.get("video", ()),
        audio=liked.media.get("audio", ()),
        like=_ids(liked),
        weights=_weights(liked, text, wanted, len(disliked)),
        without={**disliked.media, "like": _ids(disliked)} if len(disliked) else None,
        where=_given(wish.where)
        & _in_category(wish, schema)
        & _others(known, videos=videos)
        & _not_the_files(files),
        scope=Scope.CLIP if by_clips else wish.scope,
        group_by="video" if by_clips else None,
        limit=wish.limit,
        fusion=Fusion.SUM if wanted + len(disliked) > 1 else None,
    )


def _taste(examples: Examples, find: Callable[[str], Record]) -> _Taste:
    taste, seen = _Taste(), set[str]()
    for example in _several(examples):
        if isinstance(example, Mapping):
            _add_media(taste, example)
            continue
        record = example.record if isinstance(example, Hit) else example
        found = record if isinstance(record, Record) else find(record)
        if found.id not in seen:  # an example that is given twice says no more
            seen.add(found.id)
            taste.records.append(found)
    return taste


def _several(examples: Examples) -> Iterable[Example]:
    one = isinstance(examples, str | Hit | Record | Mapping)
    given: object = [examples] if one else examples
    wrong = given
    if isinstance(given, Sequence):
        left = [each for each in given if not isinstance(each, str | Hit | Record | Mapping) or each == ""]
        if not left:
            return given
        wrong = left[0]
    raise InvalidQueryError(f"an example is an id, a hit, a record or {{'image': path}}, not {shown(wrong)}")


def _add_media(taste: _Taste, example: Mapping[str, Sources]) -> None:
    for name, sources in example.items():
        if name not in _MEDIA:
            raise InvalidQueryError(f"an example has an unknown part {name!r}", hint=nearest(name, _MEDIA))
        listed = [sources] if isinstance(sources, str | Path) else sources
        if not isinstance(listed, Sequence):
            raise InvalidQueryError(f"{name} takes a path or an address, or several, not {shown(sources)}")
        taste.media.setdefault(name, []).extend(listed)


def _text(profile: str | Sequence[str], mood: str | None) -> str | None:
    """Profile and mood as one text, which is embedded once, in the embedder's template for queries."""
    interests = _texts(profile, "profile")
    if not isinstance(mood, str | None):
        raise InvalidQueryError(f"mood takes one text, not {shown(mood)}")
    said = ", ".join(each.strip() for each in interests if each.strip())
    return "; ".join(each for each in (said, (mood or "").strip()) if each) or None


def _texts(given: str | Sequence[str], what: str) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, Sequence) or not all(isinstance(each, str) for each in texts):
        raise InvalidQueryError(f"{what} takes a text or several, not {shown(given)}")
    return list(texts)


def _ids(taste: _Taste) -> list[str]:
    return [record.id for record in taste.records]


def _weights(liked: _Taste, text: str | None, wanted: int, unwanted: int) -> dict[str, float]:
    """By part; what is unwanted weighs 1 each, so that everything is scaled by how many they are."""
    if wanted + unwanted == 1:
        return {}
    weight = 2 * unwanted / wanted if unwanted else 1 / wanted
    counts = {"text": int(text is not None), "like": len(liked.records)}
    counts |= {name: len(sources) for name, sources in liked.media.items()}
    return {
        name if number == 1 else f"{name}_{number}": weight
        for name, count in counts.items()
        for number in range(1, count + 1)
    }


def _given(where: Filter | Mapping[str, object] | None) -> Filter:
    return where if isinstance(where, Filter) else from_json(where)


def _in_category(wish: Wish, schema: Schema) -> Filter:
    """Only records of one of the categories."""
    wanted = [each for each in _texts(wish.category, "category") if each]
    if not wanted:
        return ALL
    kind = schema.get(wish.category_field)
    if kind is FieldType.STRINGS:
        return F[wish.category_field].any(*wanted)
    if kind is FieldType.STRING:
        return F[wish.category_field].is_in(wanted)
    names = [name for name, type in schema.items() if type in (FieldType.STRING, FieldType.STRINGS)]
    raise InvalidQueryError(
        f"there is no field {wish.category_field!r} of texts to tell categories by",
        hint=f"name one of {', '.join(names)}" if names else "declare it in [stacks.NAME.fields]",
    )


def _others(records: Sequence[Record], *, videos: bool) -> Filter:
    """Not the moments of the records; nor their videos, where videos are asked for or one stands for all."""
    whole = {each.video_id for each in records if videos or each.scope is Scope.VIDEO}
    where = F.video_id.not_in(sorted(whole)) if whole else ALL
    for each in records:
        if each.video_id not in whole:
            where &= ~((F.video_id == each.video_id) & (F.start == each.start) & (F.end == each.end))
    return where


def _not_the_files(files: Sequence[str | Path]) -> Filter:
    """Not the videos of files that were taken in: a video's id is the digest of its file."""
    local = [Path(each).expanduser() for each in files if "://" not in str(each)]
    missing = next((path for path in local if not path.is_file()), None)
    if missing is not None:
        raise NotFoundError(f"there is no video file {missing}")
    return F.video_id.not_in(sorted({sha256_of(path) for path in local})) if local else ALL
