"""`VideoSearch`: take videos in and find moments in them, on any stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from logging import INFO
from typing import TYPE_CHECKING

from .describing import Describing
from .filter_json import from_json
from .filters import F, Filter
from .logs import LOGGER
from .query import Fusion, Query, Sources
from .records import Scope, Vector
from .result import Result, results_of
from .shape import Moments
from .taking import TakingIn

if TYPE_CHECKING:
    from .explaining import Plan
    from .recommending import Examples


class VideoSearch(TakingIn, Describing):
    """Search over the videos of one stack. Make it with `polyreel.open`; close it, or use it in a `with`.

    May be used from several threads. The store is opened when it is first needed.
    """

    def search(
        self,
        text: str | None = None,
        *,
        image: Sources = (),
        video: Sources = (),
        audio: Sources = (),
        vector: Vector | None = None,
        like: str | Sequence[str] = (),
        lexical: str | None = None,
        hybrid: bool = False,
        weights: Mapping[str, float] | None = None,
        without: str | Mapping[str, object] | None = None,
        where: Filter | Mapping[str, object] | None = None,
        scope: Scope | str | None = Scope.CLIP,
        within: str | None = None,
        group_by: str | None = None,
        limit: int = 10,
        min_score: float | None = None,
        fusion: Fusion | str | None = None,
        exact: bool = False,
        rerank: int | None = None,
        start: float | None = None,
        end: float | None = None,
        moments: bool | Moments = False,
        clips: int = 1,
        diversity: float = 0.0,
        distinct: float | None = None,
        channels: str | Sequence[str] | Mapping[str, float] | None = None,
        verify: Sequence[str] = (),
        verify_top: int = 5,
    ) -> Result:
        """Find moments, or whole videos, like a text, pictures, videos, vectors or records (`Query`).

        `verify` has criteria in words, which the stack's model, a paid one, checks on the own moments of the
        `verify_top` best hits. These then have `verdicts`, and `explain["verify"]` says what that took; hits
        of later pages have none.

        Raises:
            InvalidQueryError: A part or condition is wrong; nothing was asked.
            UnsupportedError: This stack can't do it; nothing was asked.
            NotFoundError: A file, record or video isn't there, or nothing was ingested.
        """
        query = Query(
            text, image, video, audio, vector, like, lexical, hybrid, weights or {}, without, where, scope,
            within, group_by, limit, min_score, fusion, exact, rerank, start, end, moments, clips,
            diversity, distinct, channels,
        )  # fmt: skip
        if not verify:
            return self.search_many([query])[0]
        from .verifying import check_of, verified

        check, viewer = check_of(verify, verify_top), self._viewer()  # refused before anything is asked
        return verified(self.search_many([query])[0], viewer, check)

    def search_many(self, queries: Sequence[Query]) -> list[Result]:
        """Answer several queries, in order; the store is asked for all of them in one batch."""
        asked = [self._asked(query) for query in queries]
        results = results_of(asked, self._planner().of_search(asked))
        self._check_within(asked, results)
        if LOGGER.isEnabledFor(INFO):
            for result in results:
                known = {name: result.explain[name] for name in ("parts", "fusion")}
                seconds = round(result.timing["total"], 4)
                LOGGER.info("search", extra={**known, "hits": len(result), "seconds": seconds})
        return results

    def explain(self, query: Query) -> Plan:
        """What a search would do and cost, without doing it: nothing is embedded, searched or paid for.

        Raises:
            PolyreelError: As `search` would, as far as that can be known beforehand.
        """
        from .explaining import plan

        return plan(self._planner(), self._planned(query), self.stack.rate, self._media)

    def similar(
        self, id: str, *, limit: int = 10, where: Filter | Mapping[str, object] | None = None
    ) -> Result:
        """Records like a record, or videos like a video; neither is among its own hits.

        Args:
            id: A record's id, or a video's.
            limit: Hits.
            where: A condition.
        """
        record = self.get(id)
        if record is not None:
            return self.search(like=id, limit=limit, where=where, scope=record.scope)
        whole = self._whole(self.video_id(id))
        other = (where if isinstance(where, Filter) else from_json(where)) & (F.video_id != whole.video_id)
        return self.search(like=whole.id, limit=limit, where=other, scope=whole.scope, group_by="video")

    def recommend(
        self,
        like: Examples = (),
        *,
        unlike: Examples = (),
        profile: str | Sequence[str] = (),
        mood: str | None = None,
        category: str | Sequence[str] = (),
        category_field: str = "category",
        where: Filter | Mapping[str, object] | None = None,
        scope: Scope | str | None = Scope.VIDEO,
        limit: int = 10,
    ) -> Result:
        """Videos, or clips, that somebody may like; never the examples themselves (`core.recommending`).

        Args:
            like: What is liked: ids of records or videos, hits, or media such as `{"image": "frame.jpg"}`.
            unlike: What isn't.
            profile: What interests the person, in words; several are joined into one text with the mood.
            mood: What it should feel like, in words.
            category: Only of this category, or one of these.
            category_field: The declared field that holds it.
            where: A condition.
            scope: `video`, `clip`, or None for both.
            limit: Hits.

        Raises:
            InvalidQueryError: Nothing is asked for, or something can't be read.
            NotFoundError: An example isn't there.
        """
        from .recommending import Wish, query_of

        wish = Wish(like, unlike, profile, mood, category, category_field, where, scope, limit)
        whole = self.count(F.scope == Scope.VIDEO.value) > 0  # where a store vectorizes, there are clips only
        query = query_of(wish, self._example, self._opened().schema, whole=whole)
        return self.search_many([query])[0]
