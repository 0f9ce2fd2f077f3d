"""The other process of the contract's tests: `python -m polyreel.testing.child` reads a task and does it.

A task is one line: the hexadecimal pickle of a function that makes a store, the collection's spec, and
batches of records. They are written one by one, each acknowledged by a line; without any, the records are
counted.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Sequence

from ..core.errors import PolyreelError
from ..core.records import Record
from ..core.space import CollectionSpec
from ..core.store import VectorStore


def main(task: str) -> None:
    """Do the task; an error is told by its name."""
    make_store, spec, batches = pickle.loads(bytes.fromhex(task))  # noqa: S301 - our parent's own words
    try:
        _work(make_store, spec, batches)
    except PolyreelError as error:
        _tell(type(error).__name__)


def _work(
    make_store: Callable[[], VectorStore], spec: CollectionSpec, batches: Sequence[Sequence[Record]]
) -> None:
    with make_store() as store:
        store.open(spec, create=bool(batches))
        if not batches:
            _tell(store.count())
        for number, batch in enumerate(batches):
            store.upsert(batch)
            _tell(number)


def _tell(answer: object) -> None:
    sys.stdout.write(f"{answer}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.stdin.readline())
