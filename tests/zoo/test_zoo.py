"""Shipped models: found by name, small, carded, and still saying what they said."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from gnnmat import zoo
from gnnmat.errors import GnnmatError
from gnnmat.train.committee import load_committee
from gnnmat.train.judge import load_judge
from gnnmat.train.trust import has_trust
from gnnmat.workflows.shipping import GOLDEN, LARGEST, golden_scores, ship
from gnnmat.workflows.trust import fit_trust
from gnnmat.zoo import find_model, list_models, model_card
from gnnmat.zoo.card import ModelCard, Score, read_card, write_card

from ..train.tiny import graph_cache  # noqa: F401
from ..workflows.pictures import bare_records, picture_records, pictures, small_ensemble

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
    assert list_models() == {"left-or-right": CARD}
    assert model_card("left-or-right") == CARD


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
        assert has_trust(folder), name
        assert len(load_committee(folder).members) > 1, name
        for path in files:
            if path.suffix in {".yaml", ".json", ".md"}:
                # Data are named by environment variables, never by a place on one machine.
                assert not ABSOLUTE.search(path.read_text()), path


def test_every_shipped_model_says_what_it_said_when_it_was_made() -> None:
    for name in list_models():
        folder = find_model(name)
        check_golden(folder)


def check_golden(folder: Path) -> None:
    """The scores of a made-up image are those that were written down."""
    golden = json.loads((folder / GOLDEN).read_text())
    found = golden_scores(load_judge(folder), golden["seed"])
    assert found == pytest.approx(golden["scores"], rel=1e-3, abs=1e-6)


def test_changed_weights_are_noticed(stocked: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(stocked / "left-or-right", tmp_path / "model")
    check_golden(folder)
    one, other = (folder / "members" / number / "weights.safetensors" for number in "01")
    one.write_bytes(other.read_bytes())
    with pytest.raises(AssertionError):
        check_golden(folder)
