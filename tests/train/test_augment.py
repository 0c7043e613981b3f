"""A run draws anew in every epoch for training, and the same for all that is scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gnnmat.augment.measured import Measured
from gnnmat.data.dataset import open_dataset
from gnnmat.errors import GnnmatError
from gnnmat.sample import Batch
from gnnmat.train.checkpoint import load_trained
from gnnmat.train.config import RunConfig, parse_config
from gnnmat.train.predictor import load, predict_rows
from gnnmat.workflows.run_folder import Run
from gnnmat.workflows.training import train

from .tiny import assert_same_weights, records, weights
from .tiny import config as crystal_config

SHAPE = (16, 20)
EPOCHS = 2


def archive(folder: Path) -> Path:
    """Spectra whose brightest row is the target, and a detector mask beside them."""
    draw = np.random.default_rng(0)
    rows = draw.integers(2, 14, 24)
    images = draw.random((24, 1, *SHAPE)) * 0.2
    images[np.arange(24), 0, rows] += 3
    np.savez(folder / "spectra.npz", image=images.astype(np.float32), height=rows.astype(float))
    mask = np.zeros(SHAPE, dtype=bool)
    mask[:, 4] = True
    np.savez(folder / "mask.npz", mask=mask)
    return folder / "spectra.npz"


def recipe(folder: Path, **augment: Any) -> RunConfig:
    return parse_config(
        {
            "name": "spectra",
            "data": {"source": {"kind": "arrays", "path": str(archive(folder))},
                     "targets": ["height"], "workers": 0},
            "input": {"kind": "image"},
            "augment": {"kind": "ins_measurement", "mask": str(folder / "mask.npz"),
                        "noise": 0.05, **augment},
            "model": {"kind": "cnn", "widths": [4]},
            "split": {"val": 0.25, "test": 0.25},
            "trainer": {"epochs": EPOCHS, "batch_size": 6, "accelerator": "cpu", "threads": 1,
                        "logs": [], "seed": 5},
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run; the mask it was trained with is gone."""
    folder = tmp_path_factory.mktemp("spectra")
    finished = train(recipe(folder), folder / "run")
    (folder / "mask.npz").unlink()
    return finished


def test_scored_rows_are_drawn_alike_in_training_and_after_loading(run: Run) -> None:
    trained = load_trained(run.folder)
    dataset = open_dataset(trained.config.data.source.open(), trained.config.input, quiet=True)
    rows = run.predictions["id"].to_numpy().astype(np.int64)
    for size in (24, 5):
        decoded = predict_rows(
            trained.encoder, trained.task, dataset, rows,
            augment=trained.augment, draw="fixed", batch_size=size,
        )  # fmt: skip
        found = run.predictions["prediction"].to_numpy()
        np.testing.assert_allclose(decoded[:, 0].numpy(), found, rtol=1e-5)
    bare = predict_rows(trained.encoder, trained.task, dataset, rows)
    assert not np.allclose(bare[:, 0].numpy(), found, rtol=1e-4)


def test_checkpoint_carries_mask_and_noise(run: Run) -> None:
    kept = weights(run.folder)
    mask = np.unpackbits(kept["augment.mask_bits"].numpy())[: SHAPE[0] * SHAPE[1]].reshape(SHAPE)
    assert mask[:, 4].all()
    assert mask.sum() == SHAPE[0]
    torch.testing.assert_close(kept["augment.noise"], torch.tensor([[0.05]]))


def test_hall_draws_by_epoch_for_training_and_always_the_same_for_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, int, int, int]] = []
    original = Measured.forward

    def watch(self: Measured, batch: Batch, draw: Any, seed: int = 0, epoch: int = 0) -> Batch:
        calls.append((draw, seed, epoch, batch.num_graphs))
        return original(self, batch, draw, seed, epoch)

    monkeypatch.setattr(Measured, "forward", watch)
    train(recipe(tmp_path), tmp_path / "run")
    for epoch in range(EPOCHS):
        assert sum(n for draw, s, e, n in calls if (draw, s, e) == ("train", 5, epoch)) == 12
    fixed = [(seed, epoch, n) for draw, seed, epoch, n in calls if draw == "fixed"]
    assert {(seed, epoch) for seed, epoch, _ in fixed} == {(0, 0)}
    # Six validation rows in every epoch, then all 24 for the table.
    assert sum(n for _, _, n in fixed) == 6 * EPOCHS + 24
    calls.clear()
    spectra = recipe(tmp_path).data.source.open()
    load(tmp_path / "run").predict(spectra)
    assert {draw for draw, *_ in calls} == {"none"}


def test_same_config_gives_the_same_run(run: Run, tmp_path: Path) -> None:
    again = train(recipe(tmp_path), tmp_path / "run")
    assert_same_weights(run.folder, again.folder)


def test_double_precision_is_augmented_too(tmp_path: Path) -> None:
    plain = recipe(tmp_path).model_dump(mode="json")
    plain["trainer"]["precision"] = "64-true"
    assert train(parse_config(plain), tmp_path / "run").predictions["prediction"].notna().all()


def test_missing_mask_is_told_before_training(tmp_path: Path) -> None:
    chosen = recipe(tmp_path)
    (tmp_path / "mask.npz").unlink()
    with pytest.raises(GnnmatError, match=r"augment.mask: there is no file"):
        train(chosen, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_crystals_are_refused(tmp_path: Path) -> None:
    chosen = crystal_config(augment__kind="ins_measurement")
    with pytest.raises(GnnmatError, match=r"augment.kind=ins_measurement needs images"):
        train(chosen, tmp_path / "run", records=records())


def test_option_of_another_augmentation_is_told(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match=r"augment.spurious: unknown option") as caught:
        parse_config({"augment": {"kind": "robust_scale", "spurious": 1}})
    assert "augment.kind=ins_measurement" in str(caught.value)
