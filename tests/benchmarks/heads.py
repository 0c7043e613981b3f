"""Heads beyond one number a crystal: phonon densities of states, and vacancies site by site.

Beside the model stand a constant (the mean, or the mean curve) and a forest: of the composition
for curves, of element and surroundings for sites. ``--name`` is that of the model in the rows:
``cgcnn``, ``gated`` (the recipe as it is), or another one that ``--recipe`` and ``--set`` choose.
Runs go to a folder and are taken up again where they were interrupted.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from accuracy import CGCNN, finished
from results import row, shared_data, write
from rich.console import Console

from gnnmat.models import Model
from gnnmat.train.config import load_config
from gnnmat.train.unions import members
from gnnmat.workflows.cross_validation import cross_validate
from gnnmat.workflows.run_folder import Run

SEEDS = (0, 1, 2)
KINDS = members(Model)
DOS = [
    "data.source.kind=table",
    "data.source.path=$GNNMAT_DATA/phonon_dos.parquet",
    'data.source.units={"phfreq": "1/cm"}',
    "data.targets=[phdos]",
    "data.axes={phdos: phfreq}",
    "split.kind=random",
    "split.val=0.1",
    "split.test=0.1",
    "task.positive=true",
    "task.loss=mae",
    "trainer.epochs=60",
    "trainer.batch_size=32",
]
# Every row is a compound; polymorphs of one formula stay together as well.
VACANCIES = [
    "data.source.kind=table",
    "data.source.path=$GNNMAT_DATA/vacancy_oxides.parquet",
    'data.source.units={"vac_enthalpy": "eV"}',
    "data.targets=[vac_enthalpy]",
    "split.kind=group",
    "split.by=formula",
    "task.loss=mae",
    "trainer.epochs=150",
    "trainer.batch_size=8",
]


def of_model(name: str, recipe: str, given: list[str], data: list[str]) -> list[str]:
    """The options of a run whose rows are to be called ``name``.

    The recipes are those of the gated model: what is called cgcnn needs its own settings, before
    those of the data and those ``given``, which may change them.
    """
    options = [*(CGCNN if name == "cgcnn" else []), *data, *given]
    # A kind in an option of its own is set first, and would be undone by CGCNN.
    own = [one.partition("=")[2].strip() for one in given if one.startswith("model.kind=")]
    kind = own[-1] if own else load_config(recipe, options).model.kind
    if name in KINDS and kind != name:
        raise SystemExit(f"--name {name}, but the model is {kind}: give another --name.")
    return options


def dos(recipe: str, name: str, folder: Path, options: list[str]) -> list[dict[str, Any]]:
    """1,521 curves of 51 points, one random split, three seeds of the model."""
    chosen = of_model(name, recipe, options, DOS)
    runs = [
        finished(f"dos-{name}-{seed}", recipe, [*chosen, f"trainer.seed={seed}"], folder)
        for seed in SEEDS
    ]
    counts = runs[0].counts
    what = f"phonon density of states, {counts['train']:,} train / {counts['test']:,} test"
    rows = []
    for metric, unit in (("MAE", "of the highest peak"), ("R2", "")):
        label = f"{what}: {metric} over all points"
        values = [run.value(metric) for run in runs]
        note = f"seeds {', '.join(map(str, SEEDS))}, one split"
        rows.append(row(f"{label}, {name}", values, unit, reach="below the baselines", note=note))
        rows += [
            row(f"{label}, {baseline}", _baseline(runs[0], baseline, metric), unit)
            for baseline in ("mean curve", "composition forest")
        ]
    return rows


def _baseline(run: Run, name: str, metric: str) -> list[float]:
    return [
        one["value"]
        for one in run.baselines
        if (one["baseline"], one["metric"], one["split"]) == (name, metric, "test")
    ]


def vacancies(recipe: str, name: str, folder: Path, options: list[str]) -> list[dict[str, Any]]:
    """4,678 sites of 199 oxides, five folds by formula."""
    config = load_config(recipe, of_model(name, recipe, options, VACANCIES))
    found = cross_validate(config, folder / f"vacancies-{name}", console=Console(stderr=True))
    rows = []
    for metric, unit in (("MAE", "eV"), ("R2", "")):
        for baseline in ("", "mean", "site forest"):
            one = next(
                r for r in found.summary if (r["metric"], r["baseline"]) == (metric, baseline)
            )
            label = f"vacancy enthalpy of a site, five folds by formula: {metric}"
            rows.append(row(f"{label}, {baseline or name}", one["folds"], unit))
            rows[-1]["value"] = one["mean"]
            if not baseline:
                rows[-1] |= {
                    "reach": "below the baselines",
                    "note": f"{config.trainer.epochs} epochs; mean of the folds, their range",
                }
    return rows


PARTS: dict[str, Callable[[str, str, Path, list[str]], list[dict[str, Any]]]] = {
    "dos": dos,
    "vacancies": vacancies,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--recipe", default="crystals", help="that the data are put into")
    parser.add_argument("--name", default="cgcnn", help="of the model, in rows and folders")
    parser.add_argument("--folder", type=Path, default=Path("runs/bench"), help="of the runs")
    parser.add_argument("--set", action="append", default=[], help="option of every run")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    shared_data()
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = PARTS[options.part](options.recipe, options.name, options.folder, options.set)
    write(f"heads_{options.part}_{options.name}", "see each row", rows, options.json)


if __name__ == "__main__":
    main()
