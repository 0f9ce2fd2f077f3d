"""A stack in its process, as the benchmark sees it: start, ask with a time limit, end."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ..core.errors import PolyreelError, UnavailableError, UnsupportedError
from ..core.locks import disk_error
from .messages import Answer, Begin, Call, Known, Reply
from .servers import Server
from .settings import VectorSettings
from .stacks import Chosen

_LOOK = 0.1  # seconds between two looks at the clock
_END = 10.0  # seconds for a process to end by itself


class TimeIsOverError(Exception):
    """The time limit came before the answer; the process is gone."""


class Lane:
    """One stack.

    Args:
        chosen: The stack.
        settings: Of the suite.
        data: The folder with the vectors.
        server: Its server, where the benchmark has started it.
    """

    def __init__(self, chosen: Chosen, settings: VectorSettings, data: Path, server: Server | None) -> None:
        self.chosen, self.server = chosen, server
        self.known: Known | None = None
        self._begin = Begin(chosen, settings, data)
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process; nothing is open in it yet.

        Raises:
            PolyreelError: Its folder can't be written.
        """
        self.stop()
        try:
            self._start()
        except OSError as error:
            raise disk_error(error, f"the process of {self.chosen.name} can't be started") from error

    def _start(self) -> None:
        self.chosen.folder.mkdir(parents=True, exist_ok=True)
        ours, theirs = socket.socketpair()
        with theirs, (self.chosen.folder / "worker.log").open("ab") as log:
            number = theirs.fileno()
            command = [sys.executable, "-P", "-m", f"{__package__}.worker", str(number)]
            # In a session of its own: ctrl-C is for the benchmark.
            self._process = subprocess.Popen(
                command, pass_fds=[number], stdout=log, stderr=log, start_new_session=True
            )
        self._pipe = Connection(ours.detach())
        self._pipe.send(self._begin)

    def prepare(self, written: int, *, settled: bool, end: float) -> Known:
        """Start where it doesn't run, and open the collection."""
        if not self.runs:
            self.start()
            self.known = None
        if self.known is None:
            known: Known = self._ask(Call("prepare", (written, settled)), end)
            self.known = known
        return self.known

    def take(self, step: str, at: int, end: float) -> Answer:
        """A turn of a step.

        Args:
            step: Its name.
            at: The turn's number.
            end: When to give up, by the monotonic clock.

        Raises:
            PolyreelError: The turn failed, or the process ended.
            UnsupportedError: The stack can't do it.
            TimeIsOverError: It took too long.
        """
        answer: Answer = self._ask(Call("take", (step, at)), end)
        return answer

    def drop(self, end: float) -> None:
        """Delete the collection."""
        self._ask(Call("drop"), end)

    def stop(self) -> None:
        """End the process."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if self._process is not None:
            try:
                self._process.wait(_END)
            except subprocess.TimeoutExpired:
                self._kill(self._process)
            self._process = self.known = None

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None:
            self._kill(self._process)
        self.stop()

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()

    def _ask(self, call: Call, end: float) -> Any:
        pipe, process = self._pipe, self._process
        assert pipe is not None  # it was started
        assert process is not None
        try:
            pipe.send(call)
            while not pipe.poll(_LOOK):
                if time.monotonic() > end:
                    self.kill()
                    raise TimeIsOverError
            reply: Reply = pipe.recv()
        except (EOFError, OSError) as error:
            self.kill()
            raise UnavailableError(self._obituary(process.returncode)) from error
        if reply.error is not None:
            raise (UnsupportedError if reply.unsupported else PolyreelError)(reply.error)
        return reply.value

    def _obituary(self, code: int | None) -> str:
        """Why the process ended, as far as its log tells."""
        try:
            lines = (self.chosen.folder / "worker.log").read_text("utf-8", "replace").split("\n")
        except OSError:
            lines = []
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        ended = f"by signal {-code}" if code and code < 0 else f"with code {code}"
        return f"the process ended {ended}{f': {last[:300]}' if last else ''}"
