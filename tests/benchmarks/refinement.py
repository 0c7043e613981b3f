"""Couplings from simulated spectra with noise: errors, coverage of the error bars, odds, time.

    GNNMAT_DATA=/path/to/data python tests/benchmarks/refinement.py -n 10

Spectra of both hypotheses of ``pcsmo`` are drawn from the ranges, calculated with sample points
and a k-grid of their own, and measured as the noise table says, through the detector mask:
Poisson(signal + background) - background, cut off below zero, every incident energy on a scale of
its own. Both hypotheses are then fitted to each, from a search of the ranges or from the network
that is named, with nothing told of couplings, scales, background or noise. ``--reference`` also
fits the two published reference images.

Results are kept spectrum by spectrum in ``--folder`` and taken up again after an interruption.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from results import row, shared_data, write

from gnnmat.atomic import write_atomically
from gnnmat.augment.measurement import counted, log_even, signal
from gnnmat.augment.robust_scale import robust_scale
from gnnmat.augment.tables import read_mask, read_noise
from gnnmat.simulation.hypotheses import Simulation, load_simulation
from gnnmat.simulation.inference.contender import Effort
from gnnmat.simulation.inference.space import CouplingSpace, render, stable_draws
from gnnmat.sources.spectrum import Spectrum
from gnnmat.workflows.fit_result import SpectrumFit
from gnnmat.workflows.fit_spectrum import fit_spectrum

COVERED = 2.0  # standard errors


def measured(simulation: Simulation, name: str, number: int, data: Path) -> tuple[Spectrum, Any]:
    """A spectrum of a hypothesis with drawn couplings, and those couplings, folded."""
    rng = np.random.default_rng([20_000, simulation.names.index(name), number])
    finer = {"grid": 160, "samples": 48, "seed": 1000 + number}
    rendering = simulation.rendering.model_copy(update=finer)
    exact = simulation.model_copy(update={"rendering": rendering}).simulator(name)
    space = CouplingSpace(simulation.couplings(name), simulation.ranges(name))
    values = simulation.canonical(name, stable_draws(exact, space, 1, rng)[0][0])
    spectrum = as_measured(render(exact, values), simulation, rng, data, f"{name}-{number}")
    return spectrum, values


def as_measured(
    image: Any, simulation: Simulation, rng: np.random.Generator, data: Path, name: str
) -> Spectrum:
    """A calculated image (R, C) with the noise, the background and the mask of the measurement."""
    import torch

    layout = simulation.layout.build()
    mask = read_mask(data / "detector_mask.npz", layout.image_shape)
    table = read_noise(data / "measured_noise.csv", layout)
    incident, slices = table.shape
    rows, columns = layout.tile_shape
    tiles = torch.from_numpy(np.ascontiguousarray(image).reshape(incident, rows, slices, columns))
    clean = signal(tiles, layout, rng, block_scale=0.2, misset=0.0, mosaic=0.0)
    bright = robust_scale(clean.reshape(layout.image_shape), torch.from_numpy(mask), 99)
    sigma = bright * table * np.float32(log_even(rng, (0.5, 2.0)))
    noisy = counted(clean.float(), sigma, rng, background=(0.5, 20.0), residual=0.3)
    seen = noisy.clamp(min=0).reshape(layout.image_shape).numpy()
    return Spectrum(np.where(mask, 0, seen), mask, layout, name)


def one_fit(
    simulation: Simulation, name: str, number: int, data: Path, folder: Path, run: str | None
) -> dict[str, Any]:
    """What came of one spectrum; from the folder if it is there."""
    path = folder / f"{name}-{number}.json"
    if path.is_file():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    spectrum, truth = measured(simulation, name, number, data)
    began = time.perf_counter()
    result = fit_spectrum(
        spectrum, simulation, run=run, symmetries=False, effort=Effort(replicas=8, seed=number)
    )
    found = summary(result, name, truth, time.perf_counter() - began, simulation)
    write_atomically(path, json.dumps(found) + "\n")
    return found


def summary(
    result: SpectrumFit, name: str, truth: Any, seconds: float, simulation: Simulation
) -> dict[str, Any]:
    """Errors as shares of the ranges and of the error bars, chi^2, odds."""
    fit = result[name]
    width = np.ptp(simulation.ranges(name), axis=1)
    odds = next(one for one in result.odds if one.hypothesis == name)
    rivals = [one for one in result.odds if one.hypothesis != name]
    print(f"{result.name}: {seconds:.0f} s, {result.conclusion}", flush=True)
    return {
        "hypothesis": name,
        "couplings": list(fit.couplings),
        "truth": list(truth),
        "values": list(fit.values),
        "relative": list((fit.values - truth) / width),
        "pulls": list((fit.values - truth) / fit.errors),
        "chi2_per_dof": fit.chi2_per_dof,
        "p_value": fit.p_value,
        "log10_odds": odds.log10_odds,
        "clear": all(one.behind > 3 * one.behind_error > 0 for one in rivals),
        "images": sum(one.images for one in result.fits),
        "seconds": seconds,
    }


def rows(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the result."""
    out = []
    for name in sorted({one["hypothesis"] for one in found}):
        own = [one for one in found if one["hypothesis"] == name]
        relative = 100 * np.abs(np.array([one["relative"] for one in own]))
        pulls = np.abs(np.array([one["pulls"] for one in own]))
        note = f"{len(own)} spectra"
        for place, coupling in enumerate(own[0]["couplings"]):
            median = float(np.median(relative[:, place]))
            what = f"{name}: median error of {coupling}"
            out.append(row(what, median, "% of range", note=note))
        covered = 100 * float((pulls < COVERED).mean())
        out += [
            row(
                f"{name}: median error of all couplings",
                float(np.median(relative)),
                "% of range",
                reach="<= 1",
                note=note,
            ),
            row(f"{name}: within {COVERED:g} errors", covered, "%", reach=">= 90", note=note),
            row(
                f"{name}: true hypothesis preferred",
                100 * float(np.mean([one["log10_odds"] > 0 for one in own])),
                "%",
                note=note,
            ),
            row(
                f"{name}: judged as fitting (p >= 0.01)",
                100 * float(np.mean([one["p_value"] >= 0.01 for one in own])),
                "%",
                note=note,
            ),
            row(f"{name}: chi^2 per pixel", [one["chi2_per_dof"] for one in own], ""),
        ]
    out.append(row("time of a fit of both hypotheses", [one["seconds"] for one in found], "s"))
    out.append(row("images of a fit of both hypotheses", [one["images"] for one in found], ""))
    return out


def references(simulation: Simulation, data: Path) -> list[dict[str, Any]]:
    """The published reference images, fitted with the physics they were made by."""
    rendering = simulation.rendering.model_copy(update={"physics": "horace_2021"})
    same = simulation.model_copy(update={"rendering": rendering})
    layout = same.layout.build()
    out = []
    for name in same.names:
        with np.load(data / f"horace_reference_{name}.npz", allow_pickle=False) as archive:
            image = np.maximum(archive["image"].reshape(layout.image_shape), 0)
        mask = read_mask(data / "detector_mask.npz", layout.image_shape)
        spectrum = Spectrum(np.where(mask, 0, image), mask, layout, f"reference-{name}")
        result = fit_spectrum(spectrum, same, symmetries=False, effort=Effort(replicas=8))
        print(result.conclusion)
        fit, note = result[name], f"best: {result.best.hypothesis}"
        for place, coupling in enumerate(fit.couplings):
            known = float(same.canonical(name, same.reference(name))[place])
            value, error = float(fit.values[place]), float(fit.errors[place])
            low, high = value - error, value + error
            what = f"reference {name}: {coupling}"
            against = f"{known:g} put in"
            out.append(row(what, value, "meV", low=low, high=high, against=against, note=note))
    return out


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=10, help="spectra of each hypothesis")
    parser.add_argument("--start", default="search", help="'search' or a trained run")
    parser.add_argument("--reference", action="store_true", help="fit the reference images, too")
    parser.add_argument("--folder", type=Path, default=Path("runs/refinement"))
    parser.add_argument("--json", type=Path, help="where to write; default beside the others")
    options = parser.parse_args()
    data = shared_data() / "ins_pcsmo"
    simulation = load_simulation("pcsmo")
    run = None if options.start == "search" else options.start
    found = [
        one_fit(simulation, name, number, data, options.folder, run)
        for number in range(options.n)
        for name in simulation.names
    ]
    results = rows(found)
    if options.reference:
        results += references(simulation, data)
    write(
        "refinement",
        "simulated spectra of Pr(Ca0.9Sr0.1)2Mn2O7 with the noise of the measurement",
        results,
        options.json,
    )


if __name__ == "__main__":
    main()
