"""What sample and diffractometer do to a pattern, each against a value from elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from gnnmat.augment.powder_transforms import (
    as_seen,
    background,
    debye_waller,
    displaced,
    floor_of,
    march_dollase,
    moved,
    shortened,
    strained,
)


def row(*values: float) -> torch.Tensor:
    return torch.tensor([values], dtype=torch.float64)


def test_isotropic_strain_shortens_q_by_as_much_as_the_lattice_grows() -> None:
    q = torch.tensor([[[0.2, 0.1, -0.3]]], dtype=torch.float64)
    found = strained(q, 0.02 * torch.eye(3, dtype=torch.float64)[None])
    torch.testing.assert_close(found, q / 1.02)


def test_strain_moves_q_as_it_moves_the_reciprocal_lattice() -> None:
    random = np.random.default_rng(0)
    lattice = 4 * np.eye(3) + 0.3 * random.normal(size=(3, 3))
    skew = 0.01 * random.normal(size=(3, 3))
    strain = (skew + skew.T) / 2
    hkl = np.array([[1, 2, -1], [0, 1, 3]])
    before = hkl @ np.linalg.inv(lattice).T
    after = hkl @ np.linalg.inv(lattice @ (np.eye(3) + strain)).T
    found = strained(torch.from_numpy(before)[None], torch.from_numpy(strain)[None])[0]
    np.testing.assert_allclose(found.numpy(), after, rtol=1e-12)


def test_debye_waller_is_the_textbook_factor() -> None:
    # B = 1 Å^2 at sin(theta)/lambda = 0.5 1/Å, that is 1/d = 1: exp(-2 * 1 * 0.25).
    assert float(debye_waller(row(1.0), torch.tensor([1.0]))) == pytest.approx(math.exp(-0.5))


def test_march_dollase_is_the_formula_at_a_value_by_hand() -> None:
    # r = 0.5, along: (0.25)^-1.5 = 8; across: (1/0.5)^-1.5 = 0.353553.
    found = march_dollase(row(1.0, 0.0, -1.0), torch.tensor([0.5], dtype=torch.float64))
    torch.testing.assert_close(found, row(8.0, 2**-1.5, 8.0))
    assert march_dollase(row(0.3), torch.ones(1, dtype=torch.float64)).item() == pytest.approx(1)


@pytest.mark.parametrize("r", [0.4, 0.8, 1.5])
def test_march_dollase_takes_no_intensity_over_the_sphere(r: float) -> None:
    def at(cosine: float) -> float:
        return float(march_dollase(row(cosine), torch.tensor([r], dtype=torch.float64)))

    assert quad(at, 0, 1, epsabs=1e-6)[0] == pytest.approx(1.0, abs=1e-4)


def test_a_zero_error_and_a_raised_sample_move_lines() -> None:
    # 0.1 mm of 200 mm at 2 theta = 60 degrees: 2 * 0.0005 * cos 30 = 0.000866 rad = 0.0496 degrees.
    shift, height = torch.tensor([0.2]).double(), torch.tensor([0.1]).double()
    found = displaced(row(60.0), shift, height, 200.0)
    assert found.item() == pytest.approx(60.2 + 0.0496, abs=1e-4)


def test_background_is_flat_unless_something_is_drawn() -> None:
    flat = background(50, torch.zeros(1, 2), torch.tensor([[0.0, 1]]), torch.tensor([[0.0, 1, 1]]))
    torch.testing.assert_close(flat, torch.ones(1, 50))
    bent = background(
        50, torch.tensor([[0.3, 0.0]]), torch.tensor([[1.0, 0.1]]), torch.tensor([[2.0, 0.5, 0.1]])
    )[0]
    assert float(bent[25]) == pytest.approx(3.0, abs=0.1)  # the hump, on 1
    assert float(bent[0]) == pytest.approx(0.7 + 1.0, abs=0.02)  # sloping, and the fall
    assert float(bent[-1]) == pytest.approx(1.3, abs=0.02)


def test_the_floor_follows_a_background_and_not_its_peaks() -> None:
    x = torch.linspace(0, 1, 1000, dtype=torch.float64)
    below = 100 + 50 * torch.cos(2 * x)
    peaks = 1000 * torch.exp(-(((x - 0.3) / 0.004) ** 2)) + 300 * torch.exp(
        -(((x - 0.7) / 0.008) ** 2)
    )
    found = floor_of((below + peaks)[None], 60)[0]
    assert float((found - below).abs().max()) < 2.0


def test_what_is_seen_is_between_0_and_1_and_knows_no_scale() -> None:
    counts = torch.rand(2, 300, generator=torch.Generator().manual_seed(0)) * 50
    counts[:, 100] = 400
    found = as_seen(counts, 20)
    assert float(found.max()) == 1.0
    assert float(found.min()) >= 0.0
    torch.testing.assert_close(as_seen(7 * counts, 20), found, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(as_seen(counts, 0, root=False), counts / 400)
    assert not as_seen(torch.zeros(1, 300), 20).any()


def test_a_moved_pattern_keeps_its_area() -> None:
    pattern = torch.zeros(2, 40, dtype=torch.float64)
    pattern[:, 20] = 1.0
    found = moved(pattern, torch.tensor([2.25, -3.0], dtype=torch.float64))
    assert found[0, 22:24].tolist() == pytest.approx([0.75, 0.25])
    assert found[1, 17] == 1.0


def test_a_short_pattern_ends_in_the_background_beside_its_end() -> None:
    pattern = torch.ones(2, 200)
    pattern[:, 150] = 50.0
    found = shortened(pattern, torch.tensor([0.4, -0.2]))
    assert found[0].max() == 1.0
    assert torch.equal(found[1], pattern[1])
    rising = torch.arange(200.0)[None]
    found = shortened(rising, torch.tensor([0.5]))[0]
    assert found[99] == 99.0
    assert float(found[150]) == pytest.approx(96.5, abs=1)


def test_gradients_go_through_after_a_prediction() -> None:
    """What is cached while predicting must not break a later training."""
    counts = torch.rand(1, 83, dtype=torch.float64) + 1
    with torch.inference_mode():
        as_seen(counts, 7)
    asked = counts.clone().requires_grad_()
    (slope,) = torch.autograd.grad(as_seen(asked, 7, root=False).sum(), asked)
    assert slope.abs().max() > 0
