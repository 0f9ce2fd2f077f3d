"""The command line: `polyreel COMMAND`.

Exit codes: 0 all well, 1 some or all of the work failed, 2 wrong usage or configuration, 130 ctrl-C.
"""

from __future__ import annotations

import sys
from pathlib import Path
from traceback import format_exception
from types import TracebackType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from .. import __version__
from ..core.logs import LOGGER, logged, redacted
from ..core.masking import Redactor
from . import (
    benching,
    cleaning,
    configuring,
    copying,
    demo,
    describing,
    enriching,
    evaluating,
    explaining,
    exploring,
    faceting,
    ingesting,
    looking,
    objects,
    recommending,
    searching,
)
from .output import message


class _Commands(TyperGroup):
    """Prints an error of ours as one line; a traceback only with `--debug`."""

    def invoke(self, ctx: Any) -> Any:  # typer types its context differently from version to version
        """Run a command and turn what it raises into a line and an exit code."""
        from ..core.errors import PolyreelError

        try:
            return super().invoke(ctx)
        except PolyreelError as error:
            LOGGER.error("failed", exc_info=error)
            if ctx.params.get("debug"):
                sys.stderr.write(redacted("".join(format_exception(error))))
            message(f"error: {error}")
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            message("stopped; run the same command again to go on")
            raise typer.Exit(130) from None
        except BrokenPipeError:  # the reader of our output went away, as `| head` does
            sys.stderr.close()
            raise typer.Exit(0) from None


app = typer.Typer(
    name="polyreel",
    cls=_Commands,
    help="One query API for video search, on any stack.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"polyreel {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    ctx: typer.Context,
    version: Annotated[  # noqa: ARG001  # its callback prints it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[  # noqa: ARG001  # read where errors are printed
        bool, typer.Option("--debug", help="Show a traceback when something fails.")
    ] = False,
    log_file: Annotated[
        Path | None, typer.Option("--log-file", metavar="FILE", help="Log to this file as JSON lines.")
    ] = None,
    log_level: Annotated[
        str, typer.Option("--log-level", metavar="LEVEL", help="debug, info, warning or error.")
    ] = "info",
) -> None:
    ctx.with_resource(logged(log_file, log_level, ctx.obj))


for _room in (
    ingesting,
    searching,
    explaining,
    recommending,
    faceting,
    exploring,
    describing,
    enriching,
    looking,
    evaluating,
    objects,
    copying,
    cleaning,
    configuring,
    demo,
    benching,
):
    _room.register(app)


def main() -> None:
    """The console script."""
    redactor = Redactor()  # beyond the command, since what nobody foresaw is shown when that is over

    def hook(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        sys.stderr.write(redactor("".join(format_exception(error))))

    sys.excepthook = hook
    get_command(app)(obj=redactor)  # `app()` would put a hook of its own there
