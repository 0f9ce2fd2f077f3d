"""What embedding costs and how long it takes: rates from the configuration, and estimates from rates.

Nothing is guessed: what no rate says is None, unknown, and never 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Rate:
    """A section `[rates.<kind>]`: what an embedder, or a store that vectorizes, asks.

    Args:
        price_per_minute: For a minute of video; 0 is free, None unknown.
        price_per_request: For a call; 0 is free, None unknown. A price that is not set beside one that is
            counts as 0.
        currency: Of the prices, as it shall be printed.
        speed: Seconds of video embedded in a second, by all workers together; None is unknown.
        price_per_million_input: For tokens that a model which looks at videos is given; None is unknown.
        price_per_million_output: For tokens of its answers and of its reasoning; None is unknown.
    """

    price_per_minute: float | None = None
    price_per_request: float | None = None
    currency: str = ""
    speed: float | None = None
    price_per_million_input: float | None = None
    price_per_million_output: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no rate can be.

        Raises:
            ConfigurationError: A price is below 0, or the speed is not above 0.
        """
        prices = ("minute", "request", "million_input", "million_output")
        for name in (f"price_per_{each}" for each in prices):
            price = getattr(self, name)
            if price is not None and price < 0:
                raise ConfigurationError(f"{name} is {price:g}; it must be at least 0")
        if self.speed is not None and self.speed <= 0:
            raise ConfigurationError(f"speed is {self.speed:g}; it must be above 0")

    def estimate(self, *, seconds: float, clips: int, requests: int) -> Estimate:
        """What so much video would cost."""
        priced = self.price_per_minute is not None or self.price_per_request is not None
        cost = (self.price_per_minute or 0) * seconds / 60 + (self.price_per_request or 0) * requests
        spent = None if self.speed is None else seconds / self.speed
        return Estimate(seconds, clips, requests, cost if priced else None, self.currency, spent)

    def tokens(self, given: float, made: float) -> float | None:
        """What tokens cost that a model is given and makes; None where a price that is needed is unknown."""
        counts = ((given, self.price_per_million_input), (made, self.price_per_million_output))
        if any(count and price is None for count, price in counts):
            return None
        return sum(count * (price or 0.0) for count, price in counts) / 1_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """What embedding would take.

    Args:
        video_seconds: Of video to embed.
        clips: To embed.
        requests: Calls of the embedder.
        cost: In `currency`; None is unknown.
        seconds: Of working time; None is unknown.
        approximate: Whether windows were counted where shots will be cut: nobody looks for shots beforehand,
            since that decodes the whole video, which is most of the work.
    """

    video_seconds: float = 0.0
    clips: int = 0
    requests: int = 0
    cost: float | None = 0.0
    currency: str = ""
    seconds: float | None = 0.0
    approximate: bool = False

    @property
    def is_unknown(self) -> bool:
        """Whether cost or time is."""
        return self.cost is None or self.seconds is None

    def __add__(self, other: Estimate) -> Estimate:
        """Both together; what is unknown of one is unknown of the sum."""
        return Estimate(
            self.video_seconds + other.video_seconds,
            self.clips + other.clips,
            self.requests + other.requests,
            _sum(self.cost, other.cost),
            self.currency or other.currency,
            _sum(self.seconds, other.seconds),
            self.approximate or other.approximate,
        )

    def to_json(self) -> dict[str, object]:
        """A JSON object; what is unknown is null."""
        return {
            "video_seconds": round(self.video_seconds, 3),
            "clips": self.clips,
            "requests": self.requests,
            "cost": None if self.cost is None else round(self.cost, 6),
            "currency": self.currency,
            "seconds": None if self.seconds is None else round(self.seconds, 3),
            "approximate": self.approximate,
        }


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
