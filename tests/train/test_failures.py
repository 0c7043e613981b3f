"""What goes wrong on a machine while training: said in words, and the last good epoch intact."""

from __future__ import annotations

import errno
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from gnnmat.data import cache
from gnnmat.errors import GnnmatError
from gnnmat.models.cgcnn import CgcnnEncoder
from gnnmat.sources.records import Records
from gnnmat.train import checkpointing
from gnnmat.train.config import RunConfig
from gnnmat.train.hall import Hall
from gnnmat.workflows import run_report
from gnnmat.workflows.training import resume_training, train

from .tiny import assert_same_weights, config, graph_cache, records  # noqa: F401

FULL = OSError(errno.ENOSPC, "No space left on device")


def epochs(folder: Path) -> list[int]:
    return pd.read_csv(folder / "history.csv")["epoch"].tolist()


def last_epoch(folder: Path) -> int:
    """Epochs in the last checkpoint, which must be readable."""
    state = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return int(state["epoch"]) + 1


def in_epoch(number: int, error: BaseException, patch: pytest.MonkeyPatch) -> None:
    """Let the second step of an epoch fail."""
    original = CgcnnEncoder.local

    def local(self: CgcnnEncoder, batch: Any) -> Any:
        out = original(self, batch)
        if self.training:
            steps["taken"] += 1
            if steps["taken"] == 3 * (number - 1) + 2:  # 18 rows in batches of 6
                raise error
        return out

    steps = {"taken": 0}
    patch.setattr(CgcnnEncoder, "local", local)


def test_disk_full_at_a_checkpoint_leaves_the_epoch_before(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    original = checkpointing.write_atomically

    def write(path: Path, content: bytes) -> Path:
        if path.is_file():  # the second epoch's
            raise FULL
        return original(path, content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpointing, "write_atomically", write)
        with pytest.raises(GnnmatError) as caught:
            train(config(trainer__epochs=3, optimizer__schedule="constant"), folder,
                  records=records())  # fmt: skip
    assert caught.value.what == f"The disk is full: {folder} could not be written."
    assert caught.value.why == "The checkpoint of the last finished epoch is intact."
    assert caught.value.fix == f"Free some space, then: gnnmat train --resume {folder}"
    assert last_epoch(folder) == 1
    resume_training(folder, records=records())
    train(config(trainer__epochs=3, optimizer__schedule="constant"), tmp_path / "whole",
          records=records())  # fmt: skip
    assert_same_weights(tmp_path / "whole", folder)
    assert epochs(folder) == [1, 2, 3]


def test_checkpoint_cut_short_never_takes_the_place_of_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoints" / "last.ckpt"
    writer = checkpointing.AtomicCheckpoints()
    writer.save_checkpoint({"epoch": torch.tensor(1)}, path)

    def replace(*_: object) -> None:
        raise FULL

    monkeypatch.setattr("gnnmat.atomic.os.replace", replace)
    with pytest.raises(OSError, match="No space"):
        writer.save_checkpoint({"epoch": torch.tensor(2)}, path)
    assert torch.load(path, weights_only=True)["epoch"] == 1
    assert [one.name for one in path.parent.iterdir()] == ["last.ckpt"]


def test_disk_full_after_training_says_how_to_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def full(*_: object) -> Path:
        raise FULL

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_report, "write_atomically", full)
        with pytest.raises(GnnmatError, match="The disk is full"):
            train(config(), folder, records=records())
    run = resume_training(folder, records=records())
    assert run.value("MAE") > 0


def test_disk_full_while_graphs_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))

    def full(*_: object) -> None:
        raise FULL

    monkeypatch.setattr(cache, "_write", full)
    with pytest.raises(GnnmatError, match="disk is full: graphs could not be written") as caught:
        train(config(), tmp_path / "run", records=records())
    assert "GNNMAT_CACHE" in caught.value.fix


def test_run_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("here first")
    with pytest.raises(GnnmatError, match=r"The run folder .*file/run cannot be written") as caught:
        train(config(), file / "run", records=records())
    assert "--output" in caught.value.fix
    assert file.read_text() == "here first"


def test_cache_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("GNNMAT_CACHE", str(file))
    with pytest.raises(GnnmatError, match="Graphs cannot be written to"):
        train(config(), tmp_path / "run", records=records())


def test_loss_that_is_no_number_names_epoch_and_fix(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    chosen = config(optimizer__kind="sgd", optimizer__lr=1e30, optimizer__schedule="constant")
    with pytest.raises(GnnmatError, match=r"The loss became (nan|inf) in epoch 1\.") as caught:
        train(chosen, folder, records=records())
    assert "Lower optimizer.lr, or set trainer.clip=1.0" in caught.value.fix
    assert not (folder / "checkpoints" / "last.ckpt").exists()


@pytest.mark.parametrize("at_the_end", [False, True])
def test_loss_that_is_no_number_leaves_the_epoch_before(
    at_the_end: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where only the last step ruins the weights, and validation is the first to see it."""
    folder = tmp_path / "run"
    original = Hall.on_train_batch_end
    taken = {"steps": 0}

    def ruin(self: Hall, *given: Any) -> None:
        original(self, *given)
        taken["steps"] += 1
        if taken["steps"] == (6 if at_the_end else 4):  # epochs of three steps
            with torch.no_grad():
                for parameter in self.parameters():
                    parameter.fill_(torch.nan)

    monkeypatch.setattr(Hall, "on_train_batch_end", ruin)
    with pytest.raises(GnnmatError, match=r"The loss became nan in epoch 2\."):
        train(config(trainer__epochs=4), folder, records=records())
    assert taken["steps"] == (6 if at_the_end else 4)  # not a step more
    assert last_epoch(folder) == 1
    state = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(value.isfinite().all() for value in state.values())
    assert epochs(folder) == [1]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
    ids=["gpu", "cpu", "python"],
)
def test_memory_that_ran_out_is_said(error: BaseException, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        in_epoch(2, error, patch)
        with pytest.raises(GnnmatError, match="Memory ran out during training") as caught:
            train(config(), folder, records=records())
    assert "trainer.batch_size" in caught.value.fix
    assert last_epoch(folder) == 1


def test_other_errors_keep_their_traceback(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        in_epoch(1, RuntimeError("a mistake of ours"), patch)
        with pytest.raises(RuntimeError, match="a mistake of ours"):
            train(config(), tmp_path / "run", records=records())


def test_interrupted_run_says_how_to_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        in_epoch(2, KeyboardInterrupt(), patch)
        with pytest.raises(KeyboardInterrupt, match=f"Go on with: gnnmat train --resume {folder}"):
            train(config(), folder, records=records())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resume_training(folder, records=records())
    train(config(), tmp_path / "whole", records=records())
    assert_same_weights(tmp_path / "whole", folder)


def test_devices_that_are_not_there_are_said(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("GPU absent is what this test is about")
    chosen = config(trainer__accelerator="gpu")
    with pytest.raises(GnnmatError, match="Training cannot be set up this way") as caught:
        train(chosen, tmp_path / "run", records=records())
    assert "trainer.accelerator" in caught.value.fix


def test_missing_logger_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(GnnmatError, match="asks for wandb, which is not installed") as caught:
        train(config(trainer__logs="[wandb]"), tmp_path / "run", records=records())
    assert caught.value.fix == "pip install 'gnnmat[wandb]'"


def test_target_without_spread_is_said(tmp_path: Path) -> None:
    constant = records(30, targets={"volume": np.ones(30)})
    with pytest.raises(GnnmatError, match="'volume' is 1 in every training row"):
        train(config(), tmp_path / "run", records=constant)


def of_one_atom(kind: str) -> tuple[RunConfig, Records]:
    """Batches of a single crystal with a single atom."""
    model = "{kind: KIND, width: 8, layers: 1, gaussians: 9}".replace("KIND", kind)
    elements = records(25)  # every third is an element with one atom
    single = elements.take(list(range(0, 25, 3)))
    return config(model=model, trainer__batch_size=1), single


def test_a_batch_of_one_atom_is_refused_by_cgcnn_alone(tmp_path: Path) -> None:
    chosen, single = of_one_atom("cgcnn")
    with pytest.raises(GnnmatError, match="batch holds a single atom") as caught:
        train(chosen, tmp_path / "run", records=single)
    assert "model.form=paper" in caught.value.fix
    assert "Give more crystals, or raise trainer.batch_size." in caught.value.fix
    chosen, single = of_one_atom("gated")
    assert np.isfinite(train(chosen, tmp_path / "gated", records=single).value("MAE"))
