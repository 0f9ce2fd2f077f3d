"""The process of one stack: does what the benchmark asks over a pipe, and ends when the pipe does.

    python -m polyreel.bench.worker FD

A process of its own keeps the stack's memory apart, and what kills it kills no other measurement.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

from ..core.errors import PolyreelError
from .messages import Begin, Call, Reply


def main(descriptor: int) -> None:
    """Serve one benchmark."""
    from ..core.errors import UnsupportedError
    from .steps import Steps
    from .subject import Subject

    with Connection(descriptor) as pipe:
        begin: Begin = pipe.recv()
        subject = Subject(begin.chosen, begin.settings, begin.data)
        calls: Mapping[str, Callable[..., Any]] = {
            "prepare": lambda written, settled: subject.prepare(written, settled=settled),
            "take": Steps(subject).take,
            "drop": subject.drop,
        }
        try:
            while True:
                call: Call = pipe.recv()
                try:
                    pipe.send(Reply(calls[call.name](*call.arguments)))
                except PolyreelError as error:
                    pipe.send(Reply(error=str(error), unsupported=isinstance(error, UnsupportedError)))
                except Exception as error:  # noqa: BLE001  # whatever an engine raises is a result, to be shown
                    traceback.print_exc()
                    pipe.send(Reply(error=f"{type(error).__name__}: {' '.join(str(error).split())}"))
        except (EOFError, BrokenPipeError):
            return  # the benchmark is over
        finally:
            subject.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)  # engines' own threads must not keep it
