"""The Responses API: questions with media and follow-ups, answered whole or as a stream of events."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from .files import Files, container
from .items import Refusal, invalid, seen
from .script import Asked, Said, Script, pieces

_KEYS = frozenset(
    "input model instructions max_output_tokens parallel_tool_calls previous_response_id thinking store "
    "caching stream temperature text tool_choice tools top_p max_tool_calls context_management expire_at "
    "reasoning session service_tier".split()
)
_KEPT = 3 * 86_400


@dataclass(slots=True)
class Responses:
    """Answers that are kept, and what the model says.

    Args:
        files: Of the account.
        script: Of the model.
    """

    files: Files
    script: Script
    kept: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: count(1))

    def answer(
        self, body: Mapping[str, Any], model: str
    ) -> dict[str, Any] | tuple[list[dict[str, Any]], Said]:
        """The response, or the events of a stream and how they come.

        Raises:
            Refusal: The body isn't as documented.
        """
        if body.keys() - _KEYS:
            raise invalid(f"unknown parameters {sorted(body.keys() - _KEYS)}", min(body.keys() - _KEYS))
        asked = self._asked(body)
        text, said = self.script.answer(asked)
        id = f"resp_{next(self._numbers):06d}"
        stored = bool(body.get("store", True))
        response = {**_response(id, asked, text, said), "model": model, "store": stored}
        if stored and not said.error:
            self.kept[id] = (*asked.before, asked.text, text)
        if body.get("stream"):
            return _events(response), said
        if said.error:
            raise Refusal(500, said.error, "the model failed")
        return response

    def _asked(self, body: Mapping[str, Any]) -> Asked:
        before: tuple[str, ...] = ()
        if (previous := body.get("previous_response_id")) is not None:
            if previous not in self.kept:
                raise Refusal(404, "NotFound", f"the response {previous} does not exist")
            before = self.kept[previous]
        texts: list[str] = []
        videos: list[tuple[bytes, float]] = []
        images: list[bytes] = []
        for item in _content(body.get("input")):
            match item:
                case {"type": "input_text", "text": str(words), **rest} if not rest and words:
                    texts.append(words)
                case {"type": "input_image", "image_url": str(url), **rest} if rest.keys() <= {"detail"}:
                    images.append(seen("image", url))
                case {"type": "input_video", "file_id": str(id), **rest} if not rest:
                    file = self.files.usable(id)
                    videos.append((file.data, file.fps))
                case {"type": "input_video", "video_url": str(url), **rest} if rest.keys() <= {"fps"}:
                    videos.append((video(url), rate(rest.get("fps", 1.0))))
                case _:
                    raise invalid("an item is an input_text, input_image or input_video", "input")
        if not texts:
            raise invalid("there is no question", "input")
        return Asked("\n".join(texts), tuple(videos), tuple(images), before, thinks(body))


def usage(asked: Asked, text: str, said: Said) -> dict[str, Any]:
    """Made-up counts: a token a character, 100 a picture, 1000 a video."""
    given = len(asked.text) + 100 * len(asked.images) + 1000 * len(asked.videos)
    thought = len(said.reasoning) if asked.thinking else 0
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": len(text) + thought,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": given + len(text) + thought,
    }


def video(url: str) -> bytes:
    """The bytes of a video, which is MP4, MOV or AVI."""
    data = seen("video", url)
    if container(data) is None:
        raise Refusal(400, "InvalidVideoURL.Format", "this is no MP4, MOV or AVI", param="input")
    return data


def rate(fps: Any) -> float:
    """Frames a second, checked."""
    if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0.2 <= fps <= 5:
        raise invalid("fps must be a number from 0.2 to 5", "input")
    return float(fps)


def thinks(body: Mapping[str, Any]) -> bool:
    """Whether the model reasons first."""
    match body.get("thinking"):
        case None | {"type": "enabled" | "auto"}:
            return True
        case {"type": "disabled"}:
            return False
    raise invalid("thinking is enabled, disabled or auto", "thinking")


def _response(id: str, asked: Asked, text: str, said: Said) -> dict[str, Any]:
    now = int(time.time())
    reasoning = {
        "type": "reasoning",
        "id": f"rs_{id}",
        "summary": [{"type": "summary_text", "text": said.reasoning}],
        "status": "completed",
    }
    status = "failed" if said.error else "completed" if said.complete else "incomplete"
    message = {
        "type": "message",
        "role": "assistant",
        "id": f"msg_{id}",
        "status": status,
        "content": [{"type": "output_text", "text": text}],
    }
    output = [reasoning, message] if asked.thinking and said.reasoning else [message]
    return {
        "id": id,
        "object": "response",
        "created_at": now,
        "status": status,
        "output": [] if said.error else output,
        "usage": usage(asked, text, said),
        "expire_at": now + _KEPT,
        **({"error": {"code": said.error, "message": "the model failed"}} if said.error else {}),
        **({} if said.complete else {"incomplete_details": {"reason": "length"}}),
    }


def _content(given: Any) -> list[dict[str, Any]]:
    """The items of all messages."""
    if isinstance(given, str) and given:
        return [{"type": "input_text", "text": given}]
    items: list[dict[str, Any]] = []
    for message in given if isinstance(given, list) else ():
        match message:
            case {"role": "user" | "system", "content": str(words)}:
                items.append({"type": "input_text", "text": words})
            case {"role": "user" | "system", "content": list(content)}:
                items += [
                    {name: value for name, value in item.items() if value is not None} for item in content
                ]
            case _:
                raise invalid("a message has a role and a content", "input")
    if not items:
        raise invalid("input is a text or a list of messages", "input")
    return items


def _events(response: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a stream, in the order of the documents."""
    begun = {**response, "status": "in_progress", "output": [], "usage": None, "error": None}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for at, item in enumerate(response["output"]):
        where = {"output_index": at, "item_id": item["id"]}
        kind = item["type"] == "reasoning"
        part = item["summary" if kind else "content"][0]
        where["summary_index" if kind else "content_index"] = 0
        added = f"response.{'reasoning_summary' if kind else 'content'}_part"
        words = f"response.{'reasoning_summary_text' if kind else 'output_text'}"
        empty = {**item, "status": "in_progress", "summary" if kind else "content": []}
        events += [
            {"type": "response.output_item.added", "output_index": at, "item": empty},
            {"type": f"{added}.added", **where, "part": {**part, "text": ""}},
            *({"type": f"{words}.delta", **where, "delta": each} for each in pieces(part["text"])),
            {"type": f"{words}.done", **where, "text": part["text"]},
            {"type": f"{added}.done", **where, "part": part},
            {"type": "response.output_item.done", "output_index": at, "item": item},
        ]
    return [*events, {"type": f"response.{response['status']}", "response": response}]
