"""What the emulated model says: answers that a test has scripted, or one that names what it was shown."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as the model sees it.

    Args:
        text: Its words.
        videos: The bytes of each video, with the frames a second at which it is sampled.
        images: The bytes of each picture.
        before: Questions and answers that this one follows.
        thinking: Whether the model reasons first.
    """

    text: str
    videos: tuple[tuple[bytes, float], ...] = ()
    images: tuple[bytes, ...] = ()
    before: tuple[str, ...] = ()
    thinking: bool = True


@dataclass(frozen=True, slots=True)
class Said:
    """An answer.

    Args:
        text: Or what makes it of the question.
        reasoning: Said before it, where the model reasons.
        complete: Whether it is whole; else it met its limit of tokens.
        error: A code: the model fails instead, after it has begun.
        pause: Seconds between two pieces of a stream.
    """

    text: str | Callable[[Asked], str]
    reasoning: str = "Let me look."
    complete: bool = True
    error: str = ""
    pause: float = 0.0


@dataclass(slots=True)
class Script:
    """Answers in the order in which they shall come; without one, the model says what it sees."""

    waiting: deque[Said] = field(default_factory=deque)
    heard: list[Asked] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def say(self, *answers: str | Callable[[Asked], str] | Said) -> None:
        """Answer the next questions with these, in turn."""
        self.waiting.extend(each if isinstance(each, Said) else Said(each) for each in answers)

    def answer(self, asked: Asked) -> tuple[str, Said]:
        """What is said to a question: the words, and how."""
        with self._lock:
            self.heard.append(asked)
            said = self.waiting.popleft() if self.waiting else Said(_seen)
        return (said.text if isinstance(said.text, str) else said.text(asked)), said


def pieces(text: str, size: int = 7) -> list[str]:
    """The text in pieces, as it is streamed."""
    return [text[at : at + size] for at in range(0, len(text), size)]


def _seen(asked: Asked) -> str:
    return f"I see {len(asked.videos)} videos and {len(asked.images)} pictures."
