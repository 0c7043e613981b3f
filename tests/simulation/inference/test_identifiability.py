from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from gnnmat.simulation.hypotheses import load_simulation
from gnnmat.simulation.inference.identifiability import (
    candidate_exchanges,
    directions,
    exchanged,
    find_exchanges,
)
from gnnmat.simulation.inference.space import CouplingSpace

from .ring import Ring, space

SAME = space(A=(0.0, 8.0))


def test_twins_make_the_two_directions_exchangeable() -> None:
    assert find_exchanges(Ring(twinned=True), SAME) == [(("A", "B"),)]
    assert find_exchanges(Ring(), SAME) == []


class Faint(Ring):
    """A ring whose image hardly depends on A and B."""

    def images(self, values: Tensor) -> Tensor:
        middle = torch.tensor([9.0, 4.0, 0.0], dtype=values.dtype)
        scale = torch.tensor([1e-3, 1e-3, 1.0], dtype=values.dtype)
        return super().images(middle + scale * values)


def test_couplings_that_hardly_matter_are_not_taken_for_exchangeable() -> None:
    first, second = (Faint().images(torch.tensor([row])) for row in ([1.0, 7, 3], [7.0, 1, 3]))
    assert 0 < (first - second).norm() < 0.02 * first.norm()
    assert find_exchanges(Faint(), SAME) == []
    assert find_exchanges(Faint(twinned=True), SAME) == []  # 9 and 4 are not exchanged


def test_couplings_of_different_range_are_not_exchanged() -> None:
    assert candidate_exchanges(space()) == []
    assert candidate_exchanges(SAME) == [(("A", "B"),)]


def test_pairs_are_exchanged_alone_and_together() -> None:
    ranges = np.array([[0, 1], [0, 1], [2, 3], [2, 3], [0.0, 5]])
    found = candidate_exchanges(CouplingSpace(tuple("abcde"), ranges))
    assert set(found) == {(("a", "b"),), (("c", "d"),), (("a", "b"), ("c", "d"))}
    # Four alike: six pairs, and three ways to make two pairs of them.
    four = CouplingSpace(tuple("abcd"), np.array([[0.0, 1.0]] * 4))
    assert len(candidate_exchanges(four)) == 9


def test_of_too_many_exchanges_those_of_few_pairs_are_tried() -> None:
    many = CouplingSpace(tuple("abcdefghij"), np.array([[0.0, 1.0]] * 10))
    found = candidate_exchanges(many)
    assert len(found) == len(set(found)) == 2000
    # Ten choose two; and of those 45 in pairs that share none, 10! / (6! 2^2 2!) = 630.
    sizes = [len(one) for one in found]
    assert (sizes.count(1), sizes.count(2)) == (45, 630)
    assert sizes == sorted(sizes)
    assert candidate_exchanges(many, most=50) == found[:50]
    hundred = CouplingSpace(tuple(f"c{n}" for n in range(100)), np.array([[0.0, 1.0]] * 100))
    assert {len(one) for one in candidate_exchanges(hundred)} == {1}


def test_all_ways_to_pair_eight_couplings_are_found() -> None:
    # Involutions of eight things: 764, one of which changes nothing.
    eight = CouplingSpace(tuple("abcdefgh"), np.array([[0.0, 1.0]] * 8))
    assert len(set(candidate_exchanges(eight))) == 763


def test_exchanged_values_change_places() -> None:
    np.testing.assert_array_equal(exchanged(np.array([1.0, 2, 3]), SAME, (("A", "B"),)), [2, 1, 3])


def test_worst_known_combination_comes_first_and_is_named() -> None:
    # A + B is known to 0.01 of the ranges, A - B hardly at all.
    plus, minus = np.array([1, 1, 0]) / np.sqrt(2), np.array([1, -1, 0]) / np.sqrt(2)
    gap = np.array([0, 0, 1.0])
    information = 1e4 * np.outer(plus, plus) + 4 * np.outer(minus, minus) + np.outer(gap, gap) * 1e4
    found = directions(information, SAME)
    assert found[0].words in ("A - B", "B - A", "- A + B", "- B + A")
    assert found[0].error == pytest.approx(0.5)
    assert found[0].is_blind
    assert [one.is_blind for one in found[1:]] == [False, False]
    assert found[1].error == pytest.approx(0.01)


@pytest.fixture(scope="module")
def pcsmo():  # type: ignore[no-untyped-def]
    """The shipped simulation with few, small slices and constant widths."""
    return load_simulation(
        "pcsmo",
        [
            "layout.incident_energies=[70]",
            "layout.pixels=8",
            "layout.slices=4",
            "layout.width=0.12",
            "resolution={kind: widths, q: 0.02, energy: 0.03}",
            "rendering.grid=16",
            "rendering.samples=4",
            "rendering.stability_grid=6",
        ],
    )


def test_strong_and_weak_bonds_of_the_dimer_model_can_be_exchanged(pcsmo) -> None:  # type: ignore[no-untyped-def]
    within = CouplingSpace(pcsmo.couplings("dimer"), pcsmo.ranges("dimer"))
    found = find_exchanges(pcsmo.simulator("dimer"), within)
    assert [{frozenset(pair) for pair in one} for one in found] == [
        {frozenset(("JFS", "JFW")), frozenset(("JA1", "JA2"))}
    ]


def test_goodenough_couplings_cannot_be_exchanged(pcsmo) -> None:  # type: ignore[no-untyped-def]
    within = CouplingSpace(pcsmo.couplings("goodenough"), pcsmo.ranges("goodenough"))
    assert find_exchanges(pcsmo.simulator("goodenough"), within) == []
