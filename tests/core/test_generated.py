"""What a model said of a video, as manifests and records have it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from polyreel.core.errors import IntegrityError
from polyreel.core.generated import Generated
from polyreel.core.manifest import Manifest, Manifests
from polyreel.core.records import Scope, Text
from polyreel.core.subtitles import Line
from polyreel.storage.local import LocalObjects

if TYPE_CHECKING:
    from pathlib import Path

SAID = Generated(
    "A zebra.", (Line(0, 1000, "It yawns."), Line(3000, 3000, "It gallops.")), "key", "model", "2026-01-01"
)
MANIFEST = Manifest("v" * 64, "file:///a.mp4", "space", "recipe", "text", "fields", ("r1",))


@pytest.mark.parametrize("said", [SAID, None])
def test_a_manifest_keeps_it(tmp_path: Path, said: Generated | None) -> None:
    manifests = Manifests(LocalObjects(path=tmp_path), "uid")
    kept = Manifest(**{**_parts(), "generated": said})  # type: ignore[arg-type]
    manifests.put(kept)
    assert manifests.get(kept.video_id) == kept


@pytest.mark.parametrize("broken", [{"events": 5}, {"events": [[1, 2]]}, {"events": [["a", 2, "x"]]}])
def test_a_manifest_with_a_broken_one_says_so(tmp_path: Path, broken: object) -> None:
    objects = LocalObjects(path=tmp_path)
    body = {**MANIFEST.to_json(), "generated": broken}
    objects.put(f"manifests/uid/{MANIFEST.video_id}.json", json.dumps(body).encode())
    with pytest.raises(IntegrityError, match="can't be read"):
        Manifests(objects, "uid").get(MANIFEST.video_id)


def test_a_record_has_the_caption_and_the_events_of_its_time() -> None:
    assert SAID.text_for(Scope.CLIP, 0, 2000) == "A zebra.\nIt yawns."
    assert SAID.text_for(Scope.CLIP, 1000, 3000) == "A zebra."
    assert SAID.text_for(Scope.CLIP, 3000, 4000) == "A zebra.\nIt gallops."
    assert SAID.text_for(Scope.VIDEO, 0, 4000) == "A zebra.\nIt yawns.\nIt gallops."


def test_a_text_counts_it_and_comes_back_with_it() -> None:
    text = Text(generated="A zebra.")
    assert text
    assert text.joined() == "A zebra."
    assert Text.from_json(text.to_json()) == text


def _parts() -> dict[str, object]:
    return {name: getattr(MANIFEST, name) for name in MANIFEST.__dataclass_fields__}
