"""A light English stemmer: brings the plural, -ing and -ed forms of a word together.

Lighter than Porter's (1980): it undoes inflection and leaves derivation alone ("singer" and "singing" stay
apart). A stem is a key, not a word: "dance", "dances" and "dancing" all become "danc".
"""

from __future__ import annotations

import re

_IRREGULAR = {
    "children": "child",
    "feet": "foot",
    "geese": "goose",
    "men": "man",
    "mice": "mouse",
    "teeth": "tooth",
    "wolves": "wolf",
    "women": "woman",
    "leaves": "leaf",
    "knives": "knife",
    "ran": "run",
    "sang": "sing",
    "sat": "sit",
    "swam": "swim",
}
_ENGLISH = re.compile(r"[a-z]{4,}")
_VOWEL = re.compile(r"[aeiouy]")
_SIBILANT_PLURAL = re.compile(r"(?:s|x|z|ch|sh)es$")
_KEEPS_S = ("ss", "us", "is")
_DOUBLED = re.compile(r"([b-df-hj-np-tv-z])\1$")


def stem(word: str) -> str:
    """Stem one folded word; words that aren't plain a-z are returned as they are.

    The steps, each at most once: irregular forms; -ies and -ied to -y; -es after a hiss; -s; -ing and -ed
    where what remains has a vowel and three letters; then a final e and a doubled last consonant go, so that
    "running" meets "run" and "dancing" meets "dance".
    """
    word = _IRREGULAR.get(word, word)
    if not _ENGLISH.fullmatch(word):
        return word
    return _final(_without_tense(_without_plural(word)))


def _without_plural(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if _SIBILANT_PLURAL.search(word):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(_KEEPS_S) else word


def _without_tense(word: str) -> str:
    if len(word) > 4 and word.endswith("ied"):
        return word[:-3] + "y"
    for ending in ("ing", "ed"):
        root = word.removesuffix(ending)
        if root != word and len(root) >= 3 and _VOWEL.search(root):
            return root
    return word


def _final(word: str) -> str:
    if len(word) > 3:
        word = word.removesuffix("e")
    return word[:-1] if len(word) > 3 and _DOUBLED.search(word) else word
