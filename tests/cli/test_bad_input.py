"""Bad input, from the command line and from Python: one clear line, the right exit code, and nothing lost."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

import polyreel
from polyreel import VideoSearch, media
from polyreel.core.errors import InvalidQueryError, NotFoundError, PolyreelError
from polyreel.core.filters import F
from polyreel.testing.embedders import ColourEmbedder

from .conftest import Said, Shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_OWN = """
[stacks.local]
state = "{state}"
collection = "own"
[stacks.local.store]
path = "{store}"
lock_wait = 0
timeout = 1
[stacks.local.objects]
path = "{objects}"
copy = {copy}
[stacks.local.fields]
year = "int"
indoor = "bool"
"""


_BESIDE = ("Usage: ", "Try '", "ingested: ", "not declared: ", "2 hits in ")
_STEERING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


# -- what a failure must leave ---------------------------------------------------------------------------


def check_line(said: Said, code: int, *words: str) -> None:
    """One line that is an error or a failed file, with the words in it; nothing that steers a terminal."""
    assert said.code == code, said
    lines = [line for line in said.err.splitlines() if line and not line.startswith(_BESIDE)]
    assert len(lines) == (1 if words else 0), said.err
    assert all(word in lines[0] for word in words), said.err
    assert "Traceback" not in said.err
    assert not _STEERING.search(said.out + said.err)
    assert len(said.err) < 2000


def files_in(folder: Path) -> set[str]:
    """Every name outside of what polyreel keeps for itself."""
    own = folder / ".polyreel"
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_relative_to(own)}


def check_nothing_half_written(folder: Path) -> None:
    """No file is left that was being written."""
    names = [path.name for path in folder.rglob("*")]
    assert not [name for name in names if name.startswith(".polyreel-") or name.endswith((".part", ".tmp"))]


def check_nothing_lost(shell: Shell) -> None:
    """The videos and records taken in before are all there."""
    with polyreel.open() as search:
        videos = search.videos()
        assert len(videos) == 8
        assert search.count() >= sum(len(video.records) for video in videos) > 8
        assert search.search("red ball", limit=3).hits
    check_nothing_half_written(shell.folder)


@pytest.fixture(scope="module")
def spoiled_folder(ingested: Path, samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight videos taken in, among bad files; one folder for all tests, since bad input changes nothing."""
    folder = tmp_path_factory.mktemp("spoiled")
    subprocess.run(["cp", "-a", f"{ingested}/.", str(folder)], check=True)
    (folder / "text.mp4").write_text("this is text")
    (folder / "text.jpg").write_text("this is text")
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "folder").mkdir()
    (folder / "good.mp4").write_bytes((samples / "ball_a.mp4").read_bytes())
    (folder / "dangling.mp4").symlink_to("nowhere.mp4")
    (folder / "circle.mp4").symlink_to("circle.mp4")
    (folder / "loops").mkdir()
    (folder / "loops" / "again").symlink_to("..", target_is_directory=True)
    os.mkfifo(folder / "fifo.mp4")
    media.thumbnail(samples / "ball_a.mp4", folder / "frame.jpg", at_ms=1000)
    (folder / "cut.jpg").write_bytes((folder / "frame.jpg").read_bytes()[:300])
    (folder / "broken.toml").write_text('stack = "local"\n\nworkers =\n')
    (folder / "unknown.toml").write_text("[ingest]\nworker = 2\n")
    (folder / "binary.toml").write_bytes(b"stack = '\xff\xfe'\n")
    return folder


@pytest.fixture
def spoiled(spoiled_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell in that folder."""
    monkeypatch.chdir(spoiled_folder)
    return Shell(spoiled_folder)


# -- from the command line -------------------------------------------------------------------------------

_DEEP = "not " * 5000 + "year == 1"
_DEEP_JSON = '{"not": ' * 200 + "{}" + "}" * 200
_LINES: dict[str, tuple[list[str], int, str]] = {
    # files
    "a missing file": (["ingest", "nothing.mp4"], 1, "there is no file nothing.mp4"),
    "nothing to ingest": (["ingest"], 2, "nothing to ingest"),
    "an empty source": (["ingest", ""], 1, "an empty text names no source"),
    "a folder without videos": (["ingest", "folder"], 1, "no video in the folder folder"),
    "text named .mp4": (["ingest", "text.mp4"], 1, "text.mp4 is not a video or is broken"),
    "an empty file": (["ingest", "empty.mp4"], 1, "empty.mp4 is empty (0 bytes)"),
    "a dangling link": (["ingest", "dangling.mp4"], 1, "there is no file dangling.mp4"),
    "a link to itself": (["ingest", "circle.mp4"], 1, "circle.mp4"),
    "a fifo": (["ingest", "fifo.mp4"], 1, "fifo.mp4 is no regular file"),
    "/dev/null": (["ingest", "/dev/null"], 1, "/dev/null is no regular file"),
    "/dev/zero": (["ingest", "/dev/zero"], 1, "/dev/zero is no regular file"),
    "a folder in a circle": (["ingest", "loops"], 1, "no video in the folder loops"),
    "a file as a folder": (["ingest", "text.mp4/clip.mp4"], 1, "text.mp4/clip.mp4"),
    "a name too long": (["ingest", "x" * 300 + ".mp4"], 1, "xxx"),
    "a null byte": (["ingest", "a\0b.mp4"], 1, "b.mp4"),
    "no workers": (["ingest", "text.mp4", "--workers", "0"], 2, "workers is 0"),
    "fields that are no JSON": (["ingest", "text.mp4", "--fields", "text.mp4"], 2, "can't be read as JSON"),
    "fields in a missing file": (["ingest", "text.mp4", "--fields", "none.json"], 2, "none.json"),
    # usage
    "an unknown level of logs": (
        ["--log-level", "loud", "videos"],
        2,
        "the log level is 'loud'; choose debug",
    ),
    "an unknown command": (["frobnicate"], 2, "frobnicate"),
    "an unknown option": (["search", "a", "--colour", "red"], 2, "--colour"),
    "a word for a number": (["search", "a", "--limit", "many"], 2, "Invalid value for '--limit'"),
    "a word for a score": (["search", "a", "--min-score", "high"], 2, "Invalid value for '--min-score'"),
    "a score that is no number": (["search", "a", "--min-score", "nan"], 2, "min_score is nan"),
    "an unknown stack": (["search", "a", "--stack", "lokal"], 2, "did you mean 'local'"),
    # queries
    "no query": (["search"], 2, "the query is empty"),
    "an empty query": (["search", ""], 2, "the query text is empty"),
    "blanks": (["search", " \t "], 2, "the query text is empty"),
    "punctuation": (["search", "???"], 2, "no word in the query"),
    "limit 0": (["search", "a", "--limit", "0"], 2, "limit is 0"),
    "a negative limit": (["search", "a", "--limit", "-3"], 2, "limit is -3"),
    "an unknown scope": (["search", "a", "--scope", "scene"], 2, "scope is 'scene'"),
    "an unknown grouping": (["search", "a", "--group-by", "day"], 2, "group_by is 'day'"),
    "an unknown video to stay within": (["search", "a", "--within", "none"], 1, "there is no video 'none'"),
    "a whole id of no video to stay within": (
        ["search", "a", "--within", "f" * 64],
        1,
        f"there is no video '{'f' * 64}' in the collection of the stack 'local'; see `polyreel videos`",
    ),
    "no video to stay within": (["search", "a", "--within", ""], 2, "within takes the id of a video"),
    "an empty name of a picture": (["search", "--image", ""], 2, "image takes a path or an address"),
    "a missing picture": (["search", "--image", "nothing.jpg"], 1, "no image file nothing.jpg"),
    "a picture that is none": (["search", "--image", "text.jpg"], 1, "text.jpg is not a picture"),
    "a truncated picture": (["search", "--image", "cut.jpg"], 1, "cut.jpg is a broken picture"),
    "a fifo as a picture": (["search", "--image", "fifo.mp4"], 1, "fifo.mp4"),
    "a video that is none": (["search", "--video", "text.mp4"], 1, "text.mp4 is not a video or is broken"),
    "a picture as a video": (["search", "--video", "frame.jpg"], 1, "frame.jpg is a still picture"),
    "like an unknown id": (["similar", "nothing"], 1, "there is no video 'nothing'"),
    "deleting an unknown id": (["delete", "*"], 1, "there is no video '*'"),
    "saving onto a file": (
        ["search", "ball", "--save-to", "text.mp4"],
        2,
        "the folder text.mp4 can't be made: File exists",
    ),
    "saving below a file": (["search", "ball", "--save-to", "text.mp4/x"], 2, "text.mp4/x can't be made"),
    # conditions
    "an undeclared field": (["search", "a", "--where", "yeer == 1"], 2, "yeer"),
    "an undeclared field in JSON": (
        ["search", "a", "--where", '{"field": "yeer", "op": "==", "value": 1}'],
        2,
        "yeer",
    ),
    "an unbalanced bracket": (["search", "a", "--where", "(start >= 1"], 2, ")"),
    "an unbalanced quote": (["search", "a", "--where", 'uri == "x'], 2, "uri"),
    "an operator that a type lacks": (["search", "a", "--where", 'start prefix "a"'], 2, "prefix"),
    "a value of another type": (["search", "a", "--where", 'start >= "a"'], 2, "start"),
    "unbalanced JSON": (["search", "a", "--where", "{"], 2, "can't be read as JSON"),
    "deep nesting": (["search", "a", "--where", _DEEP], 2, "deep"),
    "deep nesting in JSON": (["search", "a", "--where", _DEEP_JSON], 2, "deep"),
    # configuration
    "a missing configuration": (["search", "a", "--config", "nothing.toml"], 2, "nothing.toml"),
    "a folder as configuration": (
        ["search", "a", "--config", "folder"],
        2,
        "folder can't be read: Is a directory",
    ),
    "broken TOML": (["search", "a", "--config", "broken.toml"], 2, "no TOML at line 3, column 10"),
    "TOML that is no UTF-8": (["search", "a", "--config", "binary.toml"], 2, "binary.toml"),
    "an unknown key": (["search", "a", "--config", "unknown.toml"], 2, "did you mean 'workers'?"),
}


@pytest.mark.parametrize(("arguments", "code", "message"), _LINES.values(), ids=_LINES.keys())
@pytest.mark.timeout(20, func_only=True)
def test_bad_input_gets_one_clear_line(spoiled: Shell, arguments: list[str], code: int, message: str) -> None:
    before = files_in(spoiled.folder)
    check_line(spoiled(*arguments), code, message)
    assert files_in(spoiled.folder) == before
    check_nothing_lost(spoiled)


@pytest.mark.parametrize("where", ["{}", "", " "])
def test_an_empty_condition_is_none(filled: Shell, where: str) -> None:
    said = filled("search", "ball", "--where", where, "--json")
    assert said.code == 0
    assert said.document["hits"]


def test_an_unknown_variable_is_named(filled: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYREEL_STAK", "local")
    check_line(filled("search", "a"), 2, "POLYREEL_STAK", "did you mean")
    monkeypatch.delenv("POLYREEL_STAK")
    check_nothing_lost(filled)


def test_a_socket_is_no_video(spoiled: Shell) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.mp4")
        check_line(spoiled("ingest", "socket.mp4"), 1, "socket.mp4 is no regular file")
    Path("socket.mp4").unlink()
    check_nothing_lost(spoiled)


def test_bad_files_in_a_folder_stop_no_good_one(spoiled: Shell) -> None:
    said = spoiled("ingest", ".", "--json")
    outcomes = {Path(video["path"]).name: video["outcome"] for video in said.document["videos"]}
    assert said.code == 1
    assert outcomes == {
        "circle.mp4": "failed",
        "dangling.mp4": "failed",
        "empty.mp4": "failed",
        "fifo.mp4": "failed",
        "good.mp4": "duplicate",
        "text.mp4": "failed",
    }
    check_nothing_lost(spoiled)


# -- videos that are odd, and all right ------------------------------------------------------------------


def _write(path: Path, count: int, fps: int = 24) -> None:
    with av.open(str(path), "w", format="mp4") as target:
        stream = target.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90 + number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_video_of_a_few_frames_is_taken_in(filled: Shell, count: int) -> None:
    _write(filled.folder / "short.mp4", count, fps=20)
    said = filled("ingest", "short.mp4", "--json")
    assert said.code == 0, said
    assert said.document["videos"][0]["duration"] == pytest.approx(count / 20, abs=0.01)
    video = said.document["videos"][0]["video_id"]
    found = filled("search", "grey", "--within", video[:12], "--save-to", "out", "--json")
    assert found.code == 0, found
    assert [media.probe(Path(path)).duration_ms for path in found.document["saved"]] == [count * 50]


@pytest.mark.parametrize(
    "name",
    [
        "日本語 動画.mp4",
        "🎬 emoji 🐈‍⬛.mp4",
        "x" * 251 + ".mp4",
        "ü" * 125 + ".mp4",
        "two\nlines.mp4",
        "\x1b[31mred\x1b]0;title\x07.mp4",
        "-rf.mp4",
        "100%25 #1?.mp4",
        "dot. .mp4",
        b"latin-\xfc.mp4".decode("utf-8", "surrogateescape"),
    ],
    ids=[
        "japanese",
        "emoji",
        "255 bytes",
        "254 bytes",
        "newline",
        "escape",
        "dash",
        "percent",
        "dots",
        "latin-1",
    ],
)
def test_odd_file_names_work_and_steer_no_terminal(shell: Shell, name: str) -> None:
    _write(shell.folder / name, 24)
    said = shell("ingest", ".")
    check_line(said, 0)
    assert said.out.startswith("1 ingested")
    assert len(shell("videos").out.splitlines()) == 1
    found = shell("search", "grey", "--save-to", "out")
    assert found.code == 0, found
    assert not _STEERING.search(found.out + found.err)
    (saved,) = (shell.folder / "out").iterdir()
    assert media.probe(saved).duration_ms == pytest.approx(1000, abs=50)
    assert shell("ingest", ".").out.startswith("1 skipped")
    shutil.rmtree("out")
    (shell.folder / name).write_text("no video any more")
    failed = shell("ingest", ".")
    check_line(failed, 1, "is not a video or is broken")
    check_nothing_half_written(shell.folder)


def test_the_same_file_twice_is_taken_in_once(shell: Shell, samples: Path) -> None:
    shutil.copy(samples / "ball_a.mp4", "a.mp4")
    shutil.copy("a.mp4", "b.mp4")
    Path("c.mp4").symlink_to("a.mp4")
    said = shell("ingest", "a.mp4", "a.mp4", "./a.mp4", "b.mp4", "c.mp4", "--json", "--workers", "2")
    assert said.code == 0
    assert said.document["counts"] == {"ingested": 1, "duplicate": 1}
    assert len(shell("videos", "--json").document["videos"]) == 1


def test_sound_alone_is_no_video(filled: Shell) -> None:
    with av.open("sound.mp4", "w") as target:
        stream = target.add_stream("aac", rate=44_100)
        stream.layout = "mono"
        for start in range(0, 20 * 1024, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 44_100, start, Fraction(1, 44_100)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    check_line(filled("ingest", "sound.mp4"), 1, "sound.mp4 has no video stream (it holds: audio)")
    check_nothing_lost(filled)


# -- sidecars --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sidecar", "message"),
    [
        ('{"title": ', "can't be read as JSON"),
        ("[]", "holds no JSON object"),
        ('{"title": 5}', "title must be a string"),
        ('{"tags": {"a": 1}}', "tags must be a string or a list of strings"),
        ('{"fields": 3}', "fields"),
        ('{"fields": {"year": "soon"}}', "year"),
        ('{"fields": {"year": 1.5}}', "year"),
        ('{"fields": {"indoor": 1}}', "indoor"),
        ('{"captions": [{"start": "x"}]}', "captions"),
        ("[" * 100_000, "can't be read as JSON"),
    ],
    ids=lambda value: value[:20],
)
def test_a_bad_sidecar_fails_its_video_alone(shell: Shell, samples: Path, sidecar: str, message: str) -> None:
    _own_stack(shell.folder)
    videos = shell.folder / "videos"
    videos.mkdir()
    shutil.copy(samples / "ball_a.mp4", videos / "good.mp4")
    shutil.copy(samples / "ball_b.mp4", videos / "bad.mp4")
    (videos / "bad.json").write_text(sidecar)
    said = shell("ingest", videos)
    check_line(said, 1, "bad.", message)
    assert "1 ingested" in said.out
    assert "1 failed" in said.out


# -- the machine's fault ---------------------------------------------------------------------------------

_PLAIN_RIGHTS = """
import ctypes, os, sys
for capability in (1, 2):  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: then even root asks for permission
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-P", *sys.argv[1:]])
"""


@dataclass(frozen=True)
class Plain:
    """Runs commands as somebody to whom permissions apply."""

    folder: Path

    def __call__(self, *arguments: str | Path) -> Said:
        return self.python("-m", "polyreel", *map(str, arguments))

    def python(self, *arguments: str) -> Said:
        return _run(self.folder, "-c", _PLAIN_RIGHTS, *arguments)


def _child(folder: Path, *arguments: str) -> Said:
    return _run(folder, "-m", "polyreel", *arguments)


def _run(folder: Path, *arguments: str) -> Said:
    """What a Python of its own answers."""
    command = [sys.executable, "-P", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=60, check=False)
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def plain(shell: Shell, need: Any) -> Iterator[Plain]:
    """A shell without root's right to read and write everything."""
    plain = Plain(shell.folder)
    probe = shell.folder / "probe"
    probe.touch(mode=0)
    if plain.python("-c", "open('probe')").code == 0:
        need("permissions", "this user can't give up the right to read everything")
    probe.unlink()
    yield plain
    for path in [shell.folder, *shell.folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755)


def test_a_file_and_a_folder_without_permission(filled: Shell, plain: Plain, samples: Path) -> None:
    shutil.copy(samples / "ball_a.mp4", "secret.mp4")
    Path("secret.mp4").chmod(0)
    Path("closed").mkdir()
    shutil.copy(samples / "ball_b.mp4", "closed/b.mp4")
    Path("closed").chmod(0)
    check_line(plain("ingest", "secret.mp4"), 1, "secret.mp4", "ermission")
    check_line(plain("ingest", "closed"), 1, "the folder closed can't be read; check its permissions")
    check_line(plain("ingest", "closed/b.mp4"), 1, "closed/b.mp4", "ermission")
    check_line(plain("search", "--image", "closed/b.jpg"), 1, "closed/b.jpg")
    Path("closed").chmod(0o755)
    check_nothing_lost(filled)


@pytest.mark.parametrize(
    ("part", "arguments", "code"),
    [
        ("state", ["ingest", "new.mp4"], 2),
        ("objects/manifests", ["ingest", "new.mp4"], 1),
        ("qdrant", ["ingest", "new.mp4"], 2),
        (".", ["ingest", "new.mp4", "--config", "own.toml"], 2),
    ],
)
def test_a_folder_that_cannot_be_written_is_named(
    filled: Shell, plain: Plain, samples: Path, *, part: str, arguments: list[str], code: int
) -> None:
    shutil.copy(samples / "ball_a.mp4", "new.mp4")
    with Path("new.mp4").open("ab") as file:
        file.write(b"\0\0\0\x08free")  # another content, the same pictures
    _own_stack(filled.folder / ".polyreel", name="../own.toml", base=".polyreel/new/")
    target = filled.folder / ".polyreel" / part
    folders = [target, *(path for path in target.rglob("*") if path.is_dir())]
    _chmod(folders, 0o555, files=0o444)
    said = plain(*arguments)
    _chmod(folders, 0o755, files=0o644)
    check_line(said, code, "ermission")
    assert part.rpartition("/")[2] in said.err
    check_nothing_lost(filled)


def _chmod(folders: list[Path], mode: int, *, files: int) -> None:
    for folder in folders:
        folder.chmod(mode)
        for path in folder.iterdir():
            if path.is_file():
                path.chmod(files)


def _own_stack(folder: Path, name: str = "polyreel.toml", base: str = "", **places: str) -> Path:
    """A configuration with folders of its own, declared fields, and copies of videos where asked for."""
    values = {"state": "state", "store": "store", "objects": "objects", "copy": "false"}
    values = {key: value if key == "copy" else f"{base}{value}" for key, value in values.items()} | places
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_OWN.format(**values))
    return path


@contextmanager
def _small_disk(folder: Path, need: Any, size: str = "1m") -> Iterator[Path]:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(command, check=False).returncode:
        need("mount", "only root can mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(folder: Path, leave: int) -> None:
    """Fill a disk but for some bytes."""
    (folder / "ballast").unlink(missing_ok=True)
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    (folder / "ballast").write_bytes(bytes(max(0, free - leave)))


@pytest.mark.parametrize(("part", "leave"), [("objects", 40_000), ("objects", 0), ("state", 0)])
def test_a_full_disk_is_named_and_takes_nothing_away(
    shell: Shell, samples: Path, need: Any, part: str, leave: int
) -> None:
    with _small_disk(shell.folder / "small", need) as disk:
        _own_stack(shell.folder, copy="true", **{part: "small/part"})
        assert shell("ingest", samples / "sunset_a.mp4").code == 0
        _fill(disk, leave)
        said = shell("ingest", samples / "ball_a.mp4")
        check_line(said, 1 if part == "objects" else 2, "No space left" if part == "objects" else "full")
        videos = shell("videos", "--json")
        assert [video["text"]["title"] for video in videos.document["videos"]] == ["Sunset, first half"]
        assert shell("search", "sunset", "--json").document["hits"]
        check_nothing_half_written(shell.folder)
        (disk / "ballast").unlink()
        assert shell("ingest", samples / "ball_a.mp4").code == 0
        assert len(shell("videos", "--json").document["videos"]) == 2


def test_a_full_disk_under_the_store_is_named(shell: Shell, samples: Path, need: Any) -> None:
    """In processes of their own: the engine would end them by a signal."""
    with _small_disk(shell.folder / "small", need, "200m") as disk:
        _own_stack(shell.folder, store="small/store")
        assert _child(shell.folder, "ingest", str(samples / "sunset_a.mp4")).code == 0
        for left, arguments in (
            (0, ["ingest", str(samples / "ball_a.mp4")]),
            (50 << 20, ["search", "sunset"]),
        ):
            _fill(disk, left)
            said = _child(shell.folder, *arguments)
            check_line(said, 1, "No space left", "small/store", "free some space")
        (disk / "ballast").unlink()
        assert _child(shell.folder, "ingest", str(samples / "ball_a.mp4")).code == 0
        assert len(_child(shell.folder, "videos", "--json").document["videos"]) == 2


def test_a_full_disk_under_saved_hits_is_named(filled: Shell, need: Any) -> None:
    with _small_disk(filled.folder / "small", need) as disk:
        _fill(disk, 4096)
        check_line(filled("search", "ball", "--save-to", "small/out"), 1, "small/out/001_", "No space left")
        assert {path.name for path in disk.rglob("*")} <= {"ballast", "out"}
    check_nothing_lost(filled)


def test_a_store_that_is_open_elsewhere_names_the_process(filled: Shell) -> None:
    _own_stack(filled.folder, store=".polyreel/qdrant", state=".polyreel/state", objects=".polyreel/objects")
    config = (
        (filled.folder / "polyreel.toml")
        .read_text()
        .replace('"own"', '"videos"')
        .partition("[stacks.local.fields]")
    )
    (filled.folder / "polyreel.toml").write_text(config[0])
    held = "import polyreel, sys; s = polyreel.open(); s.count(); print('open', flush=True); sys.stdin.read()"
    command = [sys.executable, "-P", "-c", held]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=filled.folder, text=True
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "open\n"
        check_line(filled("search", "ball"), 1, f"process {other.pid}", "is in use", "wait")
        assert other.stdin
        other.stdin.close()
    check_nothing_lost(filled)


# -- what was kept is broken -----------------------------------------------------------------------------


def test_a_broken_manifest_is_named_and_written_anew(filled: Shell, samples: Path) -> None:
    manifest = next((filled.folder / ".polyreel" / "objects" / "manifests").rglob("*.json"))
    whole = manifest.read_bytes()
    for broken in (b"", whole[:50], b"[]", b"\xff\xfe", b'{"video_id": 5}'):
        manifest.write_bytes(broken)
        said = filled("videos")
        check_line(said, 1, manifest.stem, "can't be read: ", "ingest the video again")
        assert len(said.out.splitlines()) == 7
        listed = filled("videos", "--json")
        check_line(listed, 1, manifest.stem)
        assert len(listed.document["videos"]) == 7
        (failed,) = listed.document["failed"]
        assert failed["video_id"] == manifest.stem
        assert said.err == listed.err == f"failed: {failed['reason']}\n"
        assert filled("search", "ball", "--json").document["hits"]
        again = filled("ingest", samples, "--json")
        assert again.code == 0, again
        assert again.document["counts"]["skipped"] == 7
        check_nothing_lost(filled)


def test_what_only_reads_names_a_broken_manifest_and_goes_on_and_gc_keeps_its_video(filled: Shell) -> None:
    assert filled("videos", "--json").document["failed"] == []
    manifest = next((filled.folder / ".polyreel" / "objects" / "manifests").rglob("*.json"))
    manifest.write_bytes(b"{")
    words = (manifest.stem, "can't be read: it is no JSON")
    said = filled("gc", "--delete", "--older-than", "0")
    assert said.code == 1
    assert all(word in said.err for word in ("nothing to clean up\nkept: ", *words, "ingest the video again"))
    cleaned = filled("gc", "--json")
    assert cleaned.code == 1
    assert words[0] in cleaned.document["problems"][0]
    copied = filled("copy", "local", "bundle:kept", "--json")
    assert copied.code == 1
    assert all(word in copied.document["problems"][0] for word in words)
    check_line(filled("similar", manifest.stem), 1, *words)
    assert filled("explore", "--json").code == 0
    assert filled("facets", "video_id", "--json").code == 0


def test_a_broken_journal_is_named_with_what_to_do(filled: Shell, samples: Path) -> None:
    (journal,) = (filled.folder / ".polyreel" / "state").glob("*.sqlite")
    journal.write_bytes(b"this is no database" * 100)
    check_line(filled("ingest", samples), 1, journal.name, "delete the file")
    check_nothing_lost(filled)
    journal.unlink()
    assert filled("ingest", samples, "--json").document["counts"] == {"skipped": 8}


def test_a_broken_collection_is_named(filled: Shell) -> None:
    described = next((filled.folder / ".polyreel" / "qdrant").rglob("polyreel.json"))
    whole = described.read_bytes()
    for broken in (b"", b"{}", b"\xff", whole[:30]):
        described.write_bytes(broken)
        check_line(filled("search", "a"), 1, "polyreel.json", "ingest again")
    described.write_bytes(whole)
    check_nothing_lost(filled)


def test_a_video_deleted_meanwhile_cannot_be_saved(shell: Shell, samples: Path) -> None:
    shutil.copy(samples / "ball_a.mp4", "gone.mp4")
    assert shell("ingest", "gone.mp4").code == 0
    Path("gone.mp4").unlink()
    assert shell("search", "ball").code == 0
    check_line(shell("search", "ball", "--save-to", "out"), 1, "gone.mp4 isn't there; ingest it again")
    assert not list(Path("out").iterdir())


@pytest.fixture
def without_one(filled: Shell, samples: Path) -> Shell:
    """The samples and a video that is gone since it was taken in."""
    content = (samples / "ball_a.mp4").read_bytes()
    Path("gone.mp4").write_bytes(content + (9).to_bytes(4, "big") + b"free1")  # another id
    assert filled("ingest", "gone.mp4").code == 0
    Path("gone.mp4").unlink()
    return filled


def test_a_video_that_is_gone_is_told_once_for_all_its_clips(without_one: Shell) -> None:
    asked = ("search", "gone", "--group-by", "video", "--clips", "2", "--limit", "3")
    _, *others = json.loads(without_one(*asked, "--json").out)["hits"]
    found = without_one(*asked, "--save-to", "out")
    assert found.code == 1
    missing = Path("gone.mp4").absolute().as_uri()
    assert [line for line in found.err.splitlines() if line.startswith("not saved")] == [
        f"not saved: hit 1: the video {missing} isn't there; ingest it again where it is now"
    ]
    assert len(others) == 2
    assert len(list(Path("out").iterdir())) == sum(len(hit.get("members", [hit])) for hit in others)


def test_hits_whose_video_is_gone_keep_no_other_from_being_saved(without_one: Shell) -> None:
    filled = without_one
    found = filled("search", "gone", "--save-to", "out", "--limit", "4", "--json")
    assert found.code == 1
    hits = found.document["hits"]
    gone = [hit["id"] for hit in hits if hit["uri"].endswith("gone.mp4")]
    assert sorted(found.document["not_saved"]) == sorted(gone)
    assert len(found.document["saved"]) == len(hits) - len(gone) > 0
    ranks = ", ".join(str(rank) for rank, hit in enumerate(hits, 1) if hit["id"] in gone)
    missing = Path("gone.mp4").absolute().as_uri()
    assert found.err.startswith(f"not saved: hit {ranks}: the video {missing} isn't there; ingest it again")


# -- from Python -----------------------------------------------------------------------------------------


@pytest.fixture
def opened(filled: Shell) -> Iterator[VideoSearch]:
    """The eight videos, open."""
    with polyreel.open() as search:
        yield search
        assert len(search.videos()) == 8


def _dimension(search: VideoSearch) -> int:
    return search.stack.space.dimension


_CALLS: dict[str, tuple[Any, type[PolyreelError], str]] = {
    "a vector too short": (lambda s: s.search(vector=[1.0, 2.0]), InvalidQueryError, "has 2 dimensions"),
    "a vector with NaN": (
        lambda s: s.search(vector=[math.nan] * _dimension(s)),
        InvalidQueryError,
        "values that are not finite",
    ),
    "a vector with infinity": (
        lambda s: s.search(vector=np.full(_dimension(s), np.inf)),
        InvalidQueryError,
        "values that are not finite",
    ),
    "a vector with a number beyond all floats": (
        lambda s: s.search(vector=[10**400] * _dimension(s)),
        InvalidQueryError,
        "values that are not finite",
    ),
    "a vector of zeros": (lambda s: s.search(vector=[0.0] * _dimension(s)), InvalidQueryError, "all zeros"),
    "a vector of words": (
        lambda s: s.search(vector=["a"] * _dimension(s)),
        InvalidQueryError,
        "not a sequence of numbers",
    ),
    "a vector with two axes": (
        lambda s: s.search(vector=np.ones((_dimension(s), 2))),
        InvalidQueryError,
        "not a sequence of numbers",
    ),
    "a number for a vector": (lambda s: s.search(vector=5), InvalidQueryError, "not a sequence of numbers"),
    "weights of a missing part": (
        lambda s: s.search("ball", weights={"image": 2}),
        InvalidQueryError,
        "the part 'image', which the query hasn't",
    ),
    "a weight of 0": (
        lambda s: s.search("ball", weights={"text": 0}),
        InvalidQueryError,
        "the weight of 'text'",
    ),
    "a number for a text": (lambda s: s.search(5), InvalidQueryError, "text"),
    "a text of surrogates": (lambda s: s.search("\udcff"), InvalidQueryError, "query"),
    "like an unknown record": (lambda s: s.search(like="nothing"), NotFoundError, "nothing"),
    "like an id too long": (lambda s: s.search(like="x" * 300), InvalidQueryError, "256 bytes"),
    "an undeclared field": (lambda s: s.search("a", where=F.yeer == 1), InvalidQueryError, "yeer"),
    "an operator that a type lacks": (
        lambda s: s.search("a", where=F.start.prefix("a")),
        InvalidQueryError,
        "prefix",
    ),
    "text for a condition": (
        lambda s: s.search("a", where="start >= 1"),
        InvalidQueryError,
        "an object is expected",
    ),
    "a list for a condition": (lambda s: s.count(["start"]), InvalidQueryError, "an object is expected"),
    "a fraction of a hit": (lambda s: s.search("a", limit=2.5), InvalidQueryError, "limit is 2.5"),
    "an unknown fusion": (lambda s: s.search("a", fusion="best"), InvalidQueryError, "fusion is 'best'"),
    "unlike an unknown kind": (lambda s: s.search("a", without={"smell": "x"}), InvalidQueryError, "smell"),
    "a missing file": (lambda s: s.search(image=Path("none.jpg")), NotFoundError, "none.jpg"),
    "a number for a picture": (lambda s: s.search(image=5), InvalidQueryError, "image takes a path"),
    "a number among videos": (
        lambda s: s.search(video=["a.mp4", 5]),
        InvalidQueryError,
        "video takes a path",
    ),
    "None for a record": (lambda s: s.search("a", like=None), InvalidQueryError, "like takes an id"),
    "a number for weights": (lambda s: s.search("a", weights=5), InvalidQueryError, "weights takes"),
    "a number to be unlike": (lambda s: s.search("a", without=5), InvalidQueryError, "without takes a text"),
    "a word for a flag": (lambda s: s.search("a", exact="no"), InvalidQueryError, "exact takes True or"),
    "nothing to ingest": (lambda s: s.ingest(), InvalidQueryError, "nothing to ingest"),
    "no worker": (lambda s: s.ingest("a.mp4", workers=0), InvalidQueryError, "workers is 0"),
    "half a worker": (lambda s: s.ingest("a.mp4", workers=1.5), InvalidQueryError, "workers is 1.5"),
    "a word for what is known": (
        lambda s: s.ingest("a.mp4", described={"a.mp4": "Title"}),
        InvalidQueryError,
        "described['a.mp4'] must be an object",
    ),
    "a word for an age": (
        lambda s: s.gc(older_than="an hour"),
        InvalidQueryError,
        "older_than takes seconds",
    ),
}


@pytest.mark.parametrize(("ask", "kind", "message"), _CALLS.values(), ids=_CALLS.keys())
def test_a_bad_call_is_one_clear_error(
    opened: VideoSearch, ask: Callable[[VideoSearch], object], kind: type[PolyreelError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        ask(opened)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_closed_search_says_so(filled: Shell) -> None:
    search = polyreel.open()
    search.close()
    search.close()
    calls: list[Callable[[], object]] = [
        lambda: search.search("a"), search.videos, search.count, lambda: search.ingest("a.mp4"),
        lambda: search.delete("a"), lambda: search.get("a"), lambda: search.similar("a"),
        search.failures, search.gc, lambda: search.infer_fields("."),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(InvalidQueryError, match=r"closed; open it again with polyreel\.open"):
            call()


def test_another_space_is_refused_field_by_field(filled: Shell, samples: Path) -> None:
    with polyreel.open() as search:
        other = VideoSearch(replace(search.stack, embedder=ColourEmbedder()), media)
        for call in (lambda: other.search("ball"), lambda: other.ingest(samples)):
            with pytest.raises(PolyreelError) as caught:
                call()
            line = str(caught.value)
            assert all(word in line for word in ("builtin", "colour", "dimension", "13")), line
            assert "\n" not in line
    check_nothing_lost(filled)


def test_json_keeps_one_document_where_files_fail(spoiled: Shell) -> None:
    said = spoiled("ingest", "text.mp4", "nothing.mp4", "--json")
    assert said.code == 1
    assert json.loads(said.out)["counts"] == {"failed": 2}
