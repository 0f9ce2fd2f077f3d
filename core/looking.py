"""Looking up what is in a collection: videos, records, values of fields, and the files behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InvalidQueryError, NotFoundError
from .fields import shown
from .filter_json import from_json
from .filters import F, Filter
from .manifest import ID_LENGTH, Broken, Manifest
from .opened import OpenStack
from .query import Query
from .records import Hit, Record, Scope

if TYPE_CHECKING:
    from .facets import Facet
    from .result import Result
    from .saving import Missed, Saved


class LookingUp(OpenStack):
    """The part of `VideoSearch` that looks up."""

    def videos(self, *, broken: Broken | None = None) -> list[Manifest]:
        """What is known of every video in the collection, by title.

        Args:
            broken: Hears of each video whose manifest can't be read; the others are given.

        Raises:
            IntegrityError: A manifest can't be read and there is no `broken`.
        """
        manifests = self._manifests()
        known = manifests.readable(broken) if broken else manifests
        return sorted(known, key=lambda manifest: (manifest.title, manifest.video_id))

    def video_id(self, start: str) -> str:
        """The whole id of the one video whose id starts like this.

        Raises:
            NotFoundError: There is none.
            InvalidQueryError: There are several.
        """
        found = list(self._manifests().ids(start)) if start.isalnum() else []
        if not found:
            raise self._no_video(start)
        if len(found) > 1:
            raise InvalidQueryError(f"{len(found)} videos start with {start!r}", hint="give more of the id")
        return found[0]

    def get(self, id: str) -> Record | None:
        """A record by its id; None where there is none."""
        return self._opened().fetch([id]).get(id)

    def count(self, where: Filter | Mapping[str, object] | None = None) -> int:
        """How many records match."""
        return self._opened().count(where if isinstance(where, Filter) else from_json(where))

    def facets(
        self,
        *names: str,
        where: Filter | Mapping[str, object] | None = None,
        scope: Scope | str | None = Scope.CLIP,
        limit: int = 20,
    ) -> dict[str, Facet]:
        """The values of fields and how many records have each, the least and the greatest (`core.facets`).

        Args:
            names: Declared fields, or columns that every record has; all declared fields when left out.
            where: Only among records that match.
            scope: `clip`, `video` to count whole videos, or None for both.
            limit: Values of each field, the commonest first.

        Raises:
            InvalidQueryError: There is no such field, or the condition is wrong.
        """
        from .facets import facets

        return facets(self._opened(), names, Query(where=where, scope=scope).condition(), limit)

    def path(self, hit: Hit | Record | Manifest) -> Path:
        """A local file with the hit's video, where it lies on this machine; `local` also fetches it.

        Raises:
            NotFoundError: The video isn't on this machine, or not any more.
        """
        path = self.stack.objects.path(hit.uri)
        if path is None or not path.is_file():
            raise NotFoundError(f"the video {hit.uri} isn't there", hint="ingest it again where it is now")
        return path

    def local(self, hit: Hit | Record | Manifest) -> AbstractContextManager[Path]:
        """A local file with the hit's video; one that had to be fetched is gone after the `with`.

        Raises:
            NotFoundError: The video isn't there any more, or it is another one now.
        """
        return self._saver().local(hit.uri, hit.video_id)

    def url(self, hit: Hit, *, expires: float = 3600.0) -> str:
        """An address at which a player opens the hit's video at its span (`core.playing`).

        It may be presigned: whoever has it can fetch the video for `expires` seconds.

        Raises:
            NotFoundError: The file isn't on this machine any more.
            UnsupportedError: The video has no address that a player could open.
        """
        from .playing import playable

        return playable(hit, self.stack.objects, expires=expires)

    def save(
        self,
        hits: Sequence[Hit],
        folder: str | Path,
        *,
        missed: Missed | None = None,
        progress: Saved | None = None,
    ) -> list[Path]:
        """Cut clips and moments out, copy whole videos, into files whose names sort as the hits do.

        Of a hit that tells the best clips of its video (`clips`), each is cut: `001-01_…`, `001-02_…`.
        Nothing is overwritten.

        Args:
            hits: Their videos are fetched, and removed afterwards, where they aren't on this machine.
            folder: Made where it is missing.
            missed: Hears of each hit, or clip of one, whose video is gone or can't be cut.
            progress: Hears how many files are done, and of how many.

        Returns:
            The files, in the order of the hits, without those missed.

        Raises:
            PolyreelError: A hit was missed and there is no `missed`; the other hits are saved all the same.
        """
        return self._saver().save(hits, Path(folder).expanduser(), missed, progress)

    def thumbnail(self, hit: Hit | Record, out: str | Path, *, size: int = 320) -> Path:
        """Write a picture from the middle of a hit as JPEG."""
        record = hit.record if isinstance(hit, Hit) else hit
        return self._saver().thumbnail(record, Path(out), size)

    # -- inside -------------------------------------------------------------------------------------------

    def _asked(self, query: Query) -> Query:
        """The query as it is asked: what the stack can't do is refused, a video's id is whole.

        Raises:
            InvalidQueryError: It is no query.
            UnsupportedError: There are no records of its scope, and none are made.
            NotFoundError: The video that it looks in isn't there, as far as no search is needed to know.
        """
        if not isinstance(query, Query):
            raise InvalidQueryError(f"{shown(query)} is no query", hint='write Query("the sea")')
        if query.scope is not None:
            self._check_scope(query.scope)
        return query if query.within is None else self._within_whole(query)

    def _check_scope(self, scope: Scope | str) -> None:
        if scope in self.stack.makes or scope not in tuple(Scope):  # which is refused later
            return
        if self.count(F.scope == Scope(scope).value) == 0:  # another recipe or tool may have made some
            from .unmade import refusal

            raise refusal(self.stack, Scope(scope), self._opened().can)

    def _within_whole(self, query: Query) -> Query:
        """The query, with the whole id of the video that it looks in; a whole one costs no look."""
        start = query.within
        if not isinstance(start, str) or len(start) in (0, ID_LENGTH):  # what is no id is refused later
            return query
        try:
            return replace(query, within=self.video_id(start))
        except NotFoundError:
            if self._has_records(start):  # another tool wrote them, under an id of its own
                return query
            raise

    def _planned(self, query: Query) -> Query:
        """The same of a query that isn't answered, where nothing else tells that its video isn't there."""
        whole = self._asked(query)
        if isinstance(whole.within, str) and len(whole.within) == ID_LENGTH:
            self._check_there(whole.within)
        return whole

    def _check_within(self, queries: Sequence[Query], results: Sequence[Result]) -> None:
        """Refuse a video that isn't there. Only where nothing was found: a hit tells that it is there."""
        for query, result in zip(queries, results, strict=True):
            if query.within is not None and not result.hits:
                self._check_there(query.within)

    def _check_there(self, video_id: str) -> None:
        committed = video_id.isalnum() and self._manifests().has(video_id)
        if not committed and not self._has_records(video_id):
            raise self._no_video(video_id)

    def _has_records(self, video_id: str) -> bool:
        """Also of what another tool wrote, which has no manifest."""
        return self.count(F.video_id == video_id) > 0

    def _no_video(self, id: str) -> NotFoundError:
        where = f"in the collection of the stack {self.stack.name!r}"
        return NotFoundError(f"there is no video {id!r} {where}", hint="see `polyreel videos`")

    def _known(self, id: str) -> Record | Manifest:
        """The record of an id, or the video that it begins the id of."""
        known = self.get(id) or self._manifests().get(self.video_id(id))
        if known is None:
            raise NotFoundError(f"there is no record and no video {id!r}")
        return known

    def _example(self, id: str) -> Record:
        """The record of an id, or the one that stands for the video of an id."""
        return self.get(id) or self._whole(self.video_id(id))

    def _whole(self, video_id: str) -> Record:
        """The record that stands for a whole video."""
        manifest = self._manifests().get(video_id)
        records = self._opened().fetch(list(manifest.records)) if manifest else {}
        if not records:
            raise NotFoundError(f"there is no record and no video {video_id!r}")
        whole = [record for record in records.values() if record.scope is Scope.VIDEO]
        return (whole or list(records.values()))[0]
