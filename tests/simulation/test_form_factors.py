from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from gnnmat.errors import GnnmatError
from gnnmat.simulation.form_factors import coefficients, form_factor, known_ions


def test_manganese_has_the_published_coefficients() -> None:
    # Brown, International Tables for Crystallography C, table 4.4.5.2.
    expected = {
        "Mn3+": (0.4198, 14.2829, 0.6054, 5.4689, 0.9241, -0.0088, -0.9498),
        "Mn4+": (0.3760, 12.5661, 0.6602, 5.1329, -0.0372, 0.5630, 0.0011),
    }
    for ion, values in expected.items():
        assert coefficients(ion) == pytest.approx(values)


def test_value_at_a_momentum_worked_by_hand() -> None:
    # Mn3+ at s = |Q| / 4 pi = 0.2: .4198 e^-.571316 + .6054 e^-.218756 + .9241 e^.000352 - .9498
    value = form_factor("Mn3+", np.array([0.2 * 4 * np.pi]))
    assert value[0] == pytest.approx(0.23709 + 0.48645 + 0.92443 - 0.9498, abs=2e-5)


def test_every_ion_starts_at_one_and_falls() -> None:
    q = np.linspace(0, 3, 31)
    assert len(known_ions()) > 90
    for ion in known_ions():
        f = form_factor(ion, q)
        # The table's own rounding; two fits of the rare earths are worse at Q = 0.
        assert f[0] == pytest.approx(1, abs=0.004), ion
        assert (np.diff(f) < 1e-3).all(), ion


def test_tensor_and_array_agree_and_keep_shape() -> None:
    q = torch.rand(3, 4, dtype=torch.float64) * 5
    found = form_factor("Ho3+", q)
    assert found.shape == (3, 4)
    assert_allclose(found.numpy(), form_factor("Ho3+", q.numpy()))


@pytest.mark.parametrize("name", ["Mn3", "Mn+3", "mn3+", " Mn3+ "])
def test_other_spellings_mean_the_same_ion(name: str) -> None:
    assert coefficients(name) == coefficients("Mn3+")


@pytest.mark.parametrize("name", ["Mn9+", "Fe33+", "manganese", "", "Qq3+"])
def test_unknown_ion_is_refused_with_a_hint(name: str) -> None:
    with pytest.raises(GnnmatError, match=r"no magnetic form factor of(.|\n)*Did you mean|Known"):
        form_factor(name, np.zeros(1))
