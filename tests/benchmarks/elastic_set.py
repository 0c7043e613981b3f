"""One table of elastic moduli from three: binaries, tensors, and moduli joined by formula.

Rows of the third table are training rows only, because one in ten of them is off; validation rows
are the crystals of one formula in ten of the first two. No formula is on both sides.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from results import shared_data

from gnnmat.errors import GnnmatError
from gnnmat.properties.elastic import elastic_invariants

COLUMNS = ["id", "lattice", "numbers", "frac", "K_vrh", "G_vrh"]
SMALLEST = 1.0  # GPa: what is softer is hardly a crystal, and rules a logarithm


def elastic_set() -> pd.DataFrame:
    """The rows of all three tables, with ``split``."""
    folder = shared_data()
    binaries = pd.read_parquet(folder / "elastic_binaries.parquet")
    tensors = pd.read_parquet(folder / "elastic_tensors.parquet")
    tensors = tensors.assign(**_averages(tensors))
    joined = pd.read_parquet(folder / "materials_project" / "elastic_by_formula.parquet")
    structures = pd.read_parquet(folder / "materials_project" / "structures.parquet")
    joined = joined.merge(structures[["id", "lattice", "numbers", "frac"]], on="id")
    parts = [binaries[COLUMNS], tensors[COLUMNS], joined[COLUMNS]]
    for place, part in enumerate(parts):
        parts[place] = part.assign(id=["btj"[place] + "-" + str(one) for one in part["id"]])
    table = pd.concat(parts, ignore_index=True)
    table = table[(table[["K_vrh", "G_vrh"]] >= SMALLEST).all(axis=1)].reset_index(drop=True)
    return table.assign(split=_split(table))


def write_elastic_set(folder: Path) -> Path:
    """The table as a file in ``folder``."""
    path = folder / "elastic.parquet"
    if not path.is_file():
        elastic_set().to_parquet(path)
    return path


def _averages(tensors: pd.DataFrame) -> dict[str, list[float]]:
    """Voigt-Reuss-Hill averages in GPa; NaN where there are none."""
    found: dict[str, list[float]] = {"K_vrh": [], "G_vrh": []}
    for flat in tensors["C_ij_flat"]:
        try:
            values = elastic_invariants(flat)
        except GnnmatError:
            values = {}
        for name, column in found.items():
            column.append(values.get(name, np.nan))
    return found


def _split(table: pd.DataFrame) -> list[str]:
    formula = [_composition(numbers) for numbers in table["numbers"]]
    own = [not one.startswith("j-") for one in table["id"]]
    names = sorted({name for name, first in zip(formula, own, strict=True) if first})
    held = set(np.random.default_rng(0).permutation(names)[: len(names) // 10].tolist())
    parts = []
    for name, first in zip(formula, own, strict=True):
        parts.append("val" if name in held and first else "" if name in held else "train")
    return parts


def _composition(numbers: object) -> str:
    """The reduced composition as text."""
    kinds, counts = np.unique(np.asarray(numbers), return_counts=True)
    counts = counts // np.gcd.reduce(counts)
    return " ".join(f"{kind}:{count}" for kind, count in zip(kinds, counts, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="that elastic.parquet is written into")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    print(write_elastic_set(folder))


if __name__ == "__main__":
    main()
