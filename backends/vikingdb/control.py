"""The control plane: collections, indexes and bulk tasks, in the spelling that the vendor documents.

Every call is one attempt. `VikingDBStore` makes them under its base's deadline and retries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ...core.deadline import poll
from ...core.errors import NotFoundError, PolyreelError, RejectedError
from .wire import Reply, Wire

_PAGE = 100
_READY = {"READY", "ACTIVE", "已就绪"}
_FAILED = {"FAILED", "FAIL", "ERROR", "失败"}


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a collection (doc 1791154).

    Args:
        name: 1 to 128 letters, digits and underscores.
        type: As the service writes it: `string`, `int64`, `list<string>`, `video`, …
        dim: Of a `vector`.
        primary: Whether it is the key.
        default: Where a row doesn't give it.
    """

    name: str
    type: str
    dim: int | None = None
    primary: bool = False
    default: object = None

    def body(self) -> dict[str, Any]:
        """As the service takes it."""
        given = {
            "FieldName": self.name,
            "FieldType": self.type,
            "Dim": self.dim,
            "IsPrimaryKey": self.primary or None,
            "DefaultValue": self.default,
        }
        return {name: value for name, value in given.items() if value is not None}


class TaskType(StrEnum):
    """What a bulk task does."""

    IMPORT = "data_import"
    EXPORT = "data_export"
    UPDATE = "filter_update"
    DELETE = "filter_delete"


@dataclass(frozen=True, slots=True)
class TaskConfig:
    """What a bulk task works on; what is left out is the service's default.

    Args:
        tos_path: The file or folder in TOS to read or write, such as `bucket/folder/`.
        file_type: `parquet` or `json`.
        filter_conds: Filters in the service's own language.
        update_fields: New values, for `TaskType.UPDATE`.
        output_fields: What an export writes.
        export_all: Everything.
        ignore_error: Go on after a bad row.
        need_confirm: Stop before anything is changed, until `Control.confirm_task`.
    """

    tos_path: str | None = None
    file_type: str | None = None
    filter_conds: Sequence[Mapping[str, Any]] | None = None
    update_fields: Mapping[str, Any] | None = None
    output_fields: Sequence[str] | None = None
    export_all: bool | None = None
    ignore_error: bool | None = None
    need_confirm: bool | None = None

    def body(self) -> dict[str, Any]:
        """As the service takes it."""
        given = {
            "TosPath": self.tos_path,
            "FileType": self.file_type,
            "FilterConds": self.filter_conds,
            "UpdateFields": self.update_fields,
            "OutputFields": self.output_fields,
            "ExportAll": self.export_all,
            "IgnoreError": self.ignore_error,
            "NeedConfirm": self.need_confirm,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Control:
    """The actions of one project.

    Args:
        wire: Sends them.
        project: Its name; None is the account's default project.
        turn: Waits for the call's turn.
    """

    wire: Wire
    project: str | None = None
    turn: Callable[[], None] = field(default=lambda: None)

    # -- collections --------------------------------------------------------------------------------------

    def create_collection(
        self,
        name: str,
        fields: Sequence[Field],
        *,
        vectorize: Mapping[str, Any] | None = None,
        description: str = "",
        full_text: Sequence[Mapping[str, Any]] | None = None,
        del_protection: bool | None = None,
    ) -> None:
        """Make a collection; a taken name is `RejectedError` (see `taken`)."""
        body = {
            "CollectionName": name,
            "Description": description or None,
            "Fields": [one.body() for one in fields],
            "Vectorize": vectorize,
            "FullText": full_text,
            "DelProtection": del_protection,
        }
        self._call("CreateVikingdbCollection", body)

    def collection(self, name: str) -> Mapping[str, Any] | None:
        """What the service says of a collection; None where there is none."""
        try:
            return self._call("GetVikingdbCollection", {"CollectionName": name}).result
        except NotFoundError:
            return None

    def collections(self, keyword: str | None = None) -> Iterator[Mapping[str, Any]]:
        """Every collection of the project, or those whose name has the keyword."""
        filtered = {"Filter": {"CollectionNameKeyword": keyword}} if keyword else {}
        return self._pages("ListVikingdbCollection", filtered, "Collections")

    def update_collection(
        self,
        name: str,
        *,
        fields: Sequence[Field] = (),
        description: str | None = None,
        del_protection: bool | None = None,
    ) -> None:
        """Add columns, or change what is said of a collection."""
        body = {
            "CollectionName": name,
            "Fields": [one.body() for one in fields] or None,
            "Description": description,
            "DelProtection": del_protection,
        }
        self._call("UpdateVikingdbCollection", body)

    def delete_collection(self, name: str) -> None:
        """Delete a collection and its rows; its indexes go first."""
        self._call("DeleteVikingdbCollection", {"CollectionName": name})

    # -- indexes ------------------------------------------------------------------------------------------

    def create_index(
        self,
        collection: str,
        index: str,
        *,
        options: Mapping[str, Any],
        scalars: Sequence[str] | None = None,
        description: str = "",
    ) -> None:
        """Begin to build an index (`IndexOptions.body`); only the columns of `scalars` can be filtered."""
        body = {
            "CollectionName": collection,
            "IndexName": index,
            "Description": description or None,
            "ScalarIndex": list(scalars) if scalars is not None else None,
            **options,
        }
        self._call("CreateVikingdbIndex", body)

    def index(self, collection: str, index: str) -> Mapping[str, Any] | None:
        """What the service says of an index; None where there is none."""
        try:
            return self._call("GetVikingdbIndex", _of(collection, index)).result
        except NotFoundError:
            return None

    def indexes(self, collection: str | None = None) -> Iterator[Mapping[str, Any]]:
        """Every index of the project, or of a collection."""
        filtered = {"Filter": {"CollectionName": [collection]}} if collection else {}
        return self._pages("ListVikingdbIndex", filtered, "Indexes")

    def update_index(
        self,
        collection: str,
        index: str,
        *,
        scalars: Sequence[str] = (),
        cpu_quota: int | None = None,
        shard_policy: str | None = None,
        shard_count: int | None = None,
    ) -> None:
        """Add columns that can be filtered, or change the size."""
        body = {
            **_of(collection, index),
            "ScalarIndex": list(scalars) or None,
            "CpuQuota": cpu_quota,
            "ShardPolicy": shard_policy,
            "ShardCount": shard_count,
        }
        self._call("UpdateVikingdbIndex", body)

    def enable_index(self, collection: str, index: str) -> None:
        """Build a disabled index anew."""
        self._call("EnableVikingdbIndex", _of(collection, index))

    def disable_index(self, collection: str, index: str) -> None:
        """Stop an index that is ready."""
        self._call("DisableVikingdbIndex", _of(collection, index))

    def delete_index(self, collection: str, index: str) -> None:
        """Delete an index; rows stay."""
        self._call("DeleteVikingdbIndex", _of(collection, index))

    # -- tasks --------------------------------------------------------------------------------------------

    def create_task(self, collection: str, kind: TaskType, config: TaskConfig) -> str:
        """Start a bulk task; its id."""
        body = {"CollectionName": collection, "TaskType": kind.value, "TaskConfig": config.body()}
        return str(self._call("CreateVikingdbTask", body).result.get("TaskId", ""))

    def task(self, id: str) -> Mapping[str, Any]:
        """What the service says of a task, such as `TaskStatus` and `TaskProcessInfo`."""
        return self._call("GetVikingdbTask", {"TaskId": id}).result

    def tasks(self, collection: str) -> Iterator[Mapping[str, Any]]:
        """Every task of a collection."""
        return self._pages("ListVikingdbTask", {"CollectionName": collection}, "Tasks")

    def confirm_task(self, id: str) -> None:
        """Let a task go on that waits for it (`need_confirm`)."""
        self._call("UpdateVikingdbTask", {"TaskId": id, "TaskStatus": "confirmed"})

    def delete_task(self, id: str) -> None:
        """Forget a task."""
        self._call("DeleteVikingdbTask", {"TaskId": id})

    def wait_task(self, id: str, *, timeout: float, first: float = 2.0) -> Mapping[str, Any]:
        """Ask until the task is done, or waits to be confirmed.

        Raises:
            RejectedError: The task failed; the service's reason is in the message.
            UnavailableError: It isn't done after `timeout` seconds.
        """
        seen: dict[str, Any] = {}

        def done() -> bool:
            seen.clear()
            seen.update(self.task(id))
            if seen.get("TaskStatus") == "fail":
                reason = (seen.get("TaskProcessInfo") or {}).get("ErrorMessage") or "no reason given"
                raise RejectedError(f"the task {id} failed: {reason}")
            return seen.get("TaskStatus") in ("done", "confirm")

        poll(done, what=f"the task {id}", timeout=timeout, first=first, cap=5 * first)
        return seen

    # -- inside -------------------------------------------------------------------------------------------

    def _call(self, action: str, body: Mapping[str, Any]) -> Reply:
        self.turn()
        project = {"ProjectName": self.project} if self.project is not None else {}
        given = {name: value for name, value in body.items() if value is not None}
        return self.wire.control(action, {**project, **given})

    def _pages(self, action: str, body: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
        number, more = 1, True
        while more:
            paging = {"PageNumber": number, "PageSize": _PAGE}
            page = self._call(action, {**body, **paging}).result.get(key) or []
            yield from page
            number, more = number + 1, len(page) == _PAGE


def taken(error: PolyreelError) -> bool:
    """Whether a creation was refused because the name is taken. The exact code isn't known to us."""
    return isinstance(error, RejectedError) and "alreadyexist" in error.message.lower()


def ready(status: object, name: str) -> bool | None:
    """What an index's `Status` says; None where the service says nothing. Pages disagree on the words.

    Raises:
        RejectedError: The index failed.
    """
    if not isinstance(status, str) or not status:
        return None
    word = status.strip().upper()
    if word in _FAILED:
        raise RejectedError(f"VikingDB couldn't build the index {name!r}: {status}", hint="see its console")
    return word in _READY


def _of(collection: str, index: str) -> dict[str, Any]:
    return {"CollectionName": collection, "IndexName": index}
