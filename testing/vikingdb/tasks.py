"""Bulk tasks of the emulator: each goes on by one step whenever it is looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import filters
from .columns import SCALARS
from .control import ControlPlane
from .media import Resolve
from .refusal import Refusal, invalid, missing, unknown
from .shapes import anything, checked, flag, identifier, listed, mapped, one_of, shaped, text, whole
from .state import Collection

_KINDS = one_of("data_import", "data_export", "filter_update", "filter_delete")
_CONFIG = {
    "TosPath": text,
    "FileType": one_of("parquet", "json"),
    "FilterConds": listed(anything),
    "UpdateFields": mapped(anything),
    "OutputFields": listed(text),
    "ExportAll": flag,
    "IgnoreError": flag,
    "NeedConfirm": flag,
}
_PLACE = {"ProjectName": text, "CollectionName": identifier, "ResourceId": text}


@dataclass(slots=True)
class _Task:
    id: str
    kind: str
    collection: str
    config: dict[str, Any]
    status: str = "init"
    error: str = ""
    done: int = 0
    progress: dict[str, Any] = field(default_factory=dict)


class Tasks:
    """Import, export, change and deletion of many rows.

    Args:
        control: Has the collections.
        data: A call of the data plane.
        resolve: The files of an import.
    """

    def __init__(
        self, control: ControlPlane, data: Mapping[str, Callable[[Mapping[str, Any]], Any]], resolve: Resolve
    ) -> None:
        self.exported: dict[str, list[dict[str, Any]]] = {}
        self._control = control
        self._data = data
        self._resolve = resolve
        self._tasks: dict[str, _Task] = {}
        self._work = {
            "data_import": self._import,
            "data_export": self._export,
            "filter_update": self._change,
            "filter_delete": self._delete_rows,
        }
        control.actions |= {
            "CreateVikingdbTask": self._create,
            "GetVikingdbTask": self._get,
            "ListVikingdbTask": self._list,
            "UpdateVikingdbTask": self._confirm,
            "DeleteVikingdbTask": self._forget,
        }

    def _create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        checked(
            body, {**_PLACE, "TaskType": _KINDS, "TaskConfig": shaped(_CONFIG)}, ["TaskType", "TaskConfig"]
        )
        config, kind = body["TaskConfig"], body["TaskType"]
        if kind in ("data_import", "data_export") and not {"TosPath", "FileType"} <= config.keys():
            raise missing("TaskConfig.TosPath and FileType")
        if kind.startswith("filter") and "FilterConds" not in config:
            raise missing("TaskConfig.FilterConds")
        task = _Task(f"task-{len(self._tasks) + 1}", kind, self._control.find(body).name, config)
        self._tasks[task.id] = task
        return {"Message": "success", "TaskId": task.id}

    def _get(self, body: Mapping[str, Any]) -> dict[str, Any]:
        checked(body, {"TaskId": text, "ProjectName": text}, ["TaskId"])
        task = self._found(body)
        self._step(task)
        return _described(task)

    def _list(self, body: Mapping[str, Any]) -> dict[str, Any]:
        keys = {
            "TaskType": _KINDS,
            "TaskStatus": text,
            "PageNumber": whole(0, 10**6),
            "PageSize": whole(1, 100),
        }
        checked(body, {**_PLACE, **keys})
        name = self._control.find(body).name
        found = [_described(task) for task in self._tasks.values() if task.collection == name]
        number, size = max(1, body.get("PageNumber", 1)), body.get("PageSize", 10)
        return {"Tasks": found[(number - 1) * size : number * size], "TotalCount": len(found)}

    def _confirm(self, body: Mapping[str, Any]) -> dict[str, Any]:
        keys = {"TaskId": text, "TaskStatus": one_of("confirmed"), "ProjectName": text}
        checked(body, keys, ["TaskId", "TaskStatus"])
        task = self._found(body)
        if task.status != "confirm":
            raise invalid("the task doesn't wait for a confirmation")
        task.status = "confirmed"
        return {"Message": "success"}

    def _forget(self, body: Mapping[str, Any]) -> dict[str, Any]:
        checked(body, {"TaskId": text, "ProjectName": text}, ["TaskId"])
        del self._tasks[self._found(body).id]
        return {"Message": "success"}

    def _found(self, body: Mapping[str, Any]) -> _Task:
        if body["TaskId"] not in self._tasks:
            raise unknown("Task", body["TaskId"])
        return self._tasks[body["TaskId"]]

    def _step(self, task: _Task) -> None:
        following = {"init": "queued", "queued": "running", "confirmed": "done", "running": "done"}
        if task.status == "running" and task.config.get("NeedConfirm"):
            task.status = "confirm"
            return
        task.status = following.get(task.status, task.status)
        if task.status == "done" and not task.progress:
            try:
                task.done = self._work[task.kind](task, self._control.collections[task.collection])
            except (Refusal, KeyError, ValueError) as error:
                task.status, task.error = "fail", str(error)
            task.progress = {"TaskProgress": "100", "ScanDataCount": task.done, "ErrorMessage": task.error}

    def _import(self, task: _Task, collection: Collection) -> int:
        lines = self._resolve(f"tos://{task.config['TosPath']}").decode().splitlines()
        for line in lines:
            self._data["data/upsert"]({"collection_name": collection.name, "data": [json.loads(line)]})
        return len(lines)

    def _export(self, task: _Task, collection: Collection) -> int:
        columns = [name for name, column in collection.columns.items() if column.type in SCALARS]
        wanted = task.config.get("OutputFields", columns)
        rows = [{name: row.values[name] for name in wanted} for _, row in self._matching(task, collection)]
        self.exported[task.config["TosPath"]] = rows
        return len(rows)

    def _change(self, task: _Task, collection: Collection) -> int:
        ids = [id for id, _ in self._matching(task, collection)]
        for id in ids:
            row = {collection.key.name: id, **task.config.get("UpdateFields", {})}
            self._data["data/update"]({"collection_name": collection.name, "data": [row]})
        return len(ids)

    def _delete_rows(self, task: _Task, collection: Collection) -> int:
        ids = [id for id, _ in self._matching(task, collection)]
        for id in ids:
            self._data["data/delete"]({"collection_name": collection.name, "ids": [id]})
        return len(ids)

    @staticmethod
    def _matching(task: _Task, collection: Collection) -> list[tuple[Any, Any]]:
        tests = [
            filters.compiled(cond, collection.columns, collection.columns)
            for cond in task.config.get("FilterConds", ())
        ]
        return [item for item in collection.rows.items() if all(test(item[1].values) for test in tests)]


def _described(task: _Task) -> dict[str, Any]:
    return {
        "TaskId": task.id,
        "TaskType": task.kind,
        "TaskStatus": task.status,
        "TaskConfig": {**task.config, "CollectionName": task.collection},
        "TaskProcessInfo": task.progress,
    }
