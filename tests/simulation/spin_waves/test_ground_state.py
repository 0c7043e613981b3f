from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gnnmat.errors import GnnmatError
from gnnmat.simulation.spin_waves.collinear import BOHR_MAGNETON
from gnnmat.simulation.spin_waves.ground_state import (
    check_ground_state,
    examine_order,
    find_ground_state,
)

from ..magnets import square_antiferromagnet, square_ferromagnet
from .chains import antiferromagnetic_chain, ferromagnetic_chain, magnet, site, triangular


def test_energies_per_spin_of_textbook_orders() -> None:
    # Every bond once: z/2 bonds a spin.
    assert examine_order(antiferromagnetic_chain(), [3.0, -0.5]).energy == pytest.approx(
        -(3.0 + 0.5) * 2.5**2
    )
    assert examine_order(triangular(), [2.0]).energy == pytest.approx(-1.5 * 2.0 * 0.25)
    in_field = ferromagnetic_chain(direction=(0, 0, -1), field=(0, 0, 3.0))
    expected = -2.0 * 1.5**2 - 2 * BOHR_MAGNETON * 3.0 * 1.5
    assert examine_order(in_field, [-2.0, 0.0, 0.0]).energy == pytest.approx(expected)


@pytest.mark.parametrize("values", [{"J1": 100, "J2": 0}, {"J1": 100, "J2": 49}])
def test_neel_order_is_a_minimum_up_to_half_j1(values: dict[str, float]) -> None:
    found = check_ground_state(square_antiferromagnet().build(), values)
    assert found.is_minimum
    assert found.torque == 0


def test_unstable_order_is_refused_in_words() -> None:
    neel = square_antiferromagnet().build()
    with pytest.raises(
        GnnmatError, match=r"not a minimum(.|\n)*Tilting(.|\n)*find_ground_state(.|\n)*larger cell"
    ):
        check_ground_state(neel, {"J1": 100, "J2": 55})
    ferro = square_ferromagnet().build()
    with pytest.raises(GnnmatError, match="not a minimum of its energy"):
        check_ground_state(ferro, {"J": 2.0, "D": 0.0})
    # The maximum of the energy, too: all curvatures are wrong at once.
    with pytest.raises(GnnmatError, match=r"not a minimum(.|\n)*k = \(0, 0, 0\)"):
        check_ground_state(neel, {"J1": -100, "J2": 0})


def test_order_that_feels_a_torque_is_refused_in_words() -> None:
    system = triangular()
    bent = system.directions.copy()
    bent[1] = [np.cos(1.9), np.sin(1.9), 0]
    with pytest.raises(GnnmatError, match=r"not at rest(.|\n)*feels a torque of 0\.\d+ meV"):
        check_ground_state(replace(system, directions=bent), [2.0])


def test_softest_wave_is_where_the_better_order_is() -> None:
    # Beyond J2 = J1 / 2 stripes win: wave vector (1/2, 1/2) of the cell of two spins.
    found = examine_order(square_antiferromagnet().build(), {"J1": 100, "J2": 90})
    assert not found.is_minimum
    assert found.softest < 0


def test_search_finds_the_120_degree_order() -> None:
    system = triangular()
    ferro = replace(system, directions=np.tile([0.0, 0.0, 1.0], (3, 1)))
    better, energy = find_ground_state(ferro, [2.0])
    assert energy == pytest.approx(-1.5 * 2.0 * 0.25, abs=1e-9)
    assert_allclose(better.directions @ better.directions.T, 1.5 * np.eye(3) - 0.5, atol=1e-4)
    check_ground_state(better, [2.0])


def test_search_finds_a_collinear_order_exactly() -> None:
    system = antiferromagnetic_chain()
    start = replace(system, directions=np.array([[1.0, 0, 0], [0, 1.0, 0]]))
    better, energy = find_ground_state(start, {"J": 3.0, "D": 0.5})
    assert energy == pytest.approx(-3.0 * 6.25)
    assert (better.directions[0] == -better.directions[1]).all()
    assert better.directions[0, 2] == 0  # an easy plane
    assert better.is_collinear
    check_ground_state(better, {"J": 3.0, "D": 0.5})


def test_search_turns_spins_into_the_field() -> None:
    # Spin flop: cos of the angle to the field is g mu_B B / (4 J S).
    system = magnet(
        [site([0, 0, 0], (1, 0, 0)), site([0.5, 0, 0], (-1, 0, 0))],
        lattice=[8.0, 20.0, 20.0],
        couplings={"J": {}},
        bonds=[{"coupling": "J", "distance": 4.0}],
        field=(0, 0, 5.0),
    )
    better, energy = find_ground_state(system, {"J": 1.0})
    tilt = 2 * BOHR_MAGNETON * 5.0 / 4
    assert_allclose(better.directions[:, 2], -tilt, atol=1e-6)
    assert energy == pytest.approx(-1 + 2 * tilt**2 - 2 * BOHR_MAGNETON * 5.0 * tilt)
    check_ground_state(better, {"J": 1.0})


def test_search_keeps_a_given_minimum() -> None:
    system = antiferromagnetic_chain()
    kept, _ = find_ground_state(system, [3.0, -0.5])
    assert (kept.directions == system.directions).all()


def test_only_one_set_of_couplings_is_examined() -> None:
    with pytest.raises(GnnmatError, match="one set of couplings, got 2"):
        examine_order(antiferromagnetic_chain(), np.ones((2, 2)))
