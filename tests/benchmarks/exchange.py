"""`pcsmo-exchange` on simulated spectra it has not seen, with noise and masks as measured.

    gnnmat simulate configs/pcsmo.yaml -n 4600 -o pcsmo-all
    python tests/benchmarks/exchange.py --run pcsmo-exchange --set pcsmo-all

The first 5,200 images of the set are those the run was trained and validated on (a larger set
begins like a smaller one); all others are the test. Noise, background, scale and mask of every
test image are drawn once, by the run's own augmentation.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from refinement import as_measured
from results import row, shared_data, write

from gnnmat.data.dataset import open_dataset
from gnnmat.simulation.hypotheses import load_simulation
from gnnmat.sources.simulated import SimulatedSource
from gnnmat.tasks.joint import JointTask
from gnnmat.train.committee import Committee
from gnnmat.train.judge import load_judge
from gnnmat.train.uncertainty import calibration_error, reliability, with_temperature
from gnnmat.zoo import find_model

Floats = NDArray[np.float64]
DRAWS = 20  # of noise, for each published image
NEAR = 0.1  # of a range: two couplings, or one and zero, that differ by less may coincide


def near_coincidence(table: pd.DataFrame) -> NDArray[np.bool_]:
    """(n,) whether both models could make nearly the same image.

    They coincide at JFS = JFW with JA1 = JA2 (dimer), and at JF2 = JF3 = 0 (Goodenough).
    """
    goodenough = (table["goodenough.JF2"].abs() < NEAR * 6) & (
        table["goodenough.JF3"].abs() < NEAR * 6
    )
    dimer = ((table["dimer.JFS"] - table["dimer.JFW"]).abs() < NEAR * 20) & (
        (table["dimer.JA1"] - table["dimer.JA2"]).abs() < NEAR * 6
    )
    return np.asarray(np.where(table["hypothesis"] == "dimer", dimer, goodenough), dtype=bool)


def classes(
    decoded: torch.Tensor, table: pd.DataFrame, names: tuple[str, ...], temperature: float
) -> tuple[list[float], list[float], list[float]]:
    """Accuracy, accuracy away from coincidence and calibration error of every voice."""
    truth = np.array([names.index(name) for name in table["hypothesis"]])
    away = ~near_coincidence(table)
    right, clear, error = [], [], []
    for voice in decoded[..., : len(names)].double().numpy():
        chances = with_temperature(voice / voice.sum(-1, keepdims=True), temperature)
        correct = chances.argmax(-1) == truth
        right.append(float(correct.mean()))
        clear.append(float(correct[away].mean()))
        error.append(calibration_error(reliability(chances, truth)))
    return right, clear, error


def couplings(
    decoded: torch.Tensor,
    table: pd.DataFrame,
    task: JointTask,
    ranges: dict[str, float],
    factors: dict[str, float],
) -> dict[str, tuple[dict[str, Floats], NDArray[np.bool_]]]:
    """By hypothesis the errors of its couplings in shares of the range, and what is covered."""
    numbers = [target.name for target in task.targets if not target.classes]
    mean, deviation = (
        part.double().numpy() for part in decoded[:, -2 * len(numbers) :].chunk(2, dim=-1)
    )
    found = {}
    for name in ("goodenough", "dimer"):
        own = [i for i, number in enumerate(numbers) if number.startswith(f"{name}.")]
        mine = (table["hypothesis"] == name).to_numpy()
        truth = table.loc[mine, [numbers[i] for i in own]].to_numpy(float)
        off = np.abs(mean[mine][:, own] - truth)
        spans = np.array([ranges[numbers[i]] for i in own])
        sizes = np.array([factors.get(numbers[i], 1.0) for i in own])
        covered = off <= 2 * deviation[mine][:, own] * sizes
        short = [numbers[i].split(".")[1] for i in own]
        found[name] = dict(zip(short, (off / spans).T, strict=True)), covered
    return found


def surest(decoded: torch.Tensor, table: pd.DataFrame, names: tuple[str, ...], warm: float) -> Any:
    """Accuracy of one voice near coincidence, and how sure it is there."""
    near = near_coincidence(table)
    voice = decoded[0][near][:, : len(names)].double().numpy()
    chances = with_temperature(voice / voice.sum(-1, keepdims=True), warm)
    truth = np.array([names.index(name) for name in table["hypothesis"][near]])
    return float((chances.argmax(-1) == truth).mean()), float(chances.max(-1).mean())


def rows_of(judge: Any, table: pd.DataFrame, found: Any) -> list[dict[str, Any]]:
    """All rows of the page."""
    task = judge.trained.task
    assert isinstance(task, JointTask)
    names = task.targets[0].classes
    together = task.combine(found.decoded)[None]
    near = int(near_coincidence(table).sum())
    note = f"{len(table):,} images, {near:,} of them near coincidence"
    rows = []
    for what, voices, temperature in (
        ("each member", found.decoded, 1.0),
        ("five together", together, judge.trust.temperature),
    ):
        right, clear, error = classes(voices, table, names, temperature)
        rows += [
            row(
                f"accuracy, {what}", right, "", against=".9695 (the paper, clean); chance .5",
                reach=">= .98", note=note,
            ),
            row(f"accuracy away from coincidence, {what}", clear, "", reach=">= .99", note=note),
            row(f"calibration error (ECE, 15 bins), {what}", error, "", reach="<= .02"),
        ]  # fmt: skip
    simulation = load_simulation("pcsmo")
    ranges = {
        f"{name}.{coupling}": float(np.ptp(simulation.ranges(name)[i]))
        for name in simulation.names
        for i, coupling in enumerate(simulation.couplings(name))
    }
    right, sure = surest(together, table, names, judge.trust.temperature)
    rows += [
        row("accuracy near coincidence, five together", right, "", note=f"{near:,} images"),
        row("mean probability of the answer near coincidence, five together", sure, ""),
    ]
    for name, (errors, covered) in couplings(
        together[0], table, task, ranges, judge.trust.facts.get("error_factors", {})
    ).items():
        every = float(np.median(np.stack(list(errors.values()))))
        what = f"couplings of {name}, five together, median error / range"
        rows.append(row(what, every, "", against="mean of the range: .25", reach="<= .05"))
        rows += [
            row(f"{name}.{coupling}, median error / range", float(np.median(off)), "")
            for coupling, off in errors.items()
        ]
        what = f"couplings of {name}, within two standard errors"
        rows.append(row(what, float(covered.mean()), "", reach=">= .90"))
    verdicts = judge.trust.judge(judge.scores(found))
    refused = float((~np.asarray(verdicts.in_distribution)).mean())
    rows.append(
        row("test images that are refused", refused, "", reach=".05", note="threshold from val")
    )
    return rows


def stand_ins(judge: Any, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The published images with the noise of the measurement, in place of a measured spectrum."""
    simulation, data = load_simulation("pcsmo"), shared_data() / "ins_pcsmo"
    layout = simulation.layout.build()
    rng = np.random.default_rng(50_000)
    spectra, truth = [], []
    for name in simulation.names:
        with np.load(data / f"horace_reference_{name}.npz", allow_pickle=False) as archive:
            image = np.maximum(archive["image"].reshape(layout.image_shape), 0)
        for number in range(DRAWS):
            spectra.append(as_measured(image, simulation, rng, data, f"{name}-{number}"))
            truth.append(names.index(name))
    dataset = open_dataset(judge.records(spectra), judge.trained.config.input)
    found = judge.observe(dataset, np.arange(len(dataset)), draw="none")
    right = found.decoded[..., : len(names)].numpy().argmax(-1) == np.array(truth)
    verdicts = judge.trust.judge(judge.scores(found))
    note = f"{len(names)} images, {DRAWS} draws of noise and scales each"
    what = "published images with the noise of the measurement"
    return [
        row(f"{what}: right class, each member", right.mean(-1).tolist(), "", note=note),
        row(f"{what}: in distribution", float(np.mean(verdicts.in_distribution)), "", note=note),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="trained ensemble with trust.json")
    parser.add_argument("--set", type=Path, required=True, help="simulated set")
    parser.add_argument("--first", type=int, default=5200, help="first test image of the set")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    judge = load_judge(find_model(options.run))
    assert isinstance(judge, Committee)
    records = SimulatedSource(path=str(options.set)).open()
    records = records.take(range(options.first, len(records)))
    dataset = open_dataset(records, judge.trained.config.input)
    found = judge.observe(dataset, np.arange(len(dataset)), draw="fixed", batch_size=64)
    data = "simulated from configs/pcsmo.yaml; noise table and mask of ins_pcsmo"
    rows = rows_of(judge, dataset.table, found)
    rows += stand_ins(judge, judge.trained.task.targets[0].classes)
    write("exchange", data, rows, options.json)


if __name__ == "__main__":
    main()
