"""`/embed-v2`: what it takes, field by field, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core.errors import MediaError
from .files import Files, Medium
from .tasks import Span, Task, Tasks
from .vectors import DIMENSION, Clip, Seen, joined, of_image, of_words, shaped
from .wire import RefusedError, Reply, Request, choice, choices, known, mapping

MODELS = ("marengo3.0", "marengo3.5")
_SINGLE = ("text", "image", "text_image", "audio", "video")
_TIMED = "media_source start_sec end_sec segmentation embedding_option embedding_scope embedding_type".split()
_TOKENS = {"marengo3.0": 500, "marengo3.5": 2000}
_OPTIONS = {
    ("marengo3.0", "video"): ("visual", "audio", "transcription"),
    ("marengo3.0", "audio"): ("audio", "transcription"),
    ("marengo3.5", "video"): ("visual", "audio"),
    ("marengo3.5", "audio"): ("audio",),
}
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG")


class Embedding:
    """Version 2 of the embedding API."""

    def __init__(self, files: Files, tasks: Tasks, seen: Seen) -> None:
        self._files, self._tasks, self._seen = files, tasks, seen

    # -- at once ------------------------------------------------------------------------------------------

    def create(self, request: Request) -> Reply:
        """POST /embed-v2."""
        body = request.json()
        model, kind, dimension = self._head(body, (*_SINGLE, "multi_input"))
        if (model == "marengo3.5") and kind != "multi_input":
            raise RefusedError("VALIDATION_ERROR", "marengo3.5 takes multi_input only.", field="input_type")
        asked = mapping(body[kind], kind)
        entries = {"text": self._text, "image": self._image, "text_image": self._text_image}
        if kind in entries:
            data = [_entry(entries[kind](asked, model), dimension)]
        elif kind == "multi_input":
            data = [_entry(self._multi(asked, model), dimension)]
        else:
            data = self._timed(asked, model, kind, dimension)
        answer: dict[str, Any] = {"data": data}
        if model == "marengo3.5":
            answer["usage"] = {"input_tokens": {"text": 3}, "truncated": False}
        return Reply(200, answer)

    def _head(self, body: Mapping[str, Any], kinds: tuple[str, ...]) -> tuple[str, str, int]:
        """Model, kind of input and dimension of a request."""
        options = ("auto_truncate", "embedding_uncertainty", "embedding_dimension")
        known(body, ("input_type", "model_name", *options, *kinds), ("input_type", "model_name"))
        model = choice(body["model_name"], MODELS, "model_name")
        kind: str = choice(body["input_type"], kinds, "input_type")
        if {each for each in kinds if each in body} != {kind}:
            raise RefusedError("parameter_not_provided", f"Exactly the object {kind} is required.")
        for name in options:
            if name in body and model == "marengo3.0":
                raise RefusedError("VALIDATION_ERROR", f"{name} requires marengo3.5.", field=name)
        return model, kind, choice(body.get("embedding_dimension", DIMENSION), (128, 256, 512), "dimension")

    def _text(self, asked: Mapping[str, Any], model: str) -> Any:
        known(asked, ("input_text",), ("input_text",))
        return of_words(_words(asked["input_text"], model))

    def _image(self, asked: Mapping[str, Any], model: str) -> Any:
        known(asked, ("media_source",), ("media_source",))
        return _picture(self._files.medium(asked["media_source"]))

    def _text_image(self, asked: Mapping[str, Any], model: str) -> Any:
        known(asked, ("media_source", "input_text"), ("media_source", "input_text"))
        words = of_words(_words(asked["input_text"], model))
        return joined([words, _picture(self._files.medium(asked["media_source"]))])

    def _multi(self, asked: Mapping[str, Any], model: str) -> Any:
        known(asked, ("input_text", "media_sources"))
        sources = asked.get("media_sources", [])
        if not asked or not isinstance(sources, list) or len(sources) > 10:
            raise RefusedError("VALIDATION_ERROR", "multi_input takes a text and up to 10 media.")
        vectors = [self._listed(each, model) for each in sources]
        kinds = {each["media_type"] for each in sources}
        if "input_text" in asked:
            vectors.append(of_words(_words(asked["input_text"], model)))
        elif len(kinds) > 1:
            raise RefusedError("VALIDATION_ERROR", "Media of different types need a text.")
        return joined(vectors)

    def _listed(self, source: object, model: str) -> Any:
        each = dict(mapping(source, "a media source"))
        kinds = ("image",) if model == "marengo3.0" else ("image", "video", "audio")
        kind = choice(each.pop("media_type", None), kinds, "media_type")
        each.pop("name", None)
        medium = self._files.medium(each)
        if kind == "image":
            return _picture(medium)
        clip = self._clip(medium, kind, longest=30.0)
        return clip.vector("visual" if kind == "video" else "audio", 0.0, clip.seconds)

    def _timed(self, asked: Mapping[str, Any], model: str, kind: str, dimension: int) -> list[dict[str, Any]]:
        clip = self._clip(self._files.medium(asked.get("media_source")), kind, longest=600.0)
        spans, options, _ = _order(asked, model, kind, clip.seconds)
        return [
            _entry(vector, dimension, option, scope, span)
            for scope, span in spans
            for option in options
            if (vector := clip.vector(option, *span)) is not None
        ]

    # -- tasks --------------------------------------------------------------------------------------------

    def begin(self, request: Request) -> Reply:
        """POST /embed-v2/tasks."""
        body = request.json()
        model, kind, dimension = self._head(body, ("audio", "video"))
        asked = mapping(body[kind], kind)
        medium = self._files.medium(asked.get("media_source"), inline=False)
        clip = self._clip(medium, kind, longest=4 * 3600.0)
        spans, options, details = _order(asked, model, kind, clip.seconds)
        told = {"input_type": kind, **medium.shown, **details, "duration": clip.seconds}
        task = Task(model, medium, clip, spans, options, dimension, told, self._tasks.seconds)
        self._tasks.add(task)
        location = {"Location": f"/v1.3/embed-v2/tasks/{task.id}"}
        return Reply(202, {"_id": task.id, "status": "processing", "data": None}, location)

    def retrieve(self, id: str) -> Reply:
        """GET /embed-v2/tasks/{id}."""
        task = self._tasks.get(id)
        answer: dict[str, Any] = {**task.head(), "data": None}
        if answer["status"] == "failed":
            answer["error"] = {"message": task.error}
        elif answer["status"] == "ready":
            answer["metadata"] = task.details
            answer["data"] = [
                _entry(each["vector"], task.dimension, each["option"], each["scope"], each["span"])
                for each in task.vectors()
            ]
            if task.model == "marengo3.5":
                answer["usage"] = {
                    "input_tokens": {"video": round(task.clip.seconds) * 100},
                    "truncated": False,
                }
        return Reply(200, answer)

    def _clip(self, medium: Medium, kind: str, *, longest: float) -> Clip:
        try:
            clip = self._seen.clip(medium.content)
        except MediaError as error:
            raise RefusedError(f"{kind}_file_broken", "The media is not playable.") from error
        check_clip(clip, kind, longest)
        return clip


def check_clip(clip: Clip, kind: str, longest: float) -> None:
    """The documented limits of pictures and lengths."""
    if kind == "video":
        if clip.info is None:
            raise RefusedError("video_file_broken", "There is no video in the media.")
        short, long = sorted((clip.info.width, clip.info.height))
        if short < 360:
            raise RefusedError("video_resolution_too_low", "The resolution must be 360x360 or more.")
        if long > 5184 or short > 2160:
            raise RefusedError("video_resolution_too_high", "The resolution must be 5184x2160 or less.")
        if long > 2.4 * short:
            raise RefusedError("video_resolution_invalid_aspect_ratio", "The aspect ratio is not taken.")
    elif not clip.heard:
        raise RefusedError("audio_file_broken", "There is no sound in the media.")
    if clip.seconds < 4.0:
        raise RefusedError(f"{kind}_duration_too_short", "The duration must be 4 seconds or more.")
    if clip.seconds > longest:
        said = f"Duration ({clip.seconds:.1f} seconds) exceeds maximum limit of {longest:g} seconds"
        raise RefusedError(f"{kind}_duration_too_long", said)


def _words(text: object, model: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise RefusedError("VALIDATION_ERROR", "input_text must be a text.", field="input_text")
    if len(text.split()) > _TOKENS[model]:
        raise RefusedError("VALIDATION_ERROR", "input_text is too long.", field="input_text")
    return text


def _picture(medium: Medium) -> Any:
    if not medium.content.startswith(_MAGIC):
        raise RefusedError("image_format_invalid", "Images must be JPEG or PNG.")
    if len(medium.content) > 32_000_000:
        raise RefusedError("image_file_too_large", "Images must be 32 MB or less.", 413)
    try:
        return of_image(medium.content)
    except MediaError as error:
        raise RefusedError("image_file_broken", "The image can't be read.") from error


def _order(
    asked: Mapping[str, Any], model: str, kind: str, duration: float
) -> tuple[list[tuple[str, Span]], list[str], dict[str, Any]]:
    """The spans and options of a video or sound, and what the answer tells of them."""
    known(asked, _TIMED, ("media_source",))
    start, end = asked.get("start_sec", 0.0), asked.get("end_sec", duration)
    for value in (start, end):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RefusedError("VALIDATION_ERROR", "start_sec and end_sec must be numbers.")
    if not 0 <= start < end <= duration + 0.05:
        raise RefusedError("VALIDATION_ERROR", "end_sec must be after start_sec, inside the media.")
    allowed = _OPTIONS[model, kind]
    options = choices(asked.get("embedding_option", list(allowed)), allowed, "embedding_option")
    names = ("clip", "asset", "local") if model == "marengo3.5" else ("clip", "asset")
    scopes = choices(asked.get("embedding_scope", ["clip", "asset"]), names, "embedding_scope")
    cuts = _cuts(asked.get("segmentation"), model, kind, start, end)
    spans = [("clip", cut) for cut in cuts] if set(scopes) & {"clip", "local"} else []
    spans += [("asset", (start, end))] if "asset" in scopes else []
    details = {"embedding_scopes": scopes, "embedding_options": options}
    return spans, _typed(asked, model, options), details


def _typed(asked: Mapping[str, Any], model: str, options: list[str]) -> list[str]:
    """The options of the answer, by `embedding_type`."""
    if "embedding_type" not in asked:
        return options
    types = choices(asked["embedding_type"], ("separate_embedding", "fused_embedding"), "embedding_type")
    if len(options) < 2:
        raise RefusedError("VALIDATION_ERROR", "embedding_type needs two options or more.")
    if "fused_embedding" in types and model == "marengo3.5":
        raise RefusedError("VALIDATION_ERROR", "fused_embedding needs time_based_metadata.")
    separate = options if "separate_embedding" in types else []
    return [*separate, *(["fused"] if "fused_embedding" in types else [])]


def _cuts(given: object, model: str, kind: str, start: float, end: float) -> list[Span]:
    """Fixed windows with a short one at the end, or pieces of uneven lengths."""
    if given is None:
        standard = {"strategy": "dynamic", "dynamic": {"min_duration_sec": 4 if model == "marengo3.0" else 2}}
        shape: dict[str, Any] = (
            standard if kind == "video" else {"strategy": "fixed", "fixed": {"duration_sec": 6}}
        )
    else:
        shape = mapping(given, "segmentation")
        if model == "marengo3.5":
            known(shape, ("temporal",), ("temporal",))
            shape = mapping(shape["temporal"], "temporal")
    known(shape, ("strategy", "fixed", "dynamic"), ("strategy",))
    strategy = choice(shape["strategy"], ("fixed", "dynamic"), "strategy")
    if set(shape) != {"strategy", strategy}:
        raise RefusedError("VALIDATION_ERROR", f"segmentation needs exactly {strategy}.")
    if strategy == "dynamic" and (kind, model) == ("audio", "marengo3.0"):
        raise RefusedError("VALIDATION_ERROR", "Audio takes fixed segmentation.")
    name, highest = ("duration_sec", 10) if strategy == "fixed" else ("min_duration_sec", 5)
    inner = mapping(shape[strategy], strategy)
    known(inner, (name,), (name,))
    if type(inner[name]) is not int or not 2 <= inner[name] <= highest:
        raise RefusedError("VALIDATION_ERROR", f"{name} must be a whole number from 2 to {highest}.")
    steps = [float(inner[name])] if strategy == "fixed" else [inner[name] + 0.4, inner[name] + 1.1]
    cuts: list[Span] = []
    at = start
    while at < end - 0.001:
        until = min(at + steps[len(cuts) % len(steps)], end)
        if strategy == "dynamic" and end - until < inner[name]:
            until = end
        cuts.append((at, until))
        at = until
    return cuts


def _entry(
    vector: Any,
    dimension: int,
    option: str | None = None,
    scope: str | None = None,
    span: Span | tuple[None, None] = (None, None),
) -> dict[str, Any]:
    return {
        "embedding": shaped(vector, dimension) if not isinstance(vector, list) else vector,
        "embedding_option": option,
        "embedding_scope": scope,
        "start_sec": span[0],
        "end_sec": span[1],
    }
