"""Shipped models: found by name, small, carded, and still saying what they said."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from gnnmat import zoo
from gnnmat.errors import GnnmatError
from gnnmat.train.judge import load_judge
from gnnmat.train.trust import has_trust
from gnnmat.workflows.shipping import (
    GOLDEN,
    GOLDEN_TABLE,
    LARGEST,
    golden_scores,
    golden_table,
    ship,
)
from gnnmat.workflows.trust import fit_trust
from gnnmat.zoo import find_model, list_models, model_card
from gnnmat.zoo.card import ModelCard, Score, manifest, read_card, write_card

from ..train.tiny import graph_cache  # noqa: F401
from ..workflows.pictures import bare_records, picture_records, pictures, small_ensemble
from .tiny_model import CRYSTALS, NAME, tiny_shelf

CARD = ModelCard(
    title="Left or right",
    input="images of 12 x 12 pixels",
    output="the side of the band",
    classes=("left", "right"),
    training_data="100 made-up images",
    scores=(Score(metric="accuracy", value=1.0, on="40 test images"),),
    limits=("Images of anything else.",),
)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo with one model."""
    place = tmp_path_factory.mktemp("zoo")
    run = shutil.copytree(small_ensemble().folder, place / "run")
    fit_trust(run, records=picture_records())
    ship(run, place / "zoo" / "left-or-right", CARD)
    return place / "zoo"


@pytest.fixture
def stocked(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(zoo, "ROOT", shelf)
    return shelf


def test_shipped_model_is_found_by_name_and_answers(stocked: Path) -> None:
    folder = find_model("left-or-right")
    images, side = pictures(20, seed=4)
    table = load_judge(folder).predict(bare_records(images))
    assert (table["prediction"].to_numpy() == side).mean() > 0.9
    card = CARD.model_copy(update={"files": manifest(folder)})
    assert list_models() == {"left-or-right": card}
    assert model_card("left-or-right") == card


def test_shipped_files_are_those_that_prediction_needs(stocked: Path) -> None:
    files = {path.name for path in (stocked / "left-or-right").rglob("*") if path.is_file()}
    assert files == {
        "card.yaml",
        "card.md",
        "config.yaml",
        "ensemble.json",
        "golden.json",
        "spec.json",
        "state.safetensors",
        "trust.json",
        "trust.safetensors",
        "weights.safetensors",
    }


def test_nearest_name_is_offered(stocked: Path) -> None:
    with pytest.raises(GnnmatError, match="no shipped model of that name") as caught:
        find_model("left-or-wright")
    assert caught.value.fix == "Did you mean 'left-or-right'?"
    with pytest.raises(GnnmatError, match="runs/left is not a finished run") as caught:
        find_model("runs/left")
    assert caught.value.fix == "Give the folder that gnnmat train wrote."


def test_folder_comes_before_a_shipped_name(
    stocked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "left-or-right").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_model("left-or-right") == Path("left-or-right")


def test_card_for_people_says_everything(stocked: Path) -> None:
    text = (stocked / "left-or-right" / "card.md").read_text()
    for part in ("left-or-right", CARD.title, CARD.input, "left, right", "Images of anything else"):
        assert part in text
    assert "| accuracy | 1 | 40 test images |" in text


def test_bad_cards_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="has no card"):
        read_card(tmp_path)
    write_card(tmp_path, CARD)
    assert read_card(tmp_path) == CARD
    (tmp_path / "card.yaml").write_text("title: [")
    with pytest.raises(GnnmatError, match="is not YAML"):
        read_card(tmp_path)
    (tmp_path / "card.yaml").write_text("title: x\ninput: y\noutput: z\ntraining_data: w\n")
    with pytest.raises(GnnmatError, match="limits: field required"):
        read_card(tmp_path)


def test_card_that_would_command_a_terminal_is_refused(tmp_path: Path) -> None:
    write_card(tmp_path, CARD)
    text = (tmp_path / "card.yaml").read_text()
    (tmp_path / "card.yaml").write_text(text.replace("Left or right", '"\\e[2J"'))
    with pytest.raises(GnnmatError, match="title: .*cannot be printed"):
        read_card(tmp_path)


def test_shipped_weights_are_halved_and_name_no_place_of_this_machine(
    tmp_path: Path,
) -> None:
    run = shutil.copytree(small_ensemble().folder, tmp_path / "run")
    config = run / "members" / "0" / "config.yaml"
    config.write_text(config.read_text().replace("source:", "source:\n    path: /a/b", 1))
    folder = ship(run, tmp_path / "model", CARD, data="pictures")
    one = "members/0/weights.safetensors"
    halved, whole = (load_file(place / one) for place in (folder, run))
    for name, tensor in whole.items():
        if tensor.is_floating_point():
            assert halved[name].dtype == torch.float16
            torch.testing.assert_close(halved[name].float(), tensor, rtol=1e-3, atol=1e-4)
    shipped = yaml.safe_load((folder / "members" / "0" / "config.yaml").read_text())
    assert shipped["data"]["source"]["path"] == "pictures"


def test_noise_and_masks_of_the_augmentation_stay_behind(tmp_path: Path) -> None:
    run = shutil.copytree(small_ensemble().folder, tmp_path / "run")
    for member in (run / "members").iterdir():
        state = load_file(member / "state.safetensors")
        save_file({**state, "augment.noise": torch.ones(2, 3)}, member / "state.safetensors")
    folder = ship(run, tmp_path / "model", CARD)
    for member in (folder / "members").iterdir():
        assert not load_file(member / "state.safetensors")["augment.noise"].any()


def test_too_large_and_taken_are_refused(tmp_path: Path) -> None:
    run = small_ensemble().folder
    with pytest.raises(GnnmatError, match=r"takes 0.0 MB, more than 0.0 MB"):
        ship(run, tmp_path / "model", CARD, largest=1000)
    assert not (tmp_path / "model").exists()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(GnnmatError, match="is not empty"):
        ship(run, tmp_path / "taken", CARD)


ABSOLUTE = re.compile(r"""(?:^|[\s"'=(\[,:])/\w+/""")


@pytest.mark.parametrize(
    ("text", "found"),
    [("path: /data/set", True), ("$DATA/a/b", False), ("error / range", False), ("a/b/c", False)],
)
def test_a_place_on_one_machine_is_told_from_other_text(text: str, found: bool) -> None:
    assert bool(ABSOLUTE.search(text)) == found


def test_every_shipped_model_is_small_and_complete() -> None:
    for name in list_models():
        folder = find_model(name)
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert sum(path.stat().st_size for path in files) < LARGEST, name
        assert (folder / "card.md").read_text() == read_card(folder).to_markdown(name), name
        assert read_card(folder).files == manifest(folder), name
        assert has_trust(folder), name
        assert (folder / GOLDEN).is_file() or (folder / GOLDEN_TABLE).is_file(), name
        for path in files:
            if path.suffix in {".yaml", ".json", ".md", ".csv"}:
                # Data are named by environment variables, never by a place on one machine.
                assert not ABSOLUTE.search(path.read_text()), path


def test_every_shipped_model_says_what_it_said_when_it_was_made() -> None:
    for name in list_models():
        folder = find_model(name)
        check_golden(folder)


def check_golden(folder: Path) -> None:
    """What it says of a made-up image, or of small crystals, is what was written down."""
    if (folder / GOLDEN_TABLE).is_file():
        check_golden_table(folder)
        return
    golden = json.loads((folder / GOLDEN).read_text())
    found = golden_scores(load_judge(folder), golden["seed"])
    assert found == pytest.approx(golden["scores"], rel=1e-3, abs=1e-6)


def check_golden_table(folder: Path) -> None:
    """Predictions and intervals of the crystals are those that were written down."""
    golden = pd.read_csv(folder / GOLDEN_TABLE, keep_default_na=False)
    # A file of several crystals has one line each, behind a number sign.
    files = dict.fromkeys(name.partition("#")[0] for name in golden["id"])
    found = golden_table(folder, [CRYSTALS / name for name in files])
    assert list(found) == list(golden)
    assert found["id"].tolist() == golden["id"].tolist()
    assert found["target"].tolist() == golden["target"].tolist()
    numbers = {"prediction", "probability", "interval_low", "interval_high"} & set(golden)
    if "probability" in golden:  # of a class, which is a word
        numbers.remove("prediction")
        assert found["prediction"].astype(str).tolist() == golden["prediction"].astype(str).tolist()
    for name in numbers:
        known = golden[name].astype(float).tolist()
        assert found[name].tolist() == pytest.approx(known, rel=1e-4, abs=1e-5), name


def test_changed_weights_of_a_crystal_model_are_noticed(tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_shelf() / NAME, tmp_path / "model")
    check_golden(folder)
    path = folder / "members" / "0" / "weights.safetensors"
    weights = load_file(path)
    save_file({name: tensor * 1.01 for name, tensor in weights.items()}, path)
    with pytest.raises(AssertionError, match="prediction|interval"):
        check_golden(folder)


def test_changed_weights_are_noticed(stocked: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(stocked / "left-or-right", tmp_path / "model")
    check_golden(folder)
    one, other = (folder / "members" / number / "weights.safetensors" for number in "01")
    one.write_bytes(other.read_bytes())
    with pytest.raises(AssertionError):
        check_golden(folder)
