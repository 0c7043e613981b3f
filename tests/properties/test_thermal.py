"""Sound, Debye temperatures and expansion against pymatgen and against measured values."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.analysis.elasticity import ElasticTensor
from pymatgen.core import Lattice, Structure

from gnnmat.properties.thermal import (
    debye_temperature,
    grueneisen,
    linear_expansion,
    sound_velocities,
)

DIAMOND = Structure.from_spacegroup("Fd-3m", Lattice.cubic(3.567), ["C"], [[0, 0, 0]])


def isotropic(k: float, g: float) -> ElasticTensor:
    c = np.zeros((6, 6))
    c[:3, :3] = k - 2 * g / 3
    c[np.arange(3), np.arange(3)] += 2 * g
    c[np.arange(3, 6), np.arange(3, 6)] = g
    return ElasticTensor.from_voigt(c)


@pytest.mark.parametrize(("k", "g"), [(442.0, 535.0), (100.0, 60.0)])
def test_debye_temperature_is_that_of_pymatgen(k: float, g: float) -> None:
    volume, mass = DIAMOND.volume / len(DIAMOND), 12.011
    found = float(debye_temperature(k, g, volume, mass))
    assert found == pytest.approx(isotropic(k, g).debye_temperature(DIAMOND), rel=1e-3)
    fast, slow, mean = (float(one) for one in sound_velocities(k, g, volume, mass))
    assert slow < mean < fast


def test_diamond_has_about_its_measured_debye_temperature() -> None:
    # 2,230 K, measured; Kittel, Introduction to Solid State Physics (8th edition), chapter 5.
    assert float(debye_temperature(442, 535, 5.67, 12.011)) == pytest.approx(2230, rel=0.03)


def test_grueneisen_and_expansion_are_counted_by_hand() -> None:
    # K = 5 G / 3 has nu = 0.25: 3 * 1.25 / (2 * 1.25) = 1.5.
    assert float(grueneisen(50, 30)) == pytest.approx(1.5)
    # 1.5 * 1.380649e-23 / (50e9 * 20e-30)
    assert float(linear_expansion(50, 30, 20)) == pytest.approx(2.0709735e-5)


def test_unphysical_input_never_becomes_a_number() -> None:
    for bad in ((-1, 10, 5, 12), (10, -1, 5, 12), (10, 5, 0, 12), (10, 5, 5, -1)):
        assert np.isnan(debye_temperature(*bad))
    assert np.isnan(linear_expansion(-5, 10, 10))
