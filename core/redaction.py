"""Text without secrets: what every error message and every log line goes through.

Masked are the secrets that the configuration holds, credentials and queries of URLs (a presigned one is as good as
a key), headers and parameters that authorize, and media bytes. Masked text stays as it is when it is masked again.
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST = 4
"""A known secret of fewer characters is not masked: that would tear up every text, and guard nothing."""

_WHOLE_WORD = 8  # a shorter secret, such as "test", is masked only where it stands alone
_LONGEST = 50_000  # characters of a text; the rest of a longer one is left out

_NAME = r"(?:signature|credentials?|token|secret|passw(?:or)?d|api[_-]?key|access[_-]?key(?:[_-]?id)?|\bsig)"
_HEADER = rf"(?:(?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]{{0,40}}{_NAME}[\w-]{{0,20}}|api-key)"
_QUOTED = r"""(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?)"""
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), mask)
    for pattern, mask in (
        # b'...', as a driver shows a body, and base64: of a data URI, or long enough to be media
        (r"""\bb(?:'(?:[^'\\\n]|\\.)*'?|"(?:[^"\\\n]|\\.)*"?)""", "<bytes>"),
        (r"\bdata:[\w/+.-]{0,80};base64,[\w+/=%-]*", f"data:{MASK}"),
        (r"(?<![\w+/-])[\w+/-]{256,}={0,2}", MASK),
        # "Authorization": "...", ('api_key', '...') and Authorization: ... to the end of the line
        (rf"""((["'])[\w-]{{0,40}}(?:{_NAME}|{_HEADER})[\w-]{{0,20}}\2\s*:\s*[\[(]?\s*){_QUOTED}""", rf"\1'{MASK}'"),
        (rf"""(\(\s*(["'])[\w-]{{0,40}}(?:{_NAME}|{_HEADER})\2\s*,\s*){_QUOTED}""", rf"\1'{MASK}'"),
        (rf"(\b{_HEADER}\s*:[ \t]*)[^\r\n]*", rf"\1{MASK}"),
        (r"(\b(?:bearer|basic)\s+)(?!auth|token|realm|error)[\w.~+/=-]{8,}", rf"\1{MASK}"),
        # https://user:password@host/path?query; a password may hold / and @, a port is no password
        (r"""([a-z][a-z0-9+.-]{1,20}://)(?:[^\s/?#@"'<>]{0,2000}@|[^\s/?#@:"'<>]{0,200}:(?!\d{1,5}(?:[/?#\s]|$))"""
         r"""[^\s"'<>]{0,2000}@)""", rf"\1{MASK}@"),
        (r"""([a-z][a-z0-9+.-]{1,20}://[^\s?#"'<>]*)(?:\?[^\s"'<>]+|#[^\s"'<>=]*=[^\s"'<>]*)""", rf"\1?{MASK}"),
        # the same without the host, as urllib3 says it, and one parameter alone
        (r"""\?[\w.~%+\[\]-]{1,200}=[^\s"'<>]*""", f"?{MASK}"),
        (rf"""({_NAME}["']?\s{{0,3}}=\s{{0,3}})(?:{_QUOTED}|[^\s&,;"'<>)]+)""", rf"\1{MASK}"),
    )
)  # fmt: skip


class Redactor:
    """Masks what must not be shown, and what it was told not to show. May be used from several threads."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def learn(self, secret: str) -> None:
        """Mask this text from now on, in every spelling that a message may give it."""
        if len(secret.strip()) >= SHORTEST:
            self._known |= _spellings(secret)
            longest_first = sorted(self._known, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(_matching, longest_first)), re.IGNORECASE)

    def __call__(self, text: str) -> str:
        """The text with all that is secret masked."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        text = _cut(text)
        for pattern, mask in _RULES:
            text = pattern.sub(mask, text)
        return text


redacted = Redactor()
"""The one of this process: a secret of one stack is secret to all, and errors are made far from a configuration."""


def secretive(name: str) -> bool:
    """Whether the value of a key or parameter of this name must not be shown."""
    return re.search(rf"{_NAME}|{_HEADER}", name, re.IGNORECASE) is not None


def _spellings(secret: str) -> set[str]:
    """As it is, escaped and quoted; of a text of several lines, such as a private key, each long line, too."""
    plain = secret.strip()
    lines = [line for line in map(str.strip, plain.splitlines()) if len(line) >= 16]
    return {
        spelling
        for text in (plain, *lines)
        for spelling in (
            text,
            repr(text)[1:-1],
            json.dumps(text)[1:-1],
            json.dumps(text, ensure_ascii=False)[1:-1],
            quote(text, safe=""),
            quote(text),
            quote_plus(text),
        )
    }


def _matching(secret: str) -> str:
    if len(secret) >= _WHOLE_WORD:
        return re.escape(secret)
    return rf"(?<!\w){re.escape(secret)}(?!\w)"


def _cut(text: str) -> str:
    """At most so much, cut where a word ends: half a secret would not be recognised."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST].rpartition(' ')[0]} …"
