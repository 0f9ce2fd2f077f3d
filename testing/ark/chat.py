"""The Chat API: one question with media, answered whole or as a stream of chunks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from .items import Refusal, invalid, seen
from .responses import rate, thinks, usage, video
from .script import Asked, Said, Script, pieces

_KEYS = frozenset("messages model stream stream_options thinking max_tokens temperature top_p".split())


@dataclass(slots=True)
class Chat:
    """What the model says; nothing is kept."""

    script: Script
    _numbers: Any = field(default_factory=lambda: count(1))

    def answer(
        self, body: Mapping[str, Any], model: str
    ) -> dict[str, Any] | tuple[list[dict[str, Any]], Said]:
        """The completion, or the chunks of a stream and how they come.

        Raises:
            Refusal: The body isn't as documented.
        """
        if body.keys() - _KEYS:
            raise invalid(f"unknown parameters {sorted(body.keys() - _KEYS)}", min(body.keys() - _KEYS))
        asked = _asked(body)
        text, said = self.script.answer(asked)
        if said.error:
            raise Refusal(500, said.error, "the model failed")
        base = {"id": f"chat-{next(self._numbers)}", "created": int(time.time()), "model": model}
        if body.get("stream"):
            counted = (body.get("stream_options") or {}).get("include_usage", False)
            return _chunks(base, asked, text, said, counted=counted), said
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if asked.thinking:
            message["reasoning_content"] = said.reasoning
        choice = {"index": 0, "message": message, "finish_reason": _finish(said)}
        whole = {**base, "object": "chat.completion", "choices": [choice]}
        return {**whole, "usage": _usage(asked, text, said)}


def _asked(body: Mapping[str, Any]) -> Asked:
    texts: list[str] = []
    videos: list[tuple[bytes, float]] = []
    images: list[bytes] = []
    for item in _content(body.get("messages")):
        match item:
            case {"type": "text", "text": str(words), **rest} if not rest and words:
                texts.append(words)
            case {"type": "image_url", "image_url": {"url": str(url), **more}, **rest} if not (rest or more):
                images.append(seen("image", url))
            case {"type": "video_url", "video_url": {"url": str(url), **more}, **rest} if (
                not rest and more.keys() <= {"fps"}
            ):
                videos.append((video(url), rate(more.get("fps", 1.0))))
            case _:
                raise invalid("an item is a text, an image_url or a video_url, with fps inside", "messages")
    if not texts:
        raise invalid("there is no question", "messages")
    return Asked("\n".join(texts), tuple(videos), tuple(images), (), thinks(body))


def _content(messages: Any) -> list[Any]:
    items: list[Any] = []
    for message in messages if isinstance(messages, list) else ():
        match message:
            case {"role": "user" | "system", "content": str(words), **rest} if not rest:
                items.append({"type": "text", "text": words})
            case {"role": "user" | "system", "content": list(content), **rest} if not rest:
                items += content
            case _:
                raise invalid("a message has a role and a content", "messages")
    if not items:
        raise invalid("there are no messages", "messages")
    return items


def _chunks(
    base: Mapping[str, Any], asked: Asked, text: str, said: Said, *, counted: bool
) -> list[dict[str, Any]]:
    thought = pieces(said.reasoning) if asked.thinking else []
    deltas: list[dict[str, Any]] = [
        *({"reasoning_content": each, "content": ""} for each in thought),
        *({"content": each} for each in pieces(text)),
    ]
    choices = [{"index": 0, "delta": {"role": "assistant", **delta}} for delta in deltas]
    choices.append({"index": 0, "delta": {"content": ""}, "finish_reason": _finish(said)})
    chunks = [{**base, "object": "chat.completion.chunk", "choices": [choice]} for choice in choices]
    last = {**base, "object": "chat.completion.chunk", "choices": [], "usage": _usage(asked, text, said)}
    return [*chunks, last] if counted else chunks


def _finish(said: Said) -> str:
    return "stop" if said.complete else "length"


def _usage(asked: Asked, text: str, said: Said) -> dict[str, Any]:
    counted = usage(asked, text, said)
    return {
        "prompt_tokens": counted["input_tokens"],
        "completion_tokens": counted["output_tokens"],
        "total_tokens": counted["total_tokens"],
        "prompt_tokens_details": counted["input_tokens_details"],
        "completion_tokens_details": counted["output_tokens_details"],
    }
