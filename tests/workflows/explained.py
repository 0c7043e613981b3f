"""A tiny ensemble that tells two square-lattice magnets apart, and a spectrum to explain."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from gnnmat.sources.simulated import SimulatedSource
from gnnmat.sources.spectrum import Spectrum, write_spectrum
from gnnmat.train.config import parse_config
from gnnmat.workflows.ensemble import train_ensemble
from gnnmat.workflows.simulating import simulate
from gnnmat.workflows.training import train

from .square_lattice import square

BASE: dict[str, Any] = {
    "name": "square",
    "input": {"kind": "ins_map"},
    "split": {"kind": "random", "val": 0.25, "test": 0.0},
    "trainer": {"epochs": 1, "batch_size": 8, "accelerator": "cpu", "threads": 1, "logs": []},
    "augment": {"kind": "ins_measurement"},
}


@lru_cache(maxsize=1)
def simulated() -> Path:
    """A set of 40 images."""
    folder = Path(tempfile.mkdtemp(prefix="gnnmat-square-")) / "set"
    simulate(square(), folder, images=20, workers=1, device="cpu")
    return folder


def config(**options: Any) -> Any:
    """A recipe on the set."""
    source = {"kind": "simulated", "path": str(simulated())}
    data = {"workers": 0, "source": source, "targets": ["hypothesis"]}
    return parse_config({**BASE, "data": data, **options})


@lru_cache(maxsize=1)
def ensemble() -> Path:
    """Two members with maps of their own."""
    model = {"kind": "slices", "width": 6, "features": 8, "patch": 2}
    task = {"kind": "classification", "head": {"hidden": []}}
    folder = simulated().parent / "run"
    train_ensemble(config(model=model, task=task), folder, members=2)
    return folder


@lru_cache(maxsize=1)
def behind_cleaner() -> Path:
    """A classifier behind an autoencoder."""
    model = {"kind": "slices", "width": 4, "features": 4, "patch": 2}
    cleaner = simulated().parent / "cleaner"
    own: dict[str, Any] = {"kind": "reconstruction", "latents": 3, "channels": [4, 3]}
    source = {"kind": "simulated", "path": str(simulated())}
    plain = {"data": {"workers": 0, "source": source, "targets": []}}
    train(parse_config({**BASE, **plain, "model": model, "task": own}), cleaner)
    task = {"kind": "classification", "head": {"hidden": []}}
    folder = simulated().parent / "behind"
    train(config(model=model, task=task, before=str(cleaner)), folder)
    return folder


def one_spectrum() -> Spectrum:
    """The first image of the set."""
    records = SimulatedSource(path=str(simulated())).open()
    found: Spectrum = records.read(records.raws[0])
    return found


@lru_cache(maxsize=1)
def spectrum_file() -> Path:
    """The same as a file."""
    return write_spectrum(simulated().parent / "made.npz", one_spectrum())
