"""What a store can do, as data: forms for the tables in the docs, capabilities of an opened instance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from .media import Modality

T = TypeVar("T")


class Feature(StrEnum):
    """Something that not every engine does by itself."""

    GROUP = "group"
    NEAR_RECORD = "near_record"
    LEXICAL = "lexical"
    FACET = "facet"
    EXACT = "exact"
    PREFIX = "prefix"
    ADD_FIELD = "add_field"
    DURABLE = "durable"
    SHARED = "shared"


FEATURE_WORDS: dict[Feature, str] = {
    Feature.GROUP: "groups hits by video natively (else the planner does)",
    Feature.NEAR_RECORD: "searches by a record's id natively (else its vector is fetched)",
    Feature.LEXICAL: "finds words of title, tags, captions and transcript (BM25)",
    Feature.FACET: "counts the values of a field natively (else by a scan)",
    Feature.EXACT: "searches by brute force when asked",
    Feature.PREFIX: "filters strings by prefix",
    Feature.ADD_FIELD: "takes newly declared fields in place",
    Feature.DURABLE: "keeps its records after the process ends",
    Feature.SHARED: "serves several processes at once",
}
"""What each feature means to a person; the README's table is made from it."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way of running a store.

    Args:
        name: As in the tables.
        configure: The keys of the configuration that choose it.
        features: What it does natively.
        tried: What the tests run it against.
        notes: What a user should know before choosing it.
    """

    name: str
    configure: str
    features: frozenset[Feature]
    tried: str
    notes: str = ""


def in_forms(*forms: Form) -> Callable[[T], T]:
    """Mark a function that makes one of several classes with the forms of them all, as a class has `forms`.

    It is for a kind whose forms need classes of their own: the entry point names the function, whose keyword
    parameters are the keys of the configuration and choose the class.
    """

    def marked(make: T) -> T:
        make.forms = forms  # type: ignore[attr-defined]  # what the tables read, of a class and of a function
        return make

    return marked


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an opened instance can do: this form, server version and collection. The engine reads only this.

    Args:
        form: The form's name.
        features: What it does natively.
        version: Of the engine or server.
        tolerance: Largest difference of a score from the exact value.
        max_batch: Records in one upsert.
        max_ids: Ids in one fetch, change or deletion; as many as records when left out.
        max_limit: Hits in one search.
        vectorizes: Modalities that a query may have in place of a vector; empty where it wants vectors.
        joint: Whether several media of a query go into one call of its model.
        schemes: Addresses of media that it can fetch, such as `tos` and `https`; `file` for local paths.
        max_video_bytes: Largest video that it vectorizes; None is no limit.
        video_endings: Of the names of videos that it vectorizes, such as `.mp4`; empty takes all.
        video_fps: Fewest and most frames a second at which it samples a video; None takes any.
        proxies: Whether it vectorizes whole videos (records of the channel `proxy`, where the recipe asks for
            them); else a whole video is found by its clips, grouped by video.
        lean_rows: How many rows a lean search (`SearchRequest.lean`) gives for no more than the search itself
            takes; where the planner groups, it begins with as many. 0 where they aren't worth the fetch of
            what is shown.
        flush_each: Whether a flush is cheap enough to follow each video, so that a loss of power during an
            ingest loses none that is committed; else an ingest flushes once, at its end.
    """

    form: str
    features: frozenset[Feature]
    version: str
    tolerance: float = 1e-5
    max_batch: int = 500
    max_ids: int | None = None
    max_limit: int = 16_384
    vectorizes: frozenset[Modality] = frozenset()
    joint: bool = False
    schemes: frozenset[str] = frozenset()
    max_video_bytes: int | None = None
    video_endings: frozenset[str] = frozenset()
    video_fps: tuple[float, float] | None = None
    proxies: bool = False
    lean_rows: int = 0
    flush_each: bool = True
