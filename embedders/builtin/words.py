"""Text as 408 numbers: words, pieces of words and Han bigrams, hashed with signs. Pure Python, no vocabulary.

Two texts are alike as far as they share words. There is no meaning in it: "puppy" doesn't find "dog".
Hashing with signs is that of Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (2009),
section 2; each feature has two slots, so that features which collide in one hardly ever collide in both.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from hashlib import blake2b
from itertools import pairwise
from math import fsum

from .stem import stem

DIMENSIONS = 408
MAX_CHARACTERS = 65_536
"""What is read of a text. Far below it, 408 slots are full and say nothing more."""

# Weights of the features. A Chinese caption has more pairs than an English one has words, hence 0.85.
WORD = 1.0
GRAM = 0.25
HAN_PAIR = 0.85
HAN_SINGLE = 0.35
STOP = 0.08

_GRAM_LENGTH = 4

_STOP_WORDS = frozenset(
    "a about above after all an and are as at be been before being below between both but by can did do "
    "does doing down during each for from had has have having he her here him his how i if in into is it "
    "its itself just me more most my no nor not of off on once only or other our out over own s same she "
    "should so some such t than that the their them then there these they this those through to too under "
    "until up us very was we were what when where which while who whom why will with would you your".split()
)
_STOP_HAN = frozenset("的了着在和与及是有这那个一不也就都而被把从到上中下里为以之其地得并")

# Han (with extensions, compatibility forms and 々), kana and Hangul are written without spaces or inflect at
# the end of the word; everything else that is a letter or digit is taken as words between spaces.
_HAN = "\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA_HANGUL = "\u3041-\u3096\u30a1-\u30ff\uac00-\ud7a3"
_RUN = re.compile(rf"(?P<han>[{_HAN}]+)|(?P<pairs>[{_KANA_HANGUL}]+)|(?P<word>[^\W_{_HAN}{_KANA_HANGUL}]+)")
_POSSESSIVE = re.compile(r"['\u2019]s\b")


def text_block(text: str) -> list[float]:
    """Hash a text.

    A feature counts once, however often it occurs. The text is folded (NFKC, case), so "Ｒｅｄ" and "red"
    are one word. What is neither letter nor digit separates words, lone surrogates and emoji included.

    Args:
        text: Any string; the first `MAX_CHARACTERS` are read.

    Returns:
        408 numbers of unit norm; all zeros for a text without letters and digits.
    """
    sums = [0.0] * DIMENSIONS
    for feature, weight in features(text).items():
        for slot, sign in _slots(feature):
            sums[slot] += sign * weight
    norm = fsum(value * value for value in sums) ** 0.5
    return [value / norm for value in sums] if norm else sums


def features(text: str) -> dict[str, float]:
    """List the features of a text and the weight of each: the highest that it has anywhere in the text."""
    weights: dict[str, float] = {}
    for feature, weight in _occurrences(_fold(text[:MAX_CHARACTERS])):
        if weight > weights.get(feature, 0.0):
            weights[feature] = weight
    return weights


def _fold(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _POSSESSIVE.sub("", folded[:MAX_CHARACTERS])


def _occurrences(folded: str) -> Iterator[tuple[str, float]]:
    for run in dict.fromkeys((match.lastgroup, match.group()) for match in _RUN.finditer(folded)):
        match run:
            case "han", characters:
                yield from _han(characters)
            case "pairs", characters:
                yield from _pairs(characters)
                yield from _single(characters)
            case _, word:
                yield from _word(word)


def _word(word: str) -> Iterator[tuple[str, float]]:
    if word in _STOP_WORDS:
        yield f"w:{word}", STOP
        return
    root = stem(word)
    yield f"w:{root}", WORD
    for start in range(len(root) - _GRAM_LENGTH + 1):
        yield f"g:{root[start : start + _GRAM_LENGTH]}", GRAM


def _han(run: str) -> Iterator[tuple[str, float]]:
    for character in run:
        yield f"h:{character}", STOP if character in _STOP_HAN else HAN_SINGLE
    yield from _pairs(run)


def _single(run: str) -> Iterator[tuple[str, float]]:
    if len(run) == 1:
        yield f"h:{run}", HAN_SINGLE


def _pairs(run: str) -> Iterator[tuple[str, float]]:
    for first, second in pairwise(run):
        yield f"p:{first}{second}", HAN_PAIR


def _slots(feature: str) -> Iterator[tuple[int, float]]:
    """Two places and signs from one digest; little-endian by decree, so the same on every machine."""
    digest = blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    for half in (digest[:4], digest[4:]):
        number = int.from_bytes(half, "little")
        yield (number >> 1) % DIMENSIONS, 1.0 if number & 1 else -1.0
