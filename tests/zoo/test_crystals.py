"""Crystal models by name: predicting, explaining, beginning with them, and what their card says."""

from __future__ import annotations

import importlib
import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import torch
import yaml
from click.testing import Result
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

import gnnmat
from gnnmat import zoo
from gnnmat.errors import GnnmatError
from gnnmat.workflows.card_facts import commands, elements_of, run_scores, split_words
from gnnmat.workflows.run_folder import open_run
from gnnmat.workflows.shipping import (
    GOLDEN_TABLE,
    LARGEST,
    golden_table,
    half_precision_error,
    ship,
)
from gnnmat.zoo.card import manifest, read_card

from ..train.tiny import crystals, graph_cache, write_cifs  # noqa: F401
from .tiny_model import CRYSTALS, GOLDEN, NAME, tiny_card, tiny_run, tiny_shelf

SALT = CRYSTALS / "NaCl.cif"
Invoke = Callable[..., Result]


@pytest.fixture
def stocked(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(zoo, "ROOT", tiny_shelf())
    return tiny_shelf() / NAME


@pytest.fixture
def invoke(stocked: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    monkeypatch.setenv("COLUMNS", "200")
    app = importlib.import_module("gnnmat.cli").app

    def run(*words: object) -> Result:
        done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done

    return run


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "ship_crystals.py"
    found = importlib.util.spec_from_file_location("ship_crystals", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    # Dataclasses look their module up.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(importlib.import_module("sys").modules, "ship_crystals", module)
        found.loader.exec_module(module)
    return module


def test_model_predicts_by_name_with_interval_and_domain(stocked: Path) -> None:
    table = gnnmat.load(NAME).predict(crystals(6, seed=9))
    assert {"prediction", "interval_low", "interval_high", "in_domain", "verdict"} <= set(table)
    assert (table["interval_low"] < table["prediction"]).all()


def test_commands_take_the_name(invoke: Invoke, tmp_path: Path) -> None:
    assert f"{NAME}  volume an atom" in invoke("models").output
    assert "**Elements seen, 8:** Li F Na" in invoke("models", NAME).output
    assert "NaCl" in invoke("predict", NAME, SALT).output
    page = tmp_path / "page.html"
    assert "NaCl" in invoke("explain", NAME, SALT, "-o", page).output
    assert page.is_file()


def test_training_begins_with_the_name(invoke: Invoke, tmp_path: Path) -> None:
    folder = write_cifs(tmp_path / "cifs", 12)
    values = {"id": [f"c{n:02d}" for n in range(12)], "mass": range(12)}
    pd.DataFrame(values).to_csv(tmp_path / "values.csv", index=False)
    words = ("--structures", folder, "--targets", tmp_path / "values.csv", "--target", "mass")
    few = ("--epochs", 1, "--set", "trainer.logs=[]", "-q", "-o", tmp_path / "run")
    invoke("train", *words, "--from", NAME, *few)
    told = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert told["start"]["run"] == NAME
    # Half precision is how weights are stored, not how they are learned.
    weights = load_file(tmp_path / "run" / "weights.safetensors").values()
    assert {one.dtype for one in weights} == {torch.float32}


def test_card_repeats_the_scores_of_the_run_beside_its_baselines(stocked: Path) -> None:
    run = open_run(tiny_run())
    found = {one.metric: one for one in read_card(stocked).scores}
    mae = found["volume, MAE"]
    assert mae.value == run.value("MAE")
    assert mae.on == "12 test rows"
    (mean,) = [
        row["value"]
        for row in run.baselines
        if (row["baseline"], row["split"], row["metric"]) == ("mean", "test", "MAE")
    ]
    assert mae.baselines["mean"] == mean
    assert "composition forest" in mae.baselines
    assert found["volume, 50% intervals: share inside"].on == "12 test rows"
    text = (stocked / "card.md").read_text()
    assert "| score | value | mean | median | composition forest | on |" in text
    assert f"{mae.value:.4g} ({mae.low:.3g} to {mae.high:.3g})" in text


def test_scores_of_validation_rows_say_so(tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run(), tmp_path / "run")
    plain = json.loads((run / "metrics.json").read_text())
    plain["metrics"] = [row for row in plain["metrics"] if row["split"] == "val"]
    (run / "metrics.json").write_text(json.dumps(plain))
    assert run_scores(run)[0].on == "24 val rows, which also chose the epoch"


def test_card_tells_elements_split_and_what_makes_it_again(stocked: Path) -> None:
    card = read_card(stocked)
    assert (
        card.elements == elements_of(tiny_run()) == ("Li", "F", "Na", "Mg", "Cl", "K", "Cu", "Br")
    )
    assert card.split == split_words(tiny_run())
    assert card.split.startswith("random: 24 train, 24 val, 12 test rows. ")
    train, trust = card.made_by
    assert train.startswith("gnnmat train known_crystals ")
    for part in ("--set=model.kind=gated", "--set=input.fold=true", "--members 2"):
        assert part in train
    assert trust == "gnnmat trust runs/known_crystals --false-refusal 0.3 --coverage 0.5"


def test_named_files_lose_the_place_they_had(tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run(), tmp_path / "run")
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["data"]["source"] = {
        "kind": "table",
        "path": "/a/b/set.parquet",
        "labels": "$GNNMAT_DATA/x.parquet",
        "ids": "/a/b/ids.csv",
    }
    config["start"] = {"run": "/a/b/energy"}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    folder = ship(run, tmp_path / "model", tiny_card(run))
    shipped = yaml.safe_load((folder / "config.yaml").read_text())
    source = shipped["data"]["source"]
    assert (source["path"], source["ids"]) == ("set.parquet", "ids.csv")
    assert source["labels"] == "$GNNMAT_DATA/x.parquet"
    assert shipped["start"]["run"] == "energy"
    (train, _) = commands(run, "known_crystals")
    assert "--from energy" in train
    assert "/a/b" not in train


def test_half_precision_hardly_moves_predictions(stocked: Path) -> None:
    moved = half_precision_error(tiny_run(), stocked, crystals(20, seed=5))
    assert 0 < moved["volume"] < 1e-3


def test_weights_that_half_precision_cannot_hold_stay_whole(tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run(), tmp_path / "run")
    path = run / "members" / "0" / "weights.safetensors"
    weights = load_file(path)
    name = next(iter(weights))
    weights[name] = weights[name] + 1e6
    save_file(weights, path)
    folder = ship(run, tmp_path / "model", tiny_card(run))
    found = load_file(folder / "members" / "0" / "weights.safetensors")
    assert found[name].dtype == torch.float32
    assert {one.dtype for key, one in found.items() if key != name} == {torch.float16}


def test_golden_crystals_must_be_readable(stocked: Path) -> None:
    with pytest.raises(GnnmatError, match=r"alloy.cif cannot be predicted"):
        golden_table(stocked, [SALT, CRYSTALS / "alloy.cif"])
    table = pd.read_csv(stocked / GOLDEN_TABLE)
    assert table["id"].tolist() == [path.name for path in GOLDEN]
    assert {"interval_low", "interval_high"} <= set(table)


def test_files_of_a_card_are_all_files_but_tables(stocked: Path) -> None:
    card = read_card(stocked)
    assert card.files == manifest(stocked)
    assert GOLDEN_TABLE not in card.files
    assert card.files["trust.safetensors"].bytes == (stocked / "trust.safetensors").stat().st_size


def test_script_ships_every_named_model_from_a_run(script: ModuleType, tmp_path: Path) -> None:
    trained = {"mp-formation-energy", "mp-band-gap", "elastic-moduli"}
    diffraction = {"diffraction-prototype", "powder-crystal-system"}
    assert set(script.MODELS) == trained | diffraction | {"synthesizability"}
    assert all(len(words.title) <= 58 for words in script.MODELS.values())  # a line of the list
    for name in trained:
        card = script.make_card(name, tiny_run())
        assert card.scores == run_scores(tiny_run())
        assert "8 listed above" in card.limits[0]
    folder = shutil.copytree(tiny_shelf() / NAME, tmp_path / "elastic-moduli")  # an earlier one
    moved = script.ship_model("elastic-moduli", tiny_run(), folder)
    assert moved["volume"] < 1e-3
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < LARGEST
    assert len(pd.read_csv(folder / GOLDEN_TABLE)["id"].str.split("#").str[0].unique()) == 5
    script.refresh("elastic-moduli", folder)
    assert read_card(folder) == script.make_card("elastic-moduli", tiny_run()).model_copy(
        update={"files": manifest(folder)}
    )


def test_script_refuses_a_run_of_another_target(script: ModuleType) -> None:
    with pytest.raises(GnnmatError, match="learned volume, not band_gap"):
        script.check_targets("mp-band-gap", tiny_run())


def test_script_leaves_what_is_there_if_half_precision_is_not_enough(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(tiny_shelf() / NAME, tmp_path / "mp-band-gap")
    monkeypatch.setattr(script, "half_precision_error", lambda *_: {"volume": 0.1})
    with pytest.raises(GnnmatError, match=r"Half precision moves predictions .* by 1.0e-01"):
        script.ship_model("mp-band-gap", tiny_run(), folder)
    assert read_card(folder).title == "volume an atom"
