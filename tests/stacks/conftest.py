"""Real servers, the emulated TwelveLabs, and the configuration of every stack, all at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import pytest

from polyreel import media

pytest.importorskip("twelvelabs")
pytest.importorskip("boto3")
pytest.importorskip("tos")

from polyreel.testing import tos, vikingdb
from polyreel.testing.twelvelabs import Emulator, emulating

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SHORTEST = 4000  # milliseconds that Marengo takes


@dataclass(frozen=True)
class Bucket:
    """A bucket on a real S3 server that isn't made yet, and the keys to it."""

    endpoint: str
    access_key: str
    secret_key: str
    checksums: str
    name: str

    def keys(self, **others: str) -> dict[str, str]:
        """The keys of the section `objects` that aren't secrets."""
        known = {"endpoint": self.endpoint, "region": "us-east-1", "checksums": self.checksums}
        return {"bucket": self.name, **known, **others}

    def secrets(self) -> dict[str, str]:
        """The variables that boto3 looks for."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}


@dataclass(frozen=True)
class Clips:
    """Videos that every stack takes, and what people would say of them.

    Args:
        files: The videos.
        sidecars: Title, tags and captions, by file name.
        real: Whether they were filmed, and not drawn by our own code.
    """

    files: tuple[Path, ...]
    sidecars: dict[str, dict[str, Any]]
    real: bool

    def lay_out(self, folder: Path, *, described: bool) -> None:
        """A folder with them: each with what is said of it, or with a title that has no word in it.

        Without one a file's name is its title, whose letters the default stack would take into account.
        """
        folder.mkdir(exist_ok=True)
        for file in self.files:
            video, sidecar = folder / file.name, folder / f"{file.name}.json"
            if not video.is_symlink():
                video.symlink_to(file)
            said = self.sidecars[file.name] if described else {"title": "-"}
            sidecar.write_text(json.dumps(said, ensure_ascii=False), "utf-8")


class Serve(Protocol):
    def __call__(self, name: str, *arguments: str) -> str: ...


class Need(Protocol):
    def __call__(self, resource: str, reason: str) -> NoReturn: ...


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """The real ones that POLYREEL_TEST_VIDEOS names or that lie beside the repository; else drawn ones."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "videos"
    folder = Path(os.environ.get("POLYREEL_TEST_VIDEOS", beside))
    return _real(folder) if (folder / "manifest.json").is_file() else _drawn(tmp_path_factory.mktemp("clips"))


def _real(folder: Path) -> Clips:
    known = {each["file"]: each for each in json.loads((folder / "manifest.json").read_text("utf-8"))}
    taken = [name for name in sorted(known) if media.probe(folder / name).duration_ms >= SHORTEST]
    sidecars = {
        name: {
            "tags": known[name]["tags"],
            "caption": [known[name]["caption_en"], known[name]["caption_zh"]],
        }
        for name in taken
    }
    return Clips(tuple(folder / name for name in taken), sidecars, real=True)


def _drawn(folder: Path) -> Clips:
    files = media.render_samples(folder, size=(640, 360), fps=12)  # Marengo takes 360 pixels or more
    sidecars = {file.name: json.loads(file.with_suffix(".json").read_text("utf-8")) for file in files}
    return Clips(tuple(files), sidecars, real=False)


@pytest.fixture(scope="session")
def service() -> Iterator[Emulator]:
    """TwelveLabs, emulated on this machine."""
    with emulating(Emulator(task_seconds=0.2)) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def swift(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Bucket:
    """A bucket of OpenStack Swift."""
    endpoint = serve("swift", "--data", str(tmp_path_factory.mktemp("swift") / "data"), "--fresh")
    return Bucket(endpoint, "test:tester", "testing", "when_supported", f"b-{uuid.uuid4().hex}")


@pytest.fixture(scope="module")
def rclone(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Bucket:
    """A bucket of rclone."""
    endpoint = serve("rclone", "--data", str(tmp_path_factory.mktemp("rclone") / "data"), "--fresh")
    return Bucket(endpoint, "test-access", "test-secret", "when_required", f"b-{uuid.uuid4().hex}")


@pytest.fixture(scope="module")
def milvus(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a Milvus server."""
    return serve("milvus", "--data", str(tmp_path_factory.mktemp("milvus")), "--fast")


@pytest.fixture(scope="session")
def cloud() -> Iterator[dict[str, str]]:
    """VikingDB and TOS, emulated on this machine: the variables that `vikingdb_tos` needs."""
    with tos.emulating() as store, vikingdb.emulating(vikingdb.Settings(resolve=store.resolve)) as database:
        keys = {
            "STORE__ACCESS_KEY": database.access_key,
            "STORE__SECRET_KEY": database.secret_key,
            "STORE__CONTROL_ENDPOINT": database.url,
            "STORE__DATA_ENDPOINT": database.url,
            "STORE__POLL": "0.02",
            "STORE__RATES__VIDEOS": "1000",
            "STORE__RATES__IMAGES": "1000",
            "OBJECTS__BUCKET": "films-1",
            "OBJECTS__ENDPOINT": store.endpoint,
            "OBJECTS__PROXY": store.url,
        }
        own = {f"POLYREEL_STACKS__VIKINGDB_TOS__{name}": value for name, value in keys.items()}
        yield {**own, "TOS_ACCESS_KEY": "AKTEST", "TOS_SECRET_KEY": "SKTEST"}


Sections = dict[str, dict[str, str]]
"""Keys of the sections of a stack."""


@dataclass(frozen=True)
class Bench:
    """A folder whose configuration has several stacks, and the variables that all of them share.

    Args:
        folder: The working directory.
        clips: What lies in it.
        service: TwelveLabs.
        bucket: None where no S3 server is installed.
        stacks: What is configured beside the presets.
        more: Variables of other services.
    """

    folder: Path
    clips: Clips
    service: Emulator
    bucket: Bucket | None
    stacks: dict[str, Sections]
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lines = []
        for stack, sections in self.stacks.items():
            for section, keys in sections.items():
                lines += [f"[stacks.{stack}.{section}]", *(f'{key} = "{keys[key]}"' for key in keys)]
        (self.folder / "polyreel.toml").write_text("\n".join(lines), "utf-8")

    def environment(self, stack: str) -> dict[str, str]:
        """The variables of a process: the same for every stack but for one."""
        return {**variables(self.service, self.bucket), **self.more, "POLYREEL_STACK": stack}


def variables(service: Emulator, bucket: Bucket | None) -> dict[str, str]:
    """The keys of an account and a bucket as a user sets them, and what a process needs."""
    outer = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    keys = {"TWELVELABS_API_KEY": service.key, "AWS_EC2_METADATA_DISABLED": "true"}
    return {**outer, **keys, **(bucket.secrets() if bucket else {})}


def started(
    script: str, *arguments: str, folder: Path, variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """A script of `examples/` in a process of its own, to its end."""
    return subprocess.run(
        [sys.executable, "-P", str(EXAMPLES / script), *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=variables,
        check=False,
    )


def run_example(script: str, *arguments: str, folder: Path, variables: dict[str, str]) -> list[str]:
    """The lines that a script of `examples/` prints, if all goes well."""
    done = started(script, *arguments, folder=folder, variables=variables)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def there(request: pytest.FixtureRequest, name: str) -> Any:
    """The value of a server's fixture; None where that server isn't installed."""
    try:
        return request.getfixturevalue(name)
    except pytest.skip.Exception:
        return None
