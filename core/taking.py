"""Taking videos in, forgetting them, and copying a collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import IntegrityError, InvalidQueryError
from .filters import F
from .logs import LOGGER
from .opened import OpenStack

if TYPE_CHECKING:
    from .copying import CopyReport, Progress, StackEnd
    from .gc import GcReport
    from .inference import Inferred
    from .intake import Described, Intake, Paths
    from .journal import Failure
    from .report import IngestReport, Listener
    from .running import Stop
    from .store import VectorStore


class TakingIn(OpenStack):
    """The part of `VideoSearch` that writes."""

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
        known, clips = 0, set[str]()
        for video_id in video_ids:
            try:
                manifest = manifests.get(video_id)
                known += manifest is not None
            except IntegrityError:  # a broken one names no clip files any more: gc finds them
                manifest, known = None, known + 1
            manifests.delete(video_id)
            store.wait(store.delete(where=F.video_id == video_id))
            clips |= set(manifest.clips if manifest else ())
            LOGGER.info("deleted", extra={"video_id": video_id})
        store.flush()
        self._delete_clips(clips, video_ids)
        return known

    def copy_to(
        self,
        target: TakingIn | str | Path,
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

        there = target._copy_end if isinstance(target, TakingIn) else Path(target)  # noqa: SLF001  # ours
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

    def _delete_clips(self, keys: set[str], video_ids: Sequence[str]) -> None:
        """Delete clip files, but for those that another collection in the same object store has, too."""
        if not keys:
            return
        try:
            others = [manifest.clips for manifest in self._manifests().elsewhere(video_ids)]
        except IntegrityError:  # whose clips they are is unknown: gc finds them once that is mended
            return
        for key in sorted(keys.difference(*others)):
            self.stack.objects.delete(key)

    def _intake(self, store: VectorStore | None) -> Intake:
        from .intake import Intake

        return Intake(self.stack, store, self._journalled(), self._media, self._downloads)
