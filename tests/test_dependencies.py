"""What gnnmat stands on: declared, within its range, pinned, under a fitting licence."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import deque
from importlib.metadata import (
    Distribution,
    PackageNotFoundError,
    distribution,
    packages_distributions,
)
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
# Imported where they are asked for.
EXTRAS = ("mlflow", "wandb", "tune", "hub", "screen", "ray", "relax")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): Version(number) for name, number in pairs}


def required(extras: set[str]) -> dict[str, Distribution]:
    """What gnnmat needs, and what that needs in turn, as it is installed here."""
    found: dict[str, Distribution] = {}
    waiting = deque([("gnnmat", frozenset(extras))])
    seen = set(waiting)
    while waiting:
        name, wanted = waiting.popleft()
        try:
            one = distribution(name)
        except PackageNotFoundError:
            continue
        found[canonicalize_name(name)] = one
        for text in one.requires or []:
            need = Requirement(text)
            applies = need.marker is None or any(
                need.marker.evaluate({"extra": extra}) for extra in ("", *wanted)
            )
            item = (need.name, frozenset(need.extras))
            if applies and item not in seen:
                seen.add(item)
                waiting.append(item)
    del found["gnnmat"]
    return found


def test_every_library_that_is_imported_is_declared(
    project: dict[str, Any],
) -> None:
    groups = [project["project"]["dependencies"]]
    groups += [project["project"]["optional-dependencies"][extra] for extra in EXTRAS]
    declared = {canonicalize_name(Requirement(text).name) for group in groups for text in group}
    owners = packages_distributions()
    missing = {
        name
        for room in ("gnnmat", "cli")
        for file in (ROOT / room).rglob("*.py")
        for name in _imports(file) - sys.stdlib_module_names - {"gnnmat"}
        if not declared & {canonicalize_name(owner) for owner in owners.get(name, [name])}
    }
    assert missing == set()


def _imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(str(node.module))
    return {name.partition(".")[0] for name in found}


def test_every_pin_lies_within_the_range_of_pyproject(
    project: dict[str, Any], pins: dict[str, Version]
) -> None:
    groups = [project["project"]["dependencies"]]
    groups += project["project"]["optional-dependencies"].values()
    for need in (Requirement(text) for group in groups for text in group):
        pin = pins[canonicalize_name(need.name)]
        assert need.specifier.contains(pin, prereleases=True), f"{need} is pinned to {pin}"


def test_everything_that_gets_installed_is_pinned(pins: dict[str, Version]) -> None:
    needed = required({"dev"})
    assert {"torch", "pymatgen", "pytest"} <= set(needed)
    assert sorted(set(needed) - set(pins)) == []


def test_torch_is_pinned_without_a_build_label(pins: dict[str, Version]) -> None:
    assert pins["torch"].local is None


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("GPL-3.0-or-later", True),
        ("GNU General Public License v3 (GPLv3)", True),
        ("AGPL-3.0-only", True),
        ("LGPL-2.1-or-later", False),
        ("GNU Lesser General Public License v2 or later (LGPLv2+)", False),
        ("GPL-2.0-only OR MIT", False),
        ("BSD-3-Clause", False),
    ],
)
def test_a_licence_is_told_from_its_name(licence: str, expected: bool) -> None:
    assert _forces_its_terms(licence) is expected


def test_no_dependency_is_under_the_gpl() -> None:
    licences = {name: _licence(one) for name, one in required({"dev"}).items()}
    assert {name: text for name, text in licences.items() if _forces_its_terms(text)} == {}


def _forces_its_terms(licence: str) -> bool:
    """GPL or AGPL without another choice; LGPL is fine for a library that is used unchanged."""
    strict = r"(?<!L)GPL|(?<!Lesser )General Public|Affero"
    return all(re.search(strict, choice) for choice in re.split(r" OR |; ", licence))


def _licence(one: Distribution) -> str:
    """The licence as the package states it: an SPDX expression, classifiers or a name."""
    expression = one.metadata.get_all("License-Expression")
    if expression:
        return str(expression[0])
    classifiers = one.metadata.get_all("Classifier") or []
    stated = [line.rpartition("::")[2].strip() for line in classifiers if "License ::" in line]
    named = one.metadata.get_all("License") or [""]
    return "; ".join(stated) or str(named[0]).partition("\n")[0]
