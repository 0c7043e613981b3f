"""Whole runs: every kind of target, every kind of data, through the same ``train``."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, mean_absolute_error

from gnnmat.errors import GnnmatError
from gnnmat.sources.objects import records_from_objects
from gnnmat.train.config import RunConfig, parse_config
from gnnmat.workflows import training
from gnnmat.workflows.run_folder import Run, free_folder, open_run
from gnnmat.workflows.training import train

from ..train.tiny import (  # noqa: F401
    assert_same_weights,
    config,
    crystals,
    graph_cache,
    records,
    trained,
    volumes,
)

VOLUME = volumes(crystals(30))


@pytest.fixture(scope="module")
def run() -> Run:
    return trained()


def test_every_labelled_row_is_in_one_part(run: Run) -> None:
    table = run.predictions
    assert sorted(table["id"]) == sorted(records().ids)
    assert table["split"].value_counts().to_dict() == {"train": 18, "val": 6, "test": 6}
    assert {part: run.counts[part] for part in ("train", "val", "test")} == {
        "train": 18, "val": 6, "test": 6,
    }  # fmt: skip
    lead = ["id", "formula", "split", "target", "unit", "truth", "prediction"]
    assert table.columns.tolist() == [*lead, "crystal_system"]
    assert table.set_index("id")["truth"][records().ids].to_numpy() == pytest.approx(
        VOLUME, rel=1e-6
    )


def test_scores_are_those_of_the_stored_predictions(run: Run) -> None:
    table = run.predictions.query("split == 'test'")
    expected = mean_absolute_error(table["truth"], table["prediction"])
    assert run.value("MAE") == pytest.approx(expected, rel=1e-6)
    assert run.value("MAE", split="val") != run.value("MAE")
    (row,) = [r for r in run.metrics if (r["metric"], r["split"]) == ("MAE", "test")]
    assert row["low"] <= row["value"] <= row["high"]
    assert row["n"] == 6


def test_baselines_and_audit_stand_beside(run: Run) -> None:
    names = {row["baseline"] for row in run.baselines}
    assert names == {"mean", "median", "composition forest"}
    known = run.predictions
    mean = known.query("split == 'train'")["truth"].mean()
    test = known.query("split == 'test'")["truth"]
    (row,) = [
        r
        for r in run.baselines
        if (r["metric"], r["split"], r["baseline"]) == ("MAE", "test", "mean")
    ]
    assert row["value"] == pytest.approx((test - mean).abs().mean(), rel=1e-5)
    assert run.audit


def test_names_in_the_predictions_stay_text(tmp_path: Path) -> None:
    ids = [f"{number:03d}" for number in range(30)]
    labels = [["NA", "1"][number % 2] for number in range(29)] + [None]
    given = records_from_objects(crystals(30), ids, pd.DataFrame({"kind": labels}))
    run = train(config("kind", task__kind="classification"), tmp_path / "run", records=given)
    table = run.predictions
    assert sorted(table["id"]) == ids[:29]
    assert table["truth"].tolist() == [labels[int(name)] for name in table["id"]]
    assert set(table["unit"]) == {""}
    assert set(table["prediction"]) <= {"NA", "1"}


def test_run_opens_as_it_was_returned(run: Run) -> None:
    assert open_run(run.folder) == run


def test_unknown_score_is_said(run: Run) -> None:
    with pytest.raises(GnnmatError, match="There is no MEA on the test rows"):
        run.value("MEA")


def test_damaged_scores_are_said(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"metrics": []')
    with pytest.raises(GnnmatError, match=r"metrics\.json is damaged"):
        open_run(tmp_path)


def test_missing_labels_of_several_targets_change_nothing_else(tmp_path: Path) -> None:
    sparse = np.where(np.arange(30) % 3 > 0, 3.0 * VOLUME, np.nan)
    empty = np.arange(30) == 7
    table = {"volume": np.where(empty, np.nan, VOLUME), "triple": np.where(empty, np.nan, sparse)}
    run = train(
        config(["volume", "triple"]),
        tmp_path / "run",
        records=records(targets=pd.DataFrame(table)),
    )
    predictions = run.predictions
    assert len(predictions) == 2 * 29  # the row without any label is in no part
    assert records().ids[7] not in set(predictions["id"])
    triple = predictions.query("target == 'triple'")
    assert int(triple["truth"].notna().sum()) == 19
    assert triple["prediction"].notna().all()
    for name in ("volume", "triple"):
        part = predictions.query("target == @name and split == 'test'").dropna()
        expected = mean_absolute_error(part["truth"], part["prediction"])
        assert run.value("MAE", target=name) == pytest.approx(expected, rel=1e-6)
        (row,) = [
            r
            for r in run.metrics
            if (r["metric"], r["split"], r["target"]) == ("MAE", "test", name)
        ]
        assert row["n"] == len(part)


def charges() -> list[list[float]]:
    """A value an atom: the sooner in the periodic table, the larger."""
    return [(40.0 - one.numbers).tolist() for one in crystals(30)]


def test_values_on_atoms_end_to_end(tmp_path: Path) -> None:
    table = pd.DataFrame({"charge": charges()})
    chosen = config("charge", trainer__epochs=30, optimizer__lr=0.03)
    run = train(chosen, tmp_path / "run", records=records(targets=table))
    predictions = run.predictions
    assert len(predictions) == sum(len(one) for one in charges())
    for place, name in enumerate(records().ids):
        rows = predictions[predictions["id"] == name].sort_values("atom")
        assert rows["atom"].tolist() == list(range(len(charges()[place])))
        assert rows["truth"].tolist() == pytest.approx(charges()[place])
        assert rows["split"].nunique() == 1
    # It learned which atom is which: far better than the mean.
    assert run.value("MAE", split="val") < 0.5 * predictions["truth"].std()
    loaded = run.load().predict(crystals(3))
    assert loaded["atom"].tolist() == [0, 0, 1, 0, 1]
    assert "charge" in run.report.read_text()


def test_targets_on_atoms_and_on_crystals_do_not_mix(tmp_path: Path) -> None:
    table = pd.DataFrame({"volume": VOLUME, "charge": charges()})
    with pytest.raises(GnnmatError, match="mix values a crystal with values an atom") as caught:
        train(config(["volume", "charge"]), tmp_path / "run", records=records(targets=table))
    assert caught.value.why == "volume: sample, charge: atom"


@pytest.mark.parametrize(
    "names", [["small", "large"], ["small", "middle", "large"]], ids=["binary", "multiclass"]
)
def test_classes_end_to_end(names: list[str], tmp_path: Path) -> None:
    edges = np.quantile(VOLUME, np.linspace(0, 1, len(names) + 1)[1:-1])
    labels: list[str | None] = [names[place] for place in np.digitize(VOLUME, edges)]
    labels[3] = None
    table = pd.DataFrame({"size": labels})
    chosen = config("size", task__kind="classification", trainer__epochs=20, optimizer__lr=0.03)
    run = train(chosen, tmp_path / "run", records=records(targets=table))
    predictions = run.predictions
    assert len(predictions) == 29
    chances = predictions[[f"probability_{name}" for name in sorted(names)]].to_numpy()
    assert chances.sum(axis=1) == pytest.approx(np.ones(29), rel=1e-5)
    assert predictions["prediction"].tolist() == [sorted(names)[k] for k in chances.argmax(axis=1)]
    assert predictions["probability"].to_numpy() == pytest.approx(chances.max(axis=1))
    test = predictions.query("split == 'test'")
    assert run.value("accuracy") == pytest.approx(accuracy_score(test["truth"], test["prediction"]))
    train_rows = predictions.query("split == 'train'")
    assert accuracy_score(train_rows["truth"], train_rows["prediction"]) > 0.7
    assert set(run.load().predict(crystals(5))["prediction"]) <= set(names)


def test_one_class_is_refused(tmp_path: Path) -> None:
    table = pd.DataFrame({"size": ["small"] * 30})
    with pytest.raises(GnnmatError, match="'size' holds only the class 'small', at least two"):
        train(config("size", task__kind="classification"), tmp_path / "run",
              records=records(targets=table))  # fmt: skip


def blobs(shape: tuple[int, ...], count: int = 40) -> tuple[NDArray[np.float32], Any]:
    """Images (count, 1, *shape) with one bright blob each, and the blob's width."""
    draw = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"))
    widths = draw.uniform(1.0, 3.0, count)
    images = []
    for width in widths:
        centre = draw.uniform(4, 12, len(shape)).reshape(-1, *([1] * len(shape)))
        images.append(np.exp(-((grid - centre) ** 2).sum(0) / width**2) / 2)
    noisy = np.array(images)[:, None] + draw.normal(0, 0.01, (count, 1, *shape))
    return noisy.astype(np.float32), widths


def image_recipe(path: Path, target: str, **options: Any) -> RunConfig:
    return parse_config(
        {
            "name": "blobs",
            "data": {"source": {"kind": "arrays", "path": str(path)},
                     "targets": [target], "workers": 0},
            "input": {"kind": "image"},
            "model": {"kind": "cnn", "widths": [4, 8]},
            "split": {"val": 0.2, "test": 0.2},
            "optimizer": {"lr": 0.02},
            "task": {"head": {"hidden": [8]}},
            "trainer": {"epochs": 40, "batch_size": 6, "accelerator": "cpu", "threads": 1,
                        "logs": []},
        },
        [f"{name.replace('__', '.')}={value}" for name, value in options.items()],
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(64,), (16, 16), (12, 12, 12)], ids=["1D", "2D", "3D"])
def test_images_of_any_rank_train_in_the_same_hall(shape: tuple[int, ...], tmp_path: Path) -> None:
    images, widths = blobs(shape)
    np.savez(tmp_path / "blobs.npz", image=images, width=widths)
    recipe = image_recipe(tmp_path / "blobs.npz", "width", data__source__units="{width: pixel}")
    run = train(recipe, tmp_path / "run")
    predictions = run.predictions
    assert len(predictions) == 40
    assert set(predictions["unit"]) == {"pixel"}
    spread = predictions["truth"].std()
    learned = predictions.query("split == 'train'")
    assert mean_absolute_error(learned["truth"], learned["prediction"]) < 0.6 * spread
    names = {row["baseline"] for row in run.baselines}
    assert names == {"mean", "median"}  # there is no composition
    assert run.audit == []
    page = run.report.read_text()
    assert "<html" in page
    assert "width" in page


def test_images_are_classified_in_the_same_hall(tmp_path: Path) -> None:
    images, widths = blobs((16, 16))
    np.savez(tmp_path / "blobs.npz", image=images, size=np.where(widths > 2, "wide", "narrow"))
    chosen = image_recipe(tmp_path / "blobs.npz", "size", task__kind="classification")
    run = train(chosen, tmp_path / "run")
    learned = run.predictions.query("split == 'train'")
    assert accuracy_score(learned["truth"], learned["prediction"]) > 0.8
    assert set(learned["truth"]) == {"wide", "narrow"}
    assert run.report.is_file()


def test_images_train_in_double_precision(tmp_path: Path) -> None:
    images, widths = blobs((16, 16))
    np.savez(tmp_path / "blobs.npz", image=images, width=widths)
    chosen = {"trainer__epochs": 2, "optimizer__kind": "sgd"}
    for name, precision in (("single", "32-true"), ("double", "64-true")):
        recipe = image_recipe(
            tmp_path / "blobs.npz", "width", trainer__precision=precision, **chosen
        )
        train(recipe, tmp_path / name)
    assert_same_weights(tmp_path / "single", tmp_path / "double", 1e-3)


def test_crystal_network_on_images_is_refused(tmp_path: Path) -> None:
    images, widths = blobs((16, 16))
    np.savez(tmp_path / "blobs.npz", image=images, width=widths)
    with pytest.raises(GnnmatError, match="CgcnnEncoder needs z, edge_index, edge_length") as error:
        train(image_recipe(tmp_path / "blobs.npz", "width", model__kind="cgcnn"), tmp_path / "run")
    assert "model.kind" in error.value.fix


def test_folder_with_a_run_is_refused_and_left_alone(run: Run) -> None:
    before = (run.folder / "metrics.json").read_bytes()
    with pytest.raises(GnnmatError, match="already holds a run") as caught:
        train(config(), run.folder, records=records())
    assert caught.value.fix == "Choose another --output, --resume it, or --overwrite it."
    assert (run.folder / "metrics.json").read_bytes() == before


def test_overwriting_removes_the_run_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(config(trainer__epochs=3), folder, records=records())
    (folder / "notes.txt").write_text("mine")
    train(config(trainer__epochs=1), folder, records=records(), overwrite=True)
    assert (folder / "notes.txt").read_text() == "mine"
    assert pd.read_csv(folder / "history.csv")["epoch"].tolist() == [1]


def test_refused_structures_are_listed(tmp_path: Path) -> None:
    from gnnmat.sources.files import FilesSource

    from ..train.tiny import write_cifs

    folder = write_cifs(tmp_path / "cifs", 24)
    (folder / "broken.cif").write_text("data_broken\n_cell_length_a 3\n")
    table = pd.DataFrame({"id": [f"c{n:02d}" for n in range(24)] + ["broken"]})
    table["volume"] = [*VOLUME[:24], 1.0]
    table.to_csv(tmp_path / "values.csv", index=False)
    source = FilesSource(structures=str(folder), targets=str(tmp_path / "values.csv"))
    run = train(config(), tmp_path / "run", records=source.open())
    assert run.counts["refused"] == 1
    refused = pd.read_csv(run.folder / "refused.csv")
    assert refused.columns.tolist() == ["id", "origin", "reason"]
    assert refused["id"].tolist() == ["broken"]
    assert "broken.cif" in refused["origin"][0]


def test_no_test_rows_are_judged_on_validation(tmp_path: Path) -> None:
    run = train(config(split__test=0.0), tmp_path / "run", records=records())
    assert {row["split"] for row in run.metrics} == {"val"}


def test_processes_of_a_distributed_run_share_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert free_folder("gap") == Path("runs/gap")
    for name in ("gap", "gap-2"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.yaml").write_text("")
    assert free_folder("gap") == Path("runs/gap-3")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert free_folder("gap") == Path("runs/gap-2")  # which the first process has just begun


def test_second_process_of_a_distributed_run_leaves_quietly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(training, "fit", lambda *_, **__: SimpleNamespace(is_global_zero=False))
    with pytest.raises(SystemExit) as left:
        train(config(), folder, records=records())
    assert left.value.code == 0
    assert list(folder.iterdir()) == []  # the first process writes


def test_scores_file_holds_plain_json(run: Run) -> None:
    plain = json.loads((run.folder / "metrics.json").read_text(), parse_constant=lambda name: 1 / 0)
    assert set(plain) == {"metrics", "baselines", "audit", "counts"}
