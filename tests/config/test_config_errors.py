"""Every mistake in the file is one line that names its place, what is wrong, and the nearest right name."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyreel.config import build_stack, load
from polyreel.config.shipped import presets
from polyreel.core.errors import ConfigurationError


def message() -> str:
    """The line of the error that loading and building ends in."""
    with pytest.raises(ConfigurationError) as caught:
        build_stack(load())
    line = str(caught.value)
    assert "\n" not in line
    return line


SHIPPED = ", ".join(presets())
COMPLETE = 'kind = "local"\npath = "o"\n'

FILES = {
    "an unknown key": (
        "colour = 1",
        "colour in polyreel.toml is no setting; known are ingest, rates, stack, stacks",
    ),
    "a mistyped key": ("stak = 'x'", "stak in polyreel.toml is no setting; did you mean 'stack'?"),
    "a mistyped section": (
        "[ingets]\nworkers = 2",
        "ingets in polyreel.toml is no setting; did you mean 'ingest'?",
    ),
    "an empty mistyped section": (
        "[ingets]",
        "ingets in polyreel.toml is no setting; did you mean 'ingest'?",
    ),
    "a mistyped key of ingest": (
        "[ingest]\nworker = 2",
        "ingest.worker in polyreel.toml is no setting; did you mean 'workers'?",
    ),
    "a mistyped section of a stack": (
        "[stacks.local.stoer]\npath = 'x'",
        "stacks.local.stoer in polyreel.toml is no setting; did you mean 'store'?",
    ),
    "a mistyped key of an adapter": (
        "[stacks.local.store]\nlock_wiat = 1",
        "stacks.local.store.lock_wiat in polyreel.toml is no setting; did you mean 'lock_wait'?",
    ),
    "a parameter that is no setting": (
        "[stacks.local.store]\nretry = 1",
        "stacks.local.store.retry in polyreel.toml is no setting; known are lock_wait, path, timeout",
    ),
    "a key with a line break": (
        '"a\\nb" = 1',
        "'a\\nb' in polyreel.toml is no setting; known are ingest, rates, stack, stacks",
    ),
    "text for a number": (
        "[stacks.local.store]\nlock_wait = 'x'",
        "stacks.local.store.lock_wait in polyreel.toml is 'x'; it must be a number",
    ),
    "a numeral in quotes for a number": (
        "[ingest]\nworkers = '2'",
        "ingest.workers in polyreel.toml is '2'; it must be a whole number",
    ),
    "a fraction for a whole number": (
        "[ingest]\nworkers = 2.0",
        "ingest.workers in polyreel.toml is 2.0 (float); it must be a whole number",
    ),
    "true for a whole number": (
        "[ingest]\nworkers = true",
        "ingest.workers in polyreel.toml is True (bool); it must be a whole number",
    ),
    "a number out of range": (
        "[ingest]\nworkers = 0",
        "ingest.workers in polyreel.toml is 0 (int); it must be greater than or equal to 1",
    ),
    "levels of a mistyped medium": (
        "[stacks.local.levels.txt]\nmedium = 0.2\nhigh = 0.3",
        "stacks.local.levels.txt in polyreel.toml is no setting; did you mean 'text'?",
    ),
    "a mistyped level": (
        "[stacks.local.levels.text]\nmedum = 0.2\nhigh = 0.3",
        "stacks.local.levels.text.medum in polyreel.toml is no setting; did you mean 'medium'?",
    ),
    "one level of two": (
        "[stacks.local.levels.text]\nmedium = 0.2",
        "stacks.local.levels.text in polyreel.toml lacks the key 'high'",
    ),
    "levels without a medium": (
        "[stacks.local.levels]\ntext = 0.2",
        "stacks.local.levels.text in polyreel.toml must be a section, [stacks.local.levels.text]",
    ),
    "text for a level": (
        "[stacks.local.levels.text]\nmedium = '0.2'\nhigh = 0.3",
        "stacks.local.levels.text.medium in polyreel.toml is '0.2'; it must be a number",
    ),
    "levels the wrong way round": (
        "[stacks.local.levels.text]\nmedium = 0.3\nhigh = 0.2",
        "stacks.local.levels.text in polyreel.toml: medium is 0.3, which is above high, 0.2",
    ),
    "a level in percent": (
        "[stacks.local.levels.text]\nmedium = 21\nhigh = 27",
        "stacks.local.levels.text in polyreel.toml: medium is 21; it must be a cosine, from -1 to 1",
    ),
    "infinity": (
        "[stacks.local.store]\nlock_wait = inf",
        "stacks.local.store.lock_wait in polyreel.toml is inf (float); it must be a finite number",
    ),
    "a number for text": (
        "[stacks.local]\ncollection = 5",
        "stacks.local.collection in polyreel.toml is 5 (int); it must be text",
    ),
    "a date for text": (
        "[stacks.local]\ncollection = 2024-01-01",
        "stacks.local.collection in polyreel.toml is datetime.date(2024, 1, 1) (date); it must be text",
    ),
    "a number for a path": (
        "[stacks.local]\nstate = 5",
        "stacks.local.state in polyreel.toml is 5 (int); it must be a path",
    ),
    "an empty path": (
        "[stacks.local]\nstate = ''",
        "stacks.local.state in polyreel.toml is ''; it must be a path",
    ),
    "a path in an unknown home": (
        "[stacks.local]\nstate = '~nobody9/x'",
        "stacks.local.state in polyreel.toml is '~nobody9/x'; it must be a path",
    ),
    "a number for a yes or no": (
        "[stacks.local.objects]\ncopy = 1",
        "stacks.local.objects.copy in polyreel.toml is 1 (int); it must be true or false",
    ),
    "a value for a section": (
        "stacks = 3",
        "stacks in polyreel.toml must be a section, [stacks]",
    ),
    "a value for a stack": (
        "stacks.local = 'x'",
        "stacks.local in polyreel.toml must be a section, [stacks.local]",
    ),
    "a value for an adapter": (
        "[stacks.local]\nstore = 'qdrant'",
        "stacks.local.store in polyreel.toml must be a section, [stacks.local.store]",
    ),
    "a section for a value": (
        "[stacks.local.collection]\nname = 'x'",
        "stacks.local.collection in polyreel.toml is a section; it must be text",
    ),
    "a number for a kind": (
        "[stacks.local.store]\nkind = 5",
        "stacks.local.store.kind in polyreel.toml is 5 (int); it must be text",
    ),
    "a mistyped kind": (
        "[stacks.local.store]\nkind = 'qdrnt'",
        "stacks.local.store.kind in polyreel.toml: there is no store of kind 'qdrnt'; did you mean 'qdrant'?",
    ),
    "a missing kind": (
        f"[stacks.mine.store]\npath = 'x'\n[stacks.mine.objects]\n{COMPLETE}",
        (
            "stacks.mine.store in polyreel.toml lacks the key 'kind'; "
            'start from a stack that ships with `preset = "local"`'
        ),
    ),
    "a missing section": (
        "[stacks.mine.store]\nkind = 'memory'",
        (
            "stacks.mine in polyreel.toml lacks the section 'objects'; "
            'start from a stack that ships with `preset = "local"`'
        ),
    ),
    "a mistyped stack": (
        "[stacks.locall]\ncollection = 'x'",
        "stacks.locall in polyreel.toml lacks the section 'store'; did you mean 'local'?",
    ),
    "a missing key of an adapter": (
        f"stack = 'mine'\n[stacks.mine.store]\nkind = 'qdrant'\n[stacks.mine.objects]\n{COMPLETE}",
        "stacks.mine.store in polyreel.toml lacks the key 'path'",
    ),
    "an unknown default": (
        "stack = 'locl'",
        f"stack in polyreel.toml is 'locl': there is no such stack among {SHIPPED}; did you mean 'local'?",
    ),
    "an unknown preset": (
        "[stacks.mine]\npreset = 'memori'",
        (
            f"stacks.mine.preset in polyreel.toml is 'memori'; the presets are {SHIPPED}; "
            "did you mean 'memory'?"
        ),
    ),
    "a name in capitals": (
        "[stacks.Local]\ncollection = 'x'",
        (
            "stacks.Local in polyreel.toml: a stack's name has a-z, 0-9 and _ only, "
            "and begins with a letter; did you mean 'local'?"
        ),
    ),
    "a name twice": (
        "[stacks.my-films]\n[stacks.my_films]",
        "stacks.my_films is there twice in polyreel.toml, with - and with _",
    ),
    "a mistyped choice": (
        "[stacks.local.recipe]\nsegmentation = 'shotz'",
        (
            "stacks.local.recipe.segmentation in polyreel.toml is 'shotz'; it must be 'fixed' or 'shots'; "
            "did you mean 'shots'?"
        ),
    ),
    "a mistyped choice in a list": (
        "[stacks.local.recipe]\nscopes = ['clip', 'vidio']",
        (
            "stacks.local.recipe.scopes in polyreel.toml is ['clip', 'vidio'] (list); "
            "it must be a list of 'clip' or 'video'; did you mean 'video'?"
        ),
    ),
    "a text for a list": (
        "[stacks.local.recipe]\nscopes = 'clip'",
        "stacks.local.recipe.scopes in polyreel.toml is 'clip'; it must be a list of 'clip' or 'video'",
    ),
    "a mistyped key of the recipe": (
        "[stacks.local.recipe]\nwindwo = 5",
        "stacks.local.recipe.windwo in polyreel.toml is no setting; did you mean 'window'?",
    ),
    "a recipe that can't be cut": (
        "[stacks.local.recipe]\nwindow = 0.1",
        "stacks.local.recipe in polyreel.toml: recipe.window is 0.1; it must be from 0.2 to 3600",
    ),
    "an unknown type of field": (
        "[stacks.local.fields]\nyear = 'integer'",
        (
            "stacks.local.fields.year in polyreel.toml is 'integer'; it must be 'string', 'int', "
            "'float', 'bool', 'datetime' or 'list[string]'; did you mean 'int'?"
        ),
    ),
    "a field that is a column": (
        "[stacks.local.fields]\nstart = 'int'",
        (
            "stacks.local.fields.start in polyreel.toml: 'start' can't be a field: "
            "polyreel has a column of that name"
        ),
    ),
    "broken TOML": (
        "stack = 'local'\n\nworkers =\n",
        "polyreel.toml is no TOML at line 3, column 10: Invalid value",
    ),
    "TOML that ends too early": (
        "stack = 'local",
        'polyreel.toml is no TOML at end of document: Expected "\'"',
    ),
}


@pytest.mark.parametrize(("text", "expected"), FILES.values(), ids=FILES.keys())
def test_a_mistake_in_the_file(text: str, expected: str, adapters: object) -> None:
    Path("polyreel.toml").write_text(text)
    assert message() == expected
