"""Ark's Chat API: the body of a question, and the reply that its chunks make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...core.errors import UnavailableError
from ...core.media import Modality
from ...core.questions import Listener, Piece, Question, Reply, Shown
from .items import address
from .shape import table, tables, tokens, words


def body(question: Question, model: str) -> dict[str, Any]:
    """The parameters of `chat.completions.create`."""
    content = [_item(shown) for shown in question.shown]
    content.append({"type": "text", "text": question.text})
    made: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": content}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if question.thinking is not None:
        made["thinking"] = {"type": "enabled" if question.thinking else "disabled"}
    if question.max_tokens is not None:
        made["max_tokens"] = question.max_tokens
    return made


def read(chunks: Iterable[Mapping[str, Any]], hear: Listener, request_id: str | None) -> Reply:
    """The reply, once the stream is over; each piece is heard as it comes.

    Raises:
        UnavailableError: The stream is broken, or ended before the model did.
    """
    answer: list[str] = []
    reasoning: list[str] = []
    finished, model, usage = "", "", dict[str, float]()
    for chunk in chunks:
        model = str(chunk.get("model") or model)
        usage = tokens(chunk.get("usage"), given="prompt", made="completion") or usage
        for choice in tables(chunk.get("choices")):
            delta = table(choice.get("delta"))
            for name, told in (("reasoning_content", reasoning), ("content", answer)):
                if text := words(delta.get(name)):
                    told.append(text)
                    hear(Piece(text, reasoning=told is reasoning))
            finished = words(choice.get("finish_reason")) or finished
    if not finished:
        raise UnavailableError("Ark's answer ended before its end", request_id=request_id)
    return Reply(
        text="".join(answer),
        reasoning="".join(reasoning),
        model=model,
        usage=usage,
        request_ids=(request_id,) if request_id else (),
        complete=finished == "stop",
    )


def _item(shown: Shown) -> dict[str, Any]:
    if shown.media.modality is Modality.IMAGE:
        return {"type": "image_url", "image_url": {"url": address(shown)}}
    return {"type": "video_url", "video_url": {"url": address(shown), "fps": shown.media.fps}}
