"""The examples of README.md and docs/ run, and print what the pages say.

The blocks of a page run in order, in one namespace and in a folder where sample clips lie in `videos/`. The
clips have been taken in, except for pages that do so themselves.

- `python`: runs; a `text` block right below holds what it prints.
- `console`: lines that begin with `$ polyreel` run as on a terminal of 80 columns; what stands below a line
  is what it prints. Other commands don't run.
- `toml`: a piece of configuration, which is read as `polyreel.toml` and stays there; any other is only shown.
- `json`: is JSON, and a filter where it looks like one.
- `text`, `py` and `sh` are only shown.

What is printed is compared loosely: `...` stands for anything, a number with decimals for any such number,
`3 ms` for any time, an id for any id, and runs of blanks for one.
"""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
import subprocess
import tomllib
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import polyreel
from polyreel import VideoSearch
from polyreel.cli.main import app
from polyreel.config import load
from polyreel.core.filter_json import from_json, to_json
from polyreel.testing.samples import drawn_samples

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^( *)```([\w-]*)[^\n]*\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
SHOWN_ONLY = {"text", "py", "sh"}
FRESH = re.compile(r"^\$ polyreel ingest|\.ingest\(", re.MULTILINE)
VARIES = re.compile(
    r"(?P<anything> ?\.\.\.$|\.\.\.)|(?P<number>(?<![\w:.])-?\d+\.\d+(?![\w:.]))|(?P<time>\b\d+ ms\b)"
    r"|(?P<id>\b(?=[a-f]*\d)[0-9a-f]{8,}[0-9a-f-]*…?)"
)
LOOSELY = {
    "anything": ".*",
    "number": r"-?\d+\.\d+",
    "time": r"\d+ ms",
    "id": "[0-9a-f]{8}[0-9a-f-]*…?",
}


@dataclass(frozen=True)
class Block:
    """One fenced block of a page: where it begins, what it holds, and what it should print."""

    page: Path
    line: int
    language: str
    code: str
    printed: str | None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path, text: str) -> list[Block]:
    found = list(FENCE.finditer(text))
    made = []
    for fence, following in zip(found, [*found[1:], None], strict=False):
        below = following and following[2] == "text" and not text[fence.end() : following.start()].strip()
        printed = following[3] if below and following else None
        line = text.count("\n", 0, fence.start()) + 2
        made.append(Block(page, line, fence[2], fence[3], printed))
    return made


class Terminal(io.StringIO):
    """What a person reads; a simple terminal, on which no bar moves."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Reader:
    """Does what a page says, from top to bottom."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, Any] = {}

    def follow(self, block: Block) -> None:
        match block.language:
            case "python":
                self._run_python(block)
            case "console":
                self._run_commands(block)
            case "toml":
                self._configure(block)
            case "json":
                read_json(block)
            case _:
                assert block.language in SHOWN_ONLY, f"{block}: what is {block.language!r}?"

    def close(self) -> None:
        for value in self._names.values():
            if isinstance(value, VideoSearch):
                value.close()

    def _run_python(self, block: Block) -> None:
        padded = "\n" * (block.line - 1) + block.code  # so that a traceback names the page's line
        with redirect_stdout(io.StringIO()) as printed:
            exec(compile(padded, str(block.page), "exec"), self._names)
        if block.printed is not None:
            compare(block.printed, printed.getvalue(), block)

    def _run_commands(self, block: Block) -> None:
        for command, expected in commands(block.code):
            if shlex.split(command)[0] == "polyreel":
                compare(expected, said(command), block)

    def _configure(self, block: Block) -> None:
        if tomllib.loads(block.code).keys() & {"stack", "stacks", "ingest", "rates"}:
            (self._folder / "polyreel.toml").write_text(block.code)
            settings = load()
            assert all(settings.stack(name).kind("store") for name in settings.stack_names)


def read_json(block: Block) -> None:
    for document in json_documents(block.code):
        if isinstance(document, dict) and document.keys() & {"field", "and", "or", "not"}:
            assert to_json(from_json(document)) == document, block


def json_documents(code: str) -> Iterator[Any]:
    """One document, or one a line."""
    try:
        yield json.loads(code)
    except ValueError:
        yield from map(json.loads, code.splitlines())


def commands(code: str) -> Iterator[tuple[str, str]]:
    """Each command, and what stands below it."""
    for session in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
        command, _, expected = session.partition("\n")
        yield command, expected


def said(command: str) -> str:
    """What a command prints, errors included."""
    shown = Terminal()
    with redirect_stdout(shown), redirect_stderr(shown), pytest.raises(SystemExit):
        app(shlex.split(command)[1:], prog_name="polyreel")
    return shown.getvalue()


def compare(expected: str, printed: str, where: object) -> None:
    if expected.strip() and not alike(expected, printed):
        raise AssertionError(f"{where}: it printed\n{printed}")


def alike(expected: str, printed: str) -> bool:
    return bool(re.fullmatch(pattern(expected), squeezed(printed), re.DOTALL))


def pattern(expected: str) -> str:
    """A regular expression for what may be printed."""
    text, at, pieces = squeezed(expected), 0, []
    for piece in VARIES.finditer(text):
        pieces += [re.escape(text[at : piece.start()]), LOOSELY[str(piece.lastgroup)]]
        at = piece.end()
    return "".join([*pieces, re.escape(text[at:])])


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub("─+", "─", text)).strip()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sample clips that were taken in; not to be changed."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(drawn_samples(tmp_path_factory), folder / "videos")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with polyreel.open() as search:
            assert search.ingest("videos").ok
    return folder


@pytest.fixture
def folder(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a page."""
    # Not by shutil: the engine's files are 200 MB, nearly all of it holes, which cp leaves out.
    subprocess.run(["cp", "-a", f"{prepared}/.", str(tmp_path)], check=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "dumb")
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_tells_the_truth(page: Path, folder: Path) -> None:
    text = page.read_text("utf-8")
    if FRESH.search(text):
        shutil.rmtree(folder / ".polyreel")
    with closing(Reader(folder)) as reader:
        for block in blocks(page, text):
            reader.follow(block)


def test_the_pages_have_examples_of_each_kind() -> None:
    found = [block.language for page in PAGES for block in blocks(page, page.read_text("utf-8"))]
    assert all(found.count(kind) >= least for kind, least in (("python", 10), ("console", 6), ("json", 2)))


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("```python\nprint(1)\n```\n```text\n2\n```", "it printed\n1"),
        ("```console\n$ polyreel --version\nnothing\n```", "it printed\npolyreel"),
        ("```json\n{'a'}\n```", "Expecting"),
        ("```python\nimport nothing_like_this\n```", "nothing_like_this"),
        ("```pyton\n1\n```", "what is 'pyton'"),
    ],
)
def test_a_wrong_example_is_found(block: str, message: str, tmp_path: Path) -> None:
    (first, *_) = blocks(ROOT / "README.md", block)
    with pytest.raises((AssertionError, ValueError, ImportError), match=message):
        Reader(tmp_path).follow(first)


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("1  0.237  a.mp4", "1   0.2  a.mp4", True),
        ("1  0.237  a.mp4", "1  0.237  b.mp4", False),
        ("3 hits in 2 ms", "3 hits in 17 ms", True),
        ("3 hits in 2 ms", "4 hits in 2 ms", False),
        ("0:05.0-0:06.0", "0:05.0-0:07.0", False),
        ("e3f9e70cce6a  x", "111c46b81229  x", True),
        ("a ... z", "a b\nc z", True),
        ("a\n...", "a", True),
        ("a\n...", "b", False),
    ],
)
def test_what_is_printed_is_compared_loosely(expected: str, printed: str, *, same: bool) -> None:
    assert alike(expected, printed) is same
