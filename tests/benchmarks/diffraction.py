"""Simulation of diffraction against the calculators of pymatgen, on the same crystals."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from results import paired, ratios, row, shared_data, write

from gnnmat.simulation.diffraction.cells import Cells
from gnnmat.simulation.diffraction.clusters import nearest_atoms
from gnnmat.simulation.diffraction.fingerprint import fingerprint, scaled
from gnnmat.simulation.diffraction.powder import powder_peaks
from gnnmat.simulation.diffraction.profile import Grid, draw_pattern
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.table import TableSource

ATOMS = 190  # of a cluster: between the 128 and 256 of the published ones


def crystals(count: int) -> list[Crystal]:
    """Crystals of the Materials Project, drawn at random."""
    place = shared_data() / "materials_project" / "structures.parquet"
    records = TableSource(path=str(place)).open()
    drawn = pd.Series(range(len(records))).sample(count, random_state=0)
    return [records.read(records.raws[item]) for item in drawn]


def powder(made: list[Crystal], runs: int) -> list[dict[str, Any]]:
    """Peaks for X-rays and neutrons, as pymatgen lists them."""
    from pymatgen.analysis.diffraction.neutron import NDCalculator
    from pymatgen.analysis.diffraction.xrd import XRDCalculator
    from pymatgen.core import Lattice, Structure

    structures = [Structure(Lattice(one.lattice), one.numbers, one.frac) for one in made]
    out = []
    for radiation, calculator in (
        ("xray", XRDCalculator()),
        ("neutron", NDCalculator(wavelength=1.54184)),
    ):
        slow, fast = paired(
            lambda calculator=calculator: [calculator.get_pattern(one) for one in structures],
            lambda radiation=radiation: powder_peaks(Cells.of(made), radiation=radiation),
            runs=runs,
        )
        peaks = powder_peaks(Cells.of(made), radiation=radiation)  # type: ignore[arg-type]
        drawn, _ = paired(lambda p=peaks: draw_pattern(p, len(made), Grid()), lambda: None, runs=3)
        each = 1e3 / len(made)
        out.append(
            row(
                f"powder peaks to 90 degrees, {radiation}, {len(made)} crystals",
                ratios(slow, fast), "times faster",
                against=f"pymatgen {type(calculator).__name__}", reach=">= 20",
                note=f"{np.median(fast) * each:.2f} ms a crystal, pymatgen "
                f"{np.median(slow) * each:.1f} ms; a pattern of 4,251 angles more: "
                f"{np.median(drawn) * each:.2f} ms",
            )
        )  # fmt: skip
    return out


def views(made: list[Crystal], runs: int) -> list[dict[str, Any]]:
    """Fingerprints of clusters: six patterns each, against one pattern of a zone axis."""
    from pymatgen.analysis.diffraction.tem import TEMCalculator
    from pymatgen.core import Lattice, Structure

    structures = [Structure(Lattice(one.lattice), one.numbers, one.frac) for one in made]
    clusters = [scaled(nearest_atoms(one, ATOMS))[0] for one in made]
    calculator = TEMCalculator()
    slow, fast = paired(
        lambda: [calculator.get_pattern(one) for one in structures],
        lambda: fingerprint(clusters),
        runs=runs,
    )
    each = 1e3 / len(made)
    return [
        row(
            f"fingerprint of {ATOMS} atoms, {len(made)} crystals", ratios(slow, fast),
            "times faster", against="pymatgen TEMCalculator, one zone axis", reach=">= 20",
            note=f"{np.median(fast) * each:.1f} ms for six views of 64 x 64, pymatgen "
            f"{np.median(slow) * each:.0f} ms for a list of spots",
        )
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=200, help="crystals")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    made = crystals(options.n)
    rows = powder(made, options.runs) + views(made[:16], min(options.runs, 3))
    write("diffraction", "materials_project/structures.parquet", rows, options.json)


if __name__ == "__main__":
    main()
