"""A few dozen made-up crystals, a network of width 8 and runs of a few epochs, for many tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from gnnmat.sources.crystal import Crystal
from gnnmat.sources.objects import records_from_objects
from gnnmat.sources.records import Records
from gnnmat.train.config import RunConfig, parse_config
from gnnmat.workflows.run_folder import Run
from gnnmat.workflows.training import train

Floats = NDArray[np.float64]

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
SYMBOLS = {3: "Li", 9: "F", 11: "Na", 12: "Mg", 17: "Cl", 19: "K", 29: "Cu", 35: "Br"}
ELEMENTS = tuple(SYMBOLS)


@pytest.fixture(autouse=True, scope="module")
def graph_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Graphs are kept in a temporary folder, never in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GNNMAT_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


def crystals(count: int = 30, seed: int = 0) -> list[Crystal]:
    """fcc elements, rock salts and CsCl cells in turn, with lattice constants drawn at random."""
    draw = np.random.default_rng(seed)
    made = []
    for number in range(count):
        a = draw.uniform(3.2, 6.0)
        first, second = draw.choice(ELEMENTS, 2, replace=False)
        kind = number % 3
        lattice = np.eye(3) * a if kind == 2 else FCC * a * 1.2
        atoms = [first] if kind == 0 else [first, second]
        frac = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])[: len(atoms)]
        made.append(Crystal(lattice, np.array(atoms, dtype=np.int64), frac))
    return made


def volumes(made: list[Crystal]) -> Floats:
    """Volume an atom in Å^3: a target that lengths alone decide."""
    return np.array([one.volume / len(one.numbers) for one in made])


def records(count: int = 30, targets: Mapping[str, Any] | pd.DataFrame | None = None) -> Records:
    """Crystals with a volume an atom, or with the targets given."""
    made = crystals(count)
    values = {"volume": volumes(made)} if targets is None else targets
    return records_from_objects(made, targets=values)


def write_table(path: Path, table: pd.DataFrame) -> Path:
    """The crystals with these columns, as a parquet file."""
    made = crystals(len(table))
    plain = {
        "lattice": [one.lattice.ravel().tolist() for one in made],
        "numbers": [one.numbers.tolist() for one in made],
        "frac": [one.frac.ravel().tolist() for one in made],
    }
    pd.DataFrame(plain).join(table).to_parquet(path)
    return path


def write_cifs(folder: Path, count: int) -> Path:
    """The crystals as ``c00.cif``, ``c01.cif``, ... with all atoms written out."""
    folder.mkdir(parents=True)
    for number, one in enumerate(crystals(count)):
        lengths = np.linalg.norm(one.lattice, axis=1)
        unit = one.lattice / lengths[:, None]
        angles = np.degrees(np.arccos([unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]]))
        cell = [f"_cell_length_{n} {v:.8f}" for n, v in zip("abc", lengths, strict=True)]
        names = ("alpha", "beta", "gamma")
        cell += [f"_cell_angle_{n} {v:.8f}" for n, v in zip(names, angles, strict=True)]
        sites = [
            f"{SYMBOLS[int(z)]} {x:.8f} {y:.8f} {w:.8f}"
            for z, (x, y, w) in zip(one.numbers, one.frac, strict=True)
        ]
        loop = ["loop_", "_atom_site_label"] + [f"_atom_site_fract_{n}" for n in "xyz"]
        text = [f"data_c{number:02d}", "_symmetry_space_group_name_H-M 'P 1'", *cell, *loop, *sites]
        (folder / f"c{number:02d}.cif").write_text("\n".join(text) + "\n")
    return folder


BASE: dict[str, Any] = {
    "name": "tiny",
    "data": {"workers": 0},
    "input": {"cutoff": 5.0, "neighbours": 6},
    "split": {"kind": "random", "val": 0.2, "test": 0.2},
    "model": {"width": 8, "layers": 1, "gaussians": 9, "gaussian_cutoff": 6.0},
    "task": {"head": {"hidden": [8]}},
    "optimizer": {"lr": 0.01},
    "trainer": {"epochs": 2, "batch_size": 6, "accelerator": "cpu", "threads": 1, "logs": []},
}


def config(target: str | list[str] = "volume", **options: Any) -> RunConfig:
    """The tiny recipe; ``trainer__epochs=3`` stands for the option ``trainer.epochs``."""
    names = [target] if isinstance(target, str) else target
    lines = [f"data.targets={names}"]
    lines += [f"{name.replace('__', '.')}={value}" for name, value in options.items()]
    return parse_config(BASE, lines)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """All that was learned in a run."""
    from safetensors.torch import load_file

    return load_file(folder / "weights.safetensors") | load_file(folder / "state.safetensors")


def assert_same_weights(first: Path, second: Path, tolerance: float = 0.0) -> None:
    """Equal to the last bit, or to a tolerance."""
    one, two = weights(first), weights(second)
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=tolerance, atol=tolerance, msg=name)


@lru_cache(maxsize=1)
def trained() -> Run:
    """One run that many tests look at and none changes."""
    folder = Path(tempfile.mkdtemp(prefix="gnnmat-tiny-")) / "run"
    return train(config(trainer__epochs=3, trainer__ema=0.5), folder, records=records())


# With everything on that could remember too little: averaging, dropout, a schedule, patience.
INTERRUPTED: dict[str, Any] = {
    "trainer__ema": 0.7,
    "trainer__patience": 50,
    "trainer__clip": 1.0,
    "task__head__dropout": 0.2,
}
