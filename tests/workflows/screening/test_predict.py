"""A shipped model as a stage: the answers of `load`, marked where they are lessons."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gnnmat
from gnnmat.data.likeness import likeness
from gnnmat.errors import GnnmatError
from gnnmat.sources.crystal import as_crystal
from gnnmat.train.learned import Learned, load_learned, save_learned
from gnnmat.workflows.screening.stages.predict import Predict
from gnnmat.workflows.screening.table import crystals_of, rows_of
from gnnmat.zoo import find_model

from .small import some_crystals

MODEL = "elastic-moduli"
NOWHERE = Path()


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    crystals = some_crystals(8)
    return rows_of(list(crystals), list(crystals.values()))


def known(table: pd.DataFrame) -> pd.DataFrame:
    """What candidates are known by."""
    like = np.array([likeness(one) for one in crystals_of(table)])
    return table[["formula", "volume"]].assign(packing=like[:, 0], contrast=like[:, 1])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the shipped model that knows nothing of what it has learned from."""
    folder = tmp_path / "moduli"
    shutil.copytree(find_model(MODEL), folder)
    (folder / "learned.parquet").unlink(missing_ok=True)
    return folder


def test_the_answers_are_those_of_load(table: pd.DataFrame, model: Path) -> None:
    crystals = some_crystals(8)
    said = Predict(run=str(model)).open(NOWHERE)(table).columns
    wanted = gnnmat.load(model).predict(list(crystals.values()), ids=list(crystals))
    for target in ("K_vrh", "G_vrh"):
        own = wanted[wanted["target"] == target]
        np.testing.assert_allclose(said[target], own["prediction"], rtol=1e-5)
        np.testing.assert_allclose(said[f"{target}_low"], own["interval_low"], rtol=1e-5)
        np.testing.assert_allclose(said[f"{target}_spread"], own["disagreement"], rtol=1e-4)
        members = np.array(said[f"{target}_members"].tolist())
        assert members.shape == (8, 3)
        np.testing.assert_allclose(members.std(axis=1), own["disagreement"], rtol=1e-4)
    assert list(said["moduli_in_domain"]) == list(own["in_domain"])
    assert "moduli_learned" not in said


def test_a_shard_of_others_does_not_change_an_answer(table: pd.DataFrame, model: Path) -> None:
    stage = Predict(run=str(model)).open(NOWHERE)
    whole = stage(table).columns["K_vrh"].to_numpy()
    part = stage(table.iloc[[5, 2]]).columns["K_vrh"].to_numpy()
    np.testing.assert_allclose(part, whole[[5, 2]], rtol=1e-5)


def test_lessons_are_marked_and_answered_by_who_has_not_learned_them(
    table: pd.DataFrame, model: Path
) -> None:
    before = Predict(run=str(model)).open(NOWHERE)(table).columns
    save_learned(model, known(table).loc[[1, 3]].assign(K_vrh=[111.0, np.nan]))
    said = Predict(run=str(model)).open(NOWHERE)(table).columns
    assert list(said["moduli_learned"][[0, 1, 3]]) == ["", "out of fold", "learned"]
    assert said["K_vrh"][1] == pytest.approx(111)
    assert said["K_vrh_low"][1] < 111 < said["K_vrh_high"][1]
    factor = 111 / before["K_vrh"][1]
    np.testing.assert_allclose(
        said["K_vrh_members"][1], np.array(before["K_vrh_members"][1]) * factor, rtol=1e-6
    )
    # Another polymorph, or another geometry, is marked and keeps its own answer.
    wider = table.assign(volume=table["volume"] * 1.03)
    other = Predict(run=str(model)).open(NOWHERE)(wider).columns
    assert other["moduli_learned"][1] == "learned"
    assert other["K_vrh"][1] == before["K_vrh"][1]
    # Where nobody was asked, and of the other target, the answers are as before.
    assert said["K_vrh"][3] == before["K_vrh"][3]
    assert said["G_vrh"][1] == before["G_vrh"][1]


def test_a_lesson_is_known_by_formula_and_volume(tmp_path: Path) -> None:
    lessons = pd.DataFrame({"formula": ["MgO", "MgO", "C"], "volume": [9.5, 11.0, 5.7]})
    lessons = lessons.assign(packing=1.0, contrast=2.0)
    save_learned(tmp_path, lessons)
    found = load_learned(tmp_path)
    assert found is not None
    names = ["MgO", "MgO", "MgO", "Si", "C"]
    places, same = found.find(names, [9.51, 10.99, 10.2, 9.5, 5.6], lambda row: np.array([1, 2.0]))
    known = [found.table["volume"][one] if one >= 0 else None for one in places]
    assert known == pytest.approx([9.5, 11.0, None, None, 5.7])
    assert list(same) == [True, True, False, False, False]


def test_of_two_alike_the_nearest_is_meant() -> None:
    table = pd.DataFrame({"formula": ["A", "A"], "volume": [10.0, 10.04]})
    lessons = Learned(table.assign(packing=[1.0, 1.0], contrast=[2.0, 2.5]))
    seen = {0: np.array([1.0, 2.0]), 1: np.array([1.0, 2.5]), 2: np.array([1.0, 3.0])}
    places, same = lessons.find(["A"] * 3, [10.03, 10.01, 10.01], seen.__getitem__)
    assert list(places) == [0, 1, 0]  # by structure, and without one that fits by volume
    assert list(same) == [True, True, False]


def test_another_structure_of_the_same_volume_keeps_its_own_answer(model: Path) -> None:
    """Silicon carbide as zinc blende, as rock salt, and as nonsense, all of one volume."""
    half = 4.36 / 2 * (np.ones((3, 3)) - np.eye(3))
    ids, moved = ["blende", "salt", "nonsense"], [0.25, 0.5, 0.18]
    crystals = [as_crystal(half, [14, 6], [[0, 0, 0], [x, x, x]]) for x in moved]
    table = rows_of(ids, crystals)
    before = Predict(run=str(model)).open(NOWHERE)(table).columns
    rows = table[["formula", "volume"]].assign(K_vrh=111.0)
    like = np.array([likeness(one) for one in crystals])
    save_learned(model, rows.assign(packing=like[:, 0], contrast=like[:, 1]).iloc[[0]])
    said = Predict(run=str(model)).open(NOWHERE)(table).columns
    assert list(said["moduli_learned"]) == ["out of fold", "learned", "learned"]
    assert said["K_vrh"][0] == pytest.approx(111)
    assert list(said["K_vrh"][1:]) == list(before["K_vrh"][1:])


def test_likeness_does_not_depend_on_how_a_crystal_is_written() -> None:
    one = some_crystals(1)["c-000"]
    double = as_crystal(
        one.lattice * [[2], [1], [1]],
        np.tile(one.numbers, 2)[::-1],
        np.concatenate([one.frac * [0.5, 1, 1], one.frac * [0.5, 1, 1] + [0.5, 0, 0]])[::-1] + 0.1,
    )
    larger = as_crystal(one.lattice * 1.3, one.numbers, one.frac)
    for other in (double, larger):
        np.testing.assert_allclose(likeness(other), likeness(one), rtol=1e-9)


def test_damaged_lessons_are_named(tmp_path: Path) -> None:
    (tmp_path / "learned.parquet").write_bytes(b"PAR1")
    with pytest.raises(GnnmatError, match="learned.parquet is damaged"):
        load_learned(tmp_path)


def test_an_element_it_has_never_seen_is_out_of_domain(model: Path) -> None:
    krypton = as_crystal(np.eye(3) * 5.6, [2], [[0, 0, 0]])
    said = Predict(run=str(model)).open(NOWHERE)(rows_of(["he"], [krypton])).columns
    assert not said["moduli_in_domain"][0]


def test_nothing_that_can_be_used_is_no_error(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gnnmat.inputs.crystal_graph import CrystalGraph

    def refuse(self: CrystalGraph, crystal: object) -> None:
        raise GnnmatError("It has no neighbours.")

    monkeypatch.setattr(CrystalGraph, "sample", refuse)
    crystals = some_crystals(3)
    table = rows_of(["x", "y", "z"], list(crystals.values()))
    judged = Predict(run=str(model)).open(NOWHERE)(table)
    assert all("no neighbours" in one for one in judged.reasons)


def test_wrong_names_are_said_before_the_first_crystal() -> None:
    with pytest.raises(GnnmatError, match="not a finished run"):
        Predict(run="elastic-modulus").open(NOWHERE)
    with pytest.raises(GnnmatError, match="does not predict 'K'"):
        Predict(run=MODEL, columns={"K": "bulk"}).open(NOWHERE)
    with pytest.raises(GnnmatError, match="no model of crystals"):
        Predict(run="pcsmo-exchange").open(NOWHERE)


def test_other_weights_are_another_stage(model: Path) -> None:
    before = Predict(run=str(model)).fingerprint()
    weights = next(model.rglob("weights.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    assert Predict(run=str(model)).fingerprint() != before
