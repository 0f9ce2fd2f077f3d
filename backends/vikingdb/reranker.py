"""VikingDB's own rerank model (doc: the vendor's SDK, example 7; not tried at the service)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.deadline import RetryPolicy
from ...core.embedder import HandOver
from ...core.errors import ConfigurationError, PolyreelError, UnavailableError
from ...core.media import Media, Modality
from ...core.reranking import Document, Reranked, Reranker
from ...core.secret import Secret
from .data import Data
from .embedder import usage
from .rows import SCHEMES, address
from .wire import Endpoints, Reply, Wire, keys_of, translate

_SEES = (Modality.TEXT, Modality.IMAGE, Modality.VIDEO)


class VikingDBReranker(Reranker):
    """The call `/api/vikingdb/rerank`. Contract: `Reranker`.

    Args:
        access_key: Signs, where there is no API key.
        secret_key: Its secret.
        api_key: Of the data plane.
        session_token: Of temporary keys.
        region: Such as `cn-beijing`.
        project: Where the account has several.
        model: Its name.
        version: Its version.
        instruction: What to judge by, in words; None leaves it to the model.
        content: What it sees of a candidate: `text`, and `video` for clips that lie at an address which the
            service fetches. Its documents show texts and images; the request also has videos.
        data_endpoint: Instead of the region's, such as `http://127.0.0.1:8080`.
        timeout: Seconds for one public call, its retries included.
        patience: Seconds of silence after which one attempt counts as lost.
        retry: How retryable errors are tried again.
    """

    kind = "vikingdb"
    max_documents = 50  # an estimate: no page says how many a call may have

    def __init__(
        self,
        *,
        access_key: str | None = None,
        secret_key: Secret | None = None,
        api_key: Secret | None = None,
        session_token: Secret | None = None,
        region: str = "cn-beijing",
        project: str | None = None,
        model: str = "doubao-seed-rerank",
        version: str = "251028",
        instruction: str | None = None,
        content: tuple[Modality, ...] = (Modality.TEXT,),
        data_endpoint: str | None = None,
        timeout: float = 60.0,
        patience: float = 30.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        super().__init__(timeout=timeout, retry=retry)
        if not content or not set(content) <= {Modality.TEXT, Modality.VIDEO}:
            raise ConfigurationError("content takes 'text', 'video' or both")
        self._wire = Wire(
            Endpoints.of(region, None, data_endpoint),
            region=region,
            keys=keys_of(access_key, secret_key, api_key, session_token),
            api_key=api_key.get_secret_value() if api_key else None,
            patience=patience,
        )
        self._data = Data(self._wire, "", "", project)
        self._model, self._version, self._instruction = model, version, instruction
        way = HandOver(SCHEMES)
        self.queries = dict.fromkeys(_SEES, way)
        self.documents = dict.fromkeys(content, way)

    def _rerank(self, query: Sequence[Media], documents: Sequence[Document]) -> Reranked:
        reply = self._data.rerank(
            _items(query),
            [_items(document) for document in documents],
            model_name=self._model,
            model_version=self._version,
            instruction=self._instruction,
        )
        request_ids = (reply.request_id,) if reply.request_id else ()
        return Reranked(_scores(reply, len(documents)), usage(reply.result), request_ids)

    def _close(self) -> None:
        self._wire.close()

    def _translate(self, error: Exception) -> PolyreelError | None:
        return translate(error)


def _items(media: Sequence[Media]) -> list[dict[str, Any]]:
    return [{medium.modality.value: address(medium, None)} for medium in media]


def _scores(reply: Reply, count: int) -> tuple[float, ...]:
    """The scores by the documents' numbers; the service sorts its answer."""
    try:
        scores = {int(one["id"]): float(one["score"]) for one in reply.result["data"]}
        return tuple(scores[number] for number in range(count))
    except (KeyError, TypeError, ValueError) as error:
        raise UnavailableError(
            "VikingDB answered a rerank without a score for each document", request_id=reply.request_id
        ) from error
