"""Mistakes in variables, in files that can't be read, and in the names that callers give."""

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

VARIABLES = {
    "an unknown variable": (
        {"POLYREEL_WORKERS": "3"},
        "POLYREEL_WORKERS in {} is no setting; did you mean 'POLYREEL_INGEST__WORKERS'?",
    ),
    "a mistyped variable": (
        {"POLYREEL_STAKC": "x"},
        "POLYREEL_STAKC in {} is no setting; did you mean 'POLYREEL_STACK'?",
    ),
    "single underscores": (
        {"POLYREEL_STACKS_LOCAL_STORE_PATH": "x"},
        (
            "POLYREEL_STACKS_LOCAL_STORE_PATH in {} is no setting; "
            "did you mean 'POLYREEL_STACKS__NAME__STORE__PATH'?"
        ),
    ),
    "a mistyped section": (
        {"POLYREEL_STACKS__LOCAL__STOER__PATH": "x"},
        "POLYREEL_STACKS__LOCAL__STOER__PATH in {} is no setting; did you mean 'store'?",
    ),
    "a mistyped key": (
        {"POLYREEL_STACKS__LOCAL__STORE__PAHT": "x"},
        "POLYREEL_STACKS__LOCAL__STORE__PAHT in {} is no setting; did you mean 'path'?",
    ),
    "a mistyped stack": (
        {"POLYREEL_STACKS__LOKAL__STORE__PATH": "x"},
        "stacks.lokal.store in {} lacks the key 'kind'; did you mean 'local'?",
    ),
    "an unknown stack": (
        {"POLYREEL_STACK": "locl"},
        f"POLYREEL_STACK in {{}} is 'locl': there is no such stack among {SHIPPED}; did you mean 'local'?",
    ),
    "a wrong type": (
        {"POLYREEL_INGEST__WORKERS": "many"},
        "POLYREEL_INGEST__WORKERS in {} is 'many'; it must be a whole number",
    ),
    "a level that is no number": (
        {
            "POLYREEL_STACKS__LOCAL__LEVELS__TEXT__MEDIUM": "some",
            "POLYREEL_STACKS__LOCAL__LEVELS__TEXT__HIGH": "1",
        },
        "POLYREEL_STACKS__LOCAL__LEVELS__TEXT__MEDIUM in {} is 'some'; it must be a number",
    ),
    "a list without brackets": (
        {"POLYREEL_STACKS__LOCAL__RECIPE__SCOPES": "clip"},
        (
            "POLYREEL_STACKS__LOCAL__RECIPE__SCOPES in {} is 'clip'; "
            "it must be a list of 'clip' or 'video', written as JSON"
        ),
    ),
    "a section": (
        {"POLYREEL_INGEST": "3"},
        "POLYREEL_INGEST in {} must be a section, set by POLYREEL_INGEST__…",
    ),
    "a section and its key": (
        {"POLYREEL_INGEST": "3", "POLYREEL_INGEST__WORKERS": "3"},
        "POLYREEL_INGEST in {} must be a section, set by POLYREEL_INGEST__…",
    ),
    "nothing between underscores": (
        {"POLYREEL_STACKS__LOCAL____PATH": "x"},
        (
            "POLYREEL_STACKS__LOCAL____PATH in {} is no setting; "
            "known are cache_results, collection, embedder, fields, levels, objects, preset, "
            "query_cache_mb, recipe, reranker, state, store, understanding"
        ),
    ),
}


@pytest.mark.parametrize(("variables", "expected"), VARIABLES.values(), ids=VARIABLES.keys())
@pytest.mark.parametrize("source", ["the environment", ".env"])
def test_a_mistake_in_a_variable(
    variables: dict[str, str],
    expected: str,
    source: str,
    adapters: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if source == ".env":
        Path(".env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    else:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
    assert message() == expected.format(source)


class TestFiles:
    def test_a_missing_file_that_the_argument_names(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            load(Path("no.toml"))
        assert str(caught.value) == (
            "the configuration file no.toml can't be read: No such file or directory; "
            "`polyreel init` writes one"
        )

    def test_a_missing_file_that_the_variable_names(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("POLYREEL_CONFIG", "no.toml")
        assert message() == (
            "POLYREEL_CONFIG in the environment: the configuration file no.toml can't be read: "
            "No such file or directory; `polyreel init` writes one"
        )

    def test_a_folder(self) -> None:
        Path("polyreel.toml").mkdir()
        assert message() == "polyreel.toml can't be read: Is a directory"

    def test_a_link_to_nothing(self) -> None:
        Path("polyreel.toml").symlink_to("gone.toml")
        assert message().startswith("polyreel.toml can't be read: No such file or directory")

    def test_an_unknown_home_folder(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("POLYREEL_CONFIG", "~nobody9/x.toml")
        assert message().endswith("~nobody9/x.toml can't be read: its home folder is unknown")

    def test_bytes_that_are_no_text(self) -> None:
        Path("polyreel.toml").write_bytes(b"stack = '\xff'")
        assert message() == "polyreel.toml can't be read: it is not UTF-8 at byte 9"

    def test_bytes_in_dotenv_that_are_no_text(self) -> None:
        Path(".env").write_bytes(b"POLYREEL_STACK='\xff'")
        assert message() == ".env can't be read: it is not UTF-8 at byte 16"

    def test_dotenv_cannot_name_the_file_beside_which_it_lies(self) -> None:
        Path(".env").write_text("POLYREEL_CONFIG=other.toml\n")
        assert message() == (
            "POLYREEL_CONFIG in .env comes too late: .env is read beside the configuration file; "
            "set POLYREEL_CONFIG in the environment, or name the file with --config"
        )

    def test_the_place_in_another_folder_is_named_as_it_was_given(self) -> None:
        Path("conf").mkdir()
        Path("conf/p.toml").write_text("stak = 'x'")
        with pytest.raises(ConfigurationError, match=r"^stak in conf/p\.toml is no setting"):
            load(Path("conf/p.toml"))

    def test_a_mistake_made_by_two_sources_names_both(
        self, adapters: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Path("polyreel.toml").write_text("[stacks.local.recipe]\nwindow = 3\n")
        monkeypatch.setenv("POLYREEL_STACKS__LOCAL__RECIPE__SHORTEST", "4")
        assert message() == (
            "stacks.local.recipe in polyreel.toml and the environment: "
            "recipe.shortest is 4; it must be from 0 to 3"
        )


def test_a_stack_that_the_caller_names_must_exist() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(stack="locl")
    assert str(caught.value) == f"there is no stack 'locl' among {SHIPPED}; did you mean 'local'?"


def test_a_stack_that_the_caller_names_mends_an_unknown_default() -> None:
    Path("polyreel.toml").write_text("stack = 'gone'")
    assert load(stack="local").default_stack == "local"
