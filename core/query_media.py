"""The videos of a query, ready for whoever embeds them: a span of one, or one that is too long, in pieces.

A video longer than the embedder takes at once (`HandOver.max_seconds`) is cut by the recipe, as an ingest
would cut it, and its vector is the mean of its pieces' by their length, as that of a whole video in the
collection is. Nothing is left out: a video of more than `MAX_PIECES` pieces is refused.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from .asking import Run
from .embedder import HandOver, Takes
from .errors import InvalidQueryError, UnsupportedError
from .media import Media, MediaTools, Modality
from .query_parts import Part, Piece
from .recipe import Recipe, Segmentation
from .staging import Staging

MAX_PIECES = 240
"""Pieces of one query video: each is embedded, and may be paid for."""
_ROUNDING = 50  # ms by which a span may go beyond the video

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class QueryMedia:
    """Hands the media of a query to whoever embeds them.

    Args:
        kind: Who that is, for messages.
        accepts: What it takes, and how.
        takes: What it wants of a video; None where the store vectorizes.
        staging: Brings files to where it sees them.
        tools: Probe and cut.
        recipe: How a video is cut.
        run: Remembers what was handed over for what, so that a kept vector is found again.
    """

    kind: str
    accepts: Mapping[Modality, HandOver]
    takes: Takes | None
    staging: Staging
    tools: MediaTools
    recipe: Recipe
    run: Run

    def ready(self, parts: Sequence[Part]) -> AbstractContextManager[Sequence[Part]]:
        """The parts with media that can be seen from there, for as long as the context lasts.

        Raises:
            UnsupportedError: It takes no such media, or can't reach them.
            InvalidQueryError: A span lies outside its video, or a video has too many pieces.
            MediaError: A video can't be read.
        """
        self._check(parts)
        plain = all(part.media is None or part.media.modality is Modality.TEXT for part in parts)
        return nullcontext(parts) if plain else self._handed_over(parts)

    @contextmanager
    def _handed_over(self, parts: Sequence[Part]) -> Iterator[Sequence[Part]]:
        with ExitStack() as stack:
            cut = [self._cut(part, stack) for part in parts]
            media = [medium for part in cut for medium in _media(part)]
            leased = self.staging.leased(media, self._schemes(), inline_bytes=self._inline_bytes())
            staged = stack.enter_context(leased)
            known = self.run.originals
            known |= {there: known.get(own, own) for there, own in zip(staged, media, strict=True)}
            there = iter(staged)
            yield [_with_media(part, there) for part in cut]

    def _check(self, parts: Sequence[Part]) -> None:
        for part in parts:
            if part.media and part.media.modality not in self.accepts:
                raise UnsupportedError(
                    f"{self.kind} can't embed {part.media.modality}",
                    hint=f"it takes {', '.join(self.accepts) or 'vectors'}",
                )

    def _schemes(self) -> frozenset[str]:
        return frozenset().union(*(way.schemes for way in self.accepts.values()))

    def _inline_bytes(self) -> int | None:
        """The size above which a query video goes by an address."""
        way = self.accepts.get(Modality.VIDEO)
        return way.inline_bytes if way else None

    def _cut(self, part: Part, stack: ExitStack) -> Part:
        """The part with its span or its pieces, as files of their own for all that don't read frames."""
        medium = part.media
        if medium is None or medium.modality is not Modality.VIDEO or medium.path is None:
            return part
        longest = self.accepts[Modality.VIDEO].max_seconds
        spanned = bool(medium.start_ms) or medium.end_ms is not None
        if longest is None and not spanned:
            return part
        start, end = _span(medium, self.tools.probe(medium.path).duration_ms)
        if longest is not None and end - start > longest * 1000:
            spans = self._spans(medium.path, (start, end), longest)
            return replace(part, pieces=self._pieces(medium, spans, stack))
        own = self._file(replace(medium, start_ms=start, end_ms=end), stack) if spanned else medium
        return replace(part, media=own)

    def _pieces(self, medium: Media, spans: Sequence[Span], stack: ExitStack) -> tuple[Piece, ...]:
        if len(spans) > MAX_PIECES:
            seconds = (spans[-1][1] - spans[0][0]) / 1000
            raise InvalidQueryError(
                f"the query video is {seconds:g} s long, which is {len(spans)} pieces; {self.kind} would "
                f"embed each, and {MAX_PIECES} are the most",
                hint="give a span of it, such as #t=60,120 behind its name",
            )
        pieces = [replace(medium, start_ms=first, end_ms=last) for first, last in spans]
        lengths = [last - first for first, last in spans]
        return tuple(
            Piece(self._file(piece, stack), length) for piece, length in zip(pieces, lengths, strict=True)
        )

    def _spans(self, path: Path, whole: Span, longest: float) -> list[Span]:
        """What the recipe makes of a span; no piece is longer than `longest` seconds."""
        start, end = whole
        window = min(self.recipe.window, longest / 2)  # a short last piece joins the one before
        recipe = replace(self.recipe, window=window, shortest=min(self.recipe.shortest, window))
        shots = self.tools.shots(path) if recipe.segmentation is Segmentation.SHOTS else ()
        inside = [shot - start for shot in shots]
        return [(start + first, start + last) for first, last in recipe.spans(end - start, inside)]

    def _file(self, medium: Media, stack: ExitStack) -> Media:
        """The piece as it is for an embedder that reads frames, else cut out into a file of its own."""
        if self.takes is Takes.FRAMES or medium.path is None or medium.end_ms is None:
            return medium
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="polyreel-")))
        out = folder / "piece.mp4"
        self.tools.cut(medium.path, out, start_ms=medium.start_ms, end_ms=medium.end_ms)
        cut = replace(medium, path=out, start_ms=0, end_ms=None)
        self.run.originals[cut] = medium
        return cut


def _span(medium: Media, duration: int) -> Span:
    """The span that is meant, within the video.

    Raises:
        InvalidQueryError: It lies outside.
    """
    start, end = medium.start_ms, duration if medium.end_ms is None else medium.end_ms
    if start >= duration or end > duration + _ROUNDING:
        name = medium.path.name if medium.path else "the query video"
        until = "its end" if medium.end_ms is None else f"{end / 1000:g} s"
        raise InvalidQueryError(
            f"{name} is {duration / 1000:g} s long, and the span asked for is {start / 1000:g} s to {until}",
            hint="choose a span inside it",
        )
    return start, min(end, duration)


def _media(part: Part) -> list[Media]:
    if part.pieces:
        return [piece.media for piece in part.pieces]
    return [part.media] if part.media else []


def _with_media(part: Part, staged: Iterator[Media]) -> Part:
    """The part with its media at the addresses that were staged for them."""
    if part.pieces:
        return replace(part, pieces=tuple(replace(piece, media=next(staged)) for piece in part.pieces))
    return replace(part, media=next(staged)) if part.media else part
