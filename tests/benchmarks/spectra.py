"""Simulated images of PCSMO: against the published reference images, and what they cost.

The references were made by another chain of programs, with three pieces of physics switched
(``rendering.physics=horace_2021``). "Mirrored" compares with the mean of a reference over its
four mirror images in h and k, where all four have detectors; elsewhere both are zero.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from results import row, shared_data, write

from gnnmat.simulation.hypotheses import Simulation, load_simulation

PAPER = "7,000 CPU-hours (the paper)"


def references(options: list[str]) -> list[dict[str, Any]]:
    """Correlation and scale for both hypotheses."""
    data = shared_data() / "ins_pcsmo"
    seen = ~np.load(data / "detector_mask.npz")["mask"]
    simulation = load_simulation("pcsmo", ["rendering.physics=horace_2021", *options])
    layout = simulation.layout.build()
    rows = []
    for name in simulation.names:
        with np.load(data / f"horace_reference_{name}.npz") as archive:
            reference = archive["image"][0].astype(float)
        values = torch.tensor(simulation.reference(name))[None]
        image = simulation.simulator(name).images(values)[0].double().numpy()

        def mirrored(picture: Any) -> Any:
            other = layout.mirror_k(picture)
            four = (picture, other, layout.mirror_h(picture), layout.mirror_h(other))
            return sum(one.astype(float) for one in four) / 4

        whole = mirrored(seen) == 1
        plain = np.corrcoef((image * seen).ravel(), reference.ravel())[0, 1]
        mean = mirrored(reference * seen)
        averaged = np.corrcoef((image * whole).ravel(), (mean * whole).ravel())[0, 1]
        blocks = np.array_split(np.arange(len(image)), len(layout.incident_energies))
        scales = [(reference * seen)[b].sum() / (image * seen)[b].sum() for b in blocks]
        note = f"grid {simulation.rendering.grid}, {simulation.rendering.samples} samples"
        rows += [
            row(
                f"{name}, correlation", plain, "", against=".894 / .896", reach=">= .89", note=note
            ),
            row(
                f"{name}, correlation with the mirrored reference", averaged, "",
                against=".963 / .964", reach=">= .96", note=note,
            ),
            row(
                f"{name}, reference / image in the six blocks", scales, "",
                against="4.0", reach="4.0 +- .15", note=", ".join(f"{s:.2f}" for s in scales),
            ),
        ]  # fmt: skip
    return rows


def _images(count: int, seed: int) -> tuple[float, float]:
    """Wall and CPU seconds an image of one process, both hypotheses in turn."""
    torch.set_num_threads(1)
    simulation = load_simulation("pcsmo")
    rng = np.random.default_rng(seed)
    ready = [(simulation.simulator(name), name) for name in simulation.names]
    for simulator, name in ready:
        simulator.images(torch.tensor(simulation.reference(name))[None])
    wall, cpu = time.perf_counter(), time.process_time()
    for turn in range(count):
        simulator, name = ready[turn % len(ready)]
        simulator.images(stable_draw(simulation, name, simulator, rng))
    return (time.perf_counter() - wall) / count, (time.process_time() - cpu) / count


def stable_draw(
    simulation: Simulation, name: str, simulator: Any, rng: np.random.Generator
) -> torch.Tensor:
    """(1, p) couplings of a stable magnet; rejected draws cost their test."""
    while True:
        values = torch.tensor(simulation.draw(name, rng))[None]
        if bool(simulator.stable(values)[0]):
            return values


def costs(runs: int, count: int) -> list[dict[str, Any]]:
    """Seconds an image on one core and on two, rejected draws included."""
    one, two, cpu = [], [], []
    for run in range(runs):
        wall, used = _images(count, run)
        one.append(wall)
        cpu.append(used)
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            walls = [w for w, _ in pool.map(_images, [count] * 2, [run, run + 100])]
        two.append(float(np.mean(walls)) / 2)
    hours = [6644 * seconds / 3600 for seconds in cpu]
    note = "stable draws of both hypotheses in turn, the stability test of rejected draws included"
    return [
        row("an image of 240 x 400, one core", one, "s", against="0.49 s on two cores", note=note),
        row(
            "an image of 240 x 400, two cores, one process each", two, "s",
            against="1 CPU-hour (Brille)", reach="<= 0.5, better 0.3", note=note,
        ),
        row(
            "training set of 6,644 stable images", hours, "CPU-hours", against=PAPER,
            reach="<= 1.6", note="from the CPU time of these images",
        ),
        row("an image on an H200, in batches", None, "ms", reach="<= 8", note="no GPU at hand"),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--images", type=int, default=20, help="images a run")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = references([]) + references(["rendering.grid=160", "rendering.samples=64"])
    rows += costs(options.runs, options.images)
    data = "ins_pcsmo: resolution table, mask, two reference images"
    write("spectra", data, rows, options.json)


if __name__ == "__main__":
    main()
