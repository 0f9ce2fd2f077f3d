"""What the texts of a cluster say that others don't."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from ..core.lexical import STOP_HAN, STOP_WORDS, fold, runs
from ..core.records import Text

_COUNT = 4
_SHORTEST = 3  # letters of a word
_LONGEST = 6  # characters of a run without spaces: a longer one is a sentence


def typical_words(texts: Sequence[Text], clusters: Sequence[int]) -> list[tuple[str, ...]]:
    """The words of each cluster by how much commoner they are there than in the whole sample.

    A word counts once for each record: `share here * log(share here / share everywhere)`, its part of a
    Kullback-Leibler divergence. Where there is one cluster only, its commonest words.
    """
    terms = [set(_terms(text)) for text in texts]
    count = max(clusters, default=-1) + 1
    everywhere = Counter(term for each in terms for term in each)
    labels = []
    for cluster in range(count):
        own = [each for each, label in zip(terms, clusters, strict=True) if label == cluster]
        here = Counter(term for each in own for term in each)
        score = {
            term: _weight(number / len(own), everywhere[term] / len(texts), alone=count == 1)
            for term, number in here.items()
        }
        best = sorted(score, key=lambda term: (-score[term], -len(term), term))
        labels.append(tuple(_different(term for term in best if score[term] > 0)))
    return labels


def _weight(here: float, everywhere: float, *, alone: bool) -> float:
    return here if alone else here * math.log(here / everywhere)


def _terms(text: Text) -> Iterable[str]:
    """Tags whole, and the words of title, tags and caption."""
    yield from (fold(tag).strip() for tag in text.tags if tag.strip())
    for kind, run in runs(fold("\n".join((text.title, *text.tags, text.caption)))):
        if kind == "word":
            if len(run) >= _SHORTEST and run not in STOP_WORDS and not run.isdigit():
                yield run
        elif 1 < len(run) <= _LONGEST and not all(each in STOP_HAN for each in run):
            yield run


def _different(words: Iterable[str]) -> Iterable[str]:
    """The first few, without those that are a part of one before."""
    taken: list[str] = []
    for word in words:
        if len(taken) == _COUNT:
            return
        if not any(word in other or other in word for other in taken):
            taken.append(word)
            yield word
