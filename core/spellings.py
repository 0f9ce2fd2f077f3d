"""The forms in which a secret may stand in a text: as it is, escaped, in an address, in base64, in lines."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

_LINE = 8
"""Characters of a line of a secret that is masked by itself."""
_PIECE = 8
"""Characters of base64 that are masked, since fewer may be a word."""


def spellings(secret: str) -> set[str]:
    """The secret in every form that it may have in a message, a dump or an address."""
    whole = {secret, secret.strip(), " ".join(secret.split())}
    lines = {line.strip() for line in secret.splitlines()} if len(secret.splitlines()) > 1 else set()
    plain = whole | {line for line in lines if len(line) >= _LINE}
    escaped = {form for each in plain for form in _escaped(each)}
    twice = {form for each in escaped if "\\" in each for form in _escaped(each)}
    return {form for form in plain | escaped | twice | set(_encoded(secret)) if form}


def _escaped(text: str) -> Iterator[str]:
    """As Python, JSON, addresses and web pages write it."""
    data = text.encode(errors="surrogateescape")
    yield repr(text)[1:-1]
    yield repr(text + "'")[1:-2]  # in double quotes
    yield repr(text + "'\"")[1:-4]  # in single quotes, where they are escaped
    yield repr(data)[2:-1]
    for ascii_only in (True, False):
        yield json.dumps(text, ensure_ascii=ascii_only)[1:-1]
    yield json.dumps(text)[1:-1].replace("/", "\\/")
    for form in (quote(data), quote(data, safe=""), quote_plus(data)):
        yield form
        yield _small(form)
    yield html.escape(text)


def _small(quoted: str) -> str:
    """With small letters in `%2f`."""
    first, *rest = quoted.split("%")
    return "%".join([first, *(each[:2].lower() + each[2:] for each in rest)])


def _encoded(secret: str) -> Iterator[str]:
    """In base64 and hex, alone or behind something else, as in `user:password`.

    Three bytes make four characters, so there are three ways in; the characters at either end that also hold
    bits of a neighbour are left out.
    """
    data = secret.encode(errors="surrogateescape")
    for before, mixed in ((0, 0), (1, 2), (2, 3)):
        text = base64.b64encode(bytes(before) + data).decode().rstrip("=")
        piece = text[mixed : len(text) - ((before + len(data)) % 3 > 0)]
        if len(piece) >= _PIECE:
            yield from (piece, piece.replace("+", "-").replace("/", "_"))
            yield quote(piece, safe="")
    yield from (data.hex(), data.hex().upper())
