"""Spin Hamiltonians as written down."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pydantic import ValidationError

from gnnmat.errors import GnnmatError
from gnnmat.simulation.spin_waves.lattice import cell_vectors
from gnnmat.simulation.spin_waves.model import SpinModel
from gnnmat.simulation.spin_waves.waves import dispersion

from .oracle import pcsmo

TWO = [
    {"name": "Fe1", "ion": "Fe3+", "spin": 2.5, "position": [0, 0, 0], "direction": [0, 0, 2]},
    {"name": "Fe2", "ion": "Fe3+", "spin": 2.5, "position": [0.5, 0.5, 0.5],
     "direction": [0, 0, -1]},
]  # fmt: skip


def model(**parts: Any) -> SpinModel:
    plain: dict[str, Any] = {
        "lattice": [4.0, 4.0, 6.0],
        "sites": TWO,
        "couplings": {"J": {"reference": 1.5}},
        "bonds": [{"coupling": "J", "distance": 4.0}],
    }
    return SpinModel.model_validate({**plain, **parts})


@pytest.mark.parametrize(
    ("rule", "count"),
    [
        ({"distance": 4.0}, 4),  # a and b for each site, each bond once
        ({"distance": 6.0}, 2),
        ({"distance": np.sqrt(8 + 9)}, 8),  # body diagonals
        ({"distance": np.sqrt(8 + 9), "spin": "opposite"}, 8),
        ({"distance": 4.0, "from": ["Fe1"], "to": ["Fe*"]}, 2),
        ({"vectors": [[0.5, 0.5, 0.5]], "from": ["Fe1"], "to": ["Fe2"]}, 1),
        ({"vectors": [[1, 0, 0], [-1, 0, 0]]}, 2),  # the same bonds, met from both ends
    ],
)
def test_bonds_are_counted_once(rule: dict[str, Any], count: int) -> None:
    assert len(model(bonds=[{"coupling": "J", **rule}]).build().bond_sites) == count


@pytest.mark.parametrize(
    ("hypothesis", "counts"),
    [
        # Nearest same-spin, opposite-spin, Mn4 chain, Mn3 chain, interlayer.
        ("goodenough", [16, 16, 8, 8, 8]),
        # Weak and strong halves of the same-spin bonds, opposite-spin bonds of each Mn4.
        ("dimer", [8, 8, 8, 8, 8]),
    ],
)
def test_pcsmo_has_the_published_numbers_of_bonds(hypothesis: str, counts: list[int]) -> None:
    assert np.bincount(pcsmo(hypothesis).bond_coupling).tolist() == counts


def test_distance_and_vectors_give_the_same_waves() -> None:
    corners = [[x, y, z] for x in (0.5, -0.5) for y in (0.5, -0.5) for z in (0.5, -0.5)]
    by_vector = {"coupling": "J", "from": ["Fe1"], "to": ["Fe2"], "vectors": corners}
    by_distance = {"coupling": "J", "distance": float(np.sqrt(17))}
    q = np.random.default_rng(0).uniform(-1, 1, (5, 3))
    w = [dispersion(model(bonds=[rule]).build(), [1.5], q) for rule in (by_vector, by_distance)]
    assert_allclose(w[0].numpy(), w[1].numpy(), atol=1e-10)


def test_matrix_exchange_of_the_identity_is_heisenberg() -> None:
    matrix = {"matrix": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}
    built = model(bonds=[{"coupling": "J", "distance": 4.0, "exchange": matrix}]).build()
    assert (built.bond_pattern == model().build().bond_pattern).all()


def test_dm_vector_is_a_cross_product() -> None:
    rule = {"coupling": "J", "vectors": [[1, 0, 0]], "exchange": {"dm": [0.1, 0.2, 0.3]}}
    pattern = model(bonds=[rule]).build().bond_pattern[0]
    a, b = np.array([1.0, 2, 3]), np.array([-2.0, 0.5, 1])
    assert a @ pattern @ b == pytest.approx(np.dot([0.1, 0.2, 0.3], np.cross(a, b)))


def test_directions_become_unit_vectors_and_references_are_kept() -> None:
    assert model().build().directions[0].tolist() == [0, 0, 1]
    assert model().reference == {"J": 1.5}


def test_cell_from_angles_has_lengths_and_angles() -> None:
    cell = cell_vectors([3.0, 4.0, 5.0, 80.0, 95.0, 110.0])
    lengths = np.linalg.norm(cell, axis=1)
    assert_allclose(lengths, [3, 4, 5])
    unit = cell / lengths[:, None]
    cosines = [unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]]
    assert_allclose(np.rad2deg(np.arccos(cosines)), [80, 95, 110])


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"bonds": [{"coupling": "JJ", "distance": 4.0}]}, "No coupling called 'JJ'(.|\n)*'J'"),
        ({"bonds": [{"coupling": "J", "distance": 5.0}]}, "'J' joins no sites(.|\n)*Å"),
        ({"bonds": [{"coupling": "J", "distance": 4.0, "from": ["Co*"]}]}, "no site is called Co"),
        ({"bonds": [{"coupling": "J"}]}, "either vectors or a distance"),
        ({"bonds": [{"coupling": "J", "distance": 4.0, "exchange": {}}]}, "'matrix' or as 'dm'"),
        (
            {"bonds": [{"coupling": "J", "distance": 4.0, "exchange": {"dm": [0, 0, 1]}}]},
            "Dzyaloshinskii-Moriya vector needs vectors",
        ),
        ({"bonds": [{"coupling": "J", "vectors": [[0, 0, 0]]}]}, "joins a site to itself"),
        ({"onsite": [{"coupling": "J", "axis": [0, 0, 0]}]}, "axis of J has no length"),
        ({"lattice": [4.0, 4.0]}, "lattice has 2 numbers"),
        ({"lattice": [[1, 0, 0], [0, 1, 0], [1, 1, 0]]}, "has no volume"),
    ],
)
def test_mistakes_are_refused_in_words(parts: dict[str, Any], words: str) -> None:
    with pytest.raises(GnnmatError, match=words):
        model(**parts).build()


def test_spin_of_zero_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        model(sites=[{**TWO[0], "spin": 0}])
