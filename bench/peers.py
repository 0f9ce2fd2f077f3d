"""Measures polyreel against tutorials, LangChain and Haystack on the same engines: `make bench-stores`.

    python -m polyreel.bench.peers [--records 10000] [--text-only]

Every side is handed the same vectors, texts and metadata, a thousand records at a time and in turns, and
then the same searches. What they make of it differs: polyreel checks it, keeps columns to filter by and the
words of the texts to find them (but for the side without words); and at the end it flushes and builds
indexes, which the others leave to their searches. So three things are measured: writing; all until the first
searches are answered, with flush and indexes; and a search later on. Times are the processor's, of this
process with the engines.
"""

from __future__ import annotations

import argparse
import gc
import logging
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

from ..core import lexical
from ..core.records import Record
from . import vectors
from .conditions import FIELDS, Fields
from .libraries import LIMIT, PEERS, Metadata, Peer
from .stacks import chosen, opened
from .timing import Way, compare
from .vectors import Data

_DIMENSION = 512
_CHUNK = 1000
_HEAD = (
    "peer | write, µs a record | `local` | same engine | … without words"
    " | written and searched, s | `local` | same engine | … without words"
    " | search, ms | `local` | same engine"
)


class Polyreel:
    """polyreel: `upsert`, then `flush` and `optimize` as after an ingest, and `VideoSearch.search`."""

    def __init__(self, engine: str, folder: Path, held: ExitStack, *, words: bool, text_only: bool) -> None:
        (stack,) = chosen((engine,), None, folder)
        stack = replace(stack, overrides={"lexical": words})
        opening = opened(stack, _DIMENSION, fields={} if text_only else FIELDS)
        self._search, self._store = held.enter_context(opening)

    def write(self, rows: Sequence[Record]) -> None:
        """Records are made anew, as the others make their documents and points."""
        self._store.wait(self._store.upsert(replace(row) for row in rows))

    def settle(self) -> None:
        """What follows the last of them."""
        self._store.flush()
        self._store.optimize()

    def search(self, vector: list[float]) -> Sequence[object]:
        """Of any scope, which the others don't know."""
        return self._search.search(vector=vector, scope=None, limit=LIMIT).hits


class Other:
    """A tutorial or a library: it is handed lists of vectors, texts and metadata."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.search = peer.search

    def write(self, rows: Sequence[Record]) -> None:
        """The text in one, and what else a record has as flat metadata."""
        content = [cast("list[float]", row.content) for row in rows]
        self._peer.write(content, [row.text.joined() for row in rows], [_metadata(row) for row in rows])

    def settle(self) -> None:
        """Nothing: none of their pages does more."""


Side = Polyreel | Other


def run(records: int, *, first: int, rounds: int, text_only: bool) -> list[str]:
    """Lines of a table: each peer, and polyreel on its default engine and on the peer's."""
    with tempfile.TemporaryDirectory() as folder:
        data = Data.clustered(records, _DIMENSION, queries=first)
        data.save(Path(folder))
        rows = list(vectors.records(Path(folder), 0, records, Fields(records, (0.1,), 1), payload=True))
        if text_only:
            rows = [replace(row, fields={}, extra={}) for row in rows]
        lines = [_HEAD, " | ".join("---" for _ in _HEAD.split(" | "))]
        for kind in PEERS:
            place = Path(folder) / kind.__name__
            place.mkdir()
            with ExitStack() as held:
                engines = {"local": "edge", "same": kind.engine, "bare": kind.engine}
                sides: dict[str, Side] = {"peer": Other(kind(place, _DIMENSION))}
                for name, engine in engines.items():
                    words = name != "bare"
                    sides[name] = Polyreel(engine, place / name, held, words=words, text_only=text_only)
                lines.append(_line(kind.name, sides, rows, data.queries.tolist(), rounds))
            print(lines[-1], file=sys.stderr)
    return [f"| {line} |" for line in lines]


def _line(
    name: str,
    sides: Mapping[str, Side],
    rows: Sequence[Record],
    queries: Sequence[list[float]],
    rounds: int,
) -> str:
    """What the sides took, the peer's own and how many times as fast polyreel is."""
    written, settled, searched = _spent(sides, rows, queries)
    whole = {side: written[side] + settled[side] + searched[side] for side in sides}
    later = compare(
        {side: _asking(queries, sides[side].search) for side in sides}, rounds=rounds, clock=time.process_time
    )
    cells = [
        name,
        f"{written['peer'] / len(rows) * 1e6:.0f}",
        *(f"x{written['peer'] / written[side]:.2f}" for side in ("local", "same", "bare")),
        f"{whole['peer']:.2f}",
        *(f"x{whole['peer'] / whole[side]:.2f}" for side in ("local", "same", "bare")),
        f"{later.median('peer') * 1e3:.2f}",
        *(f"x{later.ratio('peer', side):.2f}" for side in ("local", "same")),
    ]
    return " | ".join(cells)


def _spent(
    sides: Mapping[str, Side], rows: Sequence[Record], queries: Sequence[list[float]]
) -> tuple[Mapping[str, float], Mapping[str, float], Mapping[str, float]]:
    """Seconds of the processor for writing, for what follows, and for the first searches."""
    written, settled, searched = (defaultdict[str, float](float) for _ in range(3))
    for at in range(0, len(rows), _CHUNK):
        for side in _in_turn(sides, at // _CHUNK):
            gc.collect()  # of what others left
            lexical.document.cache_clear()  # no side finds what another one has reckoned out
            written[side] += _timed(partial(sides[side].write, rows[at : at + _CHUNK]))
    for side in sides:
        settled[side] = _timed(sides[side].settle)
    for at, query in enumerate(queries):
        for side in _in_turn(sides, at):
            searched[side] += _timed(partial(sides[side].search, query))
    return written, settled, searched


def _in_turn(sides: Mapping[str, Side], at: int) -> Sequence[str]:
    """Their names, another one first each time."""
    names, shift = [*sides], at % len(sides)
    return names[shift:] + names[:shift]


def _timed(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def _metadata(row: Record) -> Metadata:
    """All of a record but its id and text, flat: the libraries keep no list in it on every engine."""
    known = {"video_id": row.video_id, "uri": row.uri, "start": row.start_ms, "end": row.end_ms}
    own = {**row.fields, **row.extra}
    flat = {name: ",".join(value) if isinstance(value, tuple) else value for name, value in own.items()}
    return cast("Metadata", {**known, **flat}) if own else {}


def _asking(queries: Sequence[list[float]], search: Callable[[list[float]], Sequence[object]]) -> Way:
    def one(at: int) -> object:
        found = search(queries[at % len(queries)])
        assert len(found) == LIMIT
        return found

    return one


def main(arguments: Sequence[str]) -> None:
    """Print the table; `x2.0` says that polyreel is twice as fast as the peer."""
    parser = argparse.ArgumentParser(prog="python -m polyreel.bench.peers")
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=30, help="searches that follow the writing")
    parser.add_argument("--rounds", type=int, default=30, help="of the searches after them")
    parser.add_argument("--text-only", action="store_true", help="no metadata, as in the tutorials")
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # of the peers
    logging.disable(logging.ERROR)
    lines = run(given.records, first=given.first, rounds=given.rounds, text_only=given.text_only)
    print("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
