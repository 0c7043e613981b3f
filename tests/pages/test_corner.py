"""The corner plot: what it shows of a fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gnnmat.pages.corner import CONTOURS, corner, ellipse
from gnnmat.simulation.inference.fit import Fit

COVARIANCE = np.array([[0.04, 0.018, 0.0], [0.018, 0.01, 0.0], [0.0, 0.0, 0.0]])


@pytest.fixture
def fit() -> Fit:
    return Fit(
        hypothesis="ring",
        couplings=("A", "B<b>", "fixed"),
        values=np.array([9.0, 4.0, 1.0]),
        errors=np.sqrt(np.diag(COVARIANCE)),
        covariance=COVARIANCE,
        chi2=100.0,
        dof=100,
        p_value=0.5,
        image=np.zeros((2, 2)),
        residual=np.zeros((2, 2)),
        log_evidence=0.0,
        ranges=np.array([[2.0, 16.0], [0.0, 4.05], [1.0, 1.0]]),
    )


@pytest.mark.parametrize("share", CONTOURS)
def test_ellipse_holds_its_share_of_drawn_couplings(share: str) -> None:
    covariance = COVARIANCE[:2, :2]
    draws = np.random.default_rng(0).multivariate_normal([0, 0], covariance, 20_000)
    curve = ellipse(np.zeros(2), covariance, CONTOURS[share])
    inverse = np.linalg.inv(covariance)
    radius = np.einsum("ni,ij,nj->n", curve, inverse, curve)
    np.testing.assert_allclose(radius, CONTOURS[share] ** 2, rtol=1e-9)
    inside = np.einsum("ni,ij,nj->n", draws, inverse, draws) < radius[0]
    assert inside.mean() == pytest.approx(float(share.rstrip("%")) / 100, abs=0.01)


def test_couplings_in_pairs_below_the_diagonal_and_fixed_ones_left_out(fit: Fit) -> None:
    drawn = corner(fit)
    axes = [name for name in drawn["layout"] if name.startswith("xaxis")]
    assert len(axes) == 3  # two densities and one pair
    text = str(drawn)
    assert "A / meV" in text
    assert "fixed" not in text


def test_names_are_text_and_not_markup(fit: Fit) -> None:
    assert "<b>" not in str(corner(fit)).replace("<extra></extra>", "")


def test_panels_end_a_little_beyond_the_range_of_a_coupling(fit: Fit) -> None:
    low, high = corner(fit)["layout"]["xaxis3"]["range"]
    assert low == pytest.approx(4.0 - 3.6 * 0.1)
    assert 4.05 < high < 4.2


def test_marked_couplings_stand_in_the_legend_once(fit: Fit) -> None:
    drawn = corner(fit, marked={"truth": [9.1, 3.9, 1.0]})
    shown = [trace for trace in drawn["data"] if trace.get("showlegend")]
    assert [trace["name"] for trace in shown] == ["truth"]
    assert list(shown[0]["x"]) == [9.1]
    assert list(shown[0]["y"]) == [3.9]


def test_samples_are_drawn_as_points(fit: Fit) -> None:
    drawn = corner(fit, samples=np.random.default_rng(0).normal(size=(50, 3)))
    assert any(len(trace["x"]) == 50 for trace in drawn["data"])


def test_one_coupling_alone_is_drawn(fit: Fit) -> None:
    alone = replace(fit, errors=np.array([0.2, 0.0, 0.0]))
    assert len([name for name in corner(alone)["layout"] if name.startswith("xaxis")]) == 1
