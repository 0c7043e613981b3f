"""Known crystals near a new one: against scikit-learn, and from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from gnnmat.errors import GnnmatError
from gnnmat.train.landmarks import FILE, Landmarks, load_landmarks

FEATURES = np.random.default_rng(0).normal(size=(60, 10)) * np.linspace(1, 3, 10)
IDS = [f"k{number}" for number in range(60)]
FORMULAS = ["NaCl"] * 60


def test_neighbours_are_those_of_scikit_learn_in_usual_distances() -> None:
    marks = Landmarks.of(FEATURES, IDS, FORMULAS)
    assert marks is not None
    asked = np.random.default_rng(1).normal(size=(4, 10))
    apart, order = NearestNeighbors(n_neighbors=3).fit(FEATURES).kneighbors(asked)
    usual = np.median(NearestNeighbors(n_neighbors=2).fit(FEATURES).kneighbors(FEATURES)[0][:, 1])
    for row, near in enumerate(marks.nearest(asked, 3)):
        assert [one.id for one in near] == [IDS[place] for place in order[row]]
        found = [one.distance for one in near]
        np.testing.assert_allclose(found, apart[row] / usual, rtol=5e-3)


def test_a_known_crystal_is_its_own_neighbour_also_from_the_file(tmp_path: Path) -> None:
    made = Landmarks.of(FEATURES, IDS, FORMULAS)
    assert made is not None
    made.save(tmp_path)
    marks = load_landmarks(tmp_path)
    assert marks is not None
    for row, near in enumerate(marks.nearest(FEATURES[:5])):
        assert near[0].id == IDS[row]
        assert near[0].distance < 0.05
        assert near[1].distance > 0.3


def test_thinned_landmarks_keep_names_and_places_together() -> None:
    made = Landmarks.of(FEATURES, IDS, FORMULAS)
    assert made is not None
    few = made.thinned(7)
    assert len(few.ids) == len(few.formulas) == len(few.places) == 7
    rows = [IDS.index(name) for name in few.ids]
    assert rows == sorted(rows)
    np.testing.assert_array_equal(few.places, made.places[rows])
    assert made.thinned(60) is made


def test_folders_without_landmarks_have_none_and_damage_is_told(tmp_path: Path) -> None:
    assert load_landmarks(tmp_path) is None
    (tmp_path / FILE).write_bytes(b"nothing of the kind")
    with pytest.raises(GnnmatError, match="is damaged"):
        load_landmarks(tmp_path)


def test_crystals_that_are_all_one_are_no_neighbourhood() -> None:
    assert Landmarks.of(FEATURES[:1], IDS[:1], FORMULAS[:1]) is None
    assert Landmarks.of(np.repeat(FEATURES[:1], 5, axis=0), IDS[:5], FORMULAS[:5]) is None


def test_crystals_that_stand_twice_do_not_shrink_the_usual_distance() -> None:
    once, twice = (
        Landmarks.of(FEATURES, IDS, FORMULAS),
        Landmarks.of(np.tile(FEATURES, (2, 1)), IDS * 2, FORMULAS * 2),
    )
    assert once is not None
    assert twice is not None
    assert twice.usual == pytest.approx(once.usual)
