"""The forms of Milvus as data, and what an opened one can do.

None groups by itself. A server of 2.3.5 passes over `group_by_field`, and Lite groups a fixed number of the
best hits (ten times the limit), so that a video with many crowds out the others; the planner does it right.
"""

from __future__ import annotations

from ...core.capabilities import Capabilities, Feature, Form
from ...core.errors import UnsupportedError
from .connection import release
from .index import Kind

_FEATURES = frozenset({Feature.PREFIX, Feature.DURABLE})
LITE = Form(
    name="Lite, in process",
    configure="path",
    features=_FEATURES | {Feature.LEXICAL},
    tried="milvus-lite 3.2.2",
    notes="One process at a time. Searches are exact up to 10 000 records; beyond, `optimize` makes an HNSW.",
)
SERVER = Form(
    name="server",
    configure="url (token, ca_file)",
    features=_FEATURES | {Feature.SHARED},
    tried="Milvus 2.3.5 standalone",
    notes="Servers from 2.4 on find words, too; none of them was tried.",
)
CLOUD = Form(
    name="Zilliz Cloud",
    configure="url, token",
    features=_FEATURES | {Feature.SHARED, Feature.LEXICAL},
    tried="not tried",
    notes="The server's adapter, over TLS with a token.",
)
_WORDS_SINCE = (2, 4)  # sparse vectors, and more than one vector in a row
_TENANTS_SINCE = (2, 4)  # found wrong in 2.3.5; none since was tried
_MMAP_SINCE = (2, 4)  # as its documentation says; none was tried
_AUTO_HNSW = (2, 3)  # whose AUTOINDEX takes the parameters of an HNSW; no other was tried
_CANDIDATES = {LITE: 4096, SERVER: 1024}
_BATCH = 2_000  # records; measured to be written fastest
_MESSAGE = 24 << 20  # bytes of vectors; a message holds 64 MiB


def capabilities(form: Form, version: str, dimension: int, *, words: bool, exact: bool) -> Capabilities:
    """What an opened collection can do.

    Args:
        form: Which of the forms.
        version: Of the server, or of Milvus Lite.
        dimension: Of its vectors.
        words: Whether its rows have vectors of words, or will.
        exact: Whether all its vectors are compared.
    """
    features = set(form.features) - {Feature.LEXICAL}
    features |= ({Feature.LEXICAL} if words else set()) | ({Feature.EXACT} if exact else set())
    batch = min(_BATCH, max(1, _MESSAGE // (4 * dimension)))
    return Capabilities(form.name, frozenset(features), version, max_batch=batch, flush_each=False)


def finds_words(form: Form, version: str) -> bool:
    """Whether a new collection can have vectors of words."""
    return Feature.LEXICAL in form.features or release(version) >= _WORDS_SINCE


def check_words(form: Form, version: str) -> None:
    """Refuse to keep words where the form can't.

    Raises:
        UnsupportedError: The server is older than 2.4.
    """
    if not finds_words(form, version):
        raise UnsupportedError(
            f"Milvus {version} keeps no words", hint="leave lexical out, or upgrade the server"
        )


def packs_lists(form: Form) -> bool:
    """Whether a new collection keeps lists as texts."""
    return form is LITE


def auto_index(form: Form, version: str) -> Kind:
    """As what Milvus' own choice of an index is searched."""
    return "hnsw" if form is SERVER and release(version) == _AUTO_HNSW else "auto"


def sifting(form: Form) -> int:
    """Candidates at which a graph looks with a condition: measured to find nearly all of the nearest.

    Lite keeps one graph of all records and compares nothing by itself. A server compares where few records
    match, and its callers share its processors.
    """
    return _CANDIDATES.get(form, 0)


def check_tenant(form: Form, version: str) -> None:
    """Refuse to keep tenants apart where rows that are written again would be lost.

    Raises:
        UnsupportedError: 2.3.5 puts upserted rows into a part of the collection where no search looks.
    """
    if form is SERVER and release(version) < _TENANTS_SINCE:
        raise UnsupportedError(
            f"Milvus {version} can't keep tenants apart", hint="leave tenant out, or upgrade the server"
        )


def check_mmap(form: Form, version: str) -> None:
    """Refuse to read rows and indexes from the disk where the server would pass it over.

    Raises:
        UnsupportedError: The server is older than 2.4.
    """
    if form is SERVER and release(version) < _MMAP_SINCE:
        raise UnsupportedError(
            f"Milvus {version} has no mmap for a collection", hint="leave mmap out, or upgrade the server"
        )
