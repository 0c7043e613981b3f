"""Powder patterns as measured: clean, disturbed, and the same for crystals and measurements."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from gnnmat.augment import PowderMeasurement
from gnnmat.augment.powder_instrument import PowderInstrument
from gnnmat.errors import GnnmatError
from gnnmat.inputs import Powder
from gnnmat.sample import Batch, DataSpec, Sample, collate
from gnnmat.simulation.diffraction.angles import WAVELENGTHS, Grid
from gnnmat.simulation.diffraction.cells import Cells
from gnnmat.simulation.diffraction.powder import powder_peaks
from gnnmat.simulation.diffraction.profile import Profile, draw_pattern
from gnnmat.sources.powder_pattern import powder_pattern

from ..contracts import crystals

INPUT = Powder(points=1024, reflections=96)
SPEC = DataSpec(fields=INPUT.fields, grid=INPUT.grid)
CALM: dict[str, Any] = {
    "lattice": 0.0, "strain": 0.0, "shift": 0.0, "height": 0.0, "width": (0.14, 0.14),
    "u": (0.0, 0.0), "v": (0.0, 0.0), "size": (1e9, 1e9), "microstrain": (0.0, 0.0),
    "debye_waller": (0.0, 0.0), "textured": 0.0, "scatter": 0.0, "spurious": 0.0,
    "background": (1e-9, 1e-9), "short": 0.0, "counts": (1e7, 1e7), "clean_width": 0.14,
}  # fmt: skip
MADE = (crystals.rock_salt(), crystals.perovskite(), crystals.magnesium())


def instrument(**options: Any) -> PowderInstrument:
    return PowderMeasurement(**CALM | options).build(SPEC)


@cache
def peaks_of(row: int) -> torch.Tensor:
    return torch.from_numpy(INPUT.sample(MADE[row])["peaks"]).float()


def batch(rows: tuple[int, ...] = (0, 1, 2)) -> Batch:
    return collate(
        [Sample(peaks=peaks_of(row), row=torch.tensor([row]), num_nodes=1) for row in rows]
    )


def measured(row: int, angles: np.ndarray, background: float = 0.0) -> Batch:
    """A measured pattern of the same crystal, drawn the exact way."""
    peaks = powder_peaks(Cells.of([MADE[row]]), wavelength="CuKa1", two_theta=(5, 89))
    second = WAVELENGTHS["CuKa2"] / WAVELENGTHS["CuKa1"]
    grid = Grid(float(angles[0]), float(angles[-1]), len(angles))
    drawn = draw_pattern(peaks, 1, grid, Profile(w=0.14**2, second=second), wavelength="CuKa1")[
        0
    ].numpy()
    counts = 1e4 * drawn / drawn.max() + background * (1 + angles[::-1] / 90)
    given = powder_pattern("film", angles, counts, wavelength=WAVELENGTHS["CuKa1"])
    image = torch.from_numpy(INPUT.for_patterns.sample(given)["image"]).float()
    return collate([Sample(image=image, row=torch.tensor([row]), num_nodes=1)])


@pytest.mark.parametrize("row", [0, 1, 2])
@pytest.mark.parametrize("background", [0.0, 500.0])
def test_a_measured_pattern_looks_like_that_of_its_crystal(row: int, background: float) -> None:
    module = instrument()
    expected = module(batch(), "none").image[row, 0]
    found = module(measured(row, np.linspace(5, 88, 8000), background), "none").image[0, 0]
    # Steps of 0.07 degrees on peaks of 0.14, averaged over a step, and the root of all of it.
    assert float((found - expected).abs().max()) < 0.08
    together = float(torch.corrcoef(torch.stack([found, expected]))[0, 1])
    assert together > 0.99


def test_calm_draws_give_the_clean_pattern() -> None:
    module = instrument()
    found, clean = module(batch(), "train", 1, 2).image, module(batch(), "none").image
    assert float((found - clean).abs().max()) < 0.02


CHANGES: dict[str, dict[str, Any]] = {
    "lattice": {"lattice": 0.02},
    "strain": {"strain": 0.01},
    "shift": {"shift": 0.5},
    "height": {"height": 0.5},
    "width": {"width": (0.3, 0.3)},
    "u": {"u": (0.2, 0.2)},
    "v": {"v": (0.05, 0.05)},
    "size": {"size": (100.0, 100.0)},
    "microstrain": {"microstrain": (0.005, 0.005)},
    "debye_waller": {"debye_waller": (5.0, 5.0)},
    "texture": {"textured": 1.0, "march": (0.4, 0.4)},
    "scatter": {"scatter": 0.5},
    "spurious": {"spurious": 20.0, "spurious_area": 0.5},
    "background": {"background": (0.3, 0.3), "subtract": 0.0},
    "hump": {"background": (0.3, 0.3), "amorphous": 1.0},
    "counts": {"counts": (50.0, 50.0)},
    "short": {"short": 0.8, "background": (0.3, 0.3), "subtract": 0.0},
}


@pytest.mark.parametrize("options", CHANGES.values(), ids=CHANGES)
def test_every_option_changes_patterns_and_is_seeded(options: dict[str, Any]) -> None:
    module, calm = instrument(**options), instrument()(batch(), "fixed", 1).image
    found = module(batch(), "fixed", 1).image
    assert float((found - calm).abs().amax(dim=(1, 2)).min()) > 0.02
    assert torch.equal(module(batch((2, 0)), "fixed", 1).image[0], found[2])
    assert torch.equal(module(batch(), "fixed", 1, 7).image, found)
    train = module(batch(), "train", 1, 7).image
    assert torch.equal(module(batch(), "train", 1, 7).image, train)


def test_epochs_differ_in_training_alone() -> None:
    module = PowderMeasurement().build(SPEC)
    one, other = (module(batch(), "train", 0, epoch).image for epoch in (0, 1))
    assert not torch.equal(one, other)
    assert torch.equal(module(batch(), "none", 0, 0).image, module(batch(), "none", 5, 3).image)


def test_cubic_lines_move_together_when_the_lattice_is_strained() -> None:
    module, rows = instrument(lattice=0.01), 40
    given = batch((0,) * rows)
    given.row = torch.arange(rows)
    found, grid = module(given, "fixed", 4).image[:, 0], module.grid.angles
    strains = []
    for q in given.peaks[0, :8, :3].norm(dim=1).unique():
        angle = float(torch.rad2deg(2 * torch.asin(q * WAVELENGTHS["CuKa1"] / 2)))
        near = (grid > angle - 2) & (grid < angle + 2)
        read = grid[near][found[:, near].argmax(dim=1)]
        spacing = WAVELENGTHS["CuKa1"] / (2 * torch.sin(torch.deg2rad(read / 2)))
        strains.append(spacing * q - 1)
    one, other = strains  # of 200 and 220
    torch.testing.assert_close(one, other, rtol=0, atol=2e-3)
    assert float(one.std()) == pytest.approx(0.01, rel=0.3)


def test_measured_patterns_are_disturbed_in_training_alone() -> None:
    module, given = (
        instrument(shift=0.3, counts=(200.0, 200.0)),
        measured(0, np.linspace(5, 88, 4000)),
    )
    clean = module(given, "none").image
    assert torch.equal(module(given, "fixed", 3).image, clean)
    train = module(given, "train", 3, 1).image
    assert float((train - clean).abs().max()) > 0.05
    assert torch.equal(module(given, "train", 3, 1).image, train)


def test_an_empty_crystal_gives_an_empty_pattern() -> None:
    nothing = batch((0,))
    nothing.peaks = torch.zeros_like(nothing.peaks)
    assert not instrument()(nothing, "none").image.any()
    assert PowderMeasurement().build(SPEC)(nothing, "train").image.isfinite().all()


def test_neutrons_have_no_polarization() -> None:
    spec = DataSpec(fields=INPUT.fields, grid=INPUT.grid | {"radiation": "neutron"})
    other = PowderMeasurement(**CALM).build(spec)(batch(), "none").image
    assert float((other - instrument()(batch(), "none").image).abs().max()) > 0.02


def test_what_is_no_pattern_is_refused() -> None:
    with pytest.raises(GnnmatError, match="needs powder patterns"):
        PowderMeasurement().build(DataSpec(fields=("image",), channels=1, image_shape=(8,)))
    with pytest.raises(GnnmatError, match="needs powder patterns"):
        PowderMeasurement().seen(DataSpec(fields=("z", "pos"), grid=INPUT.grid))


def test_the_network_is_given_patterns() -> None:
    seen = PowderMeasurement().seen(SPEC)
    assert (seen.channels, seen.image_shape) == (1, (1024,))
    assert "peaks" not in seen.fields
    assert "image" in seen.fields


def test_ranges_that_are_none_are_refused() -> None:
    for wrong in ({"size": (0, 10)}, {"u": (-1, 0)}, {"v": (1, 0)}, {"counts": (10, 1)}):
        with pytest.raises(ValidationError):
            PowderMeasurement(**wrong)
