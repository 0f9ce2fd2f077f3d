"""What a benchmark is told: how much of what is measured, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..core.errors import InvalidQueryError

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]
StepName = Literal[
    "load",
    "settle",
    "cold",
    "search",
    "topk",
    "filtered",
    "grouped",
    "concurrency",
    "overhead",
    "writing",
    "mixed",
]
STEPS: tuple[StepName, ...] = StepName.__args__  # type: ignore[attr-defined]  # of a Literal
"""The steps of the suite `vectors`, in the order in which they are taken."""


class Settings(BaseModel):
    """What both suites are told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(
        default=1, ge=0, description="Of all that is drawn: vectors, conditions, the order of turns."
    )
    limit: Count = Field(default=10, description="Hits of a search: the k of recall@k.")
    rounds: Count = Field(
        default=5, description="Turns of each stack in a step, over which medians and spreads are."
    )
    turn: Seconds = Field(
        default=20.0,
        description="Seconds after which a turn asks no further query, so that slow stacks ask fewer.",
    )

    @classmethod
    def checked(cls, values: Mapping[str, object]) -> Self:
        """Settings of some values; the others are the defaults.

        Raises:
            InvalidQueryError: A value isn't what it must be.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            raise InvalidQueryError(f"{name or 'the settings'} of the benchmark: {first['msg']}") from error


class VectorSettings(Settings):
    """What the suite `vectors` is told."""

    data: str = Field(default="clustered", description="`clustered`, or a file of vectors (`bench.sources`).")
    records: Count = Field(default=10_000, description="Records to store; of a file the first so many.")
    dimension: Count = Field(default=512, description="Of clustered vectors; a file has its own.")
    queries: Count = Field(default=100, description="Different vectors to ask with.")
    limits: tuple[Count, ...] = Field(default=(1, 10, 100), description="Hits of a search in `topk`.")
    selectivities: tuple[Share, ...] = Field(
        default=(0.001, 0.01, 0.1, 0.5), description="The parts of the records that conditions match."
    )
    threads: tuple[Count, ...] = Field(default=(1, 2, 4, 8), description="Callers at once in `concurrency`.")
    seconds: Seconds = Field(
        default=2.0, description="Of a turn of `concurrency`, for each number, and of `mixed`."
    )
    batch: Count = Field(default=50, description="Queries of a batch.")
    written: Count = Field(default=5000, description="Records of a turn of `writing`.")
    chunk: Count = Field(default=2000, description="Records of a turn of `load`.")
    payload: bool = Field(default=True, description="Whether records carry text and more beside fields.")
    steps: tuple[StepName, ...] = Field(default=STEPS, description="Which steps are taken; `load` always is.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if sum(self.selectivities) > 1:
            raise ValueError("selectivities must not come to more than 1 together")
        return self


class VideoSettings(Settings):
    """What the suite `video` is told."""

    videos: str = Field(description="The folder of videos.")
    evaluation: str = Field(description="The evaluation file: queries, and what should be found.")
    workers: Count = Field(default=1, description="Videos taken in at once; with one the split adds up.")
