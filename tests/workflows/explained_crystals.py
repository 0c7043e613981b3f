"""Tiny runs on crystals to explain: an ensemble with linear heads, and one on classes."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from gnnmat.sources.crystal import Crystal
from gnnmat.workflows.ensemble import train_ensemble
from gnnmat.workflows.training import train

from ..train.tiny import ELEMENTS, config, crystals, records, volumes

CRYSTALS = Path(__file__).parent.parent / "crystals"
SALT = CRYSTALS / "NaCl.cif"


@lru_cache(maxsize=1)
def linear_ensemble() -> Path:
    """Two members whose heads are linear."""
    folder = Path(tempfile.mkdtemp(prefix="gnnmat-linear-")) / "run"
    options = {"task__head__hidden": "[]", "trainer__epochs": 2}
    train_ensemble(config(**options), folder, members=2, records=records())
    return folder


def uneven(count: int) -> list[Crystal]:
    """Cells without symmetry: four atoms off their places in a slanted box."""
    draw = np.random.default_rng(3)
    made = []
    for _ in range(count):
        lattice = np.eye(3) * 5.2 + draw.normal(0, 0.3, (3, 3))
        places = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
        frac = places + draw.normal(0, 0.05, (4, 3))
        made.append(Crystal(lattice, draw.choice(ELEMENTS, 4), frac))
    return made


@lru_cache(maxsize=1)
def classes() -> Path:
    """One run that tells large cells from small ones."""
    folder = Path(tempfile.mkdtemp(prefix="gnnmat-classes-")) / "run"
    sizes = ["large" if value > 30 else "small" for value in volumes(crystals(30))]
    options = {"task": "{kind: classification}", "trainer__epochs": 1}
    made = config("size", **options)
    train(made, folder, records=records(targets={"size": sizes}))
    return folder


@lru_cache(maxsize=1)
def with_state() -> Path:
    """One run on folded graphs, whose target depends on a temperature and a functional."""
    folder = Path(tempfile.mkdtemp(prefix="gnnmat-state-")) / "run"
    warm = np.arange(30) * 30.0
    table = {
        "volume": volumes(crystals(30)) + 0.05 * warm,
        "temperature": warm,
        "functional": ["PBE", "SCAN", "PBE"] * 10,
    }
    options = {
        "data__state": "[temperature, functional]",
        "input__fold": "true",
        "model": "{kind: gated, width: 8, layers: 1, gaussians: 9}",
        "trainer__epochs": 3,
    }
    train(config(**options), folder, records=records(targets=table))
    return folder
