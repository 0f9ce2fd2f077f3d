"""Videos that lie elsewhere: handed over by a presigned address, or fetched first; and what loads when."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import polyreel
from polyreel.core.errors import ConfigurationError, MediaError
from polyreel.testing import tos
from polyreel.testing.web import send, serving

if TYPE_CHECKING:
    from pathlib import Path

    from polyreel.testing.ark import Emulator

    from .conftest import Connect

CONFIG = """
stack = "films"
[stacks.films]
state = "state"
recipe = {{ window = 2.0 }}
[stacks.films.store]
kind = "memory"
[stacks.films.embedder]
kind = "builtin"
[stacks.films.objects]
{objects}
[stacks.films.understanding]
kind = "ark"
api_key = "ark-test"
base_url = "{url}"
hand_over = "{hand_over}"
"""
LOCAL = 'kind = "local"\npath = "objects"'
TOS = """
kind = "tos"
bucket = "video-demo1"
endpoint = "{url}"
custom_domain = true
access_key = "AKTEST"
secret_key = "SKTEST"
"""


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def configured(folder: Path, emulator: Emulator, objects: str, hand_over: str) -> Path:
    config = folder / "polyreel.toml"
    config.write_text(CONFIG.format(url=emulator.url, objects=objects, hand_over=hand_over))
    return config


def test_a_video_in_a_bucket_goes_by_a_presigned_address(
    emulator: Emulator, videos: Path, tmp_path: Path
) -> None:
    with tos.emulating(tos.Settings(domain="video-demo1")) as bucket:
        config = configured(tmp_path, emulator, TOS.format(url=bucket.url), "url")
        with polyreel.open(config=config) as search:
            search.ingest(videos)
            ball = next(each for each in search.videos() if "ball" in each.title)
            snow = next(each for each in search.videos() if "snow" in each.title.lower())
            assert search.describe(ball).text
            with pytest.raises(MediaError, match="can't reach"):  # WebM is cut first, and then has no address
                search.describe(snow)
    sent = emulator.bodies[0]["input"][0]["content"][0]
    assert sent["video_url"].startswith(f"{bucket.url}/videos/{ball.video_id}.mp4?")
    assert sent["fps"] == 1.0
    assert emulator.script.heard[0].videos[0][0] == (videos / "ball_a.mp4").read_bytes()


def test_an_address_that_only_this_machine_sees_is_not_handed_on_by_itself(
    emulator: Emulator, videos: Path, tmp_path: Path
) -> None:
    with tos.emulating(tos.Settings(domain="video-demo1")) as bucket:
        config = configured(tmp_path, emulator, TOS.format(url=bucket.url), "auto")
        with polyreel.open(config=config) as search:
            search.ingest(videos / "ball_a.mp4")
            search.stack.understanding.inline_first = 0  # type: ignore[union-attr]
            search.describe(search.videos()[0])
    assert emulator.bodies[0]["input"][0]["content"][0]["file_id"].startswith("file-")


def test_an_address_is_fetched_and_shown(emulator: Emulator, videos: Path, tmp_path: Path) -> None:
    body = (videos / "ball_a.mp4").read_bytes()
    with serving() as site, polyreel.open(config=configured(tmp_path, emulator, LOCAL, "auto")) as search:
        site.answers["/a.mp4"] = lambda handler, _: send(handler, 200, body)
        assert search.describe(site.url("/a.mp4?X-Amz-Signature=5ec7e7")).text
    assert emulator.script.heard[0].videos[0][0] == body


def test_a_missing_package_says_what_to_install(
    emulator: Emulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "polyreel.understanding.ark.client", raising=False)
    monkeypatch.setitem(sys.modules, "volcenginesdkarkruntime", None)
    with connect(emulator) as model, pytest.raises(ConfigurationError) as caught:
        model.load()
    assert caught.value.hint == 'pip install "polyreel[ark]"'


def test_a_search_loads_neither_the_vendors_package_nor_the_room(tmp_path: Path, emulator: Emulator) -> None:
    config = configured(tmp_path, emulator, LOCAL, "auto")
    code = f"""
import sys, polyreel
with polyreel.open(config={str(config)!r}) as search:
    search.stack.store.open(search.stack.spec, create=True)
    search.search(vector=[1.0] * search.stack.space.dimension)
print("volcenginesdkarkruntime" in sys.modules, "polyreel.core.viewing" in sys.modules)
"""
    said = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "False False\n"
