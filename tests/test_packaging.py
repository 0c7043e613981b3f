"""What is installed: the packages, the wheel, what an import costs, the version."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

import gnnmat

ROOT = Path(__file__).parents[1]
ROOMS = {"gnnmat": "gnnmat", "cli": "gnnmat/cli", "datasets": "gnnmat/datasets"}
ROOMS["configs"] = "gnnmat/configs"
HEAVY = {"torch", "torch_geometric", "lightning", "pymatgen", "ase", "pandas", "sklearn", "plotly"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    """Files that git tracks, and new ones that it does not ignore."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(
        name for name in set(listing.stdout.split("\0")) if name and (ROOT / name).is_file()
    )


@pytest.fixture(scope="module")
def installed_names(tracked: list[str]) -> set[str]:
    """Where each tracked file of the four rooms has to be in the wheel."""
    return {
        f"{ROOMS[room]}/{rest}"
        for room, _, rest in (name.partition("/") for name in tracked)
        if room in ROOMS
    }


def test_every_folder_with_installed_files_is_listed_as_a_package(
    project: dict[str, Any], installed_names: set[str]
) -> None:
    models = "gnnmat/zoo/"  # each model is a folder of data inside the package
    parents = (PurePosixPath(name).parent for name in installed_names)
    folders = {
        "gnnmat.zoo" if str(one).startswith(models) else str(one).replace("/", ".")
        for one in parents
    }
    assert sorted(folders) == sorted(project["tool"]["setuptools"]["packages"])


def test_every_data_file_is_met_by_a_pattern_of_package_data(
    project: dict[str, Any], installed_names: set[str]
) -> None:
    patterns = project["tool"]["setuptools"]["package-data"]["*"]
    data = [PurePosixPath(name) for name in installed_names if not name.endswith(".py")]
    assert data
    assert [str(file) for file in data if not any(file.match(one) for one in patterns)] == []


def test_the_rooms_outside_the_package_hold_no_stray_python(tracked: list[str]) -> None:
    rooms = ("datasets/", "configs/")
    assert [name for name in tracked if name.startswith(rooms) and name.endswith(".py")] == []


def test_the_wheel_holds_the_tracked_files_and_no_others(
    tracked: list[str], installed_names: set[str], tmp_path: Path
) -> None:
    # Built from a copy: a build/ folder left in a checkout would leak old files into the wheel.
    source = tmp_path / "source"
    for name in tracked:
        if name.partition("/")[0] in ROOMS or "/" not in name:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    made = subprocess.run(
        [*command, "--outdir", str(tmp_path), str(source)], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stdout + made.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        licences = [name for name in archive.namelist() if name.endswith("licenses/LICENSE")]
    assert names == installed_names
    assert len(licences) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [str(Path(sys.executable).with_name("gnnmat")), "--help"],
        [str(Path(sys.executable).with_name("gnnmat")), "train", "--help"],
        ["-c", "import gnnmat; gnnmat.__version__; dir(gnnmat)"],
    ],
    ids=["gnnmat --help", "gnnmat train --help", "import gnnmat"],
)
def test_help_does_not_wait_for_heavy_libraries(arguments: list[str]) -> None:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True
    )
    print(f"{time.perf_counter() - began:.2f} s")
    assert done.returncode == 0, done.stderr
    modules = re.findall(r"^import time:.*\|\s*(\S+)$", done.stderr, re.MULTILINE)
    assert "gnnmat" in modules
    assert HEAVY & {module.partition(".")[0] for module in modules} == set()


def test_the_version_is_written_in_pyproject_alone(
    project: dict[str, Any], tracked: list[str]
) -> None:
    number = project["project"]["version"]
    assert gnnmat.__version__ == version("gnnmat") == number
    python = [ROOT / name for name in tracked if name.startswith(("gnnmat/", "cli/"))]
    texts = {file: file.read_text() for file in python if file.suffix == ".py"}
    assert [file for file, text in texts.items() if f'"{number}"' in text] == []


def test_the_citation_file_is_complete_and_of_this_version(project: dict[str, Any]) -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    needed = {"cff-version", "message", "title", "authors", "version", "license"}
    assert needed <= set(citation)
    assert citation["version"] == project["project"]["version"]
    assert citation["license"] == project["project"]["license"]
    assert all("name" in one or "family-names" in one for one in citation["authors"])


def test_the_changelog_tells_of_this_version(project: dict[str, Any]) -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## \[?v?([\d.]+|Unreleased)", text, re.MULTILINE)
    assert project["project"]["version"] in headings
