"""Indexes of the columns that filters read: which columns get one, and of which kind.

None changes an answer. Milvus Lite 3.2.2 gets none, for it gains nothing: of 30 000 rows hardly a filter was
faster with them, and `flush` took twice as long.
"""

from __future__ import annotations

from collections.abc import Mapping

from pymilvus import DataType

from ...core.capabilities import Form
from ...core.fields import PRESENT
from . import forms
from .connection import release

OFTEN = ("video_id", "scope", "channel", PRESENT)
"""The columns of polyreel's own that get one, beside every declared field."""

_INVERTED_SINCE = (2, 5)  # in 2.4.0 it finds rows that don't match (milvus-io/milvus issue 32717)
_INVERTED = dict.fromkeys((DataType.VARCHAR, DataType.INT64, DataType.DOUBLE, DataType.ARRAY), "INVERTED")
_SORTED = {DataType.VARCHAR: "Trie", DataType.INT64: "STL_SORT", DataType.DOUBLE: "STL_SORT"}


def kinds(form: Form, version: str) -> Mapping[DataType, str]:
    """Milvus' name of the index for each type of column; a type that isn't there gets none.

    Args:
        form: Which of the forms.
        version: Of the server.
    """
    if form is forms.LITE:
        return {}
    return _INVERTED if form is forms.CLOUD or release(version) >= _INVERTED_SINCE else _SORTED
