"""The page is one file that loads nothing, and in which no title can run."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

import polyreel
from polyreel import exploring
from polyreel.core.errors import PolyreelError
from polyreel.core.records import Text
from polyreel.exploring.page import page
from polyreel.testing.samples import drawn_samples

from .conftest import scenes

if TYPE_CHECKING:
    from pathlib import Path

    from polyreel.core.search import VideoSearch
    from polyreel.exploring import Exploration

    from ..conftest import Need
    from .conftest import Fill

HOSTILE = (
    "</title><script>document.body.dataset.ran=1</script>",
    "</script><script>document.body.dataset.ran=1</script>",
    '"><img src=x onerror="document.body.dataset.ran=1">',
    "' onmouseover='document.body.dataset.ran=1",
    "<!--<script>",
    "\u2028\u2029 <svg onload=document.body.dataset.ran=1>",
    "${document.body.dataset.ran=1} {{7*7}}",
)


class Read(HTMLParser):
    """The elements of a page with their attributes, and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._in_script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts.append(data)


@pytest.fixture
def hostile(fill: Fill) -> Exploration:
    """Titles, tags, names and addresses that would like to run."""
    rows = [
        replace(
            row,
            text=Text(HOSTILE[at % len(HOSTILE)], (HOSTILE[(at + 1) % len(HOSTILE)],)),
            uri=("javascript:document.body.dataset.ran=1//", f"file:///{HOSTILE[2]}.mp4")[at % 2],
        )
        for at, row in enumerate(scenes())
    ]
    return exploring.explore(fill(rows))


def test_no_title_tag_or_address_becomes_markup(hostile: Exploration) -> None:
    read = Read(page(hostile, {}, title=HOSTILE[0]))
    kinds = {tag for tag, _ in read.elements}
    assert kinds <= set(
        "html head meta title style body main h1 h2 h3 p div svg circle title button input article span b a "
        "rect text script".split()
    )
    assert [tag for tag, _ in read.elements].count("script") == 2
    for _, attributes in read.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("href") or "file:").startswith("file:")


def test_only_the_own_script_and_style_may_be_used(hostile: Exploration) -> None:
    text = page(hostile, {}, title="x")
    (policy,) = [
        str(each["content"])
        for tag, each in Read(text).elements
        if "Content-Security-Policy" in each.values()
    ]
    assert policy.startswith("default-src 'none'; img-src data:;")
    for element, name in (("script", "script-src"), ("style", "style-src")):
        (body,) = re.findall(f"<{element}>(.*?)</{element}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy


def test_nothing_is_loaded_from_elsewhere(hostile: Exploration) -> None:
    picture = "data:image/jpeg;base64,AAAA"
    shots = {point.record.id: picture for point in hostile.points}
    read = Read(page(hostile, shots, title="x"))
    sources = [attributes["src"] for _, attributes in read.elements if "src" in attributes]
    assert sources
    assert set(sources) == {picture}
    assert not [tag for tag, _ in read.elements if tag in ("link", "iframe", "object", "embed", "base")]


def test_the_data_of_the_script_cannot_end_their_element(hostile: Exploration) -> None:
    (data,) = [each for each in Read(page(hostile, {}, title="x")).scripts if each.startswith("[")]
    assert "<" not in data


@pytest.mark.slow
def test_in_a_browser_no_title_runs_and_the_script_does(
    hostile: Exploration, tmp_path: Path, need: Need
) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        need("chromium", "no Chromium is installed, the page is only parsed")
    file = tmp_path / "map.html"
    file.write_text(page(hostile, {}, title=HOSTILE[0]), "utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [browser, *flags, "--virtual-time-budget=2000", "--dump-dom", file.as_uri()],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert 'class="map live"' in done.stdout
    assert "data-ran" not in re.sub(r"<(script|style|title).*?</\1>", "", done.stdout, flags=re.DOTALL)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The sample clips in the default stack."""
    folder = tmp_path_factory.mktemp("filmed")
    shutil.copytree(drawn_samples(tmp_path_factory), folder / "videos")
    (folder / "polyreel.toml").write_text("[stacks.local]\n")
    with polyreel.open("local", folder / "polyreel.toml") as search:
        assert search.ingest(folder / "videos").ok
        yield search


def test_videos_on_this_machine_are_shown_with_pictures(filmed: VideoSearch, tmp_path: Path) -> None:
    found = exploring.explore(filmed)
    out = exploring.write_page(found, filmed, tmp_path / "map.html", title="Sample clips")
    read = Read(out.read_text("utf-8"))
    pictures = [each["src"] or "" for tag, each in read.elements if tag == "img"]
    assert len(pictures) >= len(found.clusters)
    assert base64.b64decode(pictures[0].removeprefix("data:image/jpeg;base64,")).startswith(b"\xff\xd8")
    assert "Sample clips" in out.read_text("utf-8")
    none = exploring.write_page(found, filmed, tmp_path / "plain.html", pictures=0)
    assert "<img" not in none.read_text("utf-8")


def test_a_video_that_is_gone_costs_its_picture_only(filmed: VideoSearch, tmp_path: Path) -> None:
    found = exploring.explore(filmed)
    moved = [replace(point, record=replace(point.record, uri="file:///gone.mp4")) for point in found.points]
    out = exploring.write_page(replace(found, points=tuple(moved)), filmed, tmp_path / "map.html")
    assert "<img" not in out.read_text("utf-8")


def test_a_page_that_cannot_be_written_leaves_nothing(filmed: VideoSearch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PolyreelError, match="can't be written"):
        exploring.write_page(exploring.explore(filmed), filmed, tmp_path / "file" / "map.html", pictures=0)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
