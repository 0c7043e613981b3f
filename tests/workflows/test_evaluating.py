"""A trained run put to labelled data it has not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_error

from gnnmat.errors import GnnmatError
from gnnmat.sources.objects import records_from_objects
from gnnmat.workflows.evaluating import evaluate_run
from gnnmat.workflows.training import train

from ..train.tiny import config, crystals, graph_cache, records, trained, volumes  # noqa: F401

NEW = crystals(8, seed=5)


def test_scores_compare_predictions_with_the_truth_given() -> None:
    run = trained()
    truth = volumes(NEW)
    truth[2] = np.nan
    found = evaluate_run(run.folder, records_from_objects(NEW, targets={"volume": truth}))
    predicted = run.load().predict(NEW)["prediction"].to_numpy()
    assert found.predictions["prediction"].to_numpy() == pytest.approx(predicted, rel=1e-5)
    known = ~np.isnan(truth)
    (row,) = [r for r in found.metrics if r["metric"] == "MAE"]
    assert row["value"] == pytest.approx(
        mean_absolute_error(truth[known], predicted[known]), rel=1e-5
    )
    assert row["n"] == 7
    assert found.predictions["truth"].to_numpy() == pytest.approx(truth, rel=1e-6, nan_ok=True)
    assert "split" not in found.predictions.columns


def test_missing_target_is_named() -> None:
    with pytest.raises(GnnmatError, match="No column 'volume'"):
        evaluate_run(trained().folder, records_from_objects(NEW, targets={"volumes": volumes(NEW)}))


def test_unreadable_structures_are_refused_beside(tmp_path: Path) -> None:
    bad = tmp_path / "bad.cif"
    bad.write_text("nothing")
    given = records_from_objects([NEW[0], bad, NEW[1]], targets={"volume": [1.0, 2.0, 3.0]})
    found = evaluate_run(trained().folder, given)
    assert [one.id for one in found.refused] == ["bad"]
    assert found.predictions["truth"].tolist() == [1.0, 3.0]


def test_classes_are_those_of_the_run(tmp_path: Path) -> None:
    sizes = np.where(volumes(crystals(30)) > 45, "large", "small")
    table = pd.DataFrame({"size": sizes})
    run = train(
        config("size", task__kind="classification"),
        tmp_path / "run",
        records=records(targets=table),
    )
    only = records_from_objects(NEW[:3], targets={"size": ["small"] * 3})
    found = evaluate_run(run.folder, only)  # a single class is enough here
    assert set(found.predictions["truth"]) == {"small"}
    right = (found.predictions["prediction"] == "small").mean()
    (row,) = [r for r in found.metrics if r["metric"] == "accuracy"]
    assert row["value"] == pytest.approx(right)
    strange = records_from_objects(NEW[:2], targets={"size": ["small", "huge"]})
    with pytest.raises(GnnmatError, match="class 'huge', which the model does not know"):
        evaluate_run(run.folder, strange)
