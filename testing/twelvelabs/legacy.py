"""`/embed` and `/embed/tasks`, version 1: forms, for Marengo 3.0 and, where it is let live, 2.7."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core.errors import MediaError
from .embedding import check_clip
from .files import Files, Medium
from .tasks import Task, Tasks
from .vectors import DIMENSION, Seen, of_image, of_words, shaped
from .wire import File, RefusedError, Reply, Request, choices, known, single

RETIRED = "Marengo-retrieval-2.7"
_INPUTS = ("text", "image_url", "image_file", "audio_url", "audio_file")
_VIDEO = (
    "model_name video_url video_file video_start_offset_sec video_end_offset_sec video_clip_length "
    "video_embedding_scope"
).split()


class Legacy:
    """Version 1 of the embedding API.

    Args:
        retired: Whether Marengo 2.7 is still served.
    """

    def __init__(self, files: Files, tasks: Tasks, seen: Seen, *, retired: bool) -> None:
        self._files, self._tasks, self._seen, self._retired = files, tasks, seen, retired

    def create(self, request: Request) -> Reply:
        """POST /embed."""
        form = request.form()
        known(form, ("model_name", *_INPUTS, "audio_start_offset_sec"), ("model_name",))
        model, dimension = self._model(form)
        given = [name for name in _INPUTS if name in form]
        if not given:
            raise RefusedError("parameter_not_provided", "A text, image or audio is required.")
        answer: dict[str, Any] = {"model_name": model}
        for name in given:
            kind = name.partition("_")[0]
            answer[f"{kind}_embedding"] = {"segments": [self._segment(form, name, dimension)]}
        return Reply(200, answer)

    def begin(self, request: Request) -> Reply:
        """POST /embed/tasks."""
        form = request.form()
        known(form, _VIDEO, ("model_name",))
        model, dimension = self._model(form)
        name = "video_url" if "video_url" in form else "video_file"
        medium = self._medium(form, name)
        try:
            clip = self._seen.clip(medium.content)
        except MediaError as error:
            raise RefusedError("video_file_broken", "The video can't be read.") from error
        check_clip(clip, "video", 2 * 3600.0)
        length = _whole(single(form, "video_clip_length") or "6")
        scopes = choices(list(form.get("video_embedding_scope", ["clip"])), ("clip", "video"), "scope")
        starts = range(0, round(clip.seconds * 1000), length * 1000)
        edges = [(at / 1000, min(at / 1000 + length, clip.seconds)) for at in starts]
        spans = [("clip", span) for span in edges if span[1] - span[0] >= 2] if "clip" in scopes else []
        spans += [("video", (0.0, clip.seconds))] if "video" in scopes else []
        options = ["visual-text", "audio"] if model == RETIRED else ["visual", "audio", "transcription"]
        details = {**medium.shown, "video_clip_length": length, "duration": clip.seconds}
        task = Task(model, medium, clip, spans, options, dimension, details, self._tasks.seconds)
        return Reply(200, {"_id": self._tasks.add(task).id})

    def retrieve(self, id: str, *, with_vectors: bool) -> Reply:
        """GET /embed/tasks/{id} and its status."""
        task = self._tasks.get(id)
        answer: dict[str, Any] = {**task.head(), "model_name": task.model, "video_embedding": None}
        if answer["status"] == "ready":
            answer["video_embedding"] = {"metadata": task.details}
            if with_vectors:
                answer["video_embedding"]["segments"] = [
                    {
                        "float": each["vector"],
                        "embedding_option": each["option"],
                        "embedding_scope": each["scope"],
                        "start_offset_sec": each["span"][0],
                        "end_offset_sec": each["span"][1],
                    }
                    for each in task.vectors()
                ]
        return Reply(200, answer)

    def _model(self, form: Mapping[str, list[str | File]]) -> tuple[str, int]:
        model = single(form, "model_name")
        if model == RETIRED and self._retired:
            return model, 1024
        if model != "marengo3.0":
            raise RefusedError("parameter_invalid", f"The model {model} is not available.")
        return model, DIMENSION

    def _segment(self, form: Mapping[str, list[str | File]], name: str, dimension: int) -> dict[str, Any]:
        if name == "text":
            return {"float": shaped(of_words(str(single(form, "text"))), dimension)}
        content = self._medium(form, name).content
        try:
            if name.startswith("image"):
                return {"float": shaped(of_image(content), dimension)}
            clip = self._seen.clip(content)
        except MediaError as error:
            raise RefusedError("parameter_invalid", "The file can't be read.") from error
        vector = clip.vector("audio", 0.0, clip.seconds)
        if vector is None:
            raise RefusedError("parameter_invalid", "There is no sound in the file.")
        offsets = {"start_offset_sec": 0.0, "end_offset_sec": clip.seconds}
        return {"float": shaped(vector, dimension), **offsets}

    def _medium(self, form: Mapping[str, list[str | File]], name: str) -> Medium:
        if name.endswith("_url"):
            return self._files.medium({"url": single(form, name)})
        file = form.get(name, [None])[0]
        if not isinstance(file, File) or not file.content:
            raise RefusedError("parameter_not_provided", f"{name} must be a file.")
        return Medium(file.content, {"input_filename": file.name})


def _whole(value: str) -> int:
    if not value.isdigit() or not 2 <= int(value) <= 10:
        raise RefusedError("parameter_invalid", "video_clip_length must be a whole number from 2 to 10.")
    return int(value)
