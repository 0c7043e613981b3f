"""Labels that models which have not seen them agree to be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.train.checkpoint import CONFIG, load_run_config
from gnnmat.train.committee import is_ensemble, member_folders
from gnnmat.workflows.run_folder import PREDICTIONS, read_predictions
from gnnmat.workflows.start_notes import begun_with, names_in
from gnnmat.workflows.suspicion import reason, score_rows

COLUMNS = ("id", "formula", "target", "unit", "truth", "prediction", "voice", "logarithmic",
           "begun")  # fmt: skip
Floats = NDArray[np.float64]
Scale = Literal["learned", "linear", "log"]
SUSPECT = 5.0  # usual errors; of a Gaussian's one in two million


@dataclass(frozen=True)
class LabelAudit:
    """Labels by how suspect they are.

    Args:
        table: a row a label, the most suspect first: ``id``, ``formula``, ``target``, ``unit``,
            ``label``, ``prediction`` (mean of the voices), ``low`` and ``high`` (of the
            voices), ``spread`` (their deviation, NaN for one), ``voices``, ``usual`` (the usual
            error of such predictions), ``score``, ``suspect`` and ``reason``. In a logarithmic
            target spread and usual error are factors.
        runs: number of folders that were read.
        notes: what weakens the audit, in sentences.
    """

    table: pd.DataFrame
    runs: int
    notes: tuple[str, ...] = ()

    @property
    def suspects(self) -> pd.DataFrame:
        """The rows whose label should be looked at."""
        return self.table[self.table["suspect"]]


def audit_labels(
    runs: Sequence[Path], *, target: str | None = None, scale: Scale = "learned"
) -> LabelAudit:
    """Labels that disagree with models that were not trained on them.

    Cross-validations give every row a model that has not seen it, and several of them, with
    other seeds, give every row several: what they agree on weighs more. Of an ensemble and of a
    single run only the test and validation rows are judged. Where models began with a run that
    may have been trained on a label, its ``reason`` says so.

    Args:
        runs: folders of cross-validations, ensembles or runs, on the same data.
        target: only this one.
        scale: where differences are measured: in the target's unit ('linear'), where large
            values that are far off count most; in its logarithm ('log'), where factors count;
            'learned' does as the network was trained.

    Raises:
        GnnmatError: not a finished run, classes instead of numbers, labels that differ between
            the runs, or no row to judge.
    """
    if not runs:
        raise GnnmatError("Name at least one run.", fix="gnnmat audit runs/x-crossval")
    voices = pd.concat(
        [heard for number, run in enumerate(runs) for heard in _voices(run, number)],
        ignore_index=True,
    )
    voices = voices[voices["truth"].notna() & voices["prediction"].notna()]
    if target is not None:
        known = sorted(voices["target"].unique())
        voices = voices[voices["target"] == target]
        if voices.empty:
            raise GnnmatError(f"The runs do not predict '{target}'.", why=f"They do: {known}.")
    if voices.empty:
        raise GnnmatError(
            "There is no row that a model has not seen.",
            why="Training rows are learned by heart, wrong labels included.",
            fix="gnnmat crossval RECIPE, then audit its folder.",
        )
    parts = [_audit_target(part, scale) for _, part in voices.groupby("target", sort=False)]
    table = pd.concat(parts, ignore_index=True)
    ordered = table.sort_values("score", ascending=False, kind="stable", ignore_index=True)
    return LabelAudit(ordered, len(runs), _notes(voices))


def _notes(voices: pd.DataFrame) -> tuple[str, ...]:
    """What is said of every run that models began with and that may know labels."""
    told = voices[voices["begun"] != ""].drop_duplicates(["begun", "id", "target"])
    counts = told["begun"].value_counts().sort_index()
    return tuple(
        f"{count:,} labels may be training labels of {name}, which models began with: models agree "
        "with labels that they know, wrong or not. Audit runs that begin with drawn weights."
        for name, count in counts.items()
    )


def _voices(run: Path, number: int) -> list[pd.DataFrame]:
    """Predictions of rows that were not trained on, one table a model that speaks for itself."""
    folds = sorted(run.glob("fold-*/" + CONFIG))
    if folds:
        return [_heard(run, folds[0].parent, f"{number}", holder=run, whole=True)]
    members = member_folders(run)
    if is_ensemble(run) and members:
        return [_heard(one, one, f"{number}/{one.name}", holder=run) for one in members]
    return [_heard(run, run, f"{number}", holder=run)]


def _heard(
    folder: Path, run: Path, voice: str, *, holder: Path, whole: bool = False
) -> pd.DataFrame:
    """The table of one model.

    Args:
        folder: of the predictions.
        run: whose config tells how the target was learned.
        voice: name of the model.
        holder: folder of the runs among which it is, or its own.
        whole: whether all rows are held-out ones.
    """
    path = folder / PREDICTIONS
    if not path.is_file():
        raise GnnmatError(
            f"{folder} has no {PREDICTIONS}: it is not a finished run.",
            fix="Finish it: the same command again, or gnnmat train --resume.",
        )
    table = read_predictions(path)
    what = {"probability": "classes", "atom": "values on atoms"}
    kinds = [words for column, words in what.items() if column in table]
    if not pd.api.types.is_numeric_dtype(table["prediction"]):
        kinds.append("curves")
    if kinds:
        raise GnnmatError(
            f"{folder} predicts {kinds[0]}.",
            why="Only labels that are one number a crystal are audited.",
        )
    held = table if whole else table[table["split"].isin(["test", "val"])]
    scale = getattr(load_run_config(run).task, "scale", "standard")
    return held.assign(voice=voice, logarithmic=scale == "log", begun=_begun(held, run, holder))[
        list(COLUMNS)
    ]


def _begun(held: pd.DataFrame, run: Path, holder: Path) -> list[str]:
    """By row the run that the model began with and that may know its label; empty for none."""
    begun = begun_with(run, holder)
    return [
        next((one.name for one in begun if one.may_know(target, row)), "")
        for target, row in zip(held["target"], names_in(held), strict=True)
    ]


def _audit_target(voices: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """The audited labels of one target."""
    labels = voices.groupby("id", sort=False)["truth"].agg(["min", "max"])
    changed = labels[~np.isclose(labels["min"], labels["max"], rtol=1e-6)]
    if len(changed):
        raise GnnmatError(
            f"The runs know several labels of {changed.index[0]}: {changed.iloc[0]['min']:g} and "
            f"{changed.iloc[0]['max']:g}.",
            why="They were trained on other data.",
        )
    learned = bool(voices["logarithmic"].all())
    logarithmic = learned if scale == "learned" else scale == "log"
    if logarithmic and bool((voices["truth"] <= 0).any()) and not learned:
        raise GnnmatError(
            f"Labels of '{voices['target'].iloc[0]}' are not all positive.",
            why="Only positive values have a logarithm.",
            fix="--scale linear",
        )
    table = _one_row_each(voices)
    worked = voices.assign(worked=_worked(voices["prediction"].to_numpy(float), logarithmic))
    spoken = worked.groupby("id", sort=False)["worked"]
    mean, spread = spoken.mean().to_numpy(), spoken.std(ddof=1).to_numpy()
    label = _worked(table["label"].to_numpy(float), logarithmic)
    usual, score = score_rows(label, mean, np.nan_to_num(spread))
    table["prediction"] = np.exp(mean) if logarithmic else mean
    table["spread"] = np.exp(spread) if logarithmic else spread
    table["usual"] = np.exp(usual) if logarithmic else usual
    table["score"] = score
    outside = (table["label"] < table["low"]) | (table["label"] > table["high"])
    table["suspect"] = (score >= SUSPECT) & outside
    siblings = _siblings(table)
    table["reason"] = [
        reason(row, logarithmic, other)
        for row, other in zip(table.to_dict("records"), siblings, strict=True)
    ]
    lead = ["id", "formula", "target", "unit", "label", "prediction", "low", "high", "spread"]
    return table[[*lead, "voices", "usual", "score", "suspect", "reason"]]


def _one_row_each(voices: pd.DataFrame) -> pd.DataFrame:
    """A row a label, with the extremes of the voices."""
    grouped = voices.groupby("id", sort=False)
    return grouped.agg(
        formula=("formula", "first"),
        target=("target", "first"),
        unit=("unit", "first"),
        label=("truth", "first"),
        low=("prediction", "min"),
        high=("prediction", "max"),
        voices=("prediction", "size"),
        begun=("begun", "max"),
    ).reset_index()


def _worked(values: Floats, logarithmic: bool) -> Floats:
    """The values as the network learned them."""
    return np.log(np.clip(values, 1e-12, None)) if logarithmic else values


def _siblings(table: pd.DataFrame) -> list[Floats]:
    """Labels of the other entries of the same formula, for each row."""
    by_formula = dict(list(table.groupby("formula")["label"]))
    return [
        by_formula[name].drop(place).to_numpy(float) if name else np.empty(0)
        for place, name in zip(table.index, table["formula"], strict=True)
    ]
