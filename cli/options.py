"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Stack = Annotated[
    str | None, typer.Option("--stack", "-s", help="The stack's name; the configured default if left out.")
]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="The configuration file; POLYREEL_CONFIG or ./polyreel.toml if left out."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")]
Limit = Annotated[int, typer.Option("--limit", "-n", help="How many hits.")]
Where = Annotated[
    str | None,
    typer.Option("--where", help='A condition, such as: year >= 2020 and tags any ["beach"]; JSON, too.'),
]
