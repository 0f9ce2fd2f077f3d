"""`polyreel videos`, `stacks`, `init` and `doctor`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.logs import redacted
from . import options, output

if TYPE_CHECKING:
    from ..config import Settings
    from ..core.stack import Stack
    from ..core.understanding import VideoUnderstanding

Check = tuple[str, bool, str]
"""What was looked at, whether it is well, and what was found."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (videos, stacks, init, doctor):
        app.command()(command)


def videos(stack: options.Stack = None, config: options.Config = None, as_json: options.Json = False) -> None:
    """List the videos that were taken in.

    Exits with 1 when what is known of a video can't be read: it is named, and the others are listed.

    Example: polyreel videos --json
    """
    from .. import opening

    broken: dict[str, str] = {}
    with opening.open(stack, config) as search:
        known = search.videos(broken=lambda video_id, error: broken.update({video_id: redacted(error)}))
    if as_json:
        failed = [{"video_id": video_id, "reason": reason} for video_id, reason in broken.items()]
        output.document({"videos": [manifest.to_json() for manifest in known], "failed": failed})
    else:
        rows = [
            (each.video_id[:12], output.clock(each.duration), each.title, output.name(each.uri))
            for each in known
        ]
        output.table(("id", "length", "title", "file"), rows)
    for reason in broken.values():
        output.message(f"failed: {reason}")
    if broken:
        raise typer.Exit(1)


def stacks(config: options.Config = None, as_json: options.Json = False) -> None:
    """List the stacks that can be used.

    Example: polyreel stacks
    """
    from ..config import load
    from ..config.layers import ROLES

    settings = load(config)
    rows = []
    for name in settings.stack_names:
        chosen = settings.stack(name)
        kinds = {role: chosen.kind(role) for role in ROLES}
        rows.append({"name": name, "default": name == settings.default_stack, **kinds})
    if as_json:
        output.document({"stacks": rows})
        return
    columns = ("name", "store", "embedder", "objects", "understanding")  # as many as fit into 80 characters
    cells = [
        [*(str(row[column] or "-") for column in columns), "default" if row["default"] else ""]
        for row in rows
    ]
    output.table((*columns, ""), cells)


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write polyreel.toml.")] = Path(),
) -> None:
    """Write a commented polyreel.toml that works.

    Example: polyreel init
    """
    from ..config import init_text
    from ..core.errors import ConfigurationError

    path = folder / "polyreel.toml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(init_text())
    except FileExistsError as error:
        raise ConfigurationError(f"{path} is there already", hint="edit it, or remove it first") from error
    except OSError as error:
        raise ConfigurationError(f"{path} can't be written: {error.strerror}") from error
    output.line(f"wrote {path}")


def doctor(stack: options.Stack = None, config: options.Config = None, as_json: options.Json = False) -> None:
    """Check that this machine and this stack work.

    Exits with 1 when something doesn't.

    Example: polyreel doctor
    """
    checks = list(_checks(stack, config))
    if as_json:
        output.document({"checks": [{"what": what, "ok": ok, "found": found} for what, ok, found in checks]})
    else:
        output.table(
            ("", "what", "found"), [("ok" if ok else "FAILS", what, found) for what, ok, found in checks]
        )
    if not all(ok for _, ok, _ in checks):
        raise typer.Exit(1)


def _checks(name: str | None, config: Path | None) -> Iterator[Check]:
    from .. import __version__

    yield "polyreel", True, __version__
    yield "python", sys.version_info >= (3, 11), sys.version.split()[0]
    yield _checked("video", _video)
    settings: list[Settings] = []
    stacks: list[Stack] = []
    yield _checked("configuration", lambda: _configured(name, config, settings))
    if settings:
        yield _checked("stack", lambda: _built(settings[0], stacks))
    for built in stacks:
        if built.understanding:
            yield _checked("understanding", partial(_understanding, built.understanding))
        yield _checked("files", partial(_files, built))
        yield _checked("collection", partial(_collection, built))


def _checked(what: str, look: Callable[[], str]) -> Check:
    from ..core.errors import PolyreelError

    try:
        return what, True, look()
    except (PolyreelError, ImportError) as error:
        return what, False, str(error)


def _video() -> str:
    import av

    libraries = ".".join(map(str, av.library_versions["libavcodec"]))
    encoders = [codec for codec in ("libx264", "aac") if codec in av.codecs_available]
    return f"PyAV {av.__version__}, libavcodec {libraries}, encoders {' '.join(encoders) or 'missing'}"


def _configured(name: str | None, config: Path | None, settings: list[Settings]) -> str:
    from ..config import load

    settings.append(load(config, stack=name))
    return str(settings[0].where or "presets only")


def _built(settings: Settings, stacks: list[Stack]) -> str:
    from ..config import build_stack

    built = build_stack(settings, settings.default_stack)
    stacks.append(built)
    embedder = built.embedder.kind if built.embedder else "in the store"
    return f"{built.name}: store {built.store.kind}, embedder {embedder}, objects {built.objects.kind}"


def _understanding(model: VideoUnderstanding) -> str:
    """Load what it needs; the service isn't asked, for every answer is paid."""
    model.load()
    return f"{model.kind}: {model.model}, not asked"


def _files(built: Stack) -> str:
    """Write, read and delete a small object."""
    from ..core.errors import IntegrityError

    built.objects.ensure_bucket()
    key = "staging/doctor"
    built.objects.put(key, b"polyreel")
    if built.objects.read(key) != b"polyreel":
        raise IntegrityError("an object came back otherwise than it was written")
    built.objects.delete(key)
    return f"{built.objects.kind} objects can be written and read"


def _collection(built: Stack) -> str:
    from ..core.errors import NotFoundError

    try:
        built.store.open(built.spec, create=False)
        return f"{built.collection}: {built.store.count()} records"
    except NotFoundError:
        return f"{built.collection}: nothing ingested yet"
    finally:
        built.store.close()
