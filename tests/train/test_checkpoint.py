"""A run as a folder: what lies in it, how it is read, and what is said when it is damaged."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import gnnmat
from gnnmat.errors import GnnmatError
from gnnmat.train.checkpoint import load_trained
from gnnmat.workflows.run_folder import Run
from gnnmat.workflows.training import train

from .slow_run import CountingEncoder
from .tiny import config, crystals, graph_cache, records, trained  # noqa: F401

GOLDEN = Path(__file__).with_name("golden_run")


@pytest.fixture(scope="module")
def run() -> Run:
    return trained()


@pytest.fixture
def copy(run: Run, tmp_path: Path) -> Path:
    """A run folder to damage."""
    shutil.copytree(run.folder, tmp_path / "copy")
    return tmp_path / "copy"


def test_folder_holds_what_is_promised(run: Run) -> None:
    names = {path.name for path in run.folder.iterdir()}
    assert names == {
        "config.yaml", "weights.safetensors", "state.safetensors", "spec.json", "metrics.json",
        "predictions.csv", "refused.csv", "history.csv", "environment.json", "report.html",
        "checkpoints",
    }  # fmt: skip


def test_weights_are_parameters_and_state_is_the_rest(run: Run) -> None:
    trained = load_trained(run.folder)
    parameters = {
        f"{prefix}.{name}": value
        for prefix, module in (("encoder", trained.encoder), ("task", trained.task))
        for name, value in module.named_parameters()
    }
    stored = load_file(run.folder / "weights.safetensors")
    assert stored.keys() == parameters.keys()
    for name, value in stored.items():
        assert torch.equal(value, parameters[name])
    state = load_file(run.folder / "state.safetensors")
    assert {"task.shift", "task.factor"} <= state.keys()
    assert not state.keys() & stored.keys()
    assert not trained.encoder.training
    assert not trained.task.training


def test_environment_says_what_a_result_depends_on(run: Run) -> None:
    environment = json.loads((run.folder / "environment.json").read_text())
    assert environment["packages"]["torch"] == torch.__version__
    assert environment["packages"]["gnnmat"] == gnnmat.__version__
    assert environment["fingerprints"]["structures"] == records().fingerprint
    assert len(environment["fingerprints"]["targets"]) == 64
    assert str(Path.home()) not in json.dumps(environment)


def test_config_of_the_folder_reads_back(run: Run) -> None:
    plain = yaml.safe_load((run.folder / "config.yaml").read_text())
    assert plain["trainer"]["ema"] == 0.5
    assert load_trained(run.folder).config == config(trainer__epochs=3, trainer__ema=0.5)


def test_predictions_are_those_of_the_loaded_run(run: Run) -> None:
    table = run.load().predict(records()).set_index("id")
    stored = run.predictions.set_index("id")
    assert table["prediction"][stored.index].to_numpy() == pytest.approx(
        stored["prediction"].to_numpy(), rel=1e-5
    )


@pytest.fixture
def no_pickle(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("something was unpickled")

    with monkeypatch.context() as patch:
        for name in ("load", "loads", "Unpickler"):
            patch.setattr(pickle, name, refuse)
            patch.setattr(f"torch.serialization.pickle.{name}", refuse)
        patch.setattr(torch, "load", refuse)
        yield


@pytest.mark.usefixtures("no_pickle")
def test_loading_and_predicting_never_unpickles(run: Run) -> None:
    assert len(gnnmat.load(run.folder).predict(crystals(3))) == 3


def test_training_reads_checkpoints_as_weights_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    original = torch.load

    def watch(*given: Any, **named: Any) -> Any:
        calls.append(named.get("weights_only"))
        return original(*given, **named)

    monkeypatch.setattr(torch, "load", watch)
    train(config(), tmp_path / "run", records=records())
    (tmp_path / "run" / "metrics.json").unlink()
    gnnmat.resume(
        tmp_path / "run", structures=crystals(30), targets={"volume": records().table["volume"]}
    )
    assert len(calls) >= 3  # the best epoch twice, the last one to go on from
    assert set(calls) == {True}


def test_moved_run_still_predicts(run: Run, copy: Path) -> None:
    moved = copy.rename(copy.with_name("elsewhere"))
    shutil.rmtree(moved / "checkpoints")
    for name in ("history.csv", "metrics.json", "predictions.csv", "report.html"):
        (moved / name).unlink()
    first, second = (gnnmat.load(one).predict(crystals(3)) for one in (run.folder, moved))
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize("name", ["spec.json", "weights.safetensors", "state.safetensors"])
def test_unfinished_run_says_what_is_missing(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(GnnmatError, match=f"not a finished run: {name} is missing") as caught:
        gnnmat.load(copy)
    assert f"gnnmat train --resume {copy}" in caught.value.fix


def test_folder_that_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="not a finished run") as caught:
        gnnmat.load(tmp_path / "nothing")
    assert caught.value.fix == "Give the folder that gnnmat train wrote."


@pytest.mark.parametrize("name", ["weights.safetensors", "state.safetensors"])
@pytest.mark.parametrize("damage", ["cut", "empty", "text", "pickle"])
def test_damaged_tensors_are_said(copy: Path, name: str, damage: str) -> None:
    content = {
        "cut": (copy / name).read_bytes()[:-5],
        "empty": b"",
        "text": b"hello world, hello world",
        "pickle": pickle.dumps({"a": 1}),
    }[damage]
    (copy / name).write_bytes(content)
    with pytest.raises(GnnmatError, match=f"{name} is damaged"):
        gnnmat.load(copy)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"model": ""}', '{"model": "", "targets": 3}', "\udcff"]
)
def test_damaged_spec_is_said(copy: Path, content: str) -> None:
    (copy / "spec.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(GnnmatError, match=r"spec\.json is damaged"):
        gnnmat.load(copy)


@pytest.mark.parametrize("content", ["a: [", "- a\n- b\n", "just text", "", "\udcff\udcfe"])
def test_damaged_config_is_said(copy: Path, content: str) -> None:
    (copy / "config.yaml").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(GnnmatError, match=r"config\.yaml is damaged"):
        gnnmat.load(copy)


def test_config_with_a_wrong_option_names_it(copy: Path) -> None:
    plain = yaml.safe_load((copy / "config.yaml").read_text())
    plain["model"]["widht"] = plain["model"].pop("width")
    (copy / "config.yaml").write_text(yaml.safe_dump(plain))
    with pytest.raises(GnnmatError, match=r"model\.widht: unknown option"):
        gnnmat.load(copy)


def test_weights_of_another_width_do_not_fit(copy: Path) -> None:
    plain = yaml.safe_load((copy / "config.yaml").read_text())
    plain["model"]["width"] = 16
    (copy / "config.yaml").write_text(yaml.safe_dump(plain))
    with pytest.raises(GnnmatError, match="do not fit the model in its config.yaml") as caught:
        gnnmat.load(copy)
    assert "size mismatch" in caught.value.why


def test_missing_weight_does_not_fit(copy: Path) -> None:
    stored = load_file(copy / "weights.safetensors")
    stored.pop("task.head.layers.1.weight")
    save_file(stored, copy / "weights.safetensors")
    with pytest.raises(GnnmatError, match="do not fit the model") as caught:
        gnnmat.load(copy)
    assert "task.head.layers.1.weight" in caught.value.why or "layers.1.weight" in caught.value.why


def test_own_encoder_is_asked_for_and_fits(tmp_path: Path) -> None:
    volume = records().table["volume"]
    run = gnnmat.fit(
        config(),
        structures=crystals(30),
        targets={"volume": volume},
        model=CountingEncoder(tmp_path / "marks"),
        output=tmp_path / "own",
    )
    with pytest.raises(GnnmatError, match="an encoder of your own, CountingEncoder") as caught:
        gnnmat.load(run.folder)
    assert "model=CountingEncoder(...)" in caught.value.fix
    loaded = gnnmat.load(run.folder, model=CountingEncoder(tmp_path / "marks"))
    table = loaded.predict(crystals(30))
    assert table["prediction"].to_numpy() == pytest.approx(
        run.predictions["prediction"].to_numpy(), rel=1e-5
    )


def test_stored_run_predicts_what_it_predicted_when_it_was_stored() -> None:
    """Values that change here change for everyone who has a trained run.

    To renew, on purpose only: ``python -m tests.train.renew_golden`` in the checkout.
    """
    expected = json.loads((GOLDEN / "expected.json").read_text())
    table = gnnmat.load(GOLDEN).predict(crystals(3, seed=42))
    assert table["formula"].tolist() == expected["formula"]
    assert table["unit"].tolist() == expected["unit"]
    np.testing.assert_allclose(table["prediction"], expected["prediction"], rtol=1e-5)
