"""What a result depends on besides its config: packages, machine, data, and where it began."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError

ENVIRONMENT = "environment.json"
PACKAGES = ("gnnmat", "torch", "torch-geometric", "lightning", "numpy", "pymatgen", "ase", "vesin")


def write_environment(
    folder: Path, fingerprints: dict[str, str], start: Mapping[str, Any] | None = None
) -> None:
    """Write what a result depends on besides the config.

    Args:
        folder: of the run.
        fingerprints: of structures and labels.
        start: what was taken from another run; None where weights were drawn.
    """
    environment: dict[str, Any] = {
        "packages": package_versions(),
        **machine(),
        "fingerprints": fingerprints,
    }
    if start is not None:
        environment["start"] = dict(start)
    write_atomically(folder / ENVIRONMENT, json.dumps(environment, indent=1))


def start_of(folder: Path) -> dict[str, Any] | None:
    """What a run has taken from another, as it was written down; None if nothing was."""
    try:
        found: dict[str, Any] | None = json.loads((folder / ENVIRONMENT).read_text()).get("start")
    except (OSError, ValueError, AttributeError):
        return None
    return found


def check_fingerprints(folder: Path, fingerprints: dict[str, str]) -> None:
    """Refuse to go on with other data than a run was begun with.

    Raises:
        GnnmatError: structures or values differ.
    """
    try:
        known = json.loads((folder / ENVIRONMENT).read_text())["fingerprints"]
    except (OSError, ValueError, KeyError):
        return  # interrupted before it was written: no epoch depends on it
    changed = [name for name, digest in fingerprints.items() if known.get(name) != digest]
    if changed:
        raise GnnmatError(
            f"The {' and the '.join(changed)} are not those that {folder} was begun with.",
            why="Going on would mix two data sets.",
            fix="Restore the files. If the data were given in Python, go on there: "
            "gnnmat.resume(run, structures=..., targets=...).",
        )


def package_versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine() -> dict[str, str]:
    """Class of the hardware and the interpreter; no names, no paths."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "gpu": gpu,
    }
