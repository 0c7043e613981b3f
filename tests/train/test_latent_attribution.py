"""Explanations of numbers that are kept from falling below zero, and of elements known by radii."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gnnmat.models.gated import Gated
from gnnmat.sources.crystal import Crystal
from gnnmat.tasks.head import Head
from gnnmat.tasks.regression import Regression
from gnnmat.train.answer_attribution import answer_of
from gnnmat.train.atom_attribution import AtomMap, element_atoms
from gnnmat.train.checkpoint import Trained
from gnnmat.train.crystal_attribution import attribute_crystal, batch_in_float64, in_float64

from .planted_crystals import CL, LI, NA, F, learned, mixed, network, one

GATED = Gated.example()


@pytest.mark.parametrize("option", ["censored", "positive"])
def test_what_is_kept_above_zero_is_explained_before(option: str) -> None:
    """Crystals without chlorine are told as zero, and still explained to the last digit."""
    task = Regression(head=Head(hidden=()), **{option: True})
    data = [(crystal, max(value - 0.3, 0.0)) for crystal, value in mixed(60, 0)]
    trained = learned(data, network(task))
    with torch.no_grad():
        precise = in_float64(trained)
        found = []
        for crystal, _ in data[:20]:
            batch = batch_in_float64(one(crystal))
            raw = precise.task(precise.encoder(batch), batch)
            found.append((float(precise.task.latent(raw)), float(precise.task.decode(raw))))  # type: ignore[operator]
    place = int(np.argmin([latent for latent, _ in found]))
    latent, told = found[place]
    assert told >= 0 > latent or option == "positive"
    assert abs(told - latent) > 1e-3
    made = attribute_crystal([trained], one(data[place][0]))
    assert made.method == "exact"
    assert made.atoms.baseline + made.atoms.mean.sum() == pytest.approx(latent, rel=1e-9)
    assert made.answer.words == "planted before it is kept from falling below zero"


def by_elements(trained: Trained, numbers: list[int]) -> AtomMap:
    frac = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
    crystal = Crystal(np.eye(3) * 3.4, np.array(numbers), frac)  # 2.94 Å apart
    precise, batch = in_float64(trained), batch_in_float64(one(crystal))
    return element_atoms(precise, batch, answer_of(precise.task))


def test_average_elements_are_the_same_whatever_the_elements_are() -> None:
    """Radii are a part of what a network is told of an element."""
    trained = network(model=GATED)
    first, second = by_elements(trained, [LI, F]), by_elements(trained, [NA, CL])
    assert first.baseline == pytest.approx(second.baseline, rel=1e-12)
    assert abs(first.answer - second.answer) > 1e-6


def test_elements_that_radii_alone_tell_apart_get_contributions() -> None:
    trained = network(model=GATED)
    embedding = trained.encoder.embedding
    with torch.no_grad():
        for one_of_them in embedding.parameters():
            one_of_them.zero_()
    made = by_elements(trained, [NA, F])
    assert abs(made.answer - made.baseline) > 1e-6
    assert made.contributions.sum() == pytest.approx(made.answer - made.baseline, rel=1e-4)
    assert float(made.contributions.abs().min()) > 0
