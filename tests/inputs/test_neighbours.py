"""Neighbour lists against pymatgen, against a slow count and against counts by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gnnmat.inputs import CrystalGraph
from gnnmat.inputs.neighbours import neighbours_within
from gnnmat.sources.crystal import Crystal, as_crystal

from ..contracts import crystals
from .neighbour_count import Pair, all_pairs, pairs_of, whole_shells

CELLS = {
    "cubic": crystals.disordered_sites(0, 4, np.eye(3) * 5.0),
    "159 degrees": crystals.disordered_sites(1, 3, crystals.tilted(5.1, 6.4, 7.3, 159, 100, 90)),
    "needle": crystals.disordered_sites(2, 2, crystals.tilted(2.3, 2.4, 19.0, 40, 50, 60)),
    "sheet": crystals.disordered_sites(3, 3, crystals.tilted(2.9, 3.0, 25.0, 90, 90, 120)),
    "left-handed": crystals.supercell(crystals.low_symmetry(), np.diag([1, 1, -1]))[0],
    "sheared": crystals.supercell(crystals.perovskite(), [[1, 5, 0], [0, 1, 0], [0, 7, 1]])[0],
    "tiny": crystals.iron(2.1),
    "big": crystals.disordered_sites(4, 60, crystals.tilted(18.0, 21.0, 16.0, 85, 97, 111)),
}
every_cell = pytest.mark.parametrize("crystal", CELLS.values(), ids=CELLS)


def pairs_of_pymatgen(crystal: Crystal, cutoff: float) -> dict[Pair, float]:
    from pymatgen.core import Structure

    structure = Structure(crystal.lattice, crystal.numbers, crystal.frac)
    centre, source, cell, length = structure.get_neighbor_list(cutoff)
    rows = np.column_stack([centre, source, cell]).astype(int).tolist()
    return {tuple(row): float(d) for row, d in zip(rows, length, strict=True)}  # type: ignore[misc]


def assert_same_pairs(found: dict[Pair, float], expected: dict[Pair, float]) -> None:
    assert found.keys() == expected.keys()
    pairs = list(expected)
    lengths = np.array([[found[pair], expected[pair]] for pair in pairs]).reshape(-1, 2)
    np.testing.assert_allclose(lengths[:, 0], lengths[:, 1], atol=1e-9)


@every_cell
@pytest.mark.parametrize("cutoff", [3.217, 6.113])
def test_radius_graph_is_that_of_pymatgen(crystal: Crystal, cutoff: float) -> None:
    found = pairs_of(CrystalGraph(cutoff=cutoff, neighbours=None).sample(crystal))
    assert found
    assert_same_pairs(found, pairs_of_pymatgen(crystal, cutoff))


def test_radius_of_many_cells_is_that_of_pymatgen() -> None:
    crystal = crystals.iron(2.1)
    found = pairs_of(CrystalGraph(cutoff=9.03, neighbours=None).sample(crystal))
    assert max(max(map(abs, pair[2:])) for pair in found) > 4  # far beyond two cells
    assert_same_pairs(found, pairs_of_pymatgen(crystal, 9.03))


def test_radius_graphs_of_real_crystals_are_those_of_pymatgen(shared_data: Path) -> None:
    import pandas as pd

    table = pd.read_parquet(shared_data / "matbench_phonons.parquet").iloc[::60]
    assert len(table) > 10
    for row in table.itertuples():
        crystal = as_crystal(row.lattice, row.numbers, row.frac)
        wrapped = as_crystal(crystal.lattice, crystal.numbers, crystal.frac % 1.0)
        found = pairs_of(CrystalGraph(cutoff=4.713, neighbours=None).sample(wrapped))
        assert_same_pairs(found, pairs_of_pymatgen(wrapped, 4.713))


@every_cell
@pytest.mark.parametrize("wanted", [1, 4, 12])
def test_nearest_shells_are_those_of_the_full_radius(crystal: Crystal, wanted: int) -> None:
    graph = CrystalGraph(cutoff=7.03, neighbours=wanted)
    found = pairs_of(graph.sample(crystal))
    every = all_pairs(crystal, 7.03)
    kept = whole_shells(every, len(crystal.numbers), wanted, graph.shell_tolerance)
    assert_same_pairs(found, {pair: every[pair] for pair in kept})


@st.composite
def wild_crystals(draw: st.DrawFn) -> Crystal:
    """Any cell that is not quite flat, atoms inside and outside of it."""
    a, b, c = (draw(st.floats(2.0, 9.0)) for _ in range(3))
    alpha, beta, gamma = (draw(st.floats(25.0, 155.0)) for _ in range(3))
    assume(alpha + beta + gamma < 355 and 2 * max(alpha, beta, gamma) < alpha + beta + gamma - 5)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lattice = crystals.tilted(a, b, c, alpha, beta, gamma)
    assume(abs(np.linalg.det(lattice)) > 4)
    atoms = draw(st.integers(1, 5))
    return as_crystal(lattice, random.integers(1, 90, atoms), random.uniform(-2, 2, (atoms, 3)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(wild_crystals(), st.floats(2.5, 5.0), st.integers(1, 14))
def test_any_crystal_has_the_edges_of_the_slow_count(
    crystal: Crystal, cutoff: float, wanted: int
) -> None:
    every = all_pairs(crystal, cutoff + 0.01)
    # A pair on the very edge of the sphere may fall on either side of it.
    assume(all(abs(length - cutoff) > 1e-5 for length in every.values()))
    every = {pair: length for pair, length in every.items() if length <= cutoff}
    radius = CrystalGraph(cutoff=cutoff, neighbours=None).sample(crystal)
    assert_same_pairs(pairs_of(radius), every)
    nearest = CrystalGraph(cutoff=cutoff, neighbours=wanted).sample(crystal)
    kept = whole_shells(every, len(crystal.numbers), wanted, 5e-3)
    assert_same_pairs(pairs_of(nearest), {pair: every[pair] for pair in kept})


# Counted by hand: crystal, lattice constant a, (neighbours, distance / a) of the first shells.
SHELLS = {
    "NaCl": (crystals.rock_salt(4.0), 4.0, [(6, 1 / 2), (12, 1 / 2**0.5)]),
    "fcc": (crystals.copper(4.0), 4.0, [(12, 1 / 2**0.5), (6, 1.0)]),
    "bcc": (crystals.iron(4.0), 4.0, [(8, 3**0.5 / 2), (6, 1.0)]),
    "diamond": (crystals.diamond(4.0), 4.0, [(4, 3**0.5 / 4), (12, 1 / 2**0.5)]),
}


@pytest.mark.parametrize("name", SHELLS)
def test_first_shells_are_those_counted_by_hand(name: str) -> None:
    crystal, a, ((first, near), (second, far)) = SHELLS[name]
    for wanted, expected in [
        (1, [near] * first),
        (first, [near] * first),
        (first + 1, [near] * first + [far] * second),
        (first + second, [near] * first + [far] * second),
    ]:
        sample = CrystalGraph(cutoff=8.0, neighbours=wanted).sample(crystal)
        lengths = sample["edge_length"].reshape(len(crystal.numbers), -1)
        np.testing.assert_allclose(lengths, a * np.array([expected] * len(lengths)), atol=1e-9)


def test_rock_salt_joins_unlike_atoms_first() -> None:
    sample = CrystalGraph(neighbours=12).sample(crystals.rock_salt())
    source, centre = sample["edge_index"]
    same = sample["z"][source] == sample["z"][centre]
    np.testing.assert_array_equal(np.bincount(centre[~same]), [6] * 8)
    np.testing.assert_array_equal(np.bincount(centre[same]), [12] * 8)


def test_a_shell_exactly_on_the_cutoff_is_taken_whole() -> None:
    for crystal in (crystals.copper(5.0), crystals.rotated(crystals.copper(5.0))):
        found = neighbours_within(crystal, 5.0)
        assert len(found.length) == 12 + 6


def test_a_shell_that_straddles_the_first_search_is_taken_whole() -> None:
    # Neighbours at 3.000 and 3.004 Å are one shell; the third edge puts the radius of the first
    # search, which holds twice the number wanted, at 3.002 Å between them.
    a, b, radius, wanted = 3.0, 3.004, 3.002, 2
    c = np.pi * radius**3 / (1.5 * wanted) / (a * b)
    crystal = as_crystal(np.diag([a, b, c]), [29], [[0, 0, 0]])
    lengths = CrystalGraph(neighbours=wanted).sample(crystal)["edge_length"]
    np.testing.assert_allclose(lengths, [a, a, b, b], atol=1e-9)


ROUNDED = {
    "hcp": crystals.magnesium(),
    "fcc, cell of 27": crystals.supercell(crystals.copper(), np.diag([3, 3, 3]))[0],
    "perovskite, skewed": crystals.supercell(
        crystals.perovskite(), [[1, 1, 1], [-1, 2, 0], [0, 0, 1]]
    )[0],
    "rock salt, cell of 14": crystals.supercell(
        crystals.rock_salt_primitive(), [[1, 0, 0], [0, 1, 0], [0, 0, 7]]
    )[0],
}


@pytest.mark.parametrize("name", ROUNDED)
def test_coordinates_of_four_decimals_have_the_same_edges(name: str) -> None:
    exact = ROUNDED[name]
    rounded = as_crystal(exact.lattice, exact.numbers, exact.frac.round(4))
    assert np.abs(rounded.frac - exact.frac).max() > 1e-5
    graph = CrystalGraph()
    assert pairs_of(graph.sample(rounded)).keys() == pairs_of(graph.sample(exact)).keys()


def test_without_tolerance_rounded_coordinates_lose_edges() -> None:
    exact = ROUNDED["hcp"]
    rounded = as_crystal(exact.lattice, exact.numbers, exact.frac.round(4))
    graph = CrystalGraph(shell_tolerance=0.0, neighbours=7)
    whole = CrystalGraph(neighbours=7).sample(exact)
    assert len(graph.sample(rounded)["edge_length"]) < len(whole["edge_length"])
