"""What the service behind a model has by now, as the journal remembers it: uploaded files, and answers.

A file is remembered by content, span and frames a second, so that the next question uses it again until it
expires; the last answer about a video by content and span, so that it can be followed up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .errors import MediaError, NotFoundError
from .journal import Journal
from .locating import Found
from .logs import LOGGER
from .questions import Reply, Shown
from .understanding import VideoUnderstanding

_SOON = 300.0  # seconds before its end at which a remembered file isn't used any more


@dataclass(frozen=True, slots=True)
class Remembered:
    """Files and answers of one service.

    Args:
        model: Behind which the service is; ids of another one mean nothing to it.
        journal: Remembers them.
    """

    model: VideoUnderstanding
    journal: Journal

    # -- files --------------------------------------------------------------------------------------------

    def handed(self, found: Found, medium: Shown) -> Shown:
        """The same file at the service: found there, or uploaded now."""
        key = self._file_key(found, medium.media.fps)
        known = self.journal.recall("file", key)
        id = str(known["id"]) if known else self._uploaded(key, medium)
        try:
            self._await(key, id)
        except NotFoundError:  # the service forgot it before its time
            if known is None:
                raise
            id = self._uploaded(key, medium)
            self._await(key, id)
        return replace(medium, media=replace(medium.media, uri=id))

    def forgotten(self, found: Sequence[Found], fps: float | None) -> bool:
        """Whether there were remembered files of these videos, which are not any more."""
        keys = [self._file_key(each, self.model.fps if fps is None else fps) for each in found]
        known = [key for key in keys if self.journal.recall("file", key)]
        for key in known:
            self.journal.let_go("file", key)
        return bool(known)

    def release(self, found: Found | None) -> int:
        """Delete at the service what was uploaded of a video, or of all; returns how many files that were."""
        files = self.journal.kept("file", self._key(f"{found.content}/" if found else ""))
        for key, known in files.items():
            try:
                self.model.release(str(known["id"]))
            except NotFoundError:
                LOGGER.info("gone already", extra={"file": known["id"]})
            self.journal.let_go("file", key)
        return len(files)

    def _uploaded(self, key: str, medium: Shown) -> str:
        handed = self.model.hand_over(medium)
        known = {"id": handed.id, "fps": medium.media.fps}
        self.journal.keep("file", key, known, expires=handed.expires - _SOON)
        return handed.id

    def _await(self, key: str, id: str) -> None:
        try:
            self.model.await_handed(id)
        except (MediaError, NotFoundError):
            self.journal.let_go("file", key)
            raise

    # -- answers ------------------------------------------------------------------------------------------

    def answered(self, found: Found, reply: Reply) -> None:
        """Remember the last answer about a video; one without an id can't be followed up."""
        if reply.id:
            self.journal.keep("reply", self._key(found.key), {"id": reply.id}, expires=reply.expires)

    def last(self, found: Found) -> str:
        """The id of the last answer about a video.

        Raises:
            NotFoundError: There is none, or it has expired.
        """
        known = self.journal.recall("reply", self._key(found.key))
        if known is None:
            raise NotFoundError(
                "there is no answer to follow up, or it has expired", hint="ask about the video first"
            )
        return str(known["id"])

    # -- inside -------------------------------------------------------------------------------------------

    def _file_key(self, found: Found, fps: float | None) -> str:
        return self._key(f"{found.key}/{fps:g}")

    def _key(self, key: str) -> str:
        return f"{self.model.service}/{key}"
