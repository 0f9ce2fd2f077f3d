from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from polyreel.core.errors import IntegrityError
from polyreel.core.manifest import Manifest, Manifests
from polyreel.core.records import Text
from polyreel.storage.local import LocalObjects

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = Manifest(
    video_id="ab12",
    uri="file:///videos/%E6%B5%B7.mp4",
    space="s",
    recipe="r",
    text_hash="t",
    fields_hash="f",
    records=("one", "two"),
    clips=("clips/ab12/0-5000.mp4",),
    text=Text("海", ("sea",), "waves", "hello"),
    fields={"year": 2020, "tags": ["a"]},
    duration=6.5,
    width=640,
    height=360,
    damage="unreadable from 5.00 s on",
    ingested="2026-01-01T00:00:00+00:00",
)


@pytest.fixture
def objects(tmp_path: Path) -> LocalObjects:
    made = LocalObjects(path=tmp_path / "objects")
    made.ensure_bucket()
    return made


def test_a_manifest_comes_back_as_it_was_written(objects: LocalObjects) -> None:
    manifests = Manifests(objects, "uid")
    manifests.put(MANIFEST)
    assert manifests.get("ab12") == MANIFEST
    assert list(manifests) == [MANIFEST]


def test_a_video_without_a_mark_is_not_in_the_collection(objects: LocalObjects) -> None:
    manifests = Manifests(objects, "uid")
    assert manifests.get("ab12") is None
    manifests.delete("ab12")
    assert list(manifests) == []


def test_collections_do_not_see_each_other(objects: LocalObjects) -> None:
    Manifests(objects, "one").put(MANIFEST)
    assert list(Manifests(objects, "two")) == []


def test_ids_are_found_by_their_start(objects: LocalObjects) -> None:
    manifests = Manifests(objects, "uid")
    manifests.put(MANIFEST)
    assert list(manifests.ids("ab")) == ["ab12"]
    assert list(manifests.ids("b")) == []


def changed(**parts: object) -> bytes:
    return json.dumps({**MANIFEST.to_json(), **parts}).encode()


BROKEN = {
    "cut off": (b"{", "it is no JSON"),
    "no text": (b"\xff", "it is no JSON"),
    "too deep": (b"[" * 100_000, "it is no JSON"),
    "no object": (b"[]", "a part of it isn't"),
    "empty": (b"{}", "it has no video_id"),
    "half of it": (b'{"video_id": "ab12", "records": []}', "it has no uri"),
    "records that are a text": (changed(records="one"), "a part of it isn't"),
    "records that are numbers": (changed(records=[1]), "a part of it isn't"),
    "clips that are nothing": (changed(clips=None), "a part of it isn't"),
    "a title of another type": (changed(text="sea"), "a part of it isn't"),
    "an address of another type": (changed(uri=5), "a part of it isn't"),
    "a length in words": (changed(duration="long"), "a part of it isn't"),
    "a length without end": (changed(duration=float("inf")), "a part of it isn't"),
    "a width that is true": (changed(width=True), "a part of it isn't"),
    "another video's": (changed(video_id="ab13"), "a part of it isn't"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_manifest_says_why_and_what_to_do(objects: LocalObjects, what: str) -> None:
    body, why = BROKEN[what]
    objects.put("manifests/uid/ab12.json", body)
    with pytest.raises(IntegrityError, match="ingest the video again") as caught:
        Manifests(objects, "uid").get("ab12")
    assert f"the manifest of video ab12 can't be read: {why}" in str(caught.value)


def test_the_other_manifests_can_be_read_beside_broken_ones(objects: LocalObjects) -> None:
    manifests, heard = Manifests(objects, "uid"), list[str]()
    manifests.put(MANIFEST)
    for broken in ("aa11", "cc33"):
        objects.put(f"manifests/uid/{broken}.json", b"{")
    assert list(manifests.readable(lambda video_id, _: heard.append(video_id))) == [MANIFEST]
    assert heard == ["aa11", "cc33"]
    with pytest.raises(IntegrityError, match="aa11"):
        list(manifests)


def test_parts_of_a_later_version_are_left_out(objects: LocalObjects) -> None:
    body = json.dumps({**MANIFEST.to_json(), "weather": "fine"}).encode()
    objects.put("manifests/uid/ab12.json", body)
    assert Manifests(objects, "uid").get("ab12") == MANIFEST


def test_a_video_without_a_title_is_called_by_its_address() -> None:
    from dataclasses import replace

    assert replace(MANIFEST, text=Text()).title.endswith(".mp4")
