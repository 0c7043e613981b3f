"""How much predictions change when crystals are strained or their atoms displaced a little.

Relaxed structures are rarely at hand when predictions are wanted. What a small change of the
structure does to a prediction, beside how unsure the model is of it anyway, tells whether they
are needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gnnmat.errors import GnnmatError
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.objects import records_from_objects
from gnnmat.sources.records import Records, Refusal
from gnnmat.train.judge import load_model
from gnnmat.train.predictor import Predictor
from gnnmat.workflows.run_folder import METRICS, open_run
from gnnmat.workflows.small_changes import changes
from gnnmat.zoo import find_model

STRAINS = (-0.04, -0.02, -0.01, 0.01, 0.02, 0.04)  # of every lattice vector
RATTLES = (0.01, 0.02, 0.05, 0.1)  # standard deviation of each coordinate, Å
SEEDS = 3  # of each rattle
Made = list[tuple[dict[str, Any], Crystal]]  # what was done, and what came of it


@dataclass(frozen=True)
class Sensitivity:
    """What came of it.

    Args:
        table: a row a target, changed crystal and change: ``id``, ``target``, ``unit``,
            ``kind`` (strain or rattle), ``amount``, ``seed``, ``before``, ``prediction``,
            ``change``, and ``half_width`` and ``in_domain`` where the run knows them.
        summary: a row a target, kind and amount, see `summarise`.
        refused: crystals that could not be read, and why.
    """

    table: pd.DataFrame
    summary: pd.DataFrame
    refused: list[Refusal]


def sensitivity(
    run: str | Path,
    samples: Sequence[Any],
    *,
    strains: Sequence[float] = STRAINS,
    rattles: Sequence[float] = RATTLES,
    seeds: int = SEEDS,
    seed: int = 0,
    state: Mapping[str, Any] | None = None,
    quiet: bool = True,
) -> Sensitivity:
    """How far the predictions for these crystals move when they are strained and rattled.

    Args:
        run: folder of a run or an ensemble of crystals.
        samples: crystal files, folders or objects.
        strains: shares by which all lattice vectors grow.
        rattles: standard deviations of displacements, Å.
        seeds: draws of each rattle.
        seed: of the first draw.
        state: what a model with a state must know beside the crystals, by name: one value for
            all, or one each. It stays as it is when a crystal changes.
        quiet: no progress bar.

    Raises:
        GnnmatError: a model of spectra or of classes alone, nothing to change, or an amount that
            is no small change.
    """
    _check_amounts(strains, rattles, seeds)
    folder = find_model(run)
    predictor = load_model(folder)
    if not predictor.trained.spec.elements:
        raise GnnmatError(f"{run} does not read crystals, so that nothing can be strained.")
    records = records_from_objects(list(samples))
    made, refused = _changed(records, strains, rattles, seeds, seed)
    table = _predicted(predictor, made, _state_of_each(state or {}, records, made), quiet)
    return Sensitivity(table, summarise(table, mean_errors(folder)), refused)


def _check_amounts(strains: Sequence[float], rattles: Sequence[float], seeds: int) -> None:
    if not strains and not (rattles and seeds):
        raise GnnmatError("Nothing is to be changed.", fix="--strain 0.02 or --rattle 0.05")
    for strain in strains:
        if not 0 < abs(strain) <= 0.2:
            raise GnnmatError(
                f"A strain of {strain:g} is no small change.",
                why="Strains are shares of a length, at most 0.2 and not zero: 0.02 is 2%.",
            )
    for amount in rattles:
        if not 0 < amount <= 0.5:
            raise GnnmatError(f"Displacements of {amount:g} Å are not between 0 and 0.5 Å.")


def _changed(
    records: Records, strains: Sequence[float], rattles: Sequence[float], seeds: int, seed: int
) -> tuple[Made, list[Refusal]]:
    """What was done to which crystal, with the crystal itself first; and what cannot be read."""
    made: Made = []
    refused = list(records.refused)
    for place, name in enumerate(records.ids):
        try:
            crystal = records.read(records.raws[place])
        except GnnmatError as error:
            refused.append(Refusal(str(name), records.origin(place), error.sentence))
            continue
        base = {"id": str(name), "kind": "none", "amount": 0.0, "seed": 0}
        made.append((base, crystal))
        # Atoms of different crystals must not move alike.
        own = int(np.random.SeedSequence([seed, place]).generate_state(1)[0])
        made += [
            ({**base, "kind": kind, "amount": amount, "seed": number}, changed)
            for kind, amount, number, changed in changes(crystal, strains, rattles, seeds, own)
        ]
    if not made:
        first = f"{refused[0].id}: {refused[0].reason}" if refused else "No crystal was given."
        raise GnnmatError("There is nothing to predict.", why=first)
    return made, refused


def _state_of_each(state: Mapping[str, Any], records: Records, made: Made) -> dict[str, Any]:
    """The state of every changed crystal: that of the crystal it comes from."""
    order = {str(name): place for place, name in enumerate(records.ids)}
    each = dict(state)
    for name, values in state.items():
        if isinstance(values, (list, tuple, np.ndarray)):
            if len(values) != len(records):
                raise GnnmatError(
                    f"The state '{name}' has {len(values)} values for {len(records)} crystals."
                )
            each[name] = [values[order[one["id"]]] for one, _ in made]
    return each


def _predicted(
    predictor: Predictor, made: Made, state: Mapping[str, Any], quiet: bool
) -> pd.DataFrame:
    numbers = _numbers(predictor)
    names = [f"{place}" for place in range(len(made))]
    found = predictor.predict([one for _, one in made], ids=names, state=state, quiet=quiet)
    found = found[(found["refused"] == "") & found["target"].isin(numbers)]
    facts = pd.DataFrame([one for one, _ in made])
    table = facts.iloc[found["id"].astype(int)].reset_index(drop=True)
    kept = ["target", "unit", "prediction"]
    table = table.join(found[kept].reset_index(drop=True)).astype({"prediction": float})
    if "interval_low" in found:
        for name in ("interval_low", "interval_high"):
            table[name] = found[name].to_numpy(dtype=float)
    if "trust_score" in found:
        table["in_domain"] = found["in_domain"].to_numpy(dtype=bool)
    keys = ["id", "target"]
    base = table[table["kind"] == "none"].set_index(keys)
    index = pd.MultiIndex.from_frame(table[keys])
    table["before"] = base["prediction"].reindex(index).to_numpy()
    if "interval_low" in table:  # of the crystal as it was given
        for name in ("interval_low", "interval_high"):
            table[name] = base[name].reindex(index).to_numpy()
        table["half_width"] = (table["interval_high"] - table["interval_low"]) / 2
    table["change"] = table["prediction"] - table["before"]
    return table[table["kind"] != "none"].reset_index(drop=True)


def _numbers(predictor: Predictor) -> list[str]:
    """The targets that are one number a crystal.

    Raises:
        GnnmatError: there is none.
    """
    targets = predictor.trained.task.targets
    names = [
        one.name
        for one in targets
        if one.level == "sample" and not one.classes and not one.is_curve
    ]
    if not names:
        raise GnnmatError(
            "The run predicts no number a crystal, so that no change can be measured.",
            why=f"Its targets: {', '.join(one.name for one in targets)}.",
        )
    return names


def mean_errors(folder: Path) -> dict[str, float]:
    """By target the mean absolute error on the rows that judge the run; empty if it is not kept."""
    if not (folder / METRICS).is_file():
        return {}
    rows = [one for one in open_run(folder).metrics if one["metric"] == "MAE"]
    for split in ("test", "val"):
        own = {str(one["target"]): one["value"] for one in rows if one["split"] == split}
        if own:
            return own
    return {}


def summarise(table: pd.DataFrame, errors: dict[str, float]) -> pd.DataFrame:
    """A row a target, kind and amount of change.

    Columns ``crystals``, ``mean_change`` (absolute), ``largest``, ``bias`` (mean with its sign),
    ``of_error`` (mean change over the mean absolute error of the run), ``of_half_width`` (mean
    over crystals), ``beyond`` (share that leaves the interval of the unchanged crystal) and
    ``in_domain`` (share), as far as the run knows them.

    Args:
        table: of `sensitivity`.
        errors: mean absolute error by target.
    """
    rows = []
    for (target, kind, amount), own in table.groupby(["target", "kind", "amount"], sort=False):
        size = own["change"].abs()
        row: dict[str, Any] = {
            "target": target,
            "unit": own["unit"].iloc[0],
            "kind": kind,
            "amount": amount,
            "crystals": own["id"].nunique(),
            "mean_change": size.mean(),
            "largest": size.max(),
            "bias": own["change"].mean(),
        }
        if errors.get(str(target)):
            row["of_error"] = size.mean() / errors[str(target)]
        if "half_width" in own:
            row["of_half_width"] = (size / own["half_width"]).mean()
            low, high = own["interval_low"], own["interval_high"]
            row["beyond"] = ((own["prediction"] < low) | (own["prediction"] > high)).mean()
        if "in_domain" in own:
            row["in_domain"] = own["in_domain"].mean()
        rows.append(row)
    return pd.DataFrame(rows)
