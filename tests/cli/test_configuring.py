"""`polyreel config show`, and a run whose secrets stand in no output and no log."""

from __future__ import annotations

import functools
import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import pytest

from polyreel.backends.memory import MemoryStore
from polyreel.core import registry
from polyreel.core.errors import UnavailableError
from polyreel.core.search import VideoSearch
from polyreel.core.secret import Secret  # the configuration reads the annotation

if TYPE_CHECKING:
    from polyreel.core.requests import Receipt

    from .conftest import Shell

KEY = "SESAME-0123456789"
SIGNED = "https://bucket.example/clip.mp4?X-Amz-Signature=deadbeefdeadbeef"
_CONFIG = f"""
[stacks.local.store]
kind = "telling"
api_key = "{KEY}"
"""


class TellingStore(MemoryStore):
    """Fails, and its driver tells all it knows."""

    kind = "telling"

    def __init__(
        self, *, api_key: Secret, token: Secret | None = None, url: str = "http://localhost", limit: int = 7
    ) -> None:
        super().__init__()
        self._api_key = api_key

    def _upsert(self, records: Any) -> Receipt:
        cause = OSError(f"401 for {SIGNED} with key {self._api_key.get_secret_value()}")
        raise UnavailableError(f"the service said: {cause}") from cause


@pytest.fixture
def telling(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell whose store holds a secret and gives it away."""
    known = registry.kinds

    def kinds(role: str) -> dict[str, EntryPoint]:
        entry = EntryPoint("telling", f"{__name__}:TellingStore", registry.GROUPS["store"])
        return {**known(role), **({"telling": entry} if role == "store" else {})}

    monkeypatch.setattr(registry, "kinds", kinds)
    monkeypatch.setattr(EntryPoint, "load", _loaded(EntryPoint.load))
    (shell.folder / "polyreel.toml").write_text(_CONFIG)
    return shell


@pytest.fixture
def without_package(telling: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The same shell where that store's package isn't installed."""

    def load(_entry: EntryPoint) -> Any:
        raise ModuleNotFoundError("No module named 'pymilvus'", name="pymilvus")

    monkeypatch.setattr(EntryPoint, "load", load)
    return telling


def _loaded(load: Any) -> Any:
    """This module has no name that can be imported."""
    return lambda entry: TellingStore if entry.name == "telling" else load(entry)


def test_every_setting_is_shown_with_its_source(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    (shell.folder / "polyreel.toml").write_text(
        "[stacks.local]\ncollection = 'holiday'\n[ingest]\nworkers = 3\n"
    )
    (shell.folder / ".env").write_text("POLYREEL_STACKS__LOCAL__RECIPE__FPS=1.5\n")
    monkeypatch.setenv("POLYREEL_STACKS__LOCAL__STORE__PATH", "elsewhere")
    monkeypatch.setenv("POLYREEL_STACKS__LOCAL__QUERY_CACHE_MB", "8")
    for level in ("MEDIUM", "HIGH"):
        monkeypatch.setenv(f"POLYREEL_STACKS__LOCAL__LEVELS__TEXT__{level}", "0.25")
    settings = shell("config", "show", "--json").document["settings"]
    shown = {each["key"]: (each["value"], each["source"]) for each in settings}
    assert shown["stacks.local.collection"] == ("holiday", "polyreel.toml")
    assert shown["ingest.workers"] == (3, "polyreel.toml")
    assert shown["stacks.local.recipe.fps"] == (1.5, "POLYREEL_STACKS__LOCAL__RECIPE__FPS")
    assert shown["stacks.local.store.path"] == (
        str(shell.folder / "elsewhere"),
        "POLYREEL_STACKS__LOCAL__STORE__PATH",
    )
    level = "POLYREEL_STACKS__LOCAL__LEVELS__TEXT__HIGH"
    assert shown["stacks.local.levels.text.high"] == (0.25, level)
    assert shown["stacks.local.query_cache_mb"] == (8, "POLYREEL_STACKS__LOCAL__QUERY_CACHE_MB")
    assert shown["stacks.local.embedder.kind"] == ("builtin", "the preset local")
    assert shown["stacks.local.recipe.window"] == (5.0, "default")
    assert shown["stack"][0] == "local"


def test_the_stack_of_the_call_is_shown(shell: Shell) -> None:
    settings = shell("config", "show", "--stack", "memory", "--json").document["settings"]
    shown = {each["key"]: each for each in settings}
    assert shown["stack"] == {"key": "stack", "value": "memory", "source": "the call"}
    assert shown["stacks.memory.store.kind"]["value"] == "memory"


def test_a_wrong_configuration_is_one_line(shell: Shell) -> None:
    (shell.folder / "polyreel.toml").write_text("[stacks.local]\ncolection = 'a'\n")
    said = shell("config", "show")
    assert said.code == 2
    assert (
        said.err
        == "error: stacks.local.colection in polyreel.toml is no setting; did you mean 'collection'?\n"
    )


def test_a_mistyped_key_of_an_adapter_is_refused_as_when_it_is_built(telling: Shell) -> None:
    (telling.folder / "polyreel.toml").write_text(f"{_CONFIG}limmit = 3\n")
    for command in (("config", "show"), ("videos",)):
        said = telling(*command)
        assert said.code == 2
        assert said.out == ""
        assert said.err == (
            "error: stacks.local.store.limmit in polyreel.toml is no setting; did you mean 'limit'?\n"
        )


def test_a_value_of_another_type_is_refused(telling: Shell) -> None:
    (telling.folder / "polyreel.toml").write_text(f'{_CONFIG}limit = "many"\n')
    said = telling("config", "show")
    assert said.code == 2
    assert "stacks.local.store.limit in polyreel.toml is 'many'; it must be a whole number" in said.err


def test_showing_opens_and_makes_nothing(telling: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TellingStore, "__init__", _refused(TellingStore.__init__))
    assert telling("config", "show").code == 0
    assert [each.name for each in telling.folder.iterdir()] == ["polyreel.toml"]


def _refused(signature: Any) -> Any:
    @functools.wraps(signature)
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing is to be made")

    return refuse


def test_defaults_of_adapters_and_secrets_that_are_not_set_are_listed(telling: Shell) -> None:
    settings = telling("config", "show", "--json").document["settings"]
    shown = {each["key"]: (each["value"], each["source"]) for each in settings}
    assert shown["stacks.local.store.api_key"] == ("***", "polyreel.toml")
    assert shown["stacks.local.store.token"] == (None, "default")
    assert shown["stacks.local.store.limit"] == (7, "default")
    assert shown["stacks.local.objects.copy"] == (False, "default")
    assert "stacks.local.store.token\tnot set\tdefault\n" in telling("config", "show").out


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:hunter22@host.example:19530", "https://***@host.example:19530"),
        ("https://me:hun/ter22@host.example", "https://***@host.example"),
        ("https://host.example/?sig=hunter22", "https://host.example/?***"),
    ],
)
def test_credentials_inside_an_address_are_masked(telling: Shell, url: str, shown: str) -> None:
    (telling.folder / "polyreel.toml").write_text(f'{_CONFIG}url = "{url}"\n')
    said = telling("config", "show")
    assert f"stacks.local.store.url\t{shown}\tpolyreel.toml\n" in said.out
    assert "ter22" not in said.out + said.err


def test_a_password_in_an_address_of_the_configuration_is_masked_wherever_it_stands(
    telling: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: VideoSearch, **_given: object) -> None:
        raise UnavailableError("login of me with hun%ter/22 failed")

    monkeypatch.setattr(VideoSearch, "videos", fail)
    (telling.folder / "polyreel.toml").write_text(
        f'{_CONFIG}url = "https://me:hun%25ter%2F22@host.example"\n'
    )
    assert telling("videos").err == "error: login of me with *** failed\n"


def test_without_its_package_an_adapters_values_are_masked_and_the_package_is_named(
    without_package: Shell,
) -> None:
    (without_package.folder / "polyreel.toml").write_text(
        f'{_CONFIG}url = "https://x"\nlimit = 12345\npath = "here"\nfolder = "https://me:hunter22@x"\n'
    )
    said = without_package("config", "show")
    assert said.code == 0
    rows = {key: value for key, value, _ in (line.split("\t") for line in said.out.splitlines())}
    own = {key.rpartition(".")[2]: value for key, value in rows.items() if ".store." in key}
    assert own == {
        "kind": "telling", "api_key": "***", "url": "***", "limit": "***", "folder": "***", "path": "here",
    }  # fmt: skip
    assert said.err.startswith("not checked, and masked since the types are unknown: stacks.local.store: ")
    assert "needs the package 'pymilvus', which is not installed" in said.err
    assert 'pip install "polyreel[milvus]"' in said.err


def test_secrets_are_masked(telling: Shell) -> None:
    said = telling("config", "show")
    assert said.code == 0
    assert "stacks.local.store.api_key\t***\tpolyreel.toml" in said.out
    assert KEY not in said.out + said.err


def test_no_secret_stands_in_any_output_of_a_run(telling: Shell, samples: Any) -> None:
    said = telling(
        "--log-file", "log.jsonl", "--log-level", "debug",
        "ingest", samples / "ball_a.mp4", "--json", "--report", "report.json",
    )  # fmt: skip
    assert said.code == 1
    assert said.document["counts"] == {"failed": 1}
    written = {name: (telling.folder / name).read_text("utf-8") for name in ("log.jsonl", "report.json")}
    assert "the service said" in written["log.jsonl"]
    assert "the service said" in written["report.json"]
    for where, text in {**written, "stdout": said.out, "stderr": said.err}.items():
        assert KEY not in text, where
        assert "deadbeef" not in text, where


def test_the_traceback_of_debug_goes_through_the_mask(telling: Shell) -> None:
    said = telling("--debug", "--log-file", "log.jsonl", "config", "show", "--stack", "missing")
    assert said.code == 2
    assert "Traceback (most recent call last)" in said.err
    assert said.err.splitlines()[-1].startswith("error: there is no stack 'missing'")
    assert '"event": "failed"' in (telling.folder / "log.jsonl").read_text("utf-8")


def test_the_traceback_of_debug_gives_no_secret_away(telling: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: VideoSearch, **_given: object) -> None:
        cause = OSError(f"401 for {SIGNED} with {{'key': {KEY!r}}}")
        raise UnavailableError("the service is down") from cause

    monkeypatch.setattr(VideoSearch, "videos", fail)
    said = telling("--debug", "videos")
    assert said.code == 1
    assert "OSError: 401 for https://bucket.example/clip.mp4?***" in said.err
    assert "direct cause" in said.err
    assert KEY not in said.err
    assert "deadbeef" not in said.err


_BUG = """
import sys
from polyreel.cli.main import main
from polyreel.core.logs import conceal
from polyreel.core.search import VideoSearch

def fail(self, **given):
    conceal("SESAME-9")
    raise ZeroDivisionError("/clip.mp4?sig=abcdef by SESAME-9")

VideoSearch.videos = fail
sys.argv = ["polyreel", "videos"]
main()
"""


def test_what_nobody_foresaw_is_shown_through_the_mask(shell: Shell) -> None:
    command = [sys.executable, "-P", "-c", _BUG]
    ran = subprocess.run(command, capture_output=True, check=False, cwd=shell.folder, text=True)
    assert ran.returncode == 1
    assert ran.stderr.startswith("Traceback (most recent call last)")
    assert ran.stderr.splitlines()[-1] == "ZeroDivisionError: /clip.mp4?*** by ***"
    assert "SESAME-9" not in ran.stderr


@pytest.mark.parametrize("url", ["https://videos@host", "https://me:me@host", "https://host:8080/a@b"])
def test_words_in_an_address_are_not_masked_everywhere(
    telling: Shell, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: VideoSearch, **_given: object) -> None:
        raise UnavailableError("some videos went to me")

    monkeypatch.setattr(VideoSearch, "videos", fail)
    (telling.folder / "polyreel.toml").write_text(f'{_CONFIG}url = "{url}"\n')
    assert telling("videos").err == "error: some videos went to me\n"
