"""`polyreel config show`."""

from __future__ import annotations

from dataclasses import asdict

import typer

from . import options, output


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Look at the configuration.", no_args_is_help=True)
    group.command()(show)
    app.add_typer(group, name="config")


def show(stack: options.Stack = None, config: options.Config = None, as_json: options.Json = False) -> None:
    """Print every setting in force and where it was written; nothing is opened, and secrets are masked.

    Example: polyreel config show --stack memory
    """
    from ..config import effective, load

    settings = load(config, stack=stack)
    shown = effective(settings, config)
    if as_json:
        where = str(settings.where) if settings.where else None
        listed = [asdict(each) for each in shown.settings]
        output.document({"file": where, "settings": listed, "notes": list(shown.notes)})
    else:
        output.table(
            ("key", "value", "source"),
            [(each.key, _written(each.value), each.source) for each in shown.settings],
        )
    for note in shown.notes:
        output.message(note)


def _written(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, list) else str(value)
