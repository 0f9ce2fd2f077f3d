"""`VideoSearch`: take videos in and find moments in them, on any stack."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .caching import Caches
from .errors import IntegrityError, InvalidQueryError, NotFoundError, UnsupportedError
from .filter_json import from_json
from .filters import F, Filter
from .journal import Failure, Journal
from .logs import LOGGER
from .manifest import Manifest, Manifests
from .media import MediaTools
from .query import Fusion, Query, Sources
from .records import Hit, Record, Scope, Vector
from .result import Result, results_of
from .shape import Moments
from .stack import Stack
from .staging import Staging
from .store import VectorStore

if TYPE_CHECKING:
    from .copying import CopyReport, Progress, StackEnd
    from .enriching import EnrichReport
    from .enriching import Listener as HeardEnriched
    from .events import Events, Schema
    from .explaining import Plan
    from .facets import Facet
    from .frameplan import FramePlan
    from .gc import GcReport
    from .inference import Inferred
    from .intake import Described, Intake, Paths
    from .recommending import Examples
    from .remotes import Downloads
    from .report import IngestReport, Listener
    from .reranked import RerankingPlanner
    from .running import Stop
    from .saving import Missed, Saved, Saver
    from .understanding import Listener as Heard
    from .understanding import Reply
    from .viewing import Subject, Viewer


class VideoSearch:
    """Search over the videos of one stack. Make it with `polyreel.open`; close it, or use it in a `with`.

    May be used from several threads. The store is opened when it is first needed.
    """

    def __init__(self, stack: Stack, media: MediaTools, downloads: Downloads | None = None) -> None:
        self.stack = stack
        self._media = media
        self._downloads = downloads
        self._lock = threading.RLock()
        self._store: VectorStore | None = None
        self._journal: Journal | None = None
        self._caches: Caches | None = None
        self._closed = False

    # -- taking in ----------------------------------------------------------------------------------------

    def ingest(
        self,
        *paths: str | Path,
        rows: Paths = (),
        described: Described | None = None,
        workers: int | None = None,
        dry_run: bool = False,
        retry_failed: bool = False,
        optimize: bool = True,
        details: bool = True,
        listener: Listener | None = None,
        optimizing: Callable[[float], None] | None = None,
        stop: Stop | None = None,
    ) -> IngestReport:
        """Take in videos, and bring those that are there up to date. One bad file never stops the others.

        Args:
            paths: Files, folders, patterns, `https:` addresses, addresses and prefixes of the object store,
                `-` for the standard input (`core.discovery`).
            rows: JSONL files whose rows name videos and say what is known of them (`core.rows`).
            described: Titles, tags, captions and fields by file name, which win over sidecars; `*` is any.
            workers: Videos at once; the stack's setting when left out.
            dry_run: Only report what would be done, and what embedding would cost by the configured rates.
            retry_failed: Take only what failed in its last try; of all, where no paths are given.
            optimize: Afterwards build the indexes that make searches fast, where that pays.
            details: Keep a line for each video in the report; without it only for what failed or is damaged,
                so that memory doesn't grow with the number of videos.
            listener: Hears of each video as it is done.
            optimizing: Hears how far the indexes are, from 0 to 1.
            stop: Ends the run early, once the videos in flight are done.

        Raises:
            PolyreelError: The stack can't be opened; what is wrong with single files stands in the report.
        """
        from .intake import Options  # loads all that takes videos in, which a search doesn't need

        store = self._opened_if_there() if dry_run else self._opened(create=True)
        options = Options(workers, dry_run, retry_failed, optimize, details, listener, optimizing, stop)
        return self._intake(store).ingest(paths, rows, described, options)

    def infer_fields(
        self,
        *paths: str | Path,
        rows: Paths = (),
        described: Described | None = None,
    ) -> Inferred:
        """Types for values beside videos that the stack doesn't declare. Opens no video and changes nothing.

        Args:
            paths: As those of `ingest`.
            rows: As those of `ingest`.
            described: As that of `ingest`.
        """
        return self._intake(None).infer_fields(paths, rows, described)

    def failures(self) -> list[Failure]:
        """The files whose last try failed, with the reasons; `ingest(retry_failed=True)` takes them again."""
        return self._journalled().failures()

    def gc(self, *, delete: bool = False, older_than: float = 3600.0) -> GcReport:
        """Find what nothing needs any more: leases, records and files that no manifest names (`core.gc`).

        Args:
            delete: Also delete it, as far as it is old enough.
            older_than: Seconds of age under which nothing that another process may be using is deleted.

        Raises:
            InvalidQueryError: `older_than` is no number of seconds.
            LockedError: Another process holds the collection.
        """
        if not isinstance(older_than, int | float):
            raise InvalidQueryError(f"older_than takes seconds, not {older_than!r}")
        if not older_than >= 0:
            raise InvalidQueryError(f"older_than is {older_than:g} seconds; it must be at least 0")
        return self._intake(self._opened_if_there()).gc(delete=delete, older_than=older_than)

    def delete(self, *video_ids: str) -> int:
        """Forget videos: their manifests, records and clip files, never the videos themselves where they lie.

        Returns:
            How many of them were in the collection.
        """
        store, manifests = self._opened(), self._manifests()
        known = 0
        for video_id in video_ids:
            try:
                manifest = manifests.get(video_id)
                known += manifest is not None
            except IntegrityError:  # a broken one names no clip files any more: gc finds them
                manifest, known = None, known + 1
            manifests.delete(video_id)
            store.wait(store.delete(where=F.video_id == video_id))
            for key in manifest.clips if manifest else ():
                self.stack.objects.delete(key)
            LOGGER.info("deleted", extra={"video_id": video_id})
        store.flush()
        return known

    def copy_to(
        self,
        target: VideoSearch | str | Path,
        *,
        merge: bool = False,
        dry_run: bool = False,
        optimize: bool = True,
        progress: Progress | None = None,
    ) -> CopyReport:
        """Copy the collection into another stack, or into a bundle, without embedding again (`core.copying`).

        Args:
            target: An open stack with an embedder of the same space, or the folder of a new bundle.
            merge: Also into a collection that holds other records; those of the same ids are replaced.
            dry_run: Only check whether it can be done, and count.
            optimize: Afterwards build the target's search indexes, where that pays.
            progress: Hears what is being copied, how many are done, and of how many.

        Raises:
            PolyreelError: The two don't fit, and nothing was written; or what was copied isn't what is there.
        """
        from .copying import CopyOptions, copy

        there = target._copy_end if isinstance(target, VideoSearch) else Path(target)  # noqa: SLF001  # ours
        options = CopyOptions(merge, dry_run, optimize, progress)
        return copy(self._copy_end, there, options)

    def copy_from(
        self,
        bundle: str | Path,
        *,
        merge: bool = False,
        dry_run: bool = False,
        optimize: bool = True,
        progress: Progress | None = None,
    ) -> CopyReport:
        """Copy a bundle into the collection; the arguments are those of `copy_to`."""
        from .copying import CopyOptions, copy

        return copy(Path(bundle), self._copy_end, CopyOptions(merge, dry_run, optimize, progress))

    @property
    def _copy_end(self) -> StackEnd:
        from .copying import StackEnd

        return StackEnd(self.stack, self._opened_if_there, lambda: self._opened(create=True))

    # -- searching ----------------------------------------------------------------------------------------

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
            NotFoundError: A file or record isn't there, or nothing was ingested.
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
        results = results_of(queries, self._planner())
        for result in results:
            known = {name: result.explain[name] for name in ("parts", "fusion")}
            LOGGER.info(
                "search", extra={**known, "hits": len(result), "seconds": round(result.timing["total"], 4)}
            )
        return results

    def explain(self, query: Query) -> Plan:
        """What a search would do and cost, without doing it: nothing is embedded, searched or paid for.

        Raises:
            PolyreelError: As `search` would, as far as that can be known beforehand.
        """
        from .explaining import plan

        return plan(self._planner(), query, self.stack.rate, self._media)

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

    # -- understanding ------------------------------------------------------------------------------------

    def describe(
        self,
        video: Subject,
        question: str | None = None,
        *,
        fps: float | None = None,
        thinking: bool | None = None,
        max_tokens: int | None = None,
        after: Reply | str | None = None,
        listener: Heard | None = None,
    ) -> Reply:
        """What a video, or a record's piece of one, shows. Asks the stack's model, which is paid.

        Args:
            video: A file, an address, a hit, or the id of a record or video.
            question: About it; a description when left out.
            fps: Frames a second that the model sees; its setting when left out.
            thinking: Whether it reasons first; None leaves that to the model.
            max_tokens: Of the answer.
            after: An earlier reply, or its id, that this follows up; the video isn't sent again.
            listener: Hears the answer as it comes.

        Raises:
            UnsupportedError: The stack has no `understanding`, or it can't do that; nothing was sent.
            MediaError: The video is beyond a limit, or can't be read; nothing was asked.
        """
        from .viewing import DESCRIBE, Asked, after_id

        how = Asked(fps, thinking, max_tokens, after_id(after), listener)
        return self._viewer().ask(question or DESCRIBE, () if after else (video,), how=how)

    def ask(
        self,
        question: str,
        *,
        video: Subject | Sequence[Subject] = (),
        image: Sources = (),
        fps: float | None = None,
        thinking: bool | None = None,
        max_tokens: int | None = None,
        after: Reply | str | None = None,
        listener: Heard | None = None,
    ) -> Reply:
        """The answer to a question about several videos and pictures, or one that follows up a reply.

        Args:
            question: In words; the model sees the videos in their order, then the pictures.
            video: As those of `describe`.
            image: Files of pictures.
            fps: As that of `describe`, and so are the arguments after it.
            thinking: Whether the model reasons first.
            max_tokens: Of the answer.
            after: The reply that this follows up.
            listener: Hears the answer as it comes.
        """
        from .viewing import Asked, after_id, several

        how = Asked(fps, thinking, max_tokens, after_id(after), listener)
        pictures = [image] if isinstance(image, str | Path) else image
        return self._viewer().ask(question, several(video), pictures, how=how)

    def events(
        self,
        video: Subject,
        look_for: str | None = None,
        *,
        schema: Schema | None = None,
        fps: float | None = None,
        thinking: bool | None = None,
    ) -> Events:
        """What happens in a video and when, as data. Asks the stack's model, which is paid.

        Args:
            video: As that of `describe`.
            look_for: What counts as an event; anything when left out.
            schema: A pydantic model with `start` and `end` in seconds; `Event` when left out.
            fps: Frames a second that the model sees.
            thinking: Whether it reasons first.

        Raises:
            UnavailableError: The model's answer can't be used, nor the one that it was asked to mend.
        """
        from .events import events
        from .viewing import Asked

        return events(self._viewer(), video, look_for, schema, Asked(fps, thinking))

    def frame_plan(self, video: Subject, *, fps: float | None = None) -> FramePlan:
        """How the stack's model would sample a video: frames, tokens, pixels. Nothing is sent."""
        return self._viewer().plan(video, fps)

    def enrich(
        self,
        *video_ids: str,
        prompt: str | None = None,
        fps: float | None = None,
        thinking: bool | None = None,
        dry_run: bool = False,
        stop: Stop | None = None,
        listener: HeardEnriched | None = None,
    ) -> EnrichReport:
        """Let the stack's model caption videos, and write that as text of their records (`core.enriching`).

        Args:
            video_ids: Which; every video when left out. What was answered before isn't asked again.
            prompt: What else the model is told, such as the language to write in.
            fps: Frames a second that it sees.
            thinking: Whether it reasons first.
            dry_run: Only say what would be done, and its frames, tokens and cost.
            stop: Ends the run early, once the videos in flight are done.
            listener: Hears of each video as it is done.
        """
        from .enriching import Enricher
        from .viewing import Asked

        store, manifests = self._opened(), self._manifests()
        enricher = Enricher(self.stack, store, manifests, self._viewer(), prompt, Asked(fps, thinking))
        ids = [self.video_id(each) for each in video_ids] or sorted(manifests.ids())
        return enricher.run(ids, dry_run=dry_run, stop=stop, listener=listener)

    def forget_uploads(self, video: Subject | None = None) -> int:
        """Delete, at the model's service, what was uploaded of a video, or of all; returns how many files."""
        return self._viewer().forget(video)

    def last_reply(self, video: Subject) -> str:
        """The id of the last reply about a video, to be followed up with `after`; also in another process.

        Raises:
            NotFoundError: There is none, or it has expired.
        """
        return self._viewer().last(video)

    # -- looking up ---------------------------------------------------------------------------------------

    def videos(self) -> list[Manifest]:
        """What is known of every video in the collection, by title."""
        return sorted(self._manifests(), key=lambda manifest: (manifest.title, manifest.video_id))

    def video_id(self, start: str) -> str:
        """The whole id of the one video whose id starts like this.

        Raises:
            NotFoundError: There is none.
            InvalidQueryError: There are several.
        """
        found = list(self._manifests().ids(start)) if start.isalnum() else []
        if not found:
            raise NotFoundError(f"there is no video {start!r}", hint="see `polyreel videos`")
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

        Nothing is overwritten.

        Args:
            hits: Their videos are fetched, and removed afterwards, where they aren't on this machine.
            folder: Made where it is missing.
            missed: Hears of each hit whose video is gone or can't be cut.
            progress: Hears how many hits are done, and of how many.

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

    # -- life ---------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of files and connections; a second call does nothing."""
        with self._lock:
            self._closed = True
            self.stack.store.close()
            if self.stack.embedder:
                self.stack.embedder.close()
            if self.stack.reranker:
                self.stack.reranker.close()
            if self.stack.understanding:
                self.stack.understanding.close()
            self.stack.objects.close()
            if self._downloads:
                self._downloads.close()
            if self._journal:
                self._journal.close()
            if self._caches:
                self._caches.close()
            self._store = self._journal = self._caches = None

    def __enter__(self) -> Self:
        """This object."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    # -- inside -------------------------------------------------------------------------------------------

    def _opened(self, *, create: bool = False) -> VectorStore:
        with self._lock:
            self._check_not_closed()
            if self._store is None:
                self._open_store(create=create)
                self._store = self.stack.store
            return self._store

    def _open_store(self, *, create: bool) -> None:
        embedder = self.stack.embedder
        retired = embedder.retired if embedder and create else ""
        try:
            self.stack.store.open(self.stack.spec, create=create and not retired)
        except NotFoundError as error:
            if not retired:
                raise
            raise UnsupportedError(retired, hint="choose another model for a new collection") from error

    def _check_not_closed(self) -> None:
        if self._closed:
            raise InvalidQueryError("this VideoSearch is closed", hint="open it again with polyreel.open")

    def _opened_if_there(self) -> VectorStore | None:
        try:
            return self._opened()
        except NotFoundError:
            return None

    def _manifests(self) -> Manifests:
        return Manifests(self.stack.objects, self._opened().meta.uid)

    def _planner(self) -> RerankingPlanner:
        from .reranked import RerankingPlanner

        stack, caches = self.stack, self._cached()
        return RerankingPlanner(
            self._opened(),
            stack.embedder,
            Staging(stack.objects),
            self._media,
            stack.recipe,
            caches.vectors,
            caches.answers,
            stack=stack,
        )

    def _cached(self) -> Caches:
        with self._lock:
            self._caches = self._caches or Caches.of(self.stack)
            return self._caches

    def _intake(self, store: VectorStore | None) -> Intake:
        from .intake import Intake

        return Intake(self.stack, store, self._journalled(), self._media, self._downloads)

    def _viewer(self) -> Viewer:
        from .viewing import Viewer

        model = self.stack.understanding
        if model is None:
            raise UnsupportedError(
                f"the stack {self.stack.name!r} has no model that looks at videos",
                hint=f"add a section [stacks.{self.stack.name}.understanding]",
            )
        return Viewer(
            model, self.stack.understanding_rate, self._media, self._journalled(), self._saver(), self._known
        )

    def _known(self, id: str) -> Record | Manifest:
        """The record of an id, or the video that it begins the id of."""
        known = self.get(id) or self._manifests().get(self.video_id(id))
        if known is None:
            raise NotFoundError(f"there is no record and no video {id!r}")
        return known

    def _saver(self) -> Saver:
        from .remotes import Fetcher
        from .saving import Saver

        return Saver(self._media, Fetcher(self.stack.objects, self._journalled(), self._downloads))

    def _journalled(self) -> Journal:
        with self._lock:
            self._check_not_closed()
            if self._journal is None:
                self._journal = Journal(
                    self.stack.state / f"{self.stack.name}-{self.stack.collection}.sqlite"
                )
            return self._journal

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
