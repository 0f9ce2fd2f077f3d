"""A stack over VikingDB as the configuration writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polyreel.backends.vikingdb import VikingDBStore
from polyreel.config import build_stack, load
from polyreel.core.errors import ConfigurationError
from polyreel.core.media import Modality

if TYPE_CHECKING:
    from pathlib import Path

_TOML = """
[stacks.cloud]
state = "state"
[stacks.cloud.store]
kind = "vikingdb"
access_key = "AKTEST"
secret_key = "do-not-show"
{keys}
[stacks.cloud.objects]
kind = "local"
path = "objects"
"""
_FULL = """
api_key = "do-not-show"
region = "cn-shanghai"
project = "mine"
timeout = 60
[stacks.cloud.store.vectorize]
model = "doubao-embedding-vision"
version = "251215"
dimension = 1024
content = ["video"]
instruct = false
fps = 1
[stacks.cloud.store.index]
type = "flat"
quant = "int8"
cpu_quota = 2
shard_policy = "custom"
shard_count = 4
[stacks.cloud.store.rates]
videos = 5
"""


def store(folder: Path, keys: str) -> VikingDBStore:
    file = folder / "polyreel.toml"
    file.write_text(_TOML.format(keys=keys))
    built = build_stack(load(file), "cloud").store
    assert isinstance(built, VikingDBStore)
    return built


def test_every_key_is_read(tmp_path: Path) -> None:
    made = store(tmp_path, _FULL)
    assert made.space is not None
    assert (made.space.model, made.space.version) == ("doubao-embedding-vision", "251215")
    assert (made.space.dimension, made.space.templates) == (1024, {})
    assert made.vectorizes == {Modality.VIDEO}
    (endpoints,) = made._connect.args
    assert endpoints.control == "https://vikingdb.cn-shanghai.volcengineapi.com"
    assert endpoints.data == "https://api-vikingdb.vikingdb.cn-shanghai.volces.com"
    assert made._index.cpu_quota == 2
    assert "do-not-show" not in repr(made._connect.keywords["keys"])


def test_two_keys_are_enough(tmp_path: Path) -> None:
    made = store(tmp_path, "")
    assert made.space is not None
    assert (made.space.version, made.space.dimension) == ("250615", 2048)
    assert made.space.templates.keys() == {"query"}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("regoin = 'x'", "did you mean 'region'"),
        ("[stacks.cloud.store.vectorize]\nversion = '250616'", "did you mean"),
        ("[stacks.cloud.store.vectorize]\ncontent = ['audio']", "doesn't vectorize"),
        ("[stacks.cloud.store.index]\nquant = 'int4'", "quant"),
        ("[stacks.cloud.store.index]\nquant = 'pq'", "diskann"),
        ("[stacks.cloud.store.rates]\nvideos = 0", "above 0"),
        ("data_endpoint = 'vikingdb'", "https://host"),
    ],
)
def test_a_wrong_key_or_value_is_one_clear_line(tmp_path: Path, keys: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        store(tmp_path, keys)
    assert "do-not-show" not in str(caught.value)
    assert "\n" not in str(caught.value)
