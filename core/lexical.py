"""Words of a text as sparse vectors, the same on every store: one tokenizer and one BM25.

A text is folded (NFKC, then case) and taken apart into words; Han, kana and Hangul are written without
spaces, so their runs give pairs of neighbouring characters, and single characters for a query of one. A
record's weights are BM25's saturated term frequencies (Robertson and Zaragoza, "The Probabilistic Relevance
Framework", 2009, section 3.2) with a fixed average length, for no store knows another's mean; the inverse
document frequency, which would need counts over the whole collection, is replaced by a low weight of
function words. So a score is the inner product of two sparse vectors, and a record's own does not change
when others come or go.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .records import Text

K1 = 1.2
"""How soon repetitions of a term stop to count."""
B = 0.75
"""How much a long text loses."""
AVERAGE_LENGTH = 32
"""Terms of a usual title, tags and caption of a clip."""
COMMON = 0.1
"""Weight of a function word in a query; the weight of any other term is 1."""
MAX_CHARACTERS = 65_536
"""What is read of a text."""

_SHORT = 32  # characters of a term whose number is remembered

STOP_WORDS = frozenset(
    "a about above after all an and are as at be been before being below between both but by can did do "
    "does doing down during each for from had has have having he her here him his how i if in into is it "
    "its itself just me more most my no nor not of off on once only or other our out over own s same she "
    "should so some such t than that the their them then there these they this those through to too under "
    "until up us very was we were what when where which while who whom why will with would you your".split()
)
STOP_HAN = frozenset("的了着在和与及是有这那个一不也就都而被把从到上中下里为以之其地得并")

# Han (with extensions, compatibility forms and 々), kana and Hangul are written without spaces or inflect at
# the end of the word; everything else that is a letter or digit is taken as words between spaces.
_HAN = "\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA_HANGUL = "\u3041-\u3096\u30a1-\u30ff\uac00-\ud7a3"
_RUN = re.compile(rf"(?P<han>[{_HAN}]+)|(?P<pairs>[{_KANA_HANGUL}]+)|(?P<word>[^\W_{_HAN}{_KANA_HANGUL}]+)")
_WORD = re.compile("[0-9a-z]+")  # what `_RUN` finds in ASCII, in a fifth of the time
_POSSESSIVE = re.compile(r"['\u2019]s\b")

Sparse = Mapping[int, float]
"""Weights by the term's number, 0 to 2^31 - 1; every weight is above 0."""


def fold(text: str) -> str:
    """The text with compatibility forms, letter case and the English possessive taken away."""
    read = text[:MAX_CHARACTERS]
    if read.isascii():  # it has no other forms
        return _POSSESSIVE.sub("", read.lower()) if "'" in read else read.lower()
    return _POSSESSIVE.sub("", unicodedata.normalize("NFKC", read).casefold()[:MAX_CHARACTERS])


def runs(folded: str) -> Iterator[tuple[str, str]]:
    """The runs of one script in a folded text, each with its kind: `han`, `pairs` (kana, Hangul), `word`."""
    return ((match.lastgroup or "word", match.group()) for match in _RUN.finditer(folded))


@lru_cache(maxsize=1024)  # the clips of a video often have the same text
def document(text: Text) -> Sparse:
    """The weights of a record's title, tags, caption and transcript; empty without a word. Read only."""
    folded = fold(text.joined())
    terms, singles = (_WORD.findall(folded), "") if folded.isascii() else _taken_apart(folded)
    counts = Counter(terms)
    counts.update(singles)
    scale = K1 * (1 - B + B * len(terms) / AVERAGE_LENGTH)
    return _numbered({term: count * (K1 + 1) / (count + scale) for term, count in counts.items()})


def query(text: str) -> Sparse:
    """The weights of a query's terms; a repetition counts once. Empty without a word."""
    terms = (term for kind, run in runs(fold(text)) for term in _terms(kind, run))
    return _numbered({term: COMMON if _is_common(term) else 1.0 for term in terms})


def score(document: Sparse, query: Sparse) -> float:
    """The inner product, by which every store orders."""
    return sum(weight * document.get(term, 0.0) for term, weight in query.items())


def _taken_apart(folded: str) -> tuple[list[str], str]:
    """The terms of a text, and the characters of its pairs, for a query of one character."""
    terms: list[str] = []
    singles: list[str] = []
    for kind, run in runs(folded):
        terms += _terms(kind, run)
        if kind != "word" and len(run) > 1:
            singles.append(run)
    return terms, "".join(singles)


def _terms(kind: str, run: str) -> list[str]:
    if kind == "word" or len(run) == 1:
        return [run]
    return [first + second for first, second in pairwise(run)]


def _is_common(term: str) -> bool:
    return term in STOP_WORDS or all(character in STOP_HAN for character in term)


def _numbered(weights: Mapping[str, float]) -> Sparse:
    """By numbers in place of terms; where two have the same number, which is rare, the heavier counts."""
    numbered: dict[int, float] = {}
    for term, weight in weights.items():
        number = _known_number(term) if len(term) <= _SHORT else _number(term)
        if weight > numbered.get(number, 0.0):
            numbered[number] = weight
    return numbered


def _number(term: str) -> int:
    """31 bits of a digest, little-endian by decree: Milvus takes no index of 2^32 - 1, and 31 always fit."""
    digest = blake2b(term.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "little") >> 1


@lru_cache(maxsize=1 << 14)  # the words of a collection come again and again
def _known_number(term: str) -> int:
    return _number(term)
