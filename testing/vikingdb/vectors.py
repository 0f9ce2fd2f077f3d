"""The emulator's calls of models: embedding, reranking, and the vectors of rows and queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .columns import is_address
from .media import Part, Resolve, Vectorizer, fetched
from .models import PlayedModel, played
from .refusal import invalid, missing
from .shapes import Check, checked, flag, listed, number, shaped, text, whole
from .state import Collection

_IMAGE = shaped({"value": text, "x-tos-process": text}, ["value"])
_VIDEO = shaped({"value": text, "fps": number(0.2, 5)}, ["value"])


def _image(name: str, value: Any) -> None:
    if isinstance(value, dict):
        _IMAGE(name, value)
        value = value["value"]
    if not is_address(value):
        raise invalid(f"{name} is no address")


_MEDIA: Mapping[str, Check] = {"text": text, "image": _image, "video": _VIDEO}
_ITEM = shaped({**_MEDIA, "full_modal_seq": listed(shaped(_MEDIA), 1)})
_MODEL: Mapping[str, Check] = {
    "name": text,
    "version": text,
    "dim": whole(4, 4096),
    "instruction": shaped({"content": text}),
}
_EMBEDDING: Mapping[str, Check] = {
    "data": listed(_ITEM, 1, 10),
    "dense_model": shaped(_MODEL, ["name"]),
    "project_name": text,
    "max_retry_time": whole(0, 100),
}
_RERANKERS = {("doubao-seed-rerank", "251028")}
_RERANK: Mapping[str, Check] = {
    "model_name": text,
    "model_version": text,
    "data": listed(listed(shaped(_MEDIA), 1), 1),
    "query": listed(shaped(_MEDIA), 1),
    "instruction": text,
    "return_origin_data": flag,
    "project_name": text,
    "max_retry_time": whole(0, 100),
}


class Vectors:
    """Makes vectors of media.

    Args:
        vectorize: The model that is played.
        resolve: The bytes of `tos://` addresses.
    """

    def __init__(self, vectorize: Vectorizer, resolve: Resolve) -> None:
        self._vectorize = vectorize
        self._resolve = resolve

    def of_row(self, collection: Collection, values: Mapping[str, Any]) -> list[float]:
        """The vector of a row's media."""
        named = {kind: values[name] for name, kind in collection.media.items()}
        return self._made(list(named.items()), _length(collection), query=False)

    def of_query(self, collection: Collection, near: Mapping[str, Any]) -> tuple[list[float], dict[str, Any]]:
        """The vector of a query's media, and what it cost."""
        vector = self._made(list(near.items()), _length(collection), query=True)
        return vector, _usage(_model_of(collection).key, list(near.items()))

    def usage(self, collection: Collection, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What vectorizing rows cost."""
        media = [(kind, values[name]) for values in rows for name, kind in collection.media.items()]
        return _usage(_model_of(collection).key, media)

    def embedding(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The call `embedding`."""
        checked(body, _EMBEDDING, ["data"])
        if "dense_model" not in body:
            raise missing("dense_model")
        wanted = body["dense_model"]
        model = played(wanted["name"], wanted.get("version"), wanted.get("dim"))
        series = [_series(item, len(body["data"])) for item in body["data"]]
        for kind, _ in (one for each in series for one in each):
            if kind not in model.sees:
                raise invalid(f"the model doesn't vectorize {kind}")
        length = wanted.get("dim", max(model.dims))
        bare = [[(kind, _bare(kind, value, model)) for kind, value in each] for each in series]
        data = [{"dense": self._made(each, length, query=True)} for each in bare]
        return {"data": data, "token_usage": _usage(model.key, [one for each in series for one in each])}

    def rerank(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The call `rerank`: the share of the query's words that a document has. Its media are fetched."""
        checked(body, _RERANK, ["model_name", "data", "query"])
        if (body["model_name"], body.get("model_version", "251028")) not in _RERANKERS:
            raise invalid(f"there is no model {body['model_name']} {body.get('model_version', '')}")
        for part in (part for document in (body["query"], *body["data"]) for part in document):
            for kind, value in part.items():
                self._part(kind, value)
        words = {word for part in body["query"] for word in part.get("text", "").split()}
        data = []
        for number_, document in enumerate(body["data"]):
            own = {word for part in document for word in part.get("text", "").split()}
            item: dict[str, Any] = {"id": number_, "score": len(words & own) / max(len(words), 1)}
            if body.get("return_origin_data"):
                item["origin_data"] = document
            data.append(item)
        return {"data": sorted(data, key=lambda one: -one["score"]), "token_usage": {}}

    def _made(self, media: Sequence[tuple[str, Any]], length: int, *, query: bool) -> list[float]:
        vector = self._vectorize([self._part(kind, value) for kind, value in media], query)
        if len(vector) > length:
            raise invalid(f"the emulator's model has {len(vector)} numbers, not {length}")
        return [*vector, *[0.0] * (length - len(vector))]

    def _part(self, kind: str, value: Any) -> Part:
        if kind == "text":
            return Part(kind, text=value)
        address = value["value"] if isinstance(value, dict) else value
        fps = float(value.get("fps", 1.0)) if isinstance(value, dict) else 1.0
        return Part(kind, data=fetched(address, self._resolve), fps=fps)


def _series(item: Mapping[str, Any], count: int) -> list[tuple[str, Any]]:
    if "full_modal_seq" not in item:
        if not item:
            raise missing("text, image or video")
        return list(item.items())
    if len(item) > 1 or count > 1:
        raise invalid("full_modal_seq stands alone, in the only item of data")
    return [pair for one in item["full_modal_seq"] for pair in one.items()]


def _bare(kind: str, value: Any, model: PlayedModel) -> Any:
    """A text without the instruction that the caller put before it: the model that is played needs none."""
    return value.removeprefix(model.prefix) if kind == "text" else value


def _model_of(collection: Collection) -> PlayedModel:
    dense = collection.dense or {}
    return played(dense["ModelName"], dense.get("ModelVersion"), None)


def _length(collection: Collection) -> int:
    dense = collection.dense or {}
    return int(dense.get("Dim", max(_model_of(collection).dims)))


def _usage(key: str, media: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Made-up counts: a token a character, 1000 an image, 10 000 a video, which is booked under images."""
    texts = sum(len(value) for kind, value in media if kind == "text")
    pictures = sum({"text": 0, "image": 1000, "video": 10_000}[kind] for kind, _ in media)
    total = texts + pictures
    counts = {"prompt_tokens": total, "completion_tokens": 0, "image_tokens": pictures, "total_tokens": total}
    return {key: counts}
