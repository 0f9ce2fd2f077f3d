"""The emulator of Ark: who may call, what a call may say, and the vector that it gets."""

from __future__ import annotations

import base64
import hmac
import json
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from ..emulation import Answered, Seen, answering
from ..faults import Fault, Faults
from ..vikingdb.media import Part, Vectorizer, picture_space
from ..vikingdb.refusal import Refusal as Unseen
from .chat import Chat
from .files import Files
from .items import Refusal, invalid, parts
from .responses import Responses
from .script import Said, Script

_BASE = "/api/v3"
_MOST_BYTES = 64 << 20  # of a request
_QUESTION = "根据这个问题，找到能回答这个问题的相应文本或图片："
_VERSIONS = {"250615": False, "251215": True}
"""Whether a version takes `instructions`."""
_KEYS = frozenset(
    {
        "model",
        "input",
        "encoding_format",
        "dimensions",
        "instructions",
        "sparse_embedding",
        "multi_embedding",
    }
)


@dataclass(slots=True)
class Settings:
    """How the emulator behaves.

    Args:
        api_key: Who may call.
        endpoints: Models by the names of endpoints.
        models: That answer questions about videos.
        frames: Versions that take frames a second; sources disagree about 250615.
        vectorize: The model that is played.
    """

    api_key: str = "ark-test"
    endpoints: tuple[tuple[str, str], ...] = (("ep-test", "doubao-embedding-vision-250615"),)
    models: frozenset[str] = frozenset({"doubao-seed-1-6-251015", "doubao-seed-1-8-test"})
    frames: frozenset[str] = frozenset(_VERSIONS)
    vectorize: Vectorizer = picture_space


class Emulator:
    """An account; `emulating` serves it at `url`, the API's base; `answer` is what it says to a request.

    `script` is what the model says that looks at videos; `files` are the account's.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.url = ""
        self.faults = Faults()
        self.script = Script()
        self.files = Files()
        self.responses = Responses(self.files, self.script)
        self.chat = Chat(self.script)
        self.seen: list[Seen] = []
        self.busiest = 0
        self._running = 0
        self._numbers = count(1)
        self._lock = threading.Lock()

    @property
    def bodies(self) -> list[Any]:
        """The JSON of every request that has some, in the order in which they came."""
        return [json.loads(seen.body) for seen in self.seen if seen.method == "POST" and _is_json(seen)]

    def answer(self, seen: Seen) -> Answered:
        """Check and do what is asked."""
        with self._lock:
            self.seen.append(seen)
            self._running += 1
            self.busiest = max(self.busiest, self._running)
        try:
            return self._answered(seen)
        except Refusal as refusal:
            return self.refused(refusal)
        finally:
            with self._lock:
                self._running -= 1

    def refused(self, refusal: Refusal) -> Answered:
        """A refusal as Ark tells it."""
        error = {
            "code": refusal.code,
            "message": str(refusal),
            "param": refusal.param,
            "type": "BadRequest",
        }
        more = {} if refusal.retry_after is None else {"Retry-After": f"{refusal.retry_after:g}"}
        return self._with_id(refusal.status, {"error": error}, more)

    # -- inside -------------------------------------------------------------------------------------------

    def _with_id(
        self, status: int, body: Mapping[str, Any], more: Mapping[str, str] | None = None
    ) -> Answered:
        headers = {"Content-Type": "application/json", "X-Request-Id": f"emulated-{next(self._numbers):06d}"}
        return Answered(status, json.dumps(body).encode(), {**headers, **(more or {})})

    def _answered(self, seen: Seen) -> Answered:
        scheme, _, key = seen.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not hmac.compare_digest(key, self.settings.api_key):
            raise Refusal(401, "AuthenticationError", "the API key is missing or unknown")
        match seen.method, seen.path.removeprefix(_BASE).split("/")[1:]:
            case _, ["files", *rest] if len(rest) < 2:
                return self._with_id(200, self.files.answer(seen, "".join(rest)))
            case "POST", ["embeddings", "multimodal"]:
                return self._with_id(200, self._embedded(_body(seen, "input")))
            case "POST", ["responses"]:
                body = _body(seen, "input")
                return self._said(self.responses.answer(body, self._model(body)), named=True)
            case "POST", ["chat", "completions"]:
                body = _body(seen, "messages")
                return self._said(self.chat.answer(body, self._model(body)), named=False)
        raise Refusal(404, "InvalidPath", "there is no such path")

    def _said(self, answer: dict[str, Any] | tuple[list[dict[str, Any]], Said], *, named: bool) -> Answered:
        """An answer, whole or as a stream whose events have names where the documents say so."""
        if isinstance(answer, dict):
            return self._with_id(200, answer)
        events, said = answer
        lines = [
            (f"event: {event['type']}\n" if named else "")
            + f"data: {json.dumps(event, ensure_ascii=False)}\n\n"
            for event in events
        ]
        headers = {"Content-Type": "text/event-stream", "X-Request-Id": f"emulated-{next(self._numbers):06d}"}
        sent = tuple(line.encode() for line in [*lines, "data: [DONE]\n\n"])
        return Answered(200, b"", headers, pieces=sent, pause=said.pause)

    def _model(self, body: Mapping[str, Any]) -> str:
        model = dict(self.settings.endpoints).get(body["model"], body["model"])
        if model not in self.settings.models:
            raise Refusal(404, "ModelNotOpen", f"the model {model} is not open", param="model")
        return str(model)

    def _embedded(self, body: Mapping[str, Any]) -> dict[str, Any]:
        if body.keys() - _KEYS:
            raise invalid("the body has unknown keys", min(body.keys() - _KEYS))
        model = dict(self.settings.endpoints).get(body["model"], body["model"])
        version = _version(model)
        dimension = _dimension(body)
        _check_instructions(body, version)
        given = parts(body["input"], frames=version in self.settings.frames)
        vector = self._vector(given, dimension)
        return {
            "id": f"emulated-{next(self._numbers)}",
            "created": 0,
            "model": model,
            "object": "list",
            "data": {"object": "embedding", "embedding": _encoded(vector, body)},
            "usage": _usage(given),
        }

    def _vector(self, given: list[Part], dimension: int) -> list[float]:
        bare = [Part(one.modality, one.text.removeprefix(_QUESTION), one.data, one.fps) for one in given]
        try:  # Ark isn't told what is a query, so all are made alike
            vector = self.settings.vectorize(bare, True)  # noqa: FBT003 - one shape for all
        except Unseen as error:
            raise invalid(error.message, "input") from error
        # twice the length: whoever compares must not take it for granted
        return [2 * value for value in vector] + [0.0] * (dimension - len(vector))


@contextmanager
def emulating(settings: Settings | None = None) -> Iterator[Emulator]:
    """An emulator at `emulator.url`, for as long as the context lasts."""
    emulator = Emulator(settings or Settings())

    def refuse(_: Seen, fault: Fault) -> Answered:
        return emulator.refused(
            Refusal(fault.status, fault.code, "on command", retry_after=fault.retry_after)
        )

    with answering(emulator.answer, refuse, emulator.faults) as url:
        emulator.url = f"{url}/api/v3"
        yield emulator


def _is_json(seen: Seen) -> bool:
    return seen.headers.get("content-type", "").partition(";")[0] == "application/json"


def _body(seen: Seen, content: str) -> dict[str, Any]:
    """The body without what is null; it names a model and has the content."""
    if not _is_json(seen):
        raise invalid("the content type is not application/json", "")
    if len(seen.body) > _MOST_BYTES:
        raise Refusal(413, "RequestTooLarge", "a request has 64 MB at most")
    try:
        body = json.loads(seen.body)
    except ValueError as error:
        raise invalid("the body is no JSON", "") from error
    if not isinstance(body, dict):
        raise invalid("the body is no object", "")
    said = {name: value for name, value in body.items() if value is not None}  # as the vendor's package does
    for name in ("model", content):
        if name not in said:
            raise Refusal(400, "MissingParameter", f"{name} is missing", param=name)
    return said


def _version(model: object) -> str:
    version = str(model).removeprefix("doubao-embedding-vision-")
    if version == model or version not in _VERSIONS:
        raise Refusal(404, "InvalidEndpointOrModel.NotFound", "there is no such model", param="model")
    return version


def _dimension(body: Mapping[str, Any]) -> int:
    dimension = body.get("dimensions", 2048)
    if dimension not in (1024, 2048):
        raise invalid("dimensions must be 1024 or 2048", "dimensions")
    if body.get("encoding_format", "float") not in ("float", "base64"):
        raise invalid("encoding_format must be float or base64", "encoding_format")
    return int(dimension)


def _check_instructions(body: Mapping[str, Any], version: str) -> None:
    if "instructions" in body and not (_VERSIONS[version] and isinstance(body["instructions"], str)):
        raise invalid(f"{version} takes no such instructions", "instructions")


def _encoded(vector: list[float], body: Mapping[str, Any]) -> object:
    if body.get("encoding_format") == "base64":
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    return vector


def _usage(given: list[Part]) -> dict[str, Any]:
    """Made-up counts: a token a character, 1000 an image, 10 000 a video."""
    texts = sum(len(one.text) for one in given)
    pictures = sum({"text": 0, "image": 1000, "video": 10_000}[one.modality] for one in given)
    total = texts + pictures
    details = {"image_tokens": pictures, "text_tokens": texts}
    return {"prompt_tokens": total, "total_tokens": total, "prompt_tokens_details": details}
