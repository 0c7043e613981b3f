"""How good a run is: scores with intervals, trivial baselines beside them, leakage audit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.data.composition import composition_features
from gnnmat.data.dataset import SampleDataset
from gnnmat.data.symmetry import formulas, symmetries
from gnnmat.engine import available_cores
from gnnmat.models.elements import element_properties
from gnnmat.sample import Axis, Target
from gnnmat.workflows.baselines import FOREST, SITE_FOREST, score_baselines
from gnnmat.workflows.leakage import AuditRows, audit
from gnnmat.workflows.preparation import Prepared
from gnnmat.workflows.scores import Kind, score
from gnnmat.workflows.site_features import site_features


@dataclass(frozen=True)
class Evaluation:
    """Everything that is said about a run's predictions.

    Args:
        predictions: long table with truths, parts and crystal systems.
        metrics: rows of target, split, metric, value, low, high, n, unit.
        baselines: the same with the baseline's name.
        audit: overlap between training and judged rows.
        axes: of the targets that are curves, by name.
    """

    predictions: pd.DataFrame
    metrics: list[dict[str, Any]]
    baselines: list[dict[str, Any]]
    audit: list[dict[str, Any]]
    axes: dict[str, Axis] = field(default_factory=dict)


def evaluate(
    prepared: Prepared, predictions: pd.DataFrame, *, seed: int = 0, quiet: bool = False
) -> Evaluation:
    """Scores, baselines and audit of these predictions.

    Args:
        prepared: samples and parts.
        predictions: from `gnnmat.workflows.preparation.truth_table`.
        seed: of bootstrap and baselines.
        quiet: no progress bar.
    """
    dataset = prepared.dataset
    judged = "test" if len(prepared.rows("test")) else "val"
    systems = pd.Series("", index=range(len(dataset)))
    if dataset.is_crystal:
        found = symmetries(dataset, np.flatnonzero(prepared.parts != ""), quiet=quiet)
        systems[list(found)] = [one.crystal_system for one in found.values()]
    table = predictions.assign(crystal_system=systems[predictions["row"]].to_numpy())
    metrics, baselines = [], []
    for target, rows in table.groupby("target", sort=False):
        metrics += score_table(prepared, str(target), rows, seed=seed)
        baselines += _baselines(prepared, str(target), rows, seed)
    return Evaluation(
        predictions=table.drop(columns="row"),
        metrics=metrics,
        baselines=baselines,
        audit=_audit(dataset, prepared.rows("train"), prepared.rows(judged), judged, quiet),
        axes={one.name: one.axis for one in dataset.labels.spec.targets if one.is_curve},
    )


def score_table(
    prepared: Prepared, target: str, rows: pd.DataFrame, *, seed: int = 0
) -> list[dict[str, Any]]:
    """Scores of one target on every part but the training part.

    Values on atoms are drawn crystal by crystal in the bootstrap.
    """
    spec = prepared.dataset.labels.spec[target]
    out = []
    for part in ("val", "test"):
        chosen = rows[rows["split"] == part]
        if not len(chosen):
            continue
        probabilities = None
        if spec.classes:
            probabilities = chosen[[f"probability_{name}" for name in spec.classes]].to_numpy()
        scores = score(
            chosen["truth"].to_list(),
            chosen["prediction"].to_list(),
            kind=_kind(spec),
            probabilities=probabilities,
            classes=spec.classes or None,
            groups=chosen["id"].to_list() if spec.level == "atom" else None,
            unit=spec.unit,
            seed=seed,
        )
        out += [{"target": target, "split": part, **row} for row in scores]
    return out


def _baselines(
    prepared: Prepared, target: str, rows: pd.DataFrame, seed: int
) -> list[dict[str, Any]]:
    dataset = prepared.dataset
    spec = dataset.labels.spec[target]
    if not spec.classes and rows["truth"].nunique() == 1:
        return []  # any guess at a constant is right
    features, forest = None, FOREST
    if dataset.is_crystal and spec.level == "sample":
        numbers = [dataset.numbers[row] for row in rows["row"]]
        features = composition_features(numbers, element_properties()[0])
    elif dataset.is_crystal:
        crystals = rows["row"].unique()
        features, forest = site_features(dataset, crystals, element_properties()[0]), SITE_FOREST
    return score_baselines(
        rows["truth"].to_list(),
        rows["split"].to_list(),
        features=features,
        kind=_kind(spec),
        classes=spec.classes or None,
        target=target,
        unit=spec.unit,
        groups=rows["id"].to_list() if spec.level == "atom" else None,
        seed=seed,
        jobs=available_cores(),
        forest=forest,
    )


def _kind(target: Target) -> Kind:
    if target.is_curve:
        return "curve"
    return "classification" if target.classes else "regression"


def _audit(
    dataset: SampleDataset,
    train: NDArray[np.int64],
    judged: NDArray[np.int64],
    name: str,
    quiet: bool,
) -> list[dict[str, Any]]:
    if not dataset.is_crystal:
        return []
    names = formulas(dataset)
    lattice = np.asarray(dataset.store.array("lattice"), dtype=np.float64)
    volumes = np.abs(np.linalg.det(lattice)) / np.maximum(dataset.store.atoms, 1)

    def rows(part: NDArray[np.int64]) -> AuditRows:
        found = symmetries(dataset, part, quiet=quiet)
        return AuditRows(
            ids=[dataset.ids[row] for row in part],
            formulas=[names[row] for row in part],
            prototypes=[found[row].prototype for row in part],
            volumes=volumes[part],
        )

    return audit(rows(train), rows(judged), name=name)
