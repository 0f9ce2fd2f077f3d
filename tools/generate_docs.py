"""Writes the generated parts of README.md and docs/: `make docs-tables`.

A page holds them between `<!-- generated: NAME -->` and `<!-- end -->`; everything else is written by hand.
With `--check` nothing is written, and stale pages are named.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import is_dataclass
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

import typer
from typer.core import TyperGroup

import polyreel
from polyreel.bench.report import words
from polyreel.bench.results import Results
from polyreel.cli.main import app
from polyreel.config import shipped
from polyreel.core import errors
from polyreel.core.capabilities import FEATURE_WORDS, Form
from polyreel.core.copying import CopyReport
from polyreel.core.enrich_report import EnrichReport
from polyreel.core.events import Event, Events
from polyreel.core.filters import OPERATORS, TRUE_ON_NULL, Op
from polyreel.core.frameplan import FramePlan
from polyreel.core.manifest import Manifest
from polyreel.core.questions import Reply
from polyreel.core.records import Verdict
from polyreel.core.report import IngestReport, VideoReport

ROOT = Path(__file__).resolve().parents[1]
_PART = re.compile(r"(<!-- generated: (?P<name>[\w-]+) -->\n).*?(?=<!-- end -->)", re.DOTALL)
_SECTIONS = {"Args:": "Arguments", "Returns:": "Returns", "Raises:": "Raises"}
_WIDTH = 80  # characters of a code line that fit into a page


def main() -> int:
    """Write the parts, or compare them."""
    parser = argparse.ArgumentParser(description="Write the generated parts of README.md and docs/.")
    parser.add_argument("--check", action="store_true", help="only name stale pages, and exit with 1")
    parser.add_argument("--root", type=Path, default=ROOT, help="the folder of README.md and docs/")
    wanted = parser.parse_args()
    stale = []
    made = {wanted.root / name: make for name, make in FILES.items()}
    for page in (*pages(wanted.root), *made):
        text = page.read_text("utf-8") if page.exists() else ""
        fresh = made[page]() if page in made else _PART.sub(_made, text)
        if fresh != text:
            stale.append(page)
            if not wanted.check:
                page.write_text(fresh, "utf-8")
    for page in stale:
        print(f"{'stale' if wanted.check else 'wrote'}: {page.relative_to(wanted.root)}")
    return int(wanted.check and bool(stale))


def _made(part: re.Match[str]) -> str:
    return f"{part[1]}\n{PARTS[part['name']]()}\n"


def pages(root: Path) -> list[Path]:
    """The pages that may hold generated parts."""
    return [page for page in (root / "README.md", *sorted(root.glob("docs/**/*.md"))) if page.is_file()]


# -- stacks -----------------------------------------------------------------------------------------------


def stacks() -> str:
    """Every form of every store, and what it was tried against."""
    rows = [
        (f"`{kind}`", form.name, _code(form.configure), form.tried, form.notes or "-")
        for kind, form in _forms()
    ]
    return _table(("store", "form", "chosen by", "tried against", "notes"), rows)


def features() -> str:
    """Which form does what."""
    forms = list(_forms())
    heads = [f"`{kind}`<br>{form.name}" for kind, form in forms]
    rows = [
        (words, *("yes" if feature in form.features else "-" for _, form in forms))
        for feature, words in FEATURE_WORDS.items()
    ]
    return _table(("", *heads), rows)


def adapters() -> str:
    """The embedders, object stores and rerankers that ship with polyreel."""
    rows = [
        (role, f"`{kind}`", _first_line(made))
        for role, group in (
            ("embedder", "embedders"),
            ("objects", "objects"),
            ("reranker", "rerankers"),
            ("understanding", "understanding"),
        )
        for kind, made in _registered(group)
    ]
    return _table(("role", "kind", "what it is"), rows)


def presets() -> str:
    """The stacks that ship with polyreel."""
    roles = ("store", "embedder", "objects")
    rows = [
        (f"`{name}`", *(f"`{stack[role]['kind']}`" if role in stack else "-" for role in roles))
        for name, stack in shipped.presets().items()
    ]
    return _table(("stack", *roles), rows)


def _forms() -> Iterator[tuple[str, Form]]:
    for kind, store in _registered("stores"):
        for form in store.forms:
            yield kind, form


def _registered(group: str) -> Iterator[tuple[str, Any]]:
    """Kinds and classes of the project's own entry points, so that other installed adapters stay out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for kind, target in sorted(project["entry-points"][f"polyreel.{group}"].items()):
        module, _, name = target.partition(":")
        yield kind, getattr(import_module(module), name)


def _code(keys: str) -> str:
    return keys if " " in keys else f"`{keys}`"


# -- filters and errors -----------------------------------------------------------------------------------


def operators() -> str:
    """The operators of each type."""
    rows = [
        (f"`{kind}`", " ".join(f"`{op}`" for op in ops if op is not Op.EXISTS))
        for kind, ops in OPERATORS.items()
    ]
    true_on_null = ", ".join(f"`{op}`" for op in Op if op in TRUE_ON_NULL)
    table = _table(("type", "operators"), [*rows, ("every type", f"`{Op.EXISTS}`")])
    return f"{table}\nTrue where the value is missing: {true_on_null}. Every other operator is false there.\n"


def error_tree() -> str:
    """The tree of errors, with the exit codes of the command line."""
    tree = (errors.__doc__ or "").partition("\n\n")[2].strip()
    wrong = ", ".join(f"`{each.__name__}`" for each in _below(errors.PolyreelError) if each.exit_code == 2)
    return f"```text\n{tree}\n```\n\nThe command line exits with 2 on {wrong}, and with 1 on any other.\n"


def _below(base: type[errors.PolyreelError]) -> Iterator[type[errors.PolyreelError]]:
    for kind in base.__subclasses__():
        if not kind.__subclasses__():
            yield kind
        yield from _below(kind)


def decisions() -> str:
    """The decisions, by number."""
    titles = {page.name: page.read_text("utf-8").partition("\n")[0] for page in ROOT.glob("docs/adr/0*.md")}
    return "".join(f"- [{title.removeprefix('# ')}]({name})\n" for name, title in sorted(titles.items()))


# -- the command line -------------------------------------------------------------------------------------


def commands() -> str:
    """Every command's help."""
    return "\n".join(_command(command, name) for name, command in _leaves(typer.main.get_command(app)))


def _leaves(command: Any, name: str = "polyreel") -> Iterator[tuple[str, Any]]:
    """The commands below a group, with their whole names."""
    if not isinstance(command, TyperGroup):
        yield name, command
        return
    if command.invoke_without_command and name != "polyreel":
        yield name, command
    for inner, each in command.commands.items():
        yield from _leaves(each, f"{name} {inner}")


def _command(command: Any, name: str) -> str:
    context = typer.Context(command, info_name=name)
    words, _, example = inspect.cleandoc(command.help or "").partition("Example: ")
    usage = " ".join(command.get_usage(context).split()).removeprefix("Usage: ")
    rows = [
        (f"`{shown[0]}`", _cell(shown[1]))
        for parameter in command.params
        if (shown := parameter.get_help_record(context))
    ]
    table = f"\n{_table(('option', ''), rows)}" if rows else ""
    return f"## {name}\n\n{words.strip()}\n\n```text\n{usage}\n\nExample: {example}\n```\n{table}"


# -- the benchmark ----------------------------------------------------------------------------------------


def bench_words() -> str:
    """The steps and the numbers of a benchmark."""
    steps = [(f"`{name}`", _cell(said)) for name, said in words.STEPS.items()]
    numbers = [(f"`{name}`", _cell(said)) for name, said in words.NUMBERS.items()]
    return f"{_table(('step', 'what is done'), steps)}\n{_table(('number', 'what it is'), numbers)}"


def bench_fields() -> str:
    """What stands in results.json, object by object."""
    schema = Results.model_json_schema()
    parts = []
    for name, known in {"Results": schema, **schema["$defs"]}.items():
        rows = [
            (f"`{field}`", _cell(value.get("description", "-")))
            for field, value in known["properties"].items()
        ]
        parts.append(f"**{name}**: {_cell(known['description'])}\n\n{_table(('field', ''), rows)}")
    return "\n".join(parts)


def bench_schema() -> str:
    """The JSON schema of results.json."""
    return f"{json.dumps(Results.model_json_schema(), indent=1, ensure_ascii=False)}\n"


# -- the Python API ---------------------------------------------------------------------------------------


_PARTS = {f"polyreel.core.{name}" for name in ("describing", "looking", "opened", "taking")}


def api() -> str:
    """The public names, from their docstrings."""
    public = [
        getattr(polyreel, name)
        for name in ("open", "VideoSearch", "Query", "Moments", "Result", "Hit", "Moment", "Record", "Text")
    ]
    understood = [Reply, FramePlan, Events, Event, EnrichReport, Verdict]
    reports = [IngestReport, VideoReport, CopyReport, Manifest]
    return "\n".join(map(_documented, [*public, *reports, *understood]))


def _documented(thing: Any) -> str:
    if isinstance(thing, FunctionType):
        return f"## polyreel.{thing.__name__}\n\n{_function(f'polyreel.{thing.__name__}', thing)}"
    sections = [f"## {thing.__name__}\n\n{_prose(thing)}"]
    members = {name: value for name, value in _members(thing).items() if not name.startswith("_")}
    properties = [
        f"- `{name}`: {_first_line(value.fget)}"
        for name, value in members.items()
        if isinstance(value, property)
    ]
    if properties:
        sections.append("**Properties**\n\n" + "\n".join(properties) + "\n")
    if is_dataclass(thing):
        methods = [
            f"- `{name}()`: {_first_line(value)}"
            for name, value in members.items()
            if isinstance(value, FunctionType)
        ]
        sections += ["**Methods**\n\n" + "\n".join(methods) + "\n"] if methods else []
    else:
        sections += [
            f"### {name}\n\n{_function(name, value)}"
            for name, value in members.items()
            if isinstance(value, FunctionType)
        ]
    return "\n".join(sections)


def _members(thing: type) -> dict[str, object]:
    """Those of a class, and of the parts of it that have no name in public."""
    parts = [part for part in thing.__mro__ if part is thing or part.__module__ in _PARTS]
    return {name: value for part in parts for name, value in vars(part).items()}


def _function(name: str, function: Callable[..., object]) -> str:
    # "py", because a block of "python" is an example, which the tests run.
    return f"```py\n{_signature(name, function)}\n```\n\n{_prose(function)}"


def _signature(name: str, function: Callable[..., object]) -> str:
    signature = inspect.signature(function)
    shown, keywords = [], False
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not keywords:
            shown.append("*")
        keywords |= parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        shown.append(_parameter(parameter))
    line = f"{name}({', '.join(shown)}) -> {signature.return_annotation}"
    if len(line) <= _WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {each},\n" for each in shown) + f") -> {signature.return_annotation}"


def _parameter(parameter: inspect.Parameter) -> str:
    star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
    if parameter.default is parameter.empty:
        return f"{star}{parameter.name}: {parameter.annotation}"
    default = parameter.default.value if isinstance(parameter.default, Enum) else parameter.default
    return f"{parameter.name}: {parameter.annotation} = {default!r}"


def _prose(thing: object) -> str:
    """A docstring as Markdown: its sections become lists."""
    lines: list[str] = []
    section = ""
    for line in inspect.cleandoc(getattr(thing, "__doc__", None) or "").splitlines():
        if line in _SECTIONS:
            section = _SECTIONS[line]
            lines += [f"**{section}**", ""]
        elif section and line.startswith(" " * 8):
            lines[-1] += f" {line.strip()}"
        elif section and line.strip():
            lines.append(f"- {line.strip()}" if section == "Returns" else _item(line))
        else:
            lines.append(line)
    return "\n".join(lines).strip() + "\n"


def _item(line: str) -> str:
    name, _, words = line.strip().partition(": ")
    return f"- `{name}`: {words}"


# -- Markdown ---------------------------------------------------------------------------------------------


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(words: str) -> str:
    """Text that a table and Markdown leave as it is."""
    return re.sub(r"([|<*])", r"\\\1", re.sub(r"\s+", " ", words))


def _first_line(thing: object) -> str:
    return inspect.cleandoc(getattr(thing, "__doc__", None) or "").partition("\n")[0]


PARTS: dict[str, Callable[[], str]] = {
    "adapters": adapters,
    "api": api,
    "bench-fields": bench_fields,
    "bench-words": bench_words,
    "commands": commands,
    "decisions": decisions,
    "errors": error_tree,
    "features": features,
    "operators": operators,
    "presets": presets,
    "stacks": stacks,
}

FILES: dict[str, Callable[[], str]] = {"docs/bench-results.schema.json": bench_schema}
"""Files that are made from the code whole."""

if __name__ == "__main__":
    sys.exit(main())
