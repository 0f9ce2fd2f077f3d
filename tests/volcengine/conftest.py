"""The Volcengine stack on this machine: VikingDB and Ark emulated, with TOS emulated behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from polyreel import media
from polyreel.testing import ark, tos, vikingdb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUCKET = "video-demo1"


@dataclass(frozen=True)
class Cloud:
    """The three services."""

    vikingdb: vikingdb.Emulator
    tos: tos.Emulator
    ark: ark.Emulator

    def variables(self) -> dict[str, str]:
        """What the preset `vikingdb_tos` needs, and where the services are."""
        store, objects = "POLYREEL_STACKS__VIKINGDB_TOS__STORE", "POLYREEL_STACKS__VIKINGDB_TOS__OBJECTS"
        return {
            f"{store}__ACCESS_KEY": self.vikingdb.access_key,
            f"{store}__SECRET_KEY": self.vikingdb.secret_key,
            f"{store}__CONTROL_ENDPOINT": self.vikingdb.url,
            f"{store}__DATA_ENDPOINT": self.vikingdb.url,
            f"{store}__POLL": "0.02",
            f"{store}__RATES__VIDEOS": "1000",
            f"{store}__RATES__IMAGES": "1000",
            f"{objects}__BUCKET": BUCKET,
            f"{objects}__ENDPOINT": self.tos.endpoint,
            f"{objects}__PROXY": self.tos.url,
            "TOS_ACCESS_KEY": self.tos.settings.access_key,
            "TOS_SECRET_KEY": self.tos.settings.secret_key,
        }


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    """Indexes take a while to be built, and writes to be found, as they do there."""
    with tos.emulating() as store, ark.emulating() as models:
        settings = vikingdb.Settings(resolve=store.resolve, lag=0.05, ready_after=2)
        with vikingdb.emulating(settings) as database:
            yield Cloud(database, store, models)


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rendered clips without sidecars."""
    folder = tmp_path_factory.mktemp("videos")
    media.render_samples(folder, seconds=4.0, size=(160, 120), fps=8)
    for sidecar in folder.glob("*.json"):
        sidecar.unlink()
    return folder


@pytest.fixture(autouse=True)
def _no_ambient_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither keys of the developer nor a proxy of the machine change a test."""
    for name in ("TOS_ACCESS_KEY", "TOS_SECRET_KEY", "TOS_SECURITY_TOKEN", "ARK_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
