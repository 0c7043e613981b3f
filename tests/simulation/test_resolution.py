from __future__ import annotations

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.simulation.resolution import ConstantWidths, CovarianceTable


def table() -> np.ndarray:
    """A grid of 2 x 2 x 3 whose energy variance is 1 + E."""
    rows = []
    for e in (0.0, 1.0, 2.0):
        for k in (-1.0, 1.0):
            for h in (-1.0, 1.0):
                covariance = np.diag([0.01, 0.02, 1 + e])
                covariance[0, 2] = covariance[2, 0] = 0.05 * h
                rows.append([h, k, e, *covariance.ravel()])
    return np.array(rows)


def at(resolution: CovarianceTable, h: float, k: float, e: float) -> np.ndarray:
    return resolution.covariance(25.0, np.array([h]), np.array([k]), np.array([e]))[0]


def test_table_is_linear_between_its_cells_and_flat_outside() -> None:
    resolution = CovarianceTable({25.0: table()})
    assert at(resolution, 0.5, 0.0, 0.5) == pytest.approx(
        np.array([[0.01, 0, 0.025], [0, 0.02, 0], [0.025, 0, 1.5]])
    )
    assert at(resolution, 0.0, 0.0, 9.0)[2, 2] == pytest.approx(3.0)


def test_order_of_rows_does_not_matter() -> None:
    shuffled = np.random.default_rng(0).permutation(table())
    assert at(CovarianceTable({25.0: shuffled}), 0.3, 0.2, 1.7) == pytest.approx(
        at(CovarianceTable({25.0: table()}), 0.3, 0.2, 1.7)
    )


def test_empty_cells_are_refused_with_their_place() -> None:
    rows = table()
    rows[5, 3:] = 0
    with pytest.raises(GnnmatError, match=r"1 empty cells[\s\S]*h = 1, k = -1, E = 1 meV"):
        CovarianceTable({25.0: rows})


def test_a_missing_row_is_refused() -> None:
    with pytest.raises(GnnmatError, match="no complete grid: 11 rows"):
        CovarianceTable({25.0: table()[:-1]})


def test_wrong_columns_are_refused() -> None:
    with pytest.raises(GnnmatError, match=r"expected \(n, 12\)"):
        CovarianceTable({25.0: table()[:, :9]})


def test_what_is_no_covariance_is_refused() -> None:
    rows = table()
    rows[0, 3:] = np.array([[1.0, 2, 0], [2, 1, 0], [0, 0, 1]]).ravel()
    with pytest.raises(GnnmatError, match="not positive"):
        CovarianceTable({25.0: rows})


def test_an_unknown_incident_energy_is_refused() -> None:
    with pytest.raises(GnnmatError, match=r"no incident energy of 30 meV[\s\S]*It has: 25 meV"):
        CovarianceTable({25.0: table()}).covariance(30.0, *np.zeros((3, 1)))


def test_constant_widths_scale_with_the_incident_energy() -> None:
    covariance = ConstantWidths(q=0.1, energy=0.02).covariance(50.0, *np.zeros((3, 4)))
    assert covariance.shape == (4, 3, 3)
    assert np.sqrt(covariance[0].diagonal()) == pytest.approx([0.1, 0.1, 1.0])
