"""Text as 408 numbers: words, pieces of words and Han bigrams, hashed with signs. Pure Python, no vocabulary.

Two texts are alike as far as they share words. There is no meaning in it: "puppy" doesn't find "dog".
Hashing with signs is that of Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (2009),
section 2; each feature has two slots, so that features which collide in one hardly ever collide in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import pairwise
from math import fsum

from ...core.lexical import STOP_HAN, STOP_WORDS, fold, runs
from .stem import stem

DIMENSIONS = 408

# Weights of the features. A Chinese caption has more pairs than an English one has words, hence 0.85.
WORD = 1.0
GRAM = 0.25
HAN_PAIR = 0.85
HAN_SINGLE = 0.35
STOP = 0.08

_GRAM_LENGTH = 4


def text_block(text: str) -> list[float]:
    """Hash a text.

    A feature counts once, however often it occurs. The text is folded (NFKC, case), so "Ｒｅｄ" and "red"
    are one word. What is neither letter nor digit separates words, lone surrogates and emoji included.

    Args:
        text: Any string; the first `core.lexical.MAX_CHARACTERS` are read.

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
    for feature, weight in _occurrences(fold(text)):
        if weight > weights.get(feature, 0.0):
            weights[feature] = weight
    return weights


def _occurrences(folded: str) -> Iterator[tuple[str, float]]:
    for run in dict.fromkeys(runs(folded)):
        match run:
            case "han", characters:
                yield from _han(characters)
            case "pairs", characters:
                yield from _pairs(characters)
                yield from _single(characters)
            case _, word:
                yield from _word(word)


def _word(word: str) -> Iterator[tuple[str, float]]:
    if word in STOP_WORDS:
        yield f"w:{word}", STOP
        return
    root = stem(word)
    yield f"w:{root}", WORD
    for start in range(len(root) - _GRAM_LENGTH + 1):
        yield f"g:{root[start : start + _GRAM_LENGTH]}", GRAM


def _han(run: str) -> Iterator[tuple[str, float]]:
    for character in run:
        yield f"h:{character}", STOP if character in STOP_HAN else HAN_SINGLE
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
