"""Two caches: vectors of query parts on the disk, and, where it is asked for, whole answers in memory.

**Vectors** lie in one SQLite file of the state folder, which all stacks and processes there share. A key is a
digest of the space (model, version, dimension, templates) and of the exact parts in their order (text, bytes
of a file, its span, frames a second), so another model, another template or a file with other content never
meets it. It is on by default, for it is safe: an embedder gives the same parts the same vector, by contract.
No query can be read out of the file, which holds digests and vectors only. Its size is bounded; what wasn't
used for longest goes first. A broken or locked file costs the cache, never the search.

**Answers** (`cache_results`) are kept by one `VideoSearch`, and forgotten when this process writes through
its store. What another process writes is seen where it changes the number of records, and after `MAX_AGE`
seconds in any case; where one process at a time has the collection open, nobody else can write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .query_cache import QueryCache
from .result_cache import ResultCache

if TYPE_CHECKING:
    from .stack import Stack

_FILE = "query-vectors.sqlite"


@dataclass(frozen=True, slots=True)
class Caches:
    """The caches of one open stack; None where one is turned off."""

    vectors: QueryCache | None
    answers: ResultCache | None

    @classmethod
    def of(cls, stack: Stack) -> Caches:
        """As the stack's settings want them."""
        size = stack.query_cache_mb << 20
        vectors = QueryCache(stack.state / _FILE, size) if size else None
        return cls(vectors, ResultCache() if stack.cache_results else None)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self.vectors:
            self.vectors.close()
