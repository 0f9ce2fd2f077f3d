"""Real servers that the benchmark starts by itself, and what they take of memory and disk."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import NotFoundError, UnavailableError

_ROOT = Path(__file__).resolve().parents[1]
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs.

    Args:
        url: Where it answers.
        pid: Of its first process.
        folder: Of its data.
        empty: MiB that each folder in it took when nothing was stored.
    """

    url: str
    pid: int
    folder: Path
    empty: Mapping[Path, float]

    def memory(self) -> float | None:
        """MiB of all its processes; None where the system doesn't tell."""
        found = [memory(pid) for pid in family(self.pid)]
        known = [each[0] for each in found if each]
        return sum(known) if known else None

    def disk(self) -> float:
        """MiB by which its folders have grown; logs that shrink meanwhile don't count against records."""
        return sum(max(0.0, now - self.empty.get(path, 0.0)) for path, now in sizes(self.folder).items())


def installed(name: str) -> bool:
    """Whether `make servers` has installed it."""
    return _python(name).exists()


@contextmanager
def serving(name: str) -> Iterator[Server]:
    """Start a server, for as long as the context lasts, and no longer than this process, whatever ends it.

    Raises:
        NotFoundError: It isn't installed.
        UnavailableError: It ended before it was ready.
    """
    if not installed(name):
        raise NotFoundError(
            f"the server {name!r} is not installed here",
            hint="`make servers` in a clone of polyreel installs it; or name a stack of yours with its url",
        )
    script = f"tools/servers/{name}.py"
    with tempfile.TemporaryDirectory(prefix="polyreel-bench-") as folder:
        command = [str(_python(name)), "-P", script, "--data", folder, "--fresh", "--fast", "--with-stdin"]
        pipe = subprocess.PIPE  # nothing is written to its stdin, which ends with this process
        # In a session of its own: ctrl-C is for the benchmark, which ends the server.
        with subprocess.Popen(
            command, cwd=_ROOT, stdin=pipe, stdout=pipe, text=True, start_new_session=True
        ) as process:
            assert process.stdout is not None
            try:
                lines = (line.split() for line in process.stdout)
                ready = next((words[1] for words in lines if words[:1] == ["READY"]), None)
                if ready is None:
                    raise UnavailableError(f"{script} ended before it was ready")
                yield Server(ready, process.pid, Path(folder), sizes(Path(folder)))
            finally:
                process.terminate()


def size(folder: Path) -> float:
    """MiB on the disk, holes left out; what links lead to isn't counted."""
    return sum(_blocks(path) for path in folder.rglob("*")) * 512 / _MIB


def sizes(folder: Path) -> dict[Path, float]:
    """MiB of each folder two levels below one."""
    return {path: size(path) for path in folder.glob("*/*") if path.is_dir() and not path.parent.is_symlink()}


def memory(pid: int | str = "self") -> tuple[float, float] | None:
    """MiB that a process has in memory, and of these its own, without pages of files; None where unknown."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
    except OSError:
        return None
    kept = dict(line.split(":", 1) for line in lines if ":" in line)
    if "VmRSS" not in kept:
        return None
    return int(kept["VmRSS"].split()[0]) / 1024, int(kept.get("RssAnon", "0 kB").split()[0]) / 1024


def family(pid: int) -> list[int]:
    """A process and all that it and its children started."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text("ascii", "replace").rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
        children.setdefault(parent, []).append(int(path.parent.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def _python(name: str) -> Path:
    return _ROOT / ".servers" / name / "bin" / "python"


def _blocks(path: Path) -> int:
    try:
        return path.lstat().st_blocks
    except OSError:
        return 0  # it went away meanwhile
