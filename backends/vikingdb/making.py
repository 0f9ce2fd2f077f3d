"""Making a collection with its index, adding columns to it, and waiting until its index serves.

The description of a collection at the service holds what polyreel must know of it (`CollectionMeta`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from ...core.deadline import poll, time_left
from ...core.errors import (
    ConfigurationError,
    IntegrityError,
    NotFoundError,
    PolyreelError,
    RejectedError,
    UnsupportedError,
)
from ...core.space import CollectionMeta, CollectionSpec, Metric
from . import rows
from .control import Control, ready, taken
from .data import Asked, Data
from .options import IndexOptions, Vectorize

_MARK = "polyreel "
_MAX_DESCRIPTION = 65_535
_FOREVER = 86_400.0  # seconds; the deadline of the call ends it earlier


@dataclass(frozen=True, slots=True)
class Place:
    """One collection and its index at the service.

    Args:
        control: The control plane.
        data: The data plane of this collection.
        pause: Seconds before an index is looked at again, at first; the pauses grow to five times that.
    """

    control: Control
    data: Data
    pause: float = 2.0

    @property
    def name(self) -> str:
        """Of the collection, and of its index."""
        return self.data.collection

    def stored(self, index: IndexOptions) -> CollectionMeta | None:
        """What is stored of the collection, once its index serves; None where there is none.

        Raises:
            ConfigurationError: The service would not take its name.
            IntegrityError: Another program made the collection.
        """
        if not self.name[0].isalpha():
            raise ConfigurationError(f"a collection of VikingDB begins with a letter, not {self.name!r}")
        found = self.control.collection(self.name)
        if found is None:
            return None
        meta = _read(str(found.get("Description") or ""), self.name)
        if self.control.index(self.name, self.data.index) is None:
            self._make_index(meta.spec, index)  # its making was cut short
        self.wait()
        return meta

    def make(self, spec: CollectionSpec, index: IndexOptions, vectorize: Vectorize | None) -> CollectionMeta:
        """Make the collection; where another process was quicker, take what it made."""
        _check(spec, vectorize)
        index.vector_index(spec.space.metric)  # refuses before anything is made
        meta = CollectionMeta(uuid4().hex, spec)
        model = vectorize.body(rows.MEDIA) if vectorize and spec.media else None
        try:
            self.control.create_collection(
                self.name, rows.fields(meta), vectorize=model, description=_described(meta)
            )
        except RejectedError as error:
            if not taken(error):
                raise
        stored = self.stored(index)
        if stored is None:
            raise NotFoundError(f"the collection {self.name!r} was deleted while it was made")
        return stored

    def widen(self, meta: CollectionMeta) -> None:
        """Add the columns that the collection lacks; the description comes last, as the commit mark."""
        description = _described(meta)
        columns, indexed = self._columns(), self._indexed()
        missing = [one for one in rows.fields(meta) if one.name not in columns]
        if missing:
            self.control.update_collection(self.name, fields=missing)
        scalars = [name for name in rows.filterable(meta.spec.fields) if name not in indexed]
        if scalars:
            self.control.update_index(self.name, self.data.index, scalars=scalars)
            self.wait()
        self.control.update_collection(self.name, description=description)

    def drop(self) -> None:
        """Delete the index and the collection, and return once the name is free."""
        with suppress(NotFoundError):
            self.control.delete_index(self.name, self.data.index)
        with suppress(NotFoundError):
            self.control.delete_collection(self.name)
        poll(
            lambda: self.control.collection(self.name) is None,
            what=f"the deletion of {self.name!r}",
            timeout=_FOREVER,
            first=self.pause / 10,
            cap=self.pause * 5,
        )

    def wait(self) -> None:
        """Return once the index serves."""
        poll(
            self._ready,
            what=f"the index of {self.name!r}",
            timeout=_FOREVER,
            first=self.pause,
            cap=self.pause * 5,
        )

    def built(self) -> Mapping[str, Any]:
        """The index's type and quantisation as the service says them; empty where it doesn't."""
        found = self.control.index(self.name, self.data.index) or {}
        described = found.get("VectorIndex")
        return described if isinstance(described, dict) else {}

    # -- inside -------------------------------------------------------------------------------------------

    def _ready(self) -> bool:
        if time_left() <= 0:
            return False  # a call would only say that it has no time
        found = self.control.index(self.name, self.data.index)
        if found is None:
            return False
        said = ready(found.get("Status"), self.data.index)
        if said is not None:
            return said
        try:  # some pages show an index without a status: then what counts is whether it answers
            self.data.search_random(Asked(limit=1, output_fields=[]))
        except (RejectedError, NotFoundError):
            return False
        return True

    def _make_index(self, spec: CollectionSpec, index: IndexOptions) -> None:
        try:
            self.control.create_index(
                self.name,
                self.data.index,
                options=index.body(spec.space.metric),
                scalars=rows.filterable(spec.fields),
            )
        except RejectedError as error:
            if not taken(error):
                raise

    def _columns(self) -> set[str]:
        found = self.control.collection(self.name) or {}
        return {str(one.get("FieldName")) for one in found.get("Fields") or ()}

    def _indexed(self) -> set[str]:
        """The columns of the index, which some pages show by name and some as objects."""
        found = self.control.index(self.name, self.data.index) or {}
        scalars = found.get("ScalarIndex") or ()
        return {str(one.get("FieldName")) if isinstance(one, dict) else str(one) for one in scalars}


def _check(spec: CollectionSpec, vectorize: Vectorize | None) -> None:
    """Refuse a collection that can't be made, before anything is."""
    if spec.space.metric is Metric.L2:
        raise UnsupportedError(
            "polyreel doesn't use L2 distances of VikingDB: no document says how they are scored",
            hint="use an embedder that compares by cosines",
        )
    if spec.media:
        if vectorize is None or not spec.media <= set(vectorize.content):
            raise UnsupportedError(
                f"this store doesn't vectorize {', '.join(sorted(spec.media))}",
                hint="add a section [stacks.NAME.store.vectorize], or use a stack with an embedder",
            )
        return
    if not 4 <= spec.space.dimension <= 4096 or spec.space.dimension % 4:
        raise UnsupportedError(
            f"VikingDB keeps vectors of 4 to 4096 numbers, a multiple of 4, not of {spec.space.dimension}",
            hint="use another embedder or another dimension",
        )


def _described(meta: CollectionMeta) -> str:
    text = _MARK + json.dumps(meta.to_json(), ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > _MAX_DESCRIPTION:
        raise ConfigurationError("the declared fields are too many for VikingDB's description")
    return text


def _read(description: str, name: str) -> CollectionMeta:
    try:
        if description.startswith(_MARK):
            return CollectionMeta.from_json(json.loads(description.removeprefix(_MARK)))
    except ValueError:
        pass
    except PolyreelError as error:
        raise IntegrityError(f"the collection {name!r} of VikingDB: {error.message}") from error
    raise IntegrityError(
        f"the collection {name!r} of VikingDB wasn't made by polyreel, or its description was edited",
        hint="name another collection in the stack",
    )
