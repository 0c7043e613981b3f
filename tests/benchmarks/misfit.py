"""Whether chi^2 of a fit notices what the networks do not: families of foreign spectra, fitted.

    GNNMAT_DATA=/path/to/data python tests/benchmarks/misfit.py --own runs/refinement -n 4

The families are those that ``foreign.py`` found hardest for the verdict of the networks. Spectra
of each are measured as in ``refinement.py`` and both hypotheses are fitted to them; the score is
minus the logarithm of the probability that noise alone leaves such residuals, for the better fit.
Own spectra are those that ``refinement.py`` has fitted. Results are kept spectrum by spectrum.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from refinement import as_measured
from results import row, shared_data, write

from gnnmat.atomic import write_atomically
from gnnmat.simulation.hypotheses import Simulation, load_simulation
from gnnmat.simulation.inference.contender import Effort
from gnnmat.workflows.fit_spectrum import fit_spectrum
from gnnmat.workflows.foreign_magnets import other_magnets, simulated_families

HARD = ("too_blurred", "too_sharp", "third_hamiltonian", "unstable", "layered_ferromagnet")


def one_fit(
    simulation: Simulation, family: str, number: int, image: Any, options: argparse.Namespace
) -> dict[str, Any]:
    """What came of one spectrum of a family; from the folder if it is there."""
    path = options.folder / f"{family}-{number}.json"
    if path.is_file():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    rng = np.random.default_rng([30_000, HARD.index(family), number])
    spectrum = as_measured(image, simulation, rng, shared_data() / "ins_pcsmo", path.stem)
    result = fit_spectrum(
        spectrum,
        simulation,
        run=options.start,
        symmetries=False,
        effort=Effort(replicas=8, seed=number),
    )
    print(f"{path.stem}: {result.conclusion}", flush=True)
    best = result.best
    found = {"p_value": best.p_value, "chi2_per_dof": best.chi2_per_dof, "fits": best.fits}
    write_atomically(path, json.dumps(found) + "\n")
    return found


def strangeness(found: list[dict[str, Any]]) -> list[float]:
    """Minus the logarithm of the probability of each fit."""
    return [-float(np.log10(max(one["p_value"], 1e-300))) for one in found]


def rows(own: list[dict[str, Any]], families: dict[str, list[dict[str, Any]]]) -> list[Any]:
    """AUROC of every family, and how often a fit is not trusted."""
    from sklearn.metrics import roc_auc_score

    out = []
    usual = strangeness(own)
    for family, found in families.items():
        values = strangeness(found)
        truth = [0] * len(usual) + [1] * len(values)
        refused = np.mean([one["p_value"] < 0.01 for one in found])
        note = f"{100 * refused:.0f}% of {len(found)} are not trusted (p < 0.01)"
        auroc = float(roc_auc_score(truth, usual + values))
        out.append(row(f"{family}: AUROC of chi^2", auroc, "", reach=">= .97", note=note))
    out.sort(key=lambda one: one["value"])
    worst = dict(out[0], what=f"AUROC of chi^2, worst of the {len(families)} hardest families")
    refused = float(np.mean([one["p_value"] < 0.01 for one in own]))
    own_row = row("own spectra not trusted (p < 0.01)", refused, "", note=f"{len(own)} spectra")
    return [worst, *out, own_row]


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=4, help="spectra of each family")
    parser.add_argument("--start", default="pcsmo-exchange", help="a trained run")
    parser.add_argument("--own", type=Path, default=Path("runs/refinement"))
    parser.add_argument("--folder", type=Path, default=Path("runs/misfit"))
    parser.add_argument("--json", type=Path, help="where to write; default beside the others")
    options = parser.parse_args()
    simulation = load_simulation("pcsmo")
    makers = simulated_families(simulation, other_magnets(simulation, None))
    images = {family: makers[family](options.n, 1) for family in HARD}
    families: dict[str, list[dict[str, Any]]] = {family: [] for family in HARD}
    for number in range(options.n):
        for family in HARD:
            image = np.asarray(images[family][number])
            families[family].append(one_fit(simulation, family, number, image, options))
    own = [json.loads(path.read_text()) for path in sorted(options.own.glob("*.json"))]
    data = "simulated spectra with the noise of the measurement, families of foreign.py"
    write("misfit", data, rows(own, families), options.json)


if __name__ == "__main__":
    main()
