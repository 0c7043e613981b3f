"""Sixteen spins in a cell, against an independent code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from gnnmat.simulation.spin_waves.collinear import Collinear
from gnnmat.simulation.spin_waves.general import General
from gnnmat.simulation.spin_waves.waves import dispersion

from .oracle import computed, deviations, pcsmo

VALUES = json.loads((Path(__file__).parent / "pcsmo.json").read_text())
Q = np.array(VALUES["q"])
pytestmark = pytest.mark.parametrize("hypothesis", ["goodenough", "dimer"])


@pytest.mark.parametrize("kind", [Collinear, General])
def test_four_wave_vectors(hypothesis: str, kind: type[Collinear] | type[General]) -> None:
    truth = VALUES[hypothesis]
    found = computed(kind(pcsmo(hypothesis)), np.array([truth["parameters"]]), Q)
    energy, intensity = deviations(
        *found, np.array(truth["energies"]), np.array(truth["intensities"])
    )
    assert energy < 1e-6
    assert intensity < 1e-6


@pytest.mark.parametrize("kind", [Collinear, General])
def test_all_stored_wave_vectors(
    hypothesis: str, kind: type[Collinear] | type[General], shared_data: Path
) -> None:
    truth = np.load(shared_data / "ins_pcsmo" / "spinwave_oracle.npz")
    values, q = truth[f"{hypothesis}_parameters"], truth["q_magnetic_rlu"]
    found = computed(kind(pcsmo(hypothesis)), values, q)
    energies = truth[f"{hypothesis}_energies_mev"]
    intensities = truth[f"{hypothesis}_intensity_perp"]
    energy, intensity = deviations(*found, energies, intensities)
    assert energy < 1e-6
    assert intensity < 1e-6
    # The comparison itself can fail.
    assert deviations(found[0] + 1e-4, found[1], energies, intensities)[0] > 9e-5
    assert deviations(found[0], found[1] * 1.001, energies, intensities)[1] > 9e-4


def test_solvers_agree_on_amplitudes(hypothesis: str) -> None:
    system, values = pcsmo(hypothesis), np.array([VALUES[hypothesis]["parameters"]])
    q = np.random.default_rng(3).uniform(-2, 2, (6, 3))
    fast, split = Collinear(system, split=False), Collinear(system)
    assert split.blocks.parities == (1, -1)
    truth = computed(General(system), values, q)
    for solver in (fast, split):
        energy, intensity = deviations(*computed(solver, values, q), *truth)
        assert energy < 1e-8
        assert intensity < 1e-6


def test_slopes_agree_with_finite_differences(hypothesis: str) -> None:
    system = pcsmo(hypothesis)
    start = torch.tensor([VALUES[hypothesis]["parameters"]], dtype=torch.float64)
    weights = torch.linspace(1, 2, len(Q), dtype=torch.float64)[:, None]

    def value(couplings: torch.Tensor, solver: str) -> torch.Tensor:
        if solver == "front":
            w = dispersion(system, couplings, Q)
        else:
            general = General(system)
            w = general.energies(couplings, general.matrices(torch.as_tensor(Q)))
        return (weights * w.square()).sum()

    for solver in ("front", "general"):
        couplings = start.clone().requires_grad_()
        value(couplings, solver).backward()
        step = 1e-5
        slopes = [
            (value(start + move, solver) - value(start - move, solver)).item() / (2 * step)
            for move in step * torch.eye(start.shape[1], dtype=torch.float64)
        ]
        assert couplings.grad is not None
        assert_allclose(couplings.grad[0].numpy(), slopes, rtol=1e-6)


@pytest.mark.parametrize("kind", [Collinear, General])
def test_single_precision_is_good_to_a_hundredth(
    hypothesis: str, kind: type[Collinear] | type[General]
) -> None:
    system = pcsmo(hypothesis)
    double = torch.tensor([VALUES[hypothesis]["parameters"]], dtype=torch.float64)
    w = computed(kind(system), double.float(), Q)
    truth = computed(kind(system), double, Q)
    assert w[0].dtype == np.float32
    assert 1e-9 < np.abs(w[0] - truth[0]).max() < 0.01
    assert_allclose(w[1].sum(-1), truth[1].sum(-1), rtol=1e-3)
