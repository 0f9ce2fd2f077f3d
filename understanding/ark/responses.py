"""Ark's Responses API: the body of a question, and the reply that its events make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...core.ark import refusal
from ...core.errors import UnavailableError
from ...core.media import Modality
from ...core.questions import Listener, Piece, Question, Reply, Shown, Way
from .items import address
from .shape import table, tables, tokens, words


def body(question: Question, model: str, *, store: bool) -> dict[str, Any]:
    """The parameters of `responses.create`."""
    content = [_item(shown) for shown in question.shown]
    content.append({"type": "input_text", "text": question.text})
    made: dict[str, Any] = {
        "model": model,
        "input": [{"role": "user", "content": content}],
        "stream": True,
        "store": store,
    }
    if question.after is not None:
        made["previous_response_id"] = question.after
    if question.thinking is not None:
        made["thinking"] = {"type": "enabled" if question.thinking else "disabled"}
    if question.max_tokens is not None:
        made["max_output_tokens"] = question.max_tokens
    return made


def read(
    events: Iterable[Mapping[str, Any]], hear: Listener, request_id: str | None, *, stored: bool
) -> Reply:
    """The reply, once its last event is there; each piece is heard as it comes.

    Raises:
        PolyreelError: The model failed, or the stream is broken or ended before its end.
    """
    so_far = _SoFar(hear)
    for event in events:
        end = so_far.take(event, request_id)
        if end is not None:
            return so_far.reply(end, request_id, stored=stored)
    raise UnavailableError("Ark's answer ended before its end", request_id=request_id)


@dataclass(slots=True)
class _SoFar:
    """What has come of an answer."""

    hear: Listener
    answer: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)

    def take(self, event: Mapping[str, Any], request_id: str | None) -> Mapping[str, Any] | None:
        """The whole response, where the event is the last one."""
        match event.get("type"):
            case "response.output_text.delta":
                self._add(words(event.get("delta")), reasoning=False)
            case "response.reasoning_summary_text.delta":
                self._add(words(event.get("delta")), reasoning=True)
            case "response.completed" | "response.incomplete":
                return table(event.get("response"))
            case "response.failed":
                failed = table(table(event.get("response")).get("error"))
                raise refusal(
                    None,
                    str(failed.get("code") or ""),
                    str(failed.get("message") or "the model failed"),
                    request_id=request_id,
                )
            case "error":
                code, message = str(event.get("code") or ""), str(event.get("message") or "")
                raise refusal(None, code, message, request_id=request_id)
        return None

    def reply(self, response: Mapping[str, Any], request_id: str | None, *, stored: bool) -> Reply:
        """The reply; its words are those of the whole response, where that has them."""
        answer, reasoning = _words(response)
        expires = response.get("expire_at")
        return Reply(
            text=answer or "".join(self.answer),
            reasoning=reasoning or "".join(self.reasoning),
            id=str(response["id"]) if stored and response.get("id") else None,
            expires=float(expires) if isinstance(expires, int | float) else None,
            model=str(response.get("model") or ""),
            usage=tokens(response.get("usage"), given="input", made="output"),
            request_ids=(request_id,) if request_id else (),
            complete=response.get("status") == "completed",
        )

    def _add(self, text: str, *, reasoning: bool) -> None:
        (self.reasoning if reasoning else self.answer).append(text)
        self.hear(Piece(text, reasoning))


def _item(shown: Shown) -> dict[str, Any]:
    if shown.media.modality is Modality.IMAGE:
        return {"type": "input_image", "image_url": address(shown), "detail": "auto"}
    if shown.way is Way.FILE:  # its frames a second were said with the upload
        return {"type": "input_video", "file_id": shown.media.uri}
    return {"type": "input_video", "video_url": address(shown), "fps": shown.media.fps}


def _words(response: Mapping[str, Any]) -> tuple[str, str]:
    """Answer and reasoning: an item of reasoning may come before the message."""
    answer: list[str] = []
    reasoning: list[str] = []
    for item in tables(response.get("output")):
        if item.get("type") == "message":
            answer += [words(part.get("text")) for part in tables(item.get("content"))]
        elif item.get("type") == "reasoning":
            reasoning += [words(part.get("text")) for part in tables(item.get("summary"))]
    return "".join(answer), "".join(reasoning)
