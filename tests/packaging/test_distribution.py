"""What is built and installed: every subpackage, its data files and `py.typed`, and nothing else."""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
# Folders of the checkout that belong to no package, apart from hidden ones.
OUTSIDE = {"build", "demo", "dist", "docs", "examples", "requirements", "site", "tests", "tools"}
ENTRY_POINTS = {
    f"{group}: {name}": target
    for group, entries in [
        ("scripts", PROJECT["project"]["scripts"]),
        *PROJECT["project"]["entry-points"].items(),
    ]
    for name, target in entries.items()
}


def package_folders() -> dict[str, Path]:
    """Dotted name and folder of every package of the checkout."""
    found = {"polyreel": ROOT}
    for top in sorted(ROOT.iterdir()):
        if top.is_dir() and top.name not in OUTSIDE and not top.name.startswith("."):
            for init in top.rglob("__init__.py"):
                found[".".join(["polyreel", *init.parent.relative_to(ROOT).parts])] = init.parent
    return found


def test_the_list_of_packages_names_every_folder_that_is_one() -> None:
    assert PROJECT["tool"]["setuptools"]["packages"] == sorted(package_folders())


def test_no_folder_of_code_lacks_its_init() -> None:
    folders = set(package_folders().values())
    assert {path.parent for folder in folders - {ROOT} for path in folder.rglob("*.py")} <= folders


@pytest.mark.parametrize("target", ENTRY_POINTS.values(), ids=ENTRY_POINTS.keys())
def test_an_entry_point_leads_to_something_callable(target: str) -> None:
    module, _, name = target.partition(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_the_constraints_carry_no_address_and_no_hash() -> None:
    text = (ROOT / "requirements" / "constraints.txt").read_text()
    assert "numpy==" in text
    assert not any(sign in text for sign in ("://", "@", "--", "sha256", "/"))


class Built:
    """The two ways to a wheel: from the tree, and from the source archive made of the tree."""

    def __init__(self, folder: Path) -> None:
        tree = folder / "tree"
        shutil.copytree(ROOT, tree, ignore=_not_in_a_fresh_clone)
        _build(tree, folder / "direct", "--wheel")
        _build(tree, folder / "sdist", "--sdist")
        (self.sdist,) = (folder / "sdist").iterdir()
        with tarfile.open(self.sdist) as archive:
            archive.extractall(folder / "unpacked", filter="data")
        (unpacked,) = (folder / "unpacked").iterdir()
        _build(unpacked, folder / "indirect", "--wheel")
        (self.wheel,) = (folder / "direct").iterdir()
        (self.wheel_from_sdist,) = (folder / "indirect").iterdir()


def _not_in_a_fresh_clone(folder: str, names: list[str]) -> set[str]:
    made = {name for name in names if name.startswith(".") or name.endswith((".egg-info", "__pycache__"))}
    return made | ({"build", "demo", "dist", "site"} & set(names) if Path(folder) == ROOT else set())


def _build(tree: Path, out: Path, kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "build", kind, "--no-isolation", "--outdir", str(out), str(tree)],
        cwd=out.parent,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, need: Callable[[str, str], None]) -> Built:
    try:
        major = int(version("setuptools").partition(".")[0])
    except PackageNotFoundError:
        major = 0
    if major < 77:
        need("setuptools", "the build needs version 77 or newer, which `make setup` installs")
    return Built(tmp_path_factory.mktemp("built"))


def _content(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


@pytest.mark.slow
class TestTheWheel:
    def test_holds_every_module_and_data_file_and_nothing_else(self, built: Built) -> None:
        folders = package_folders()
        files = {ROOT / "py.typed", *ROOT.glob("*.py")}
        for folder in set(folders.values()) - {ROOT}:
            files |= {*folder.glob("*.py"), *folder.glob("*.toml"), *folder.glob("presets/*.toml")}
        expected = {f"polyreel/{path.relative_to(ROOT).as_posix()}" for path in files}
        assert len(expected) > len(folders)
        assert {name for name in _content(built.wheel) if ".dist-info/" not in name} == expected

    def test_installs_one_top_level_package(self, built: Built) -> None:
        tops = {name.partition("/")[0] for name in _content(built.wheel)}
        assert tops == {"polyreel", f"polyreel-{PROJECT['project']['version']}.dist-info"}

    def test_holds_no_tests_no_docs_and_no_tools_of_development(self, built: Built) -> None:
        folders = {part for name in _content(built.wheel) for part in name.split("/")[:-1]}
        assert folders & {"tests", "docs", ".ci", "requirements", "tools"} == set()
        assert {"core", "config", "backends"} <= folders

    def test_carries_the_licence_and_the_entry_points(self, built: Built) -> None:
        with zipfile.ZipFile(built.wheel) as archive:
            names = {name.partition(".dist-info/")[2]: name for name in archive.namelist()}
            assert b"Apache License" in archive.read(names["licenses/LICENSE"])
            written = archive.read(names["entry_points.txt"]).decode()
        assert all(target in written for target in ENTRY_POINTS.values())

    def test_is_the_same_when_built_from_the_source_archive(self, built: Built) -> None:
        assert _content(built.wheel_from_sdist) == _content(built.wheel)

    def test_imports_from_a_folder_of_its_own(self, built: Built, tmp_path: Path) -> None:
        with zipfile.ZipFile(built.wheel) as archive:
            archive.extractall(tmp_path)
        code = "import polyreel.core; print(polyreel.__file__)"  # -c puts the working folder in front
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == str(tmp_path / "polyreel" / "__init__.py")

    @pytest.mark.timeout(180)
    def test_runs_the_demo_when_it_is_installed_alone(self, built: Built, tmp_path: Path) -> None:
        with zipfile.ZipFile(built.wheel) as archive:
            archive.extractall(tmp_path / "site")
        code = "import sys, polyreel; print(polyreel.__file__); from polyreel.cli.main import main; main()"
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, "demo"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.startswith(str(tmp_path / "site"))
        assert "8 ingested" in done.stdout
        assert len(list((tmp_path / "demo" / "thumbnails").glob("*.jpg"))) == 9
