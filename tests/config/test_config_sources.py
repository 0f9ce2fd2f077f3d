"""Where settings come from, which of them wins, and where relative paths start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from polyreel.config import build_stack, init_text, load
from polyreel.config.shipped import presets
from polyreel.core.errors import ConfigurationError
from polyreel.core.fields import FieldType
from polyreel.core.levels import Levels
from polyreel.core.media import Modality
from polyreel.core.recipe import Recipe, Segmentation
from polyreel.core.records import Channel, Scope

MINE = """
[stacks.mine]
collection = "films"
[stacks.mine.store]
kind = "memory"
[stacks.mine.objects]
kind = "local"
path = "objects"
"""


def given(stack: Any, role: str = "store") -> dict[str, Any]:
    remembered: dict[str, Any] = getattr(stack, role).given
    return remembered


def test_without_any_file_the_presets_are_the_stacks(folder: Path, adapters: object) -> None:
    settings = load()
    assert settings.where is None
    assert settings.stack_names == tuple(presets())
    assert settings.default_stack == "local"
    stack = build_stack(settings, "local")
    assert (stack.name, stack.collection, stack.workers) == ("local", "videos", 2)
    assert stack.state == folder / ".polyreel/state"
    assert given(stack)["path"] == folder / ".polyreel/qdrant"
    assert given(stack, "objects") == {"timeout": 30.0, "path": folder / ".polyreel/objects", "copy": False}
    assert stack.embedder is not None
    assert stack.fields == {}
    assert stack.recipe == Recipe()


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_preset_builds_with_the_adapters_that_ship(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name.endswith("_marengo_s3"):
        pytest.importorskip("twelvelabs")
        monkeypatch.setenv("TWELVELABS_API_KEY", "tlk_0123456789")
        monkeypatch.setenv(f"POLYREEL_STACKS__{name.upper()}__OBJECTS__BUCKET", "films")
    if name == "vikingdb_tos":
        pytest.importorskip("tos")
        stack = f"POLYREEL_STACKS__{name.upper()}"
        for key in ("STORE__ACCESS_KEY", "STORE__SECRET_KEY", "OBJECTS__BUCKET"):
            monkeypatch.setenv(f"{stack}__{key}", "films-1")
    built = build_stack(load(), name)
    assert built.name == name
    built.objects.close()


@pytest.mark.parametrize("name", ["milvus_marengo_s3", "qdrant_marengo_s3"])
def test_what_a_preset_leaves_to_the_user_is_asked_for_in_one_line(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("twelvelabs")
    for key in ("TWELVELABS_API_KEY", "TWELVE_LABS_API_KEY"):
        monkeypatch.delenv(key, raising=False)
    variable = f"POLYREEL_STACKS__{name.upper()}__OBJECTS__BUCKET"
    with pytest.raises(ConfigurationError) as caught:
        build_stack(load(), name)
    assert str(caught.value) == (
        f"stacks.{name}.objects in the preset {name} lacks the key 'bucket'; set {variable}, "
        f"or write it under [stacks.{name}.objects] in polyreel.toml"
    )
    monkeypatch.setenv(variable, "films")
    with pytest.raises(ConfigurationError, match=r"TwelveLabs needs a key; set .* TWELVELABS_API_KEY$"):
        build_stack(load(), name)


def test_a_place_of_the_records_replaces_that_of_a_preset_but_not_the_users_own(
    adapters: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYREEL_STACKS__LOCAL__STORE__URL", "http://127.0.0.1:6333")
    store = load().stack("local").store
    assert store["url"] == "http://127.0.0.1:6333"
    assert store.children.keys() == {"kind", "url"}
    Path("polyreel.toml").write_text("[stacks.local.store]\npath = 'mine'\n")
    assert load().stack("local").store.children.keys() == {"kind", "url", "path"}  # which the store refuses
    monkeypatch.setenv("POLYREEL_STACKS__LOCAL__OBJECTS__PATH", "there")
    assert load().stack("local").objects["path"] == "there"


def test_levels_are_those_of_all_sources_by_the_medium_of_the_query(
    adapters: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build_stack(load()).levels == {}
    Path("polyreel.toml").write_text(
        "[stacks.local.levels]\ntext = { medium = 0.2, high = 0.3 }\nvideo = { medium = 0, high = 1 }\n"
    )
    monkeypatch.setenv("POLYREEL_STACKS__LOCAL__LEVELS__TEXT__HIGH", "0.4")
    levels = build_stack(load()).levels
    assert levels == {Modality.TEXT: Levels(0.2, 0.4), Modality.VIDEO: Levels(0, 1)}
    assert {type(medium) for medium in levels} == {Modality}


@pytest.mark.parametrize("top", range(4))
def test_a_higher_source_wins(top: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if top >= 1:
        Path("polyreel.toml").write_text("stack = 'memory'\n[ingest]\nworkers = 11\n")
    if top >= 2:
        Path(".env").write_text("POLYREEL_INGEST__WORKERS=12\nPOLYREEL_STACK=local\nOTHER=1\n")
    if top >= 3:
        monkeypatch.setenv("POLYREEL_INGEST__WORKERS", "13")
        monkeypatch.setenv("POLYREEL_STACK", "memory")
    settings = load()
    assert settings.ingest.workers == [2, 11, 12, 13][top]
    assert settings.default_stack == ["local", "memory", "local", "memory"][top]
    assert load(stack="local").default_stack == "local"


def test_an_adapters_key_is_overlaid_by_every_source(
    folder: Path, adapters: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("polyreel.toml").write_text("[stacks.local.store]\nlock_wait = 1\ntimeout = 2.5\n")
    Path(".env").write_text("POLYREEL_STACKS__LOCAL__STORE__LOCK_WAIT=3\n")
    assert given(build_stack(load())) == {
        "path": folder / ".polyreel/qdrant",
        "lock_wait": 3.0,
        "timeout": 2.5,
    }
    monkeypatch.setenv("POLYREEL_STACKS__LOCAL__STORE__LOCK_WAIT", "4")
    assert given(build_stack(load()))["lock_wait"] == 4.0


def test_the_argument_wins_over_the_variable_and_the_variable_over_the_working_directory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("polyreel.toml", "variable.toml", "argument.toml"):
        Path(name).write_text(f"[ingest]\nworkers = {len(name)}\n")
    assert load().ingest.workers == len("polyreel.toml")
    monkeypatch.setenv("POLYREEL_CONFIG", "variable.toml")
    assert load().ingest.workers == len("variable.toml")
    assert load(Path("argument.toml")).ingest.workers == len("argument.toml")
    assert load(Path("argument.toml")).where == folder / "argument.toml"
    monkeypatch.setenv("POLYREEL_CONFIG", "")
    assert load().where == folder / "polyreel.toml"


def test_a_file_in_a_folder_above_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("polyreel.toml").write_text("[ingest]\nworkers = 7\n")
    Path("below").mkdir()
    monkeypatch.chdir("below")
    assert load().where is None


def test_a_file_may_begin_with_a_byte_order_mark() -> None:
    Path("polyreel.toml").write_text("stack = 'memory'", encoding="utf-8-sig")
    assert load().default_stack == "memory"


class TestStacks:
    def test_a_stack_of_ones_own_needs_no_preset_and_no_embedder(
        self, folder: Path, adapters: object
    ) -> None:
        Path("polyreel.toml").write_text(MINE)
        stack = build_stack(load(), "mine")
        assert (stack.name, stack.collection, stack.embedder) == ("mine", "films", None)
        assert stack.state == folder / ".polyreel/state"
        assert given(stack)["path"] is None

    def test_a_stack_may_start_from_a_preset_of_another_name(self, adapters: object) -> None:
        Path("polyreel.toml").write_text("[stacks.films]\npreset = 'local'\ncollection = 'films'\n")
        stack = build_stack(load(stack="films"))
        assert (stack.name, stack.collection, stack.store.kind) == ("films", "films", "qdrant")

    def test_another_preset_replaces_the_one_of_its_name(self, adapters: object) -> None:
        Path("polyreel.toml").write_text("[stacks.local]\npreset = 'memory'\n")
        assert build_stack(load(), "local").store.kind == "memory"

    def test_an_adapter_of_another_kind_replaces_the_section(self, adapters: object) -> None:
        Path("polyreel.toml").write_text("[stacks.local.store]\nkind = 'memory'\n")
        assert given(build_stack(load())) == {"path": None, "timeout": 30.0}

    def test_the_same_kind_keeps_the_section(self, folder: Path, adapters: object) -> None:
        Path("polyreel.toml").write_text("[stacks.local.store]\nkind = 'qdrant'\nlock_wait = 1\n")
        assert given(build_stack(load()))["path"] == folder / ".polyreel/qdrant"

    def test_a_variable_that_changes_the_kind_drops_the_files_keys(
        self, adapters: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Path("polyreel.toml").write_text("[stacks.local.store]\nlock_wait = 1\n")
        monkeypatch.setenv("POLYREEL_STACKS__LOCAL__STORE__KIND", "memory")
        assert given(build_stack(load())) == {"path": None, "timeout": 30.0}

    def test_hyphens_are_read_as_underscores(self, adapters: object, monkeypatch: pytest.MonkeyPatch) -> None:
        Path("polyreel.toml").write_text("stack = 'my-films'\n" + MINE.replace("mine", "my-films"))
        settings = load()
        assert settings.default_stack == "my_films"
        assert settings.stack("my-films").name == settings.stack("my_films").name == "my_films"
        assert build_stack(settings, "my-films").name == "my_films"
        assert load(stack="my-films").default_stack == "my_films"
        monkeypatch.setenv("POLYREEL_STACKS__MY_FILMS__COLLECTION", "other")
        assert load().stack().collection == "other"

    def test_fields_and_recipe_get_their_types(self, adapters: object) -> None:
        Path("polyreel.toml").write_text("""
            [stacks.local.fields]
            year = "int"
            tags = "list[string]"
            [stacks.local.recipe]
            segmentation = "shots"
            window = 8
            scopes = ["clip"]
            channels = ["visual", "audio"]
        """)
        stack = build_stack(load())
        assert stack.fields == {"year": FieldType.INT, "tags": FieldType.STRINGS}
        assert stack.recipe == Recipe(
            segmentation=Segmentation.SHOTS,
            window=8.0,
            scopes=(Scope.CLIP,),
            channels=(Channel.VISUAL, Channel.AUDIO),
        )
        assert isinstance(stack.recipe.window, float)

    def test_variables_are_read_by_the_type(self, adapters: object, monkeypatch: pytest.MonkeyPatch) -> None:
        for key, value in {
            "RECIPE__SCOPES": '["video"]',
            "RECIPE__FPS": "1.5",
            "FIELDS__YEAR": "int",
            "OBJECTS__COPY": "yes",
            "COLLECTION": "2024",
        }.items():
            monkeypatch.setenv(f"POLYREEL_STACKS__LOCAL__{key}", value)
        stack = build_stack(load())
        assert stack.recipe == Recipe(scopes=(Scope.VIDEO,), fps=1.5)
        assert stack.fields == {"year": FieldType.INT}
        assert stack.collection == "2024"
        assert given(stack, "objects")["copy"] is True


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYREEL_INGEST__WORKERS", "")
    assert load().ingest.workers == 2


def test_variables_of_the_tests_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYREEL_TEST_S3", "http://127.0.0.1")
    monkeypatch.setenv("POLYREEL_MUST_RUN", "s3")
    Path(".env").write_text("POLYREEL_TEST_OTHER=1\n")
    assert load().default_stack == "local"


def test_dotenv_may_be_a_folder_of_another_tool() -> None:
    Path(".env").mkdir()
    assert load().default_stack == "local"


def test_the_configuration_named_twice_in_dotenv_and_environment_is_fine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("other.toml").write_text("stack = 'memory'")
    Path(".env").write_text("POLYREEL_CONFIG=other.toml\n")
    monkeypatch.setenv("POLYREEL_CONFIG", "other.toml")
    assert load().default_stack == "memory"


class TestTheTemplate:
    def test_works_and_states_the_defaults(self, adapters: object) -> None:
        plain = build_stack(load())
        Path("polyreel.toml").write_text(init_text())
        settings = load()
        stack = build_stack(settings)
        assert settings.where == Path("polyreel.toml").absolute()
        assert (stack.name, stack.state, stack.collection) == (plain.name, plain.state, plain.collection)
        assert (stack.recipe, stack.fields, stack.workers) == (plain.recipe, plain.fields, plain.workers)
        assert given(stack) == given(plain)
        assert given(stack, "objects") == given(plain, "objects")

    def test_its_commented_rates_are_those_that_ship(self, adapters: object) -> None:
        shipped = build_stack(load()).rate
        head, named, tail = init_text().partition("# [rates.builtin]")
        section, end, rest = tail.partition("\n\n")
        Path("polyreel.toml").write_text(head + named[2:] + section.replace("\n# ", "\n") + end + rest)
        rate = build_stack(load()).rate
        assert rate.currency == "USD"
        assert (rate.price_per_minute, rate.speed) == (shipped.price_per_minute, shipped.speed)

    def test_its_commented_lines_work_too(self, adapters: object) -> None:
        text = init_text().replace('# year = "int"', 'year = "int"').replace("# tags", "tags")
        Path("polyreel.toml").write_text(text)
        assert set(build_stack(load()).fields) == {"year", "tags"}


def test_the_page_about_configuration_tells_the_truth(
    adapters: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    toml, python, printed = (block.partition("\n")[2] for block in page.split("```")[1:7:2])
    Path("polyreel.toml").write_text(toml)
    monkeypatch.setenv("POLYREEL_STACKS__HOLIDAY__STORE__LOCK_WAIT", "30")
    exec(compile(python, "configuration.md", "exec"), {})
    assert capsys.readouterr().out == printed
    assert build_stack(load(), "films").embedder is None
    assert given(build_stack(load(), "holiday"))["lock_wait"] == 30.0


def test_the_module_is_imported_without_pydantic(tmp_path: Path) -> None:
    code = "import sys, polyreel.config; print('pydantic' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_loading_imports_no_adapter(tmp_path: Path) -> None:
    code = """
import sys
from polyreel.config import load
load().stack("local")
heavy = ("polyreel.backends", "polyreel.embedders", "polyreel.storage", "qdrant", "numpy")
print([name for name in sys.modules if name.startswith(heavy)])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().default_stack = "memory"


def test_an_unknown_export_is_an_attribute_error() -> None:
    import polyreel.config

    with pytest.raises(AttributeError, match="nothing"):
        _ = polyreel.config.nothing


def test_an_unknown_stack_names_the_nearest_and_the_list() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load().stack("locl")
    assert (
        str(caught.value) == f"there is no stack 'locl' among {', '.join(presets())}; did you mean 'local'?"
    )
