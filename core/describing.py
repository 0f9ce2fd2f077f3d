"""Asking a model that looks at videos, where the stack has one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import UnsupportedError
from .looking import LookingUp
from .query import Sources

if TYPE_CHECKING:
    from .enrich_report import EnrichReport
    from .enrich_report import Listener as HeardEnriched
    from .events import Events, Schema
    from .frameplan import FramePlan
    from .locating import Subject
    from .questions import Listener as Heard
    from .questions import Reply
    from .running import Stop
    from .viewing import Viewer


class Describing(LookingUp):
    """The part of `VideoSearch` that asks the stack's model."""

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
        return self._viewer().ask(
            DESCRIBE if question is None else question, () if after else (video,), how=how
        )

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
        from .locating import several
        from .viewing import Asked, after_id

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
