"""An autoencoder is trained without labels, and then cleans the images of another run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gnnmat.data.dataset import open_dataset
from gnnmat.errors import GnnmatError
from gnnmat.train.checkpoint import load_trained
from gnnmat.train.front import Cleaned
from gnnmat.workflows.evaluating import evaluate_run
from gnnmat.workflows.run_folder import Run
from gnnmat.workflows.training import train

from .bumps import SHAPE, recipe
from .tiny import weights

VAE: dict[str, Any] = {"kind": "reconstruction", "latents": 3, "channels": [4, 3]}
CLASSES: dict[str, Any] = {"kind": "classification", "head": {"hidden": []}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bumps")


@pytest.fixture(scope="module")
def vae(folder: Path) -> Run:
    """A finished run that learned to reconstruct."""
    return train(recipe(folder, "", VAE), folder / "vae")


@pytest.fixture(scope="module")
def behind(folder: Path, vae: Run) -> Run:
    """A classifier behind a copy of it, which is gone by now."""
    shutil.copytree(vae.folder, folder / "gone")
    config = recipe(folder, "half", CLASSES, before=str(folder / "gone"))
    finished = train(config, folder / "behind")
    shutil.rmtree(folder / "gone")
    return finished


def test_a_run_without_targets_has_errors_for_predictions_and_metrics(vae: Run) -> None:
    table = vae.predictions
    assert set(table["target"]) == {"reconstruction_error"}
    assert len(table) == 24
    assert (table["prediction"] > 0).all()
    assert (table["truth"] == 0).all()
    test = table[table["split"] == "test"]
    found = {(row["split"], row["metric"]): row["value"] for row in vae.metrics}
    assert found["test", "MAE"] == pytest.approx(test["prediction"].mean())
    assert vae.baselines == []


def test_a_run_without_targets_is_scored_on_other_samples(folder: Path, vae: Run) -> None:
    records = load_trained(vae.folder).config.data.source.open()
    found = evaluate_run(vae.folder, records)
    assert len(found.predictions) == 24
    assert {row["metric"] for row in found.metrics} >= {"MAE"}


def test_a_run_without_targets_predicts(folder: Path, vae: Run) -> None:
    records = load_trained(vae.folder).config.data.source.open()
    table = vae.load().predict(records)
    expected = vae.predictions.set_index("id")["prediction"]
    found = table.set_index("id")["prediction"]
    np.testing.assert_allclose(found[expected.index].to_numpy(), expected.to_numpy(), rtol=1e-4)


def test_the_cleaning_weights_travel_and_do_not_learn(vae: Run, behind: Run) -> None:
    first, second = weights(vae.folder), weights(behind.folder)
    assert any(name.startswith("encoder.before.") for name in second)
    for name, tensor in first.items():
        place = name.replace("encoder.", "encoder.before.", 1) if name.startswith(
            "encoder."
        ) else name.replace("task.", "encoder.cleaner.", 1)  # fmt: skip
        if not name.startswith("augment."):
            assert torch.equal(second[place], tensor), name


def test_a_run_behind_another_is_loaded_without_its_folder(behind: Run) -> None:
    trained = load_trained(behind.folder)
    assert isinstance(trained.encoder, Cleaned)
    assert trained.encoder.map_shape == trained.encoder.encoder.map_shape
    records = trained.config.data.source.open()
    table = behind.load().predict(records).set_index("id")
    expected = behind.predictions.set_index("id")["probability"]
    np.testing.assert_allclose(table.loc[expected.index, "probability"], expected, rtol=1e-4)


def test_the_encoder_sees_the_cleaned_image_without_gaps(vae: Run, behind: Run) -> None:
    cleaner, trained = load_trained(vae.folder), load_trained(behind.folder)
    assert isinstance(trained.encoder, Cleaned)
    trained.encoder.train()
    records = cleaner.config.data.source.open()
    dataset = open_dataset(records, cleaner.config.input, quiet=True)
    batch = dataset.store.batch(np.arange(3))
    batch.mask = torch.rand(3, 1, *SHAPE) < 0.2
    image, mask = batch.image.clone(), batch.mask.clone()
    with torch.no_grad():
        found = trained.encoder.clean(batch)
        expected = cleaner.task.clean(cleaner.task(cleaner.encoder(batch), batch))
    torch.testing.assert_close(found.image, expected)
    assert not found.mask.any()
    assert torch.equal(batch.image, image)
    assert torch.equal(batch.mask, mask)


def test_slopes_reach_the_image_before_it_is_cleaned(behind: Run) -> None:
    trained = load_trained(behind.folder)
    dataset = open_dataset(trained.config.data.source.open(), trained.config.input, quiet=True)
    batch = dataset.store.batch(np.arange(2))
    x = trained.encoder.inputs(batch).requires_grad_()
    (slope,) = torch.autograd.grad(trained.encoder(batch).pooled.sum(), x)
    assert bool((slope != 0).any())


def test_a_run_that_does_not_clean_is_refused(folder: Path, vae: Run, behind: Run) -> None:
    # A classifier of the same images cannot stand in front.
    plain = train(recipe(folder, "half", CLASSES, trainer__epochs=1), folder / "plain")
    with pytest.raises(GnnmatError) as caught:
        train(recipe(folder, "half", CLASSES, before=str(plain.folder)), folder / "x")
    assert "does not clean images" in caught.value.what
    assert "task is 'classification'" in caught.value.why
    assert "task.kind=reconstruction" in caught.value.fix
    twice = recipe(folder, "", VAE, before=str(vae.folder), trainer__epochs=1)
    second = train(twice, folder / "twice")
    with pytest.raises(GnnmatError, match="stands behind another one itself"):
        train(recipe(folder, "half", CLASSES, before=str(second.folder)), folder / "x")


def test_a_run_on_other_images_is_refused(folder: Path, vae: Run, tmp_path: Path) -> None:
    np.savez(
        tmp_path / "bumps.npz",
        image=np.random.default_rng(0).random((24, 1, 12, 40)).astype(np.float32),
        half=np.array(["upper", "lower"] * 12),
    )
    with pytest.raises(GnnmatError) as caught:
        train(recipe(tmp_path, "half", CLASSES, before=str(vae.folder)), tmp_path / "x")
    assert "was trained on other images" in caught.value.what
    assert "(1, 12, 36), here: (1, 12, 40)" in caught.value.why


def test_a_folder_that_is_no_run_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="is not a finished run"):
        train(recipe(folder, "half", CLASSES, before=str(tmp_path / "none")), tmp_path / "x")
