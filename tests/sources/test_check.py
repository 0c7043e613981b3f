"""The checks of a crystal are exact for any cell, and nothing that is not finite passes."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnnmat.errors import GnnmatError
from gnnmat.sources.check import check_crystal, closest_pair
from gnnmat.sources.crystal import Crystal, as_crystal

coordinate = st.floats(-3, 3, allow_nan=False)


@st.composite
def crystals(draw: st.DrawFn, most: int = 5) -> Crystal:
    diagonal = np.diag(draw(st.lists(st.floats(0.8, 9.0), min_size=3, max_size=3)))
    shear = np.eye(3)
    shear[1, 0], shear[2, 0], shear[2, 1] = (draw(st.floats(-2, 2)) for _ in range(3))
    atoms = draw(st.integers(1, most))
    frac = draw(st.lists(coordinate, min_size=3 * atoms, max_size=3 * atoms))
    return as_crystal(shear @ diagonal, [14] * atoms, frac)


def brute_force(crystal: Crystal, cutoff: float) -> float:
    """The shortest distance between different atoms or images, or infinity."""
    images = np.array(list(product(range(-8, 9), repeat=3)), dtype=float)
    wrapped = crystal.frac % 1.0
    shortest = np.inf
    for first in range(len(wrapped)):
        for second in range(len(wrapped)):
            vectors = (wrapped[second] - wrapped[first] + images) @ crystal.lattice
            distance = np.linalg.norm(vectors, axis=1)
            if first == second:
                distance = distance[images.any(axis=1)]
            shortest = min(shortest, float(distance.min()))
    return shortest if shortest < cutoff else np.inf


@settings(max_examples=60, deadline=None)
@given(crystals(), st.sampled_from([0.1, 0.7, 1.5]))
def test_the_closest_pair_is_that_of_a_search_through_all_images(
    crystal: Crystal, cutoff: float
) -> None:
    found = closest_pair(crystal, cutoff)
    expected = brute_force(crystal, cutoff)
    assert (found[2] if found else np.inf) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(crystals(), st.data())
def test_an_overlap_is_found_wherever_the_atoms_are_wrapped(
    crystal: Crystal, data: st.DataObject
) -> None:
    shift = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=3, max_size=3)))
    nudge = np.array(data.draw(st.lists(st.floats(-0.05, 0.05), min_size=3, max_size=3)))
    doubled = crystal.frac[0] + shift + nudge @ np.linalg.inv(crystal.lattice)
    overlapping = as_crystal(
        crystal.lattice, [*crystal.numbers, 14], np.vstack([crystal.frac, doubled])
    )
    with pytest.raises(GnnmatError, match="Å apart"):
        check_crystal(overlapping)


@settings(max_examples=40, deadline=None)
@given(crystals(), st.sampled_from([np.nan, np.inf, -np.inf]), st.data())
def test_no_nan_or_infinity_passes(crystal: Crystal, bad: float, data: st.DataObject) -> None:
    lattice, frac = crystal.lattice.copy(), crystal.frac.copy()
    target = data.draw(st.sampled_from([lattice, frac]))
    target[data.draw(st.integers(0, len(target) - 1)), data.draw(st.integers(0, 2))] = bad
    with pytest.raises(GnnmatError, match="NaN or infinity"):
        check_crystal(Crystal(lattice, crystal.numbers, frac))


def test_a_large_cell_is_checked_by_a_tree_with_the_same_answer() -> None:
    grid = np.array(list(product(range(8), repeat=3))) / 8.0
    lattice = [[24, 0, 0], [9, 25, 0], [-5, 7, 26]]
    whole = as_crystal(lattice, [14] * 512, grid - 1e-17)
    assert check_crystal(whole) is whole
    across = np.vstack([grid[1:], [[0.99999, 0.0, 1.0]]])  # grid[8] is (0, 1/8, 0)
    across[7] = [0.0, 0.99999, 0.99999]
    with pytest.raises(GnnmatError, match="Atoms 8 and 512 are 0.000 Å apart"):
        check_crystal(as_crystal(lattice, [14] * 512, across))
    grid[17] = grid[300] + [1.0, -2.0, 0.0001]
    with pytest.raises(GnnmatError, match="Atoms 18 and 301 are 0.003 Å apart"):
        check_crystal(as_crystal(lattice, [14] * 512, grid))


def test_a_very_skewed_cell_is_still_measured_exactly() -> None:
    # The same cubic crystal, its third vector carried 40 cells to the side.
    lattice = np.array([[4.0, 0, 0], [0, 4.0, 0], [160.0, 0, 4.0]])
    good = as_crystal(lattice, [11, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert check_crystal(good) is good
    close = np.array([0.0, 0.0, 0.06]) @ np.linalg.inv(lattice)
    with pytest.raises(GnnmatError, match="0.060 Å apart"):
        check_crystal(as_crystal(lattice, [11, 17], [[0, 0, 0], close]))
