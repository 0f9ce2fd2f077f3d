"""Masking: what of a text must not be shown, found in time that grows with its length and no faster.

Known secrets are masked in every form in which they may arrive (`core.spellings`). Of unknown ones go the
credentials and the query of an address, relative ones too (a presigned one is as good as a key), the values
of names such as `api_key` and `Authorization`, what follows `Bearer` and `Basic`, JSON web tokens and private
keys. So do the bytes of media: byte literals, data URIs, long runs of base64 or of hex digits.

Two limits: digits behind a colon and before a slash are a port (`https://me:80/x@host` stays), and a secret
that nothing announces is masked only if it is known.

Every pattern begins at a literal or where a run of its characters does, and doesn't go back into what it has
passed (`++`, `*+`): otherwise a hostile text of a megabyte would take hours.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote

from .spellings import spellings

MASK = "***"
_SHORTEST_LEARNT = 8  # of an address's own password
_SHORTEST = 4  # a known secret of fewer characters would tear up every text
_LONGEST_PATH = 1024  # characters without a dot or a space
_RANDOM = 40  # different characters in a run that is no path; English ones have about 30

_ADDRESS = re.compile(r"(:(?:\\?/){2})((?:(?!://)[^\s\"'<>])++)")
_TELLING = re.compile(r"[@?#]")
_CREDENTIALS = re.compile(
    # A colon that no port follows begins a password, which may hold what should have been escaped.
    r"[^/?#:@\[\]]*+:(?!\d*+(?:[/?#]|$))(?:[^?#]*@|.*@)|[^/?#]*@"
)
_TO_HOST = re.compile(r"(?<![\w/:])//[^\s/?#@:\"'<>]*+:[^\s/?#@\"'<>]*+@")
_QUERY = re.compile(r"\?(?=[\w.~%-]{1,80}=)[^\s\"'<>]*+")

_NAMES = (
    r"signature|token|secret|passw|passphrase|credential|authori[sz]ation|cookie"
    r"|(?:api|access|account|private|encryption|master|auth)[_-]?key"
)
_NAME = re.compile(rf"{_NAMES}|(?:^|[_-]|3f|26)(?:sig|pwd)$", re.IGNORECASE)
_COUNTED = re.compile(r"tokens$", re.IGNORECASE)
_NAMED = re.compile(rf"(?<![\w-])(?=[\w-])(?=[\w-]*?(?:{_NAMES}|sig|pwd))([\w-]++)", re.IGNORECASE)
_ASSIGNED = re.compile(r"\\*+[\"']?\s{0,8}+(?:(?:[:=](?![:=])|%3[Dd])(\s{0,8}+))")
_PAIRED = re.compile(r"\\*+[\"']\s{0,8}+,\s{0,8}+(?=b?\\*+[\"'])")
_QUOTED = (
    r"[bBrRuU]?(?:\"(?:[^\"\\\r\n]|\\.)*+\"?|'(?:[^'\\\r\n]|\\.)*+'?"
    r"|\\++\"[^\"\r\n]*+\"?|\\++'[^'\r\n]*+'?)"
)
_VALUE = re.compile(rf"[\[(]\s*+(?:{_QUOTED}\s*+,?+\s*+)++|{_QUOTED}|[^\s,;&\"'(){{}}\[\]][^\s,;&\"')}}\]]*+")
_LINE = re.compile(rf"{_QUOTED}|[^\r\n]++")
_WHOLE_LINE = re.compile(r"authori[sz]ation|cookie", re.IGNORECASE)
_SENTENCE = re.compile(r"(?:[A-Za-z]|[A-Za-z][a-z]{1,30}+(?:'[a-z]{1,2})?)\s{1,8}+[A-Za-z'\"(]")
_HARMLESS = re.compile(r"None|null|true|false|''|\"\"", re.IGNORECASE)

_SCHEME = re.compile(r"\b(Bearer|Basic)(\s{1,8}+|%20|\+)([\w.~+/-]{6,}+=*+)", re.IGNORECASE | re.ASCII)
_ORDINARY = re.compile(r"(?=.{1,23}\Z)[A-Za-z]?[a-z]*(?:-[A-Za-z]?[a-z]*)*\.?")
_WEB_TOKEN = re.compile(r"(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{8,}+(?:\.[\w-]++)?+")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,30}?PRIVATE KEY-----(?:(?!-----).)*+(?:-----END [A-Z ]*+-----)?+", re.DOTALL
)

_BYTES = re.compile(r"[bB](?:(?<![\w'].)'(?:[^'\\\r\n]|\\.)*+('?)|(?<![\w\"].)\"(?:[^\"\\\r\n]|\\.)*+(\"?))")
_ESCAPED = re.compile(r"(?:\\{1,2}+(?:x[0-9a-fA-F]{2}|u00[01][0-9a-fA-F])[^\\\s'\"]{0,6}+){8,}+")
_DATA_URI = re.compile(
    r"data:((?:[\w.+-]{1,40}/[\w.+-]{1,60})?(?:;[\w.+-]{1,40}=[\w.+-]{1,40}){0,4}(?:;base64)?),[^\s\"'<>)]++"
)
_WRAPPED = re.compile(r"(?<![\w+/])(?:[\w+/-]{60,100}+(?:\\[rn]|\r?\n)++){3,}+[\w+/-]*+=*+", re.ASCII)
_RUN = re.compile(r"(?<![\w+/-])[\w+/-]{256,}+=*+", re.ASCII)
_HEX = frozenset("0123456789abcdefABCDEF")


class Redactor:
    """Masks what must not be shown."""

    def __init__(self) -> None:
        self._known: tuple[str, ...] = ()

    def learn(self, secret: str) -> None:
        """Mask this text from now on, wherever it stands and however it is written."""
        if len(secret) >= _SHORTEST:
            told = {*self._known, *(each for each in spellings(secret) if len(each) >= _SHORTEST)}
            self._known = tuple(sorted(told, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        for pattern, masked in _RULES:
            text = pattern.sub(masked, text)
        return _without_values(text)


def is_secret_name(name: str) -> bool:
    """Whether the value of such a name must not be shown."""
    return _NAME.search(name) is not None and _COUNTED.search(name) is None


def passwords(text: str) -> Iterator[str]:
    """The passwords in the addresses of a text, as they stand there and decoded.

    Short ones are left out: they may be words of every other text, and in an address they are masked anyway.
    """
    for found in _ADDRESS.finditer(text):
        if credentials := _CREDENTIALS.match(found[2]):
            password = credentials[0].removesuffix("@").partition(":")[2]
            yield from (each for each in {password, unquote(password)} if len(each) >= _SHORTEST_LEARNT)


def _address(found: re.Match[str]) -> str:
    """An address without credentials, query and fragment."""
    rest = found[2]
    if not _TELLING.search(rest):
        return found[0]
    credentials = _CREDENTIALS.match(rest)
    host = rest[credentials.end() :] if credentials else rest
    place = re.split(r"[?#]", host, maxsplit=1)
    shown = f"{place[0]}?{MASK}" if len(place) > 1 else place[0]
    return f"{found[1]}{MASK}@{shown}" if credentials else f"{found[1]}{shown}"


def _scheme(found: re.Match[str]) -> str:
    """`Bearer` and `Basic` without the token; words that follow them in a sentence stay."""
    basic = found[1].lower() == "basic"
    hidden = _is_login(found[3]) if basic else not _ORDINARY.fullmatch(found[3])
    return f"{found[1]}{found[2]}{MASK}" if hidden else found[0]


def _is_login(token: str) -> bool:
    """Whether it is `user:password` in base64."""
    plain = token.rstrip("=.")
    try:
        login = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode()
    except ValueError:
        return False
    return ":" in login and login.isprintable()


def _bytes(found: re.Match[str]) -> str:
    """A byte literal; one that was cut short has no quote at its end, and else may be an apostrophe."""
    closed = found[1] or found[2]
    return "<bytes>" if closed or "\\x" in found[0] else found[0]


def _wrapped(found: re.Match[str]) -> str:
    """Lines of base64; lines of hex digits are digests."""
    return "<base64>" if len(set(found[0])) >= _RANDOM else found[0]


def _run(found: re.Match[str]) -> str:
    """A long run of letters and digits, unless it is a name or a path."""
    run, kinds = found[0], set(found[0])
    is_data = len(run) >= _LONGEST_PATH or len(kinds) >= _RANDOM or kinds <= _HEX
    return f"<{len(run)} characters>" if is_data else run


def _without_values(text: str) -> str:
    """The text, with a mask for the value behind each name of a secret."""
    kept, at = [], 0
    for found in _NAMED.finditer(text):
        name = found[1]
        if found.start() < at or not _NAME.search(name):
            continue
        start, end = _span_of_value(text, found)
        if end > start:
            kept += [text[at:start], MASK]
            at = end
    return "".join([*kept, text[at:]])


def _span_of_value(text: str, found: re.Match[str]) -> tuple[int, int]:
    """Where the value behind a name starts and ends; the same place twice where there is none to mask."""
    name, end = found[1], found.end()
    if (paired := _PAIRED.match(text, end)) and _names_a_header(text, found):
        value = _VALUE.match(text, paired.end())
        return (value.start(), value.end()) if value else (end, end)
    assigned = _ASSIGNED.match(text, end)
    if not assigned:
        return end, end
    start, whole = assigned.end(), _WHOLE_LINE.search(name)
    value = (_LINE if whole else _VALUE).match(text, start)
    if not value or _HARMLESS.fullmatch(value[0]) or (_COUNTED.search(name) and value[0].isdigit()):
        return end, end
    prose = assigned[1] and not whole and "pass" not in name.lower() and _SENTENCE.match(text, start)
    return (end, end) if prose else (value.start(), value.end())


def _names_a_header(text: str, found: re.Match[str]) -> bool:
    """Whether `("name", "value")` is a header, and no list of two words such as `token` and `year`."""
    before = text[max(0, found.start() - 4) : found.start()].rstrip("\\\"'b ")
    plain = re.fullmatch(r"token|secret|signature|credentials?|sig", found[1], re.IGNORECASE)
    return before.endswith(("(", "[")) and not plain


_RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (_DATA_URI, rf"data:\1,{MASK}"),
    (_PRIVATE_KEY, MASK),
    (_BYTES, _bytes),
    (_ESCAPED, "<bytes>"),
    (_WRAPPED, _wrapped),
    (_RUN, _run),
    (_WEB_TOKEN, MASK),
    (_ADDRESS, _address),
    (_TO_HOST, f"//{MASK}@"),
    (_QUERY, f"?{MASK}"),
    (_SCHEME, _scheme),
)
