"""From a table to a report: curves, values an atom with gaps, classes with weights, a state."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from gnnmat.data.dataset import open_dataset
from gnnmat.errors import GnnmatError
from gnnmat.sources.objects import records_from_objects
from gnnmat.target import Axis, Curve
from gnnmat.train.committee import disagreements
from gnnmat.workflows.evaluating import evaluate_run
from gnnmat.workflows.preparation import prepare
from gnnmat.workflows.run_folder import Run, open_run
from gnnmat.workflows.training import train

from ..train import tiny
from ..train.tiny import graph_cache  # noqa: F401

GRID = np.linspace(0, 10, 6)


def bumps(count: int = 30) -> pd.DataFrame:
    """A curve a crystal whose top moves with its volume, and the axis of its points."""
    tops = tiny.volumes(tiny.crystals(count)) / 8
    shapes = np.exp(-(((GRID - tops[:, None]) / 3) ** 2))
    dos: list[Any] = [row.tolist() for row in shapes]
    dos[3] = None
    dos[4] = [math.nan, *dos[4][1:]]
    return pd.DataFrame({"dos": dos, "freq": [GRID.tolist()] * count})


@pytest.fixture(scope="module")
def curve_run(tmp_path_factory: pytest.TempPathFactory, graph_cache: None) -> Run:  # noqa: F811
    config = tiny.config("dos", data__axes="{dos: freq}", task__positive=True, trainer__epochs=3)
    folder = tmp_path_factory.mktemp("curve") / "run"
    return train(config, folder, records=tiny.records(targets=bumps()))


def test_curves_go_from_table_to_predictions(curve_run: Run) -> None:
    table = curve_run.predictions
    assert len(table) == 29  # one crystal has no curve
    assert all(isinstance(one, Curve) and len(one) == 6 for one in table["prediction"])
    assert min(min(one) for one in table["prediction"]) >= 0
    assert sum(math.isnan(point) for one in table["truth"] for point in one) == 1
    with np.load(curve_run.folder / "predictions.npz") as arrays:
        assert arrays["dos_prediction"].shape == (29, 6)
        np.testing.assert_allclose(arrays["dos_axis"], GRID)


def test_curves_are_scored_beside_the_mean_curve_and_a_forest(curve_run: Run) -> None:
    truth = curve_run.predictions.query("split == 'test'")
    errors = [
        np.nanmean(np.abs(np.subtract(*both)))
        for both in zip(truth["truth"], truth["prediction"], strict=True)
    ]
    assert curve_run.value("MAE") == pytest.approx(np.mean(errors), rel=0.02)
    names = {row["baseline"] for row in curve_run.baselines}
    assert names == {"mean curve", "composition forest"}


def test_the_report_draws_a_few_curves(curve_run: Run) -> None:
    page = curve_run.report.read_text()
    assert 'data-figure="target-0-median"' in page
    assert 'data-figure="target-0-along"' in page
    assert 'data-figure="target-0-parity"' not in page
    assert '"kind": "curves"' in page or '"kind":"curves"' in page


def test_a_loaded_run_predicts_curves_and_knows_their_axis(curve_run: Run) -> None:
    predictor = curve_run.load()
    target = predictor.trained.spec.targets["dos"]
    assert target.axis == Axis("freq", "", tuple(GRID.tolist()))
    table = predictor.predict(tiny.crystals(2))
    assert [len(one) for one in table["prediction"]] == [6, 6]


def test_new_curves_are_scored_on_the_same_axis(curve_run: Run) -> None:
    found = evaluate_run(curve_run.folder, tiny.records(targets=bumps()[["dos"]]))
    assert {row["metric"] for row in found.metrics} == {"MAE", "RMSE", "R2"}
    moved = bumps().assign(freq=[(GRID * 2).tolist()] * 30)
    with pytest.raises(GnnmatError, match="The axis of 'dos' is not the one the model has learned"):
        evaluate_run(curve_run.folder, tiny.records(targets=moved))


def site_values() -> pd.DataFrame:
    """A value a site, some missing; and the name of the compound."""
    made = tiny.crystals(30)
    values: list[list[float | None]] = [
        [float(z) + one.volume / 50 for z in one.numbers] for one in made
    ]
    values[1] = [None] * len(values[1])
    values[2] = [values[2][0], *[None] * (len(values[2]) - 1)]
    return pd.DataFrame({"energy": values, "compound": [f"k{n // 2}" for n in range(30)]})


def test_values_an_atom_go_from_table_to_report(tmp_path: Path) -> None:
    path = tiny.write_table(tmp_path / "sites.parquet", site_values())
    config = tiny.config(
        "energy",
        data__source__kind="table",
        data__source__path=str(path),
        data__source__units="{energy: eV}",
        split__kind="group",
        split__by="compound",
    )
    run = train(config, tmp_path / "run")
    table = run.predictions
    assert run.counts["unused"] == 1  # its crystal has no value at all
    first = table[table["id"] == "3"].sort_values("atom")
    assert first["truth"].notna().tolist() == [True, False]
    assert first["element"].tolist() == [tiny.SYMBOLS[z] for z in tiny.crystals(30)[2].numbers]
    names = {row["baseline"] for row in run.baselines}
    assert names == {"mean", "median", "site forest"}
    labelled = table[(table["split"] == "test") & table["truth"].notna()]
    error = (labelled["truth"] - labelled["prediction"]).abs().mean()
    assert run.value("MAE") == pytest.approx(error, rel=1e-4)
    parts = site_values().assign(id=[str(n + 1) for n in range(30)]).set_index("id")["compound"]
    split = table.drop_duplicates("id").set_index("id")["split"]
    assert split.groupby(parts.loc[split.index]).nunique().max() == 1, "a compound was split"
    assert "atoms of the element" in run.report.read_text()


def test_classes_with_weights_and_gaps_are_learned(tmp_path: Path) -> None:
    values = tiny.volumes(tiny.crystals())
    names: list[str | None] = [
        "small" if v < 25 else "middle" if v < 45 else "large" for v in values
    ]
    names[0] = None
    config = tiny.config("size", task__kind="classification", task__weights="{large: 4, small: 2}")
    run = train(config, tmp_path / "run", records=tiny.records(targets={"size": names}))
    assert run.counts["unused"] == 1
    assert {row["metric"] for row in run.metrics} >= {"accuracy", "balanced accuracy"}
    config = tiny.config("size", task__kind="classification", task__weights="{huge: 4}")
    with pytest.raises(GnnmatError, match="names the class 'huge', which no target has"):
        train(config, tmp_path / "other", records=tiny.records(targets={"size": names}))


STATE = {
    "volume": tiny.volumes(tiny.crystals()),
    "temperature": np.arange(30) * 10.0,
    "functional": ["PBE", "SCAN", "PBE"] * 10,
}


def test_a_state_travels_with_the_samples(tmp_path: Path) -> None:
    config = tiny.config(data__state="[temperature, functional]")
    prepared = prepare(config, tiny.records(targets=STATE), quiet=True)
    batch = prepared.dataset.__getitems__([4, 1])
    assert batch.state.tolist() == [[40, 1], [10, 1]]
    assert prepared.dataset[7].state.tolist() == [[70, 1]]
    spec = prepared.dataset.spec(np.arange(3))
    assert "state" in spec.fields
    assert spec.state.attributes[0].mean == pytest.approx(10)


def test_a_model_with_a_state_asks_for_it(tmp_path: Path) -> None:
    config = tiny.config(data__state="[temperature]", model="{kind: gated, width: 8, layers: 1}")
    run = train(config, tmp_path / "run", records=tiny.records(targets=STATE))
    predictor = open_run(run.folder).load()
    with pytest.raises(GnnmatError, match="trained with the state 'temperature', which was not"):
        predictor.predict(tiny.crystals(2))
    assert len(predictor.predict(tiny.crystals(2), state={"temperature": 300})) == 2
    table = records_from_objects(tiny.crystals(2), targets={"temperature": [1.0, 2.0]})
    assert len(predictor.predict(table)) == 2


def test_an_unknown_column_of_a_state_is_refused_before_graphs_are_built() -> None:
    config = tiny.config()
    with pytest.raises(GnnmatError, match="No column 'temperatur'"):
        open_dataset(tiny.records(targets=STATE), config.input, ["volume"], state=["temperatur"])


def test_members_disagree_about_a_curve_by_the_mean_over_its_points(curve_run: Run) -> None:
    task = curve_run.load().trained.task
    decoded = torch.tensor([[[0.0] * 6], [[2.0] * 6]])
    assert disagreements(task, decoded)["disagreement"].tolist() == [1.0]
