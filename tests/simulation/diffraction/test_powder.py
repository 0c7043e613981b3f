"""Bragg peaks against pymatgen, and against what physics asks of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pymatgen.analysis.diffraction import xrd
from pymatgen.analysis.diffraction.neutron import NDCalculator
from pymatgen.analysis.diffraction.tem import TEMCalculator
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Lattice, Structure

from gnnmat.errors import GnnmatError
from gnnmat.simulation.diffraction.cells import Cells
from gnnmat.simulation.diffraction.factors import scattering_factors
from gnnmat.simulation.diffraction.powder import WAVELENGTHS, powder_peaks, wavelength_of
from gnnmat.simulation.diffraction.reflections import reflections, structure_factors
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.table import TableSource

from ...contracts import crystals

FIXTURES = [
    crystals.rock_salt(),
    crystals.perovskite(),
    crystals.low_symmetry(),
    crystals.copper(),
    crystals.magnesium(),
    crystals.diamond(),
]
CALCULATORS = {"xray": XRDCalculator(), "neutron": NDCalculator(wavelength=WAVELENGTHS["CuKa"])}


def drawn_crystals(shared_data: Path) -> list[Crystal]:
    """200 of the Materials Project."""
    place = shared_data / "materials_project" / "structures.parquet"
    records = TableSource(path=str(place)).open()
    drawn = pd.Series(range(len(records))).sample(200, random_state=0)
    return [records.read(records.raws[item]) for item in drawn]


def check_like_pymatgen(made: list[Crystal], radiation: str) -> None:
    """Angles, spacings, intensities and multiplicities of all peaks, to 1e-6."""
    found = powder_peaks(Cells.of(made), radiation=radiation)  # type: ignore[arg-type]
    scaled = found.scaled(len(made))
    for place, one in enumerate(made):
        structure = Structure(Lattice(one.lattice), one.numbers, one.frac)
        expected = CALCULATORS[radiation].get_pattern(structure)
        rows = (found.owner == place) & (scaled > 1e-3)
        assert int(rows.sum()) == len(expected.x)
        np.testing.assert_allclose(found.two_theta[rows], expected.x, rtol=1e-6)
        np.testing.assert_allclose(found.spacing[rows], expected.d_hkls, rtol=1e-6)
        np.testing.assert_allclose(scaled[rows], expected.y, rtol=1e-6)
        many = [sum(family["multiplicity"] for family in peak) for peak in expected.hkls]
        assert found.multiplicity[rows].tolist() == many


@pytest.mark.parametrize("radiation", list(CALCULATORS))
def test_peaks_are_those_of_pymatgen(radiation: str) -> None:
    check_like_pymatgen(FIXTURES, radiation)


@pytest.mark.parametrize("radiation", list(CALCULATORS))
def test_peaks_of_real_crystals_are_those_of_pymatgen(radiation: str, shared_data: Path) -> None:
    check_like_pymatgen(drawn_crystals(shared_data), radiation)


def check_like_tem_calculator(made: list[Crystal], planes: int = 40) -> None:
    """|F|^2 of the first reflections of electrons, to 1e-6 of the strongest."""
    calculator = TEMCalculator()
    cells = Cells.of(made)
    found = reflections(cells, longest=1.0)
    strength = (structure_factors(cells, found, "electron").abs() ** 2).numpy()
    for place, one in enumerate(made):
        rows = np.flatnonzero(found.owner.numpy() == place)[:planes]
        structure = Structure(Lattice(one.lattice), one.numbers, one.frac)
        points = [tuple(hkl) for hkl in found.hkl[rows].tolist()]
        angles = calculator.bragg_angles(calculator.get_interplanar_spacings(structure, points))
        expected = calculator.cell_intensity(structure, angles)
        wanted = np.array([expected[point] for point in points])
        np.testing.assert_allclose(strength[rows], wanted, rtol=1e-6, atol=1e-6 * wanted.max())


def test_electrons_scatter_as_in_the_tem_calculator() -> None:
    check_like_tem_calculator(FIXTURES)


def test_electrons_of_real_crystals_scatter_as_in_the_tem_calculator(shared_data: Path) -> None:
    check_like_tem_calculator(drawn_crystals(shared_data))


def test_a_check_that_sees_a_wrong_peak_fails() -> None:
    wrong = crystals.rock_salt(5.6405)
    found = powder_peaks(Cells.of([wrong]))
    expected = XRDCalculator().get_pattern(
        Structure(Lattice.cubic(5.64), *_sites(crystals.rock_salt()))
    )
    rows = found.scaled(1) > 1e-3
    assert np.abs(found.two_theta[rows].numpy() / expected.x - 1).max() > 1e-6


def _sites(one: Crystal) -> tuple[np.ndarray, np.ndarray]:
    return one.numbers, one.frac


def test_a_batch_gives_what_each_crystal_gives_alone() -> None:
    together = powder_peaks(Cells.of(FIXTURES))
    for place, one in enumerate(FIXTURES):
        alone, mine = powder_peaks(Cells.of([one])), together.of(place)
        torch.testing.assert_close(mine.two_theta, alone.two_theta)
        torch.testing.assert_close(mine.intensity, alone.intensity, rtol=1e-9, atol=1e-6)


def test_a_primitive_cell_and_a_shifted_one_have_the_same_peaks() -> None:
    conventional = crystals.rock_salt()
    shifted = Crystal(conventional.lattice, conventional.numbers, conventional.frac + 0.137)
    found = powder_peaks(Cells.of([conventional, crystals.rock_salt_primitive(), shifted]))
    scaled = found.scaled(3)
    kept = [(found.owner == cell) & (scaled > 1e-6) for cell in range(3)]
    for rows in kept[1:]:
        np.testing.assert_allclose(found.two_theta[rows], found.two_theta[kept[0]], rtol=1e-9)
        np.testing.assert_allclose(scaled[rows], scaled[kept[0]], rtol=1e-8)


def test_debye_waller_factors_fade_peaks_by_angle() -> None:
    b = torch.zeros(119, dtype=torch.float64)
    b[[11, 17]] = 1.5
    cells = Cells.of([crystals.rock_salt()])
    still, warm = powder_peaks(cells), powder_peaks(cells, displacement=b)
    s2 = (1 / (2 * still.spacing)) ** 2
    torch.testing.assert_close(warm.intensity, still.intensity * torch.exp(-2 * 1.5 * s2))


def test_electrons_scatter_as_mott_and_bethe_say() -> None:
    numbers, s2 = torch.tensor([11, 17, 82]), torch.tensor([0.01, 0.1, 1.0], dtype=torch.float64)
    xray = scattering_factors("xray", numbers, s2)
    electron = scattering_factors("electron", numbers, s2)
    torch.testing.assert_close(electron, 0.023934 * (numbers - xray) / s2, rtol=1e-9, atol=0)


def test_wavelengths_are_those_of_pymatgen() -> None:
    assert {name: xrd.WAVELENGTHS[name] for name in WAVELENGTHS} == WAVELENGTHS


def test_what_cannot_be_simulated_is_told() -> None:
    cells = Cells.of([crystals.copper()])
    with pytest.raises(GnnmatError, match="no line 'CuKb'"):
        wavelength_of("CuKb")
    with pytest.raises(GnnmatError, match="out of range"):
        wavelength_of(-1.0)
    with pytest.raises(GnnmatError, match="no range"):
        powder_peaks(cells, two_theta=(90, 20))
    with pytest.raises(GnnmatError, match="no crystal"):
        Cells.of([])
    strange = Crystal(np.eye(3) * 4, np.array([104]), np.zeros((1, 3)))
    with pytest.raises(GnnmatError, match="no xray scattering factor for Rf"):
        powder_peaks(Cells.of([strange]))
