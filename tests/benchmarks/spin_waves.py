"""Spin waves of both PCSMO models against the values of an independent code, and their cost."""

from __future__ import annotations

import argparse
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from results import paired, ratios, row, shared_data, write

from gnnmat.simulation.spin_waves.collinear import Collinear
from gnnmat.simulation.spin_waves.general import General
from gnnmat.simulation.spin_waves.waves import solver_parts

ORACLE = Path(__file__).parents[1] / "simulation" / "spin_waves" / "oracle.py"
SOLVERS = {"collinear": Collinear, "general": General}


def accuracy(oracle: dict[str, Any]) -> list[dict[str, Any]]:
    """Largest deviations over all stored wave vectors and couplings."""
    truth = np.load(shared_data() / "ins_pcsmo" / "spinwave_oracle.npz")
    q, rows = truth["q_magnetic_rlu"], []
    for hypothesis in ("goodenough", "dimer"):
        values = truth[f"{hypothesis}_parameters"]
        for name, solver in SOLVERS.items():
            found = oracle["computed"](solver(oracle["pcsmo"](hypothesis)), values, q)
            energy, intensity = oracle["deviations"](
                *found, truth[f"{hypothesis}_energies_mev"], truth[f"{hypothesis}_intensity_perp"]
            )
            note = f"{len(q)} wave vectors, {len(values)} sets of couplings, {found[0].size} modes"
            what = f"{hypothesis}, {name} solver: largest deviation"
            against = "independent code"
            rows += [
                row(f"{what} of an energy", energy, "meV", against=against, reach="<= 1e-6",
                    note=note),
                row(f"{what} of an intensity", intensity, "relative", against=against,
                    reach="<= 1e-6", note="sums over modes within 1e-6 meV; below a millionth of "
                    "the strongest at the same Q, relative to that"),
            ]  # fmt: skip
    return rows


def cost(oracle: dict[str, Any], points: int) -> list[dict[str, Any]]:
    """Energies and amplitudes of 16 spins at many wave vectors, matrices given."""
    system = oracle["pcsmo"]("goodenough")
    k = torch.as_tensor(np.random.default_rng(0).uniform(0, 1, (points, 3)))
    values = torch.tensor([[-11.39, 1.5, -1.35, 1.5, 0.88, 0.074]], dtype=torch.float64)

    def solve(name: str) -> Any:
        solver = SOLVERS[name](system)
        parts = solver_parts(solver, k, values)
        return lambda: solver.modes(values, parts)

    torch.set_num_threads(1)
    fast, slow = paired(solve("collinear"), solve("general"))
    note = f"{points} wave vectors, 16 spins, double precision, one thread"
    return [
        row("one wave vector, collinear solver", [t / points * 1e6 for t in fast], "µs", note=note),
        row("one wave vector, general solver", [t / points * 1e6 for t in slow], "µs", note=note),
        row("general / collinear", ratios(slow, fast), "times", note=note),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1000, help="wave vectors to time")
    parser.add_argument("--json", type=Path, help="where to write the result")
    options = parser.parse_args()
    oracle = runpy.run_path(str(ORACLE))
    rows = accuracy(oracle) + cost(oracle, options.points)
    write("spin_waves", "PCSMO, spinwave_oracle.npz (pySpinW 1.0.0a2)", rows, options.json)


if __name__ == "__main__":
    main()
