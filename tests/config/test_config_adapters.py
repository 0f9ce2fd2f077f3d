"""Sections become the keyword arguments of adapters, and secrets are never shown."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from polyreel.config import build_stack, load
from polyreel.core.adapter import Adapter
from polyreel.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

REMOTE = """
[stacks.mine.store]
kind = "remote"
url = "https://example.invalid"
{}
[stacks.mine.objects]
kind = "local"
path = "o"
"""
SECRET = "sk-do-not-show"


def remote(keys: str = "") -> Any:
    Path("polyreel.toml").write_text(REMOTE.format(keys))
    return build_stack(load(), "mine").store


def error(keys: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        remote(keys)
    return caught.value


def test_every_type_of_parameter_is_filled(adapters: object, folder: Path) -> None:
    store = remote("""
        api_key = "k"
        pool = 8
        secure = false
        level = "high"
        mode = "exact"
        folders = ["a", "/b"]
        tags = ["x", "y"]
        headers = { accept = "json" }
        timeout = 3
    """)
    assert store.given["api_key"].get_secret_value() == "k"
    del store.given["api_key"]
    assert store.given == {
        "timeout": 3.0,
        "url": "https://example.invalid",
        "credentials": None,
        "pool": 8,
        "secure": False,
        "level": "high",
        "mode": "exact",
        "folders": (folder / "a", Path("/b")),
        "tags": ["x", "y"],
        "headers": {"accept": "json"},
        "session_token": 0,
    }


def test_variables_fill_them_too(adapters: object, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {
        "API_KEY": "123",
        "POOL": "8",
        "SECURE": "false",
        "LEVEL": "high",
        "FOLDERS": '["a"]',
        "TAGS": '["1"]',
        "HEADERS__ACCEPT": "json",
        "TIMEOUT": "3",
    }.items():
        monkeypatch.setenv(f"POLYREEL_STACKS__MINE__STORE__{key}", value)
    given = remote().given
    assert given["api_key"].get_secret_value() == "123"
    assert (given["pool"], given["secure"], given["level"], given["timeout"]) == (8, False, "high", 3.0)
    assert (given["folders"], given["tags"]) == ((folder / "a",), ["1"])
    assert given["headers"] == {"accept": "json"}


def test_a_parameter_of_the_base_is_a_key_and_an_object_is_none(adapters: object) -> None:
    assert str(error("client = 1")) == (
        "stacks.mine.store.client in polyreel.toml is no setting; known are api_key, credentials, folders, "
        "headers, level, mode, pool, secure, session_token, tags, timeout, url"
    )


def test_a_parameter_of_the_base_is_no_key_where_the_class_takes_no_others(adapters: object) -> None:
    Path("polyreel.toml").write_text("[stacks.local.objects]\ntimeout = 3\n")
    with pytest.raises(ConfigurationError) as caught:
        build_stack(load())
    assert str(caught.value) == (
        "stacks.local.objects.timeout in polyreel.toml is no setting; known are copy, path"
    )


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            "level = 'hgih'",
            "level in polyreel.toml is 'hgih'; it must be 'low' or 'high'; did you mean 'high'?",
        ),
        (
            "mode = 'fsat'",
            "mode in polyreel.toml is 'fsat'; it must be 'fast' or 'exact'; did you mean 'fast'?",
        ),
        ("folders = [1]", "folders in polyreel.toml is [1] (list); it must be a list"),
        ("tags = [1]", "tags in polyreel.toml is [1] (list); it must be a list"),
        ("headers = 1", "headers in polyreel.toml must be a section, [stacks.mine.store.headers]"),
        ("headers.a = 1", "headers.a in polyreel.toml is 1 (int); it must be text"),
    ],
)
def test_a_wrong_value_is_named(keys: str, expected: str, adapters: object) -> None:
    assert str(error(keys)) == f"stacks.mine.store.{expected}"


def test_a_function_may_make_the_adapter(adapters: Any) -> None:
    made = type("Made", (Adapter,), {"kind": "made"})

    def make(*, size: int = 1, timeout: float = 1.0) -> Adapter:
        adapter: Adapter = made(timeout=timeout)
        adapter.size = size  # type: ignore[attr-defined]
        return adapter

    adapters.add("store", "remote", make)
    Path("polyreel.toml").write_text(REMOTE.replace('url = "https://example.invalid"', "size = 3").format(""))
    assert build_stack(load(), "mine").store.size == 3  # type: ignore[attr-defined]


def test_types_that_cannot_be_looked_up_are_the_adapters_mistake(adapters: Any) -> None:
    def make(*, size: Missing) -> None:  # type: ignore[name-defined]  # noqa: F821
        """Has a type that exists for the type checker only."""

    adapters.add("store", "remote", make)
    assert "name 'Missing' is not defined; its module must import them at run time" in str(error(""))


def test_a_missing_package_names_the_extra(adapters: Any) -> None:
    adapters.add("store", "remote", ModuleNotFoundError("no", name="pymilvus"))
    assert str(error("")) == (
        "stacks.mine.store.kind in polyreel.toml: the store 'remote' needs the package 'pymilvus', "
        'which is not installed; pip install "polyreel[milvus]"'
    )


def test_another_missing_module_is_a_bug_and_stays_one(adapters: Any) -> None:
    adapters.add("store", "remote", ModuleNotFoundError("no", name="polyreel.typo"))
    Path("polyreel.toml").write_text(REMOTE.format(""))
    with pytest.raises(ModuleNotFoundError):
        build_stack(load(), "mine")


def test_only_the_adapters_of_the_chosen_stack_are_imported(adapters: Any) -> None:
    adapters.add("store", "remote", AssertionError("imported"))
    Path("polyreel.toml").write_text(REMOTE.format(""))
    assert build_stack(load(), "local").name == "local"


def test_what_an_adapter_refuses_names_the_section(adapters: Any) -> None:
    def make() -> None:
        raise ConfigurationError("the port is taken", hint="choose another")

    adapters.add("store", "memory", make)
    with pytest.raises(ConfigurationError) as caught:
        build_stack(load(), "memory")
    assert str(caught.value) == "stacks.memory.store in the preset memory: the port is taken; choose another"


def test_no_adapter_is_made_when_a_later_section_is_wrong(adapters: Any) -> None:
    def make() -> None:
        raise AssertionError("made")

    adapters.add("store", "memory", make)
    Path("polyreel.toml").write_text("[stacks.memory.objects]\npaht = 'x'")
    with pytest.raises(ConfigurationError, match="paht"):
        build_stack(load(), "memory")


def test_the_adapters_of_a_stack_are_not_closed(adapters: Any) -> None:
    stack = build_stack(load(), "memory")
    assert stack.store.closed == []  # type: ignore[attr-defined]
    stack.store.close()
    assert stack.store.closed == ["memory"]  # type: ignore[attr-defined]


def test_adapters_are_closed_when_a_later_one_fails(adapters: Any) -> None:
    def make(*, path: Path) -> None:
        raise OSError("the disk is gone")

    adapters.add("objects", "local", make)
    with pytest.raises(OSError, match="the disk is gone"):
        build_stack(load(), "memory")
    assert adapters["store"]["memory"].target.closed == ["builtin", "memory"]


class TestSecrets:
    @pytest.mark.parametrize("key", ["api_key", "credentials"])
    def test_a_value_is_in_no_representation(self, key: str, adapters: object) -> None:
        store = remote(f'{key} = "{SECRET}"')
        settings = load()
        assert store.given[key].get_secret_value() == SECRET
        shown = [store.given[key], settings, settings.stack("mine"), settings.stacks, settings.model_dump()]
        assert SECRET not in "".join(map(repr, shown)) + settings.model_dump_json()

    @pytest.mark.parametrize(
        "keys",
        [
            f'api_key = ["{SECRET}"]',
            f'credentials = ["{SECRET}"]',
            f'session_token = "{SECRET}"',
            f'api_keey = "{SECRET}"',
            f'headers = "{SECRET}"',
        ],
    )
    def test_a_wrong_value_is_in_no_error(self, keys: str, adapters: object) -> None:
        caught = error(keys)
        assert SECRET not in "".join(traceback.format_exception(caught))
        assert SECRET not in "".join(map(str, (caught.__context__, caught.__cause__)))

    def test_the_line_says_what_it_must_be(self, adapters: object) -> None:
        assert str(error("api_key = 5")) == "stacks.mine.store.api_key in polyreel.toml must be text"
        assert str(error("session_token = 'x'")) == (
            "stacks.mine.store.session_token in polyreel.toml must be a whole number"
        )

    def test_a_variable_that_should_be_a_section_is_not_shown(
        self, adapters: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("POLYREEL_STACKS__MINE__STORE", f'{{"api_key": "{SECRET}"}}')
        assert SECRET not in str(error(""))

    @pytest.mark.parametrize("read", [str, repr])
    def test_broken_toml_shows_none(self, read: Callable[[object], str]) -> None:
        Path("polyreel.toml").write_text(f"[stacks.mine.store]\napi_key = {SECRET}\n")
        with pytest.raises(ConfigurationError) as caught:
            load()
        assert SECRET not in read(caught.value) + read(caught.value.__cause__)
