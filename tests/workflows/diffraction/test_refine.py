"""Refinement finds what a pattern was made with, and says how sure it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gnnmat.errors import GnnmatError
from gnnmat.simulation.diffraction.cells import Cells
from gnnmat.simulation.diffraction.powder import powder_peaks
from gnnmat.simulation.diffraction.profile import Grid, Profile, draw_pattern
from gnnmat.workflows.diffraction.cell import conventional_cell
from gnnmat.workflows.diffraction.model import PatternModel, pattern_model
from gnnmat.workflows.diffraction.refine import Refined, refine

from ...contracts import crystals
from .powders import beam, measured, strained

AXIS = np.linspace(20, 80, 601)


def pull(found: Refined, name: str, truth: float) -> float:
    """How many standard errors a parameter is off."""
    return abs(found[name].value - truth) / found[name].error


def model_of(texture: tuple[int, int, int] | None = None) -> tuple[PatternModel, torch.Tensor]:
    model = pattern_model(conventional_cell(crystals.magnesium()), beam(), AXIS, texture)
    known = {"a": 3.21, "c": 5.21, "zero": 0.02, "gaussian": 0.3, "lorentzian": 0.2}
    known |= {"strain": 0.1, "displacement": 0.7, "texture": 0.8, "aligned": 0.7}
    return model, torch.tensor([known[name] for name in model.names], dtype=torch.float64)


@pytest.fixture(scope="module")
def magnesium() -> Refined:
    truth = strained(crystals.magnesium(), (1.008, 1.008, 0.995))
    pattern = measured(truth)
    cell = conventional_cell(crystals.magnesium())
    return refine(cell, beam(), pattern.two_theta, pattern.counts)


def test_lattice_and_zero_shift_are_recovered_within_their_errors(magnesium: Refined) -> None:
    assert magnesium.converged
    assert pull(magnesium, "a", 3.21 * 1.008) < 3
    assert pull(magnesium, "c", 5.21 * 0.995) < 3
    assert pull(magnesium, "zero", 0.05) < 3
    assert magnesium["a"].error < 1e-3
    assert 0.9 < magnesium.goodness < 1.1


def test_a_lattice_that_is_not_the_true_one_is_outside_its_errors(magnesium: Refined) -> None:
    assert pull(magnesium, "a", 3.21) > 3
    assert pull(magnesium, "c", 5.21) > 3


def test_points_that_are_said_to_be_uncertain_count_less() -> None:
    pattern = measured(crystals.copper(), seed=None)
    cell = conventional_cell(crystals.copper())
    glitch = 3000 * np.exp(-(((pattern.two_theta - 44.6) / 0.2) ** 2))  # beside (1 1 1) at 43.3
    counts = pattern.counts + glitch
    trusted = refine(cell, beam(), pattern.two_theta, counts)
    spread = np.sqrt(pattern.counts) + 10 * glitch
    doubted = refine(cell, beam(), pattern.two_theta, counts, spread=spread)
    assert pull(doubted, "a", 3.61) < 3
    assert doubted["a"].error < trusted["a"].error / 3
    assert doubted.r_wp < trusted.r_wp / 3


def test_a_wrong_phase_is_left_with_a_large_residual(magnesium: Refined) -> None:
    pattern = measured(crystals.magnesium())
    wrong = refine(conventional_cell(crystals.diamond()), beam(), pattern.two_theta, pattern.counts)
    assert wrong.r_wp > 3 * magnesium.r_wp
    assert wrong.goodness > 3


def test_only_lengths_that_symmetry_leaves_free_are_refined() -> None:
    names = {
        name: conventional_cell(crystal).names
        for name, crystal in (
            ("primitive rock salt", crystals.rock_salt_primitive()),
            ("magnesium", crystals.magnesium()),
            ("triclinic", crystals.low_symmetry()),
        )
    }
    assert names == {
        "primitive rock salt": ("a",),
        "magnesium": ("a", "c"),
        "triclinic": ("a", "b", "c", "alpha", "beta", "gamma"),
    }
    # The conventional cell of rock salt has a = 5.64 Å, twice the primitive one's height.
    values = conventional_cell(crystals.rock_salt_primitive()).values()
    np.testing.assert_allclose(values, [5.64], rtol=1e-6)


@pytest.mark.parametrize("texture", [None, (0, 0, 1)])
def test_slopes_are_those_of_finite_differences(texture: tuple[int, int, int] | None) -> None:
    model, values = model_of(texture)
    drawn, slopes = model.slopes(values)
    torch.testing.assert_close(drawn, model(values))
    for place in range(len(values)):
        step = torch.zeros_like(values)
        step[place] = 1e-5
        about = (model(values + step) - model(values - step)) / 2e-5
        # Where a peak's window ends the drawn pattern has a small step.
        torch.testing.assert_close(
            slopes[:, place], about, rtol=1e-3, atol=2e-4 * float(about.abs().max())
        )


def test_the_model_is_the_pattern_of_the_simulator() -> None:
    model, values = model_of()
    wide = dict(zip(model.names, values.tolist(), strict=True))
    wide |= {"zero": 0.0, "strain": 0.0, "displacement": 0.0}
    own = model(torch.tensor(list(wide.values()), dtype=torch.float64)).numpy()
    peaks = powder_peaks(
        Cells.of([crystals.magnesium()]), wavelength=beam().wavelength, two_theta=(15, 88)
    )
    size = 0.94 * beam().wavelength / np.radians(wide["lorentzian"])
    profile = Profile(w=wide["gaussian"] ** 2, size=size, second=beam().second)
    grid = Grid(20, 80, 601)
    other = draw_pattern(peaks, 1, grid, profile, wavelength=beam().wavelength)[0].numpy()
    assert np.abs(own - other).max() < 0.01 * other.max()


def test_a_texture_without_strength_changes_nothing() -> None:
    plain, values = model_of()
    textured, more = model_of((0, 0, 1))
    r = textured.names.index("texture")
    more[r] = 1.0
    torch.testing.assert_close(textured(more), plain(values))
    more[r] = 0.5
    assert float((textured(more) - plain(values)).abs().max()) > 0.1 * float(plain(values).max())


def test_a_phase_without_reflections_in_the_range_is_refused() -> None:
    low = np.linspace(1, 8, 100)
    with pytest.raises(GnnmatError, match="no reflection within the range"):
        refine(conventional_cell(crystals.copper()), beam(), low, np.ones(100))
    with pytest.raises(GnnmatError, match="A background of 0 terms"):
        refine(conventional_cell(crystals.copper()), beam(), AXIS, np.ones(601), background=0)
