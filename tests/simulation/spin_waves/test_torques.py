from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from gnnmat.simulation.spin_waves.ground_state import examine_order
from gnnmat.simulation.spin_waves.system import SpinSystem
from gnnmat.simulation.spin_waves.torques import at_rest, without_rounding

from .chains import antiferromagnetic_chain, ferromagnetic_chain, magnet, site, triangular


def canted(angle: float) -> SpinSystem:
    """Two spins joined by J and a DM vector along z; at rest where tan(2 angle) = d / J."""
    bond = {"from": ["a"], "to": ["b"], "vectors": [[0.5, 0, 0]]}
    return magnet(
        [
            site([0, 0, 0], (np.sin(angle), np.cos(angle), 0), name="a"),
            site([0.5, 0, 0], (np.sin(angle), -np.cos(angle), 0), name="b"),
        ],
        couplings={"J": {}, "d": {}},
        bonds=[{"coupling": "J", **bond}, {"coupling": "d", "exchange": {"dm": [0, 0, 1]}, **bond}],
    )


def rounded(system: SpinSystem, digits: int) -> SpinSystem:
    directions = np.round(system.directions, digits)
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    return replace(system, directions=directions / lengths)


@pytest.mark.parametrize(
    ("system", "values"),
    [
        (triangular(), [[1.0], [-2.0]]),
        (rounded(triangular(), 3), [[1.0]]),
        (ferromagnetic_chain(direction=(0.6, 0, 0.8)), [[-2.0, 0, 0], [-2, -0.1, 0], [-2, 0, 1]]),
        (ferromagnetic_chain(field=(1.0, 0, 0)), [[-2.0, 0, 0]]),
        (canted(0.1), [[1.0, np.tan(0.2)], [1.0, np.tan(0.21)], [1.0, -np.tan(0.2)]]),
        (antiferromagnetic_chain(), [[1.0, -1.0]]),
    ],
)
def test_many_couplings_at_once_are_judged_as_one_by_one(
    system: SpinSystem, values: list[list[float]]
) -> None:
    together = at_rest(system, torch.tensor(values, dtype=torch.float64)).tolist()
    assert together == [examine_order(system, one).is_stationary for one in values]


def test_a_canted_pair_rests_at_one_ratio_alone() -> None:
    values = torch.tensor([[1.0, np.tan(0.2)], [1.0, np.tan(0.21)]], dtype=torch.float64)
    assert at_rest(canted(0.1), values).tolist() == [True, False]


@pytest.mark.parametrize("digits", [3, 4, 6])
def test_the_angle_of_rounded_directions_is_120_degrees_again(digits: int) -> None:
    system = without_rounding(rounded(triangular(), digits))
    cosines = system.directions @ system.directions.T
    assert_allclose(cosines[~np.eye(3, dtype=bool)], -0.5, atol=1e-9)
    assert np.abs(system.directions - triangular().directions).max() < 1e-3


@pytest.mark.parametrize("system", [canted(0.1), triangular(), ferromagnetic_chain()])
def test_other_directions_are_left_alone(system: SpinSystem) -> None:
    assert without_rounding(system) is system


def test_spins_far_from_rest_are_left_alone() -> None:
    turned = triangular()
    directions = turned.directions.copy()
    directions[0] = [np.cos(0.05), np.sin(0.05), 0]
    turned = replace(turned, directions=directions)
    assert without_rounding(turned) is turned
