"""Trees beside the networks: grown on what a fit learned from, and heard in every score."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from gnnmat.data.dataset import SampleDataset
from gnnmat.errors import GnnmatError
from gnnmat.train.committee import load_committee, member_folders
from gnnmat.train.descriptors import crystal_descriptors
from gnnmat.train.trees import FILE, Trees, load_trees, mixed
from gnnmat.workflows.preparation import prepare
from gnnmat.workflows.pu.folder import PuRun
from gnnmat.workflows.run_folder import open_run

from .made import learned, made_records, recipe


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> PuRun:
    return learned(tmp_path_factory.mktemp("pu") / "run", "trainer.epochs=1")


@pytest.fixture(scope="module")
def grown(plain: PuRun, tmp_path_factory: pytest.TempPathFactory) -> PuRun:
    copy = shutil.copytree(plain.folder, tmp_path_factory.mktemp("pu") / "grown")
    return learned(Path(copy), "trainer.epochs=1", "pu.trees=20")


def dataset() -> SampleDataset:
    return prepare(recipe().together(), made_records(), quiet=True).dataset


def test_trees_are_added_to_finished_fits_and_taken_away(plain: PuRun, grown: PuRun) -> None:
    assert "trees alone" not in plain.scores
    assert "trees alone" in [one["name"] for one in grown.summary["models"]]
    for one in member_folders(grown.folder):
        weights = one / "weights.safetensors"
        old = plain.folder / "members" / one.name / weights.name
        assert weights.read_bytes() == old.read_bytes()
        trees = load_trees(one)
        assert trees is not None
        assert len(trees) == 20
    before = (plain.scores["score"], grown.scores["score"])
    assert (before[0] - before[1]).abs().max() > 0.01
    copy = Path(shutil.copytree(grown.folder, grown.folder.parent / "back"))
    back = learned(copy, "trainer.epochs=1")
    np.testing.assert_array_equal(back.scores["score"], plain.scores["score"])
    assert not any((one / FILE).exists() for one in member_folders(copy))


def test_a_score_is_half_of_the_network_and_half_of_the_trees(grown: PuRun) -> None:
    crystals = dataset()
    features = crystal_descriptors(crystals, np.arange(len(crystals)))
    said: dict[str, list[float]] = {}
    for folder in member_folders(grown.folder):
        test = open_run(folder).predictions.query("split == 'test'")
        trees = load_trees(folder)
        assert trees is not None
        logits = trees.logits(features[[crystals.ids.index(name) for name in test["id"]]])
        for name, value in zip(test["id"], mixed(test["score"].to_numpy(), logits), strict=True):
            said.setdefault(name, []).append(value)
    rows = grown.scores.dropna(subset="score")
    assert set(rows["id"]) == set(said)
    for row in rows.itertuples():
        assert row.score == pytest.approx(np.mean(said[row.id]), rel=1e-6)


def test_new_crystals_are_asked_of_both(plain: PuRun, grown: PuRun) -> None:
    crystals = dataset()
    rows = np.arange(4)
    with_trees = load_committee(grown.folder).rows_table(crystals, rows)["score"]
    alone = load_committee(plain.folder)
    each = alone.observe(crystals, rows).decoded[..., 1].numpy()
    features = crystal_descriptors(crystals, rows)
    logits = [load_trees(one).logits(features) for one in member_folders(grown.folder)]  # type: ignore[union-attr]
    expected = np.mean([mixed(*pair) for pair in zip(each, logits, strict=True)], axis=0)
    np.testing.assert_allclose(with_trees, expected, rtol=1e-5)


def test_trees_learn_from_the_rows_of_their_fit_alone(
    plain: PuRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    grow = Trees.grow

    def watched(features: np.ndarray, positive: np.ndarray, count: int, seed: int) -> Trees:
        told[seed] = (features, positive)
        return grow(features, positive, count, seed)

    monkeypatch.setattr(Trees, "grow", watched)
    copy = Path(shutil.copytree(plain.folder, tmp_path / "copy"))
    run = learned(copy, "trainer.epochs=1", "pu.trees=5")
    crystals = dataset()
    label = run.scores.set_index("id")["label"]
    for folder in member_folders(copy):
        learned_from = label.drop(open_run(folder).predictions["id"])  # all but val and test
        rows = np.array([crystals.ids.index(name) for name in learned_from.index])
        features, positive = told[int(folder.name)]
        np.testing.assert_allclose(features, crystal_descriptors(crystals, rows))
        np.testing.assert_array_equal(positive, learned_from == "1")


def test_a_member_without_its_trees_is_no_committee(grown: PuRun, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(grown.folder, tmp_path / "copy"))
    (member_folders(copy)[0] / FILE).unlink()
    with pytest.raises(GnnmatError, match="trees beside 3 of its 4 members"):
        load_committee(copy)


def test_overwriting_grows_new_trees(grown: PuRun, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(grown.folder, tmp_path / "copy"))
    learned(copy, "trainer.epochs=1", "pu.seed=6", "pu.trees=20", overwrite=True)
    old, new = (load_trees(member_folders(one)[0]) for one in (grown.folder, copy))
    assert old is not None
    assert new is not None
    assert old.threshold.tolist() != new.threshold.tolist()


def test_a_finished_run_from_before_there_were_trees_gets_them(
    plain: PuRun, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(plain.folder, tmp_path / "copy"))
    recipe = copy / "pu.yaml"
    recipe.write_text(recipe.read_text().replace("trees: 0", "trees: 20"))
    run = learned(copy, "trainer.epochs=1", "pu.trees=20")
    assert "trees alone" in run.scores


def test_only_networks_on_crystals_have_trees_beside_them() -> None:
    assert recipe("pu.trees=9").trees == 9
    assert recipe("pu.trees=9", "pu.method=heads", "start.run=x").trees == 0
    powder = recipe("pu.trees=9", "input={kind: powder}", "model={kind: cnn}")
    assert powder.trees == 0


def test_one_is_positive_and_nothing_else() -> None:
    assert recipe("task={kind: pu, positive: '1'}").trees == 0
    with pytest.raises(GnnmatError, match="1 is positive and 0 unlabelled"):
        recipe("task={kind: pu, positive: '0'}")
