"""Whether contributions of atoms and bonds deserve belief: do they add up, and do they depend on
what was learned.

Source: Adebayo et al., NeurIPS 2018, arXiv:1810.03292, the test with random weights; Samek et al.,
IEEE TNNLS 28, 2660 (2017), the test by taking parts away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gnnmat.models.encoder import Encoder
from gnnmat.sample import Batch
from gnnmat.train.checkpoint import Trained
from gnnmat.train.crystal_attribution import (
    CrystalAttribution,
    attribute_crystal,
    batch_in_float64,
    in_float64,
)
from gnnmat.train.judge import load_model
from gnnmat.workflows.attribution_checks import rank_correlation, untrained
from gnnmat.workflows.explain_crystal import (
    CrystalExplanation,
    CrystalExplanations,
    crystal_batch,
    members_of,
)

Floats = NDArray[np.float64]
SEEDS = 3  # sets of random weights, and of random bonds
REMOVED = 0.1  # share of the bonds that are taken away
EXACT, INTEGRATED = 1e-6, 1e-3  # largest relative error of sums
ALIKE = 0.5  # rank correlation above which random weights give the same map
FEW = 8  # different values below which a rank correlation says nothing


@dataclass(frozen=True)
class Check:
    """One test of the maps.

    Args:
        name: what is tested.
        value: what was found; NaN where it could not be.
        wanted: in words.
        passed: None where nothing can be said.
    """

    name: str
    value: float
    wanted: str
    passed: bool | None

    @property
    def shown(self) -> str:
        """The value as text."""
        return "–" if np.isnan(self.value) else f"{self.value:.2g}"

    @property
    def verdict(self) -> str:
        """``ok``, ``look``, or that nothing can be said."""
        return {True: "ok", False: "look", None: "too few parts to say"}[self.passed]


def check_explanations(
    run: str | Path, found: CrystalExplanations, *, model: Encoder | None = None, seeds: int = SEEDS
) -> list[Check]:
    """Tests of the maps of these crystals.

    - The contributions of atoms, and those of bonds, sum to what they should.
    - Networks with random weights give other maps: rank correlation over all atoms (bonds).
    - Without the strongest tenth of the bonds the answer changes more than without as many others.

    Args:
        run: that was explained.
        found: its explanations.
        model: the user's own encoder; it cannot be built again, so random weights are left out.
        seeds: sets of random weights, and of random bonds.
    """
    from gnnmat.zoo import find_model

    members = members_of(load_model(find_model(run), model=model))
    each = list(found)
    checks = sums(each)
    if model is None:
        checks += against_random(members[0], each, seeds)
    if all(one.found.bonded is not None for one in each):
        checks.append(without_strongest(members[0], each, seeds))
    return checks


def sums(each: Sequence[CrystalExplanation]) -> list[Check]:
    """Whether contributions add up, worst crystal of all."""
    exact = each[0].found.method == "exact"
    limit = EXACT if exact else INTEGRATED
    worst = max(one.found.atoms.relative_error for one in each)
    checks = [_below("contributions of atoms add up", worst, limit)]
    bonded = [one.found.bonded for one in each]
    errors = [parts.relative_error for parts in bonded if parts is not None]
    if errors:
        checks.append(_below("contributions of bonds add up", max(errors), INTEGRATED))
    return checks


def against_random(
    trained: Trained, each: Sequence[CrystalExplanation], seeds: int = SEEDS
) -> list[Check]:
    """Rank correlation of the maps with those of networks that learned nothing, mean over seeds."""
    own = [_again(trained, one) for one in each]
    parts: dict[str, list[float]] = {"atoms": [], "bonds": []}
    for seed in range(seeds):
        random = untrained(trained, seed)
        others = [_again(random, one) for one in each]
        for name in parts:
            parts[name].append(_alike(_joined(own, name), _joined(others, name)))
    checks = []
    for name, values in parts.items():
        mean = float(np.mean(values))
        passed = None if np.isnan(mean) else abs(mean) < ALIKE
        words = f"random weights give other maps ({name})"
        checks.append(Check(words, mean, f"rank correlation within ±{ALIKE}", passed))
    return checks


def without_strongest(
    trained: Trained, each: Sequence[CrystalExplanation], seeds: int = SEEDS
) -> Check:
    """How much more the answer changes without the strongest bonds than without as many others."""
    precise = in_float64(trained)
    strongest, others = 0.0, 0.0
    for one in each:
        bonded = one.found.bonded
        batch = batch_in_float64(crystal_batch(trained, one.crystal, one.state))
        if bonded is None:
            continue
        count = max(round(REMOVED * len(bonded.mean)), 1)
        chosen = np.argsort(-np.abs(bonded.mean), kind="stable")[:count]
        strongest += _change(precise, batch, one.found, chosen)
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            drawn = rng.choice(len(bonded.mean), count, replace=False)
            others += _change(precise, batch, one.found, drawn) / seeds
    ratio = strongest / others if others > 0 else float("nan")
    passed = None if np.isnan(ratio) else ratio > 1
    words = "without the strongest bonds the answer changes more than without others"
    return Check(words, ratio, "ratio above 1", passed)


def _again(trained: Trained, one: CrystalExplanation) -> CrystalAttribution:
    """The same question to one network alone."""
    answer = one.found.answer
    label = None if answer.label is None else answer.target.classes[answer.label]
    return attribute_crystal(
        [trained],
        crystal_batch(trained, one.crystal, one.state),
        target=answer.target.name,
        label=label,
        method=one.found.method,
        atom=answer.atom,
    )


def _joined(each: Sequence[CrystalAttribution], name: str) -> Floats:
    parts = [one.atoms if name == "atoms" else one.bonded for one in each]
    values = [one.mean for one in parts if one is not None]
    return np.concatenate(values) if values else np.zeros(0)


def _alike(first: Floats, second: Floats) -> float:
    """Rank correlation; NaN where there are too few different values."""
    if len(first) != len(second) or len(np.unique(first.round(9))) < FEW:
        return float("nan")
    return rank_correlation(first, second)


def _change(
    trained: Trained, batch: Batch, found: CrystalAttribution, removed: NDArray[np.int64]
) -> float:
    """Size of the change of the answer without these bonds."""
    weight = torch.ones_like(batch.edge_length)
    weight[torch.from_numpy(np.isin(found.bonds.edges, removed))] = 0.0
    values = []
    with torch.no_grad():
        for one in (torch.ones_like(weight), weight):
            batch.edge_weight = one
            values.append(float(found.answer.of(trained.task, trained.encoder(batch), batch)))
    return abs(values[1] - values[0])


def _below(name: str, value: float, limit: float) -> Check:
    return Check(name, value, f"relative error below {limit:g}", value < limit)
