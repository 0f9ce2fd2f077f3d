"""pymilvus' client, which takes columns, too: it packs them in a fifth of the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymilvus import MilvusClient

Columns = Sequence[Mapping[str, Any]]
"""Of a collection, as `describe_collection` describes them."""


class Client(MilvusClient):  # type: ignore[misc]  # pymilvus has no types
    """A `MilvusClient` that also writes column by column.

    Its `upsert` looks up the type of each value of each row: 160 µs for a row of 17 columns, where a column's
    values packed at once take 34 for all of them. That is what its own connection does, which `MilvusClient`
    has no method for.
    """

    def upsert_columns(
        self, collection_name: str, columns: Columns, rows: Sequence[Mapping[str, Any]], timeout: float
    ) -> None:
        """Write rows that have all of the columns."""
        values = [
            {"name": column["name"], "type": column["type"], "values": [row[column["name"]] for row in rows]}
            for column in columns
        ]
        self._get_connection().upsert(
            collection_name,
            values,
            schema={"fields": columns},
            timeout=timeout,
            context=self._generate_call_context(),
        )
