"""Clusters, the map, and how near each record is to those of other videos. Seeded, and in one thread.

Clusters are k-means over the principal components of unit vectors; how many there are is chosen by the
silhouette (Rousseeuw, "Silhouettes", 1987). The map is t-SNE (van der Maaten and Hinton, 2008) of the same
components.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .sampling import Rows

    Labels = NDArray[np.int64]
    Places = NDArray[np.float64]

MOST_CLUSTERS = 12
"""Clusters that are tried, and colours that can be told apart."""
MAPPED = 1000
"""Points that t-SNE places in a few seconds; the others are placed between the nearest three of them."""

_COMPONENTS = 50
_JUDGED = 1000  # rows by which the number of clusters is judged
_NEIGHBOURS = 5  # of other videos, by which a record is far or not
_BLOCK = 512  # rows that are compared with all others at once
_COUNTERPARTS = 20  # of a record, so that a thousand copies of one video don't take a million comparisons


@dataclass(slots=True)
class Nearness:
    """How records stand to those of other videos.

    Args:
        distances: Of each record, the mean cosine distance to its nearest ones.
        pairs: By two rows of different videos, their similarity, where it reaches the threshold.
    """

    distances: Places
    pairs: dict[tuple[int, int], float] = field(default_factory=dict)


def components(rows: Rows, seed: int) -> Rows:
    """The rows in few dimensions that keep most of their differences."""
    if not np.ptp(rows, axis=0).any():  # nothing differs
        return np.zeros((len(rows), 1), np.float32)
    count = min(_COMPONENTS, *rows.shape)
    with threadpool_limits(1):
        reduced: Rows = PCA(count, svd_solver="randomized", random_state=seed).fit_transform(rows)
    return reduced


def clustered(reduced: Rows, wanted: int | None, seed: int) -> Labels:
    """The cluster of each row, numbered from the largest; as many as fit best when it isn't said how many."""
    different = len(np.unique(np.round(reduced, 4), axis=0))
    most = min(wanted or MOST_CLUSTERS, different)
    with threadpool_limits(1):
        if wanted or most < 3:  # two different rows are one cluster or none
            labels = _kmeans(reduced, most if wanted or most < 2 else 1, seed)
        else:
            labels = _best(reduced, min(most, different - 1), seed)
    sizes = np.bincount(labels)
    order = sorted(range(len(sizes)), key=lambda label: (-sizes[label], int(np.argmax(labels == label))))
    renumbered = np.empty(len(sizes), np.int64)
    renumbered[order] = np.arange(len(sizes))
    numbered: Labels = renumbered[labels]
    return numbered


def typical(reduced: Rows, members: Sequence[int], count: int) -> list[int]:
    """The members nearest to their middle."""
    own = reduced[list(members)]
    far = np.linalg.norm(own - own.mean(axis=0), axis=1)
    return [members[at] for at in np.argsort(far, kind="stable")[:count]]


def placed(reduced: Rows, seed: int) -> Places:
    """A place in the unit square for each row."""
    few = reduced[:MAPPED]
    if len(few) < 6 or float(np.ptp(few)) == 0.0:
        flat = np.zeros((len(few), 2))
        flat[:, : min(2, few.shape[1])] = few[:, :2]
    else:
        perplexity = min(30.0, (len(few) - 1) / 3)
        with threadpool_limits(1):
            flat = TSNE(2, perplexity=perplexity, init="pca", random_state=seed, n_jobs=1).fit_transform(few)
    whole = np.concatenate([flat, *(_between(flat, few, row) for row in reduced[MAPPED:])])
    low, spread = whole.min(axis=0), np.ptp(whole, axis=0)
    unit: Places = np.where(spread > 0, (whole - low) / np.where(spread > 0, spread, 1), 0.5)
    return unit


def nearness(rows: Rows, videos: Sequence[str], threshold: float) -> Nearness:
    """Compare every row with all others, a block at a time; rows of one video aren't compared."""
    names, own = np.unique(np.array(videos), return_inverse=True)
    found = Nearness(np.zeros(len(rows)))
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(rows)))
        alike = (rows[block] @ rows.T).astype(np.float64)
        if len(names) > 1:
            alike[own[block, None] == own[None, :]] = -np.inf
        else:
            alike[np.arange(len(alike)), np.arange(start, block.stop)] = -np.inf
        found.distances[block] = _mean_distance(alike)
        if len(names) > 1:
            _remember(found, alike, start, threshold)
    return found


def _between(flat: Places, few: Rows, row: Rows) -> Places:
    """A place between those of the three nearest rows, the nearer to the more alike."""
    far = np.linalg.norm(few - row, axis=1)
    nearest = np.argpartition(far, 3)[:3]
    weights = 1.0 / np.maximum(far[nearest], 1e-9)
    place: Places = (flat[nearest] * weights[:, None]).sum(axis=0, keepdims=True) / weights.sum()
    return place


def _kmeans(reduced: Rows, count: int, seed: int) -> Labels:
    labels: Labels = KMeans(count, n_init=4, random_state=seed).fit_predict(reduced).astype(np.int64)
    return labels


def _best(reduced: Rows, most: int, seed: int) -> Labels:
    """The clustering whose silhouette is best."""
    tried: list[tuple[float, Labels]] = []
    for count in range(2, most + 1):
        labels = _kmeans(reduced, count, seed)
        judged = labels[:_JUDGED]
        if 1 < len(np.unique(judged)) < len(judged):
            tried.append((float(silhouette_score(reduced[:_JUDGED], judged)), labels))
    return max(tried, key=lambda each: each[0])[1] if tried else _kmeans(reduced, 1, seed)


def _mean_distance(alike: Places) -> Places:
    """Of each row; a row that may be compared with few others is compared with those."""
    count = min(_NEIGHBOURS, alike.shape[1])
    nearest = np.partition(alike, -count, axis=1)[:, -count:]
    known = np.isfinite(nearest)
    total = np.where(known, nearest, 0.0).sum(axis=1)
    means: Places = 1.0 - total / np.maximum(known.sum(axis=1), 1)
    return means


def _remember(found: Nearness, alike: Places, start: int, threshold: float) -> None:
    """The nearest counterparts of each row that reach the threshold."""
    count = min(_COUNTERPARTS, alike.shape[1])
    nearest = np.argpartition(alike, -count, axis=1)[:, -count:]
    reach = np.take_along_axis(alike, nearest, axis=1) >= threshold
    for at, place in zip(*np.nonzero(reach), strict=True):
        one, other = start + int(at), int(nearest[at, place])
        found.pairs[min(one, other), max(one, other)] = float(alike[at, other])
