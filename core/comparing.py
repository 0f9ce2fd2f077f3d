"""What is to be done with a file: its content, recipe, text and fields compared with the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from .digests import known_sha256
from .embedder import Takes
from .errors import IntegrityError
from .fields import Schema, Value, check_fields
from .making import Maker
from .manifest import Manifest, Manifests
from .remotes import Fetcher
from .report import Outcome
from .sources import Source
from .space import digest


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with one file, and what that was derived from.

    Args:
        hashes: Digests of its text and of its fields.
        manifest: None where the collection doesn't have the video yet.
        embeds: Whether it goes through the embedder, which takes time and may cost money.
        reason: Which file it is a duplicate of.
    """

    source: Source
    video_id: str
    uri: str
    outcome: Outcome
    fields: Mapping[str, Value]
    extra: Mapping[str, object]
    hashes: tuple[str, str]
    manifest: Manifest | None
    embeds: bool
    reason: str | None = None

    @property
    def key(self) -> str:
        """Where the object store keeps the file, if it keeps a copy."""
        return f"videos/{self.video_id}{self.source.path.suffix.lower()}"

    @property
    def text_changed(self) -> bool:
        """Whether title, tags or captions are others than the manifest's."""
        return self.manifest is None or self.manifest.text_hash != self.hashes[0]

    @property
    def values(self) -> dict[str, object]:
        """Fields and extra values as JSON has them."""
        return {**_plain(self.fields), **self.extra}


@dataclass(frozen=True, slots=True)
class Comparer:
    """Compares files with the manifests of a collection.

    Args:
        manifests: None in a dry run over a collection that isn't there yet.
        fetcher: Fetches files that lie elsewhere.
    """

    manifests: Manifests | None
    maker: Maker
    schema: Schema
    fetcher: Fetcher

    def video_id(self, path: Path) -> str:
        """The digest of a file, which is read only where the journal doesn't know it (`known_sha256`)."""
        return known_sha256(path, self.maker.journal)

    def plan(self, source: Source, video_id: str) -> Plan:
        """What is to be done with a file.

        Raises:
            InvalidQueryError: A field has a value of another type than was declared.
        """
        fields, extra = check_fields(self.schema, _fields(source, self.schema))
        hashes = _text_hash(source), digest([_plain(fields), extra])
        manifest = self._manifest(video_id)
        uri = source.uri or self._uri(source.path, video_id)
        outcome, reason = self._outcome(manifest, uri, hashes, video_id)
        embeds = self._embeds(outcome, text_changed=manifest is None or manifest.text_hash != hashes[0])
        if manifest and manifest.generated:  # it stays with the video, whatever becomes of its own text
            source = replace(source, generated=manifest.generated)
        return Plan(source, video_id, uri, outcome, fields, extra, hashes, manifest, embeds, reason)

    def requests(self, clips: int) -> int:
        """How many calls the embedder takes for a video of so many clips."""
        embedder = self.maker.embedder
        if embedder is None:
            return clips
        return 1 if embedder.takes is Takes.WHOLE_VIDEO else -(-clips // embedder.max_batch)

    def _manifest(self, video_id: str) -> Manifest | None:
        """The manifest, where it can be read: a broken one is written anew."""
        try:
            return self.manifests.get(video_id) if self.manifests else None
        except IntegrityError:
            return None

    def _outcome(
        self, manifest: Manifest | None, uri: str, hashes: tuple[str, str], video_id: str
    ) -> tuple[Outcome, str | None]:
        if manifest is None:
            return Outcome.INGESTED, None
        if (manifest.space, manifest.recipe) != (self.maker.space.key, self.maker.recipe.key):
            return Outcome.REINGESTED, None
        if manifest.uri != uri and self._still_there(manifest.uri, video_id):
            return Outcome.DUPLICATE, f"the same file as {manifest.uri}"
        if manifest.uri != uri:
            return Outcome.MOVED, None
        if (manifest.text_hash, manifest.fields_hash) != hashes:
            return Outcome.UPDATED, None
        return Outcome.SKIPPED, None

    def _embeds(self, outcome: Outcome, *, text_changed: bool) -> bool:
        """New videos and recipes; new text only where the embedder reads it and can't swap it."""
        if outcome in (Outcome.UPDATED, Outcome.MOVED):
            embedder = self.maker.embedder
            return text_changed and embedder is not None and embedder.reads_text and not embedder.swaps_text
        return outcome in (Outcome.INGESTED, Outcome.REINGESTED)

    def _still_there(self, uri: str, video_id: str) -> bool:
        path = self.maker.objects.path(uri)
        if path is None:
            return self.fetcher.holds(uri, video_id)
        return path.is_file() and self.video_id(path) == video_id

    def _uri(self, path: Path, video_id: str) -> str:
        objects = self.maker.objects
        return objects.refer(path) or objects.uri(f"videos/{video_id}{path.suffix.lower()}")


def _fields(source: Source, schema: Schema) -> dict[str, object]:
    """The source's fields; a declared one called as a part of the text (`tags`, …) has that part's value."""
    text = source.text.to_json()
    return {**{name: text[name] for name in text.keys() & schema.keys()}, **source.fields}


def _text_hash(source: Source) -> str:
    lines = [[line.start_ms, line.end_ms, line.text] for line in source.lines]
    return digest([source.text.to_json(), lines])


def _plain(fields: Mapping[str, Value]) -> dict[str, object]:
    """Values as JSON has them."""

    def plain(value: Value) -> object:
        if isinstance(value, datetime):
            return value.isoformat()
        return list(value) if isinstance(value, tuple) else value

    return {name: plain(value) for name, value in fields.items()}
