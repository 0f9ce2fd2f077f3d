from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from polyreel.core import registry
from polyreel.core.errors import ConfigurationError


def test_the_built_in_adapters_take_the_way_of_strangers() -> None:
    assert {"memory", "qdrant"} <= registry.kinds("store").keys()
    assert "builtin" in registry.kinds("embedder")
    assert "local" in registry.kinds("objects")
    assert registry.load("store", "memory").kind == "memory"


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"no store of kind 'qdrnt'; did you mean 'qdrant'\?"):
        registry.load("store", "qdrnt")


def test_an_unknown_kind_without_a_near_one_names_all() -> None:
    with pytest.raises(ConfigurationError, match="known are ark, builtin"):
        registry.load("embedder", "zzz")


def test_a_missing_package_of_ours_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("milvus", "polyreel_absent_test_module:Store", registry.GROUPS["store"])
    monkeypatch.setattr(registry, "kinds", lambda role: {"milvus": entry})
    monkeypatch.setitem(registry.EXTRAS, "polyreel_absent_test_module", "milvus")
    with pytest.raises(ConfigurationError, match=r'pip install "polyreel\[milvus\]"'):
        registry.load("store", "milvus")


def test_a_missing_package_of_someone_elses_is_not_explained_away(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("other", "polyreel_absent_test_module:Store", registry.GROUPS["store"])
    monkeypatch.setattr(registry, "kinds", lambda role: {"other": entry})
    with pytest.raises(ModuleNotFoundError, match="polyreel_absent_test_module"):
        registry.load("store", "other")


def test_every_extra_that_a_hint_names_exists() -> None:
    from importlib.metadata import metadata

    assert set(registry.EXTRAS.values()) <= set(metadata("polyreel").get_all("Provides-Extra") or ())
