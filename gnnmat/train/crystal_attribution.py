"""Contributions of the atoms and bonds of a crystal to the answer of a run or an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.sample import Batch
from gnnmat.train.answer_attribution import Answer, answer_of
from gnnmat.train.atom_attribution import ATOM_METHODS, AtomMap, AtomMethod, atom_map, is_exact
from gnnmat.train.bond_attribution import Bonds, bonds_of, edge_map
from gnnmat.train.checkpoint import Trained
from gnnmat.train.order_attribution import alike_bonds, bonds_by_orders

Floats = NDArray[np.float64]
ROUGH = 1e-3  # relative error of sums above which bonds are added in random orders instead


@dataclass(frozen=True)
class Parts:
    """Contributions of all atoms, or of all bonds, of each member.

    Args:
        members: (members, n) contributions.
        answers: (members,) what is explained.
        baselines: (members,) what the contributions count from.
        steps: points on the path, 0 without one.
    """

    members: Floats
    answers: Floats
    baselines: Floats
    steps: int

    @property
    def mean(self) -> Floats:
        """(n,) over the members."""
        return self.members.mean(axis=0)

    @property
    def spread(self) -> Floats:
        """(n,) standard deviation over the members; NaN for a single one."""
        if len(self.members) < 2:
            return np.full(self.members.shape[1], np.nan)
        return self.members.std(axis=0, ddof=1)

    @property
    def answer(self) -> float:
        """Mean over the members of what is explained."""
        return float(self.answers.mean())

    @property
    def baseline(self) -> float:
        """Mean over the members of what the contributions count from."""
        return float(self.baselines.mean())

    @property
    def error(self) -> float:
        """Of the members, the largest failure of the contributions to add up."""
        gaps = self.members.sum(axis=1) - (self.answers - self.baselines)
        return float(gaps[np.abs(gaps).argmax()])

    @property
    def relative_error(self) -> float:
        """Its size over the largest of the whole and its parts."""
        wholes = np.abs(self.answers - self.baselines)
        size = max(float(wholes.max()), float(np.abs(self.members).max(initial=0.0)), 1e-300)
        return abs(self.error) / size


@dataclass(frozen=True)
class CrystalAttribution:
    """Why a run or an ensemble answers as it does for one crystal.

    Args:
        answer: what is explained.
        method: of the atoms.
        atoms: contributions of the atoms, which sum to the answer minus the baseline.
        constants: (members,) what each member says to features of zero, see `AtomMap`.
        bonds: of the crystal.
        bonded: contributions of the bonds, which sum to the answer minus that without any bond;
            None if the encoder does not know ``edge_weight``, or there is no bond.
        by_orders: whether bonds were added in random orders, see `bonds_by_orders`, because the
            answer jumps where all of them fade in together.
    """

    answer: Answer
    method: AtomMethod
    atoms: Parts
    constants: Floats
    bonds: Bonds
    bonded: Parts | None
    by_orders: bool = False


def attribute_crystal(
    members: Sequence[Trained],
    batch: Batch,
    *,
    target: str | None = None,
    label: str | None = None,
    method: AtomMethod | None = None,
    atom: int | None = None,
) -> CrystalAttribution:
    """Contributions of atoms and bonds, mean and spread over the members.

    Everything is computed in float64.

    Args:
        members: of an ensemble, or one run.
        batch: one crystal, unfolded.
        target: name; default the first.
        label: class to explain; default the predicted one.
        method: of the atoms: 'exact', 'features' or 'elements', see `atom_attribution`; default
            'exact' where all members allow it, else 'features', or 'elements' for a value of one
            atom.
        atom: whose value is explained, of a run that predicts one an atom.

    Raises:
        GnnmatError: not one crystal, or no such target, class, atom or method.
    """
    if batch.num_graphs != 1 or "edge_offset" not in batch:
        raise GnnmatError("An explanation is of one crystal at a time.")
    if method is not None and method not in ATOM_METHODS:
        raise GnnmatError(f"There is no method '{method}'.", fix=did_you_mean(method, ATOM_METHODS))
    answer = answer_of(members[0].task, target=target, label=label, atom=atom)
    _check_atom(answer, batch)
    precise = [in_float64(one) for one in members]
    seen = batch_in_float64(batch)
    if answer.target.classes and answer.label is None:
        answer = replace(answer, label=_likeliest(precise, seen, answer))
    if method is None:
        exact = all(is_exact(one, seen, answer) for one in precise)
        method = "exact" if exact else "features" if answer.atom is None else "elements"
    atoms = [atom_map(one, seen, answer, method) for one in precise]
    bonds = bonds_of(seen)
    bonded, by_orders = _bonded(precise, seen, answer, bonds)
    return CrystalAttribution(
        answer=answer,
        method=method,
        atoms=_atom_parts(atoms),
        constants=np.array([one.constant for one in atoms]),
        bonds=bonds,
        bonded=bonded,
        by_orders=by_orders,
    )


def in_float64(trained: Trained) -> Trained:
    """A copy of the network that computes in float64 and is never trained."""
    encoder = deepcopy(trained.encoder).double().cpu().requires_grad_(False).eval()
    task = deepcopy(trained.task).double().cpu().requires_grad_(False).eval()
    return replace(trained, encoder=encoder, task=task)


def batch_in_float64(batch: Batch) -> Batch:
    """A copy of a batch whose real numbers are float64."""
    made = batch.clone()
    for name, value in batch.to_dict().items():
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            made[name] = value.double()
    return made


def _likeliest(members: Sequence[Trained], batch: Batch, answer: Answer) -> int:
    """The class with the highest mean probability."""
    places = range(len(answer.target.classes))
    total = np.zeros(len(places))
    with torch.no_grad():
        for one in members:
            odds = [
                float(replace(answer, label=place).of(one.task, one.encoder(batch), batch))
                for place in places
            ]
            total += 1 / (1 + np.exp(-np.array(odds)))
    return int(total.argmax())


def _check_atom(answer: Answer, batch: Batch) -> None:
    count = len(batch.z)
    if answer.atom is not None and not 0 <= answer.atom < count:
        raise GnnmatError(
            f"There is no atom {answer.atom}.", why=f"The crystal has atoms 0 to {count - 1}."
        )


def _atom_parts(maps: Sequence[AtomMap]) -> Parts:
    return Parts(
        members=np.stack([one.contributions.numpy() for one in maps]),
        answers=np.array([one.answer for one in maps]),
        baselines=np.array([one.baseline for one in maps]),
        steps=max(one.steps for one in maps),
    )


def _bonded(
    members: Sequence[Trained], batch: Batch, answer: Answer, bonds: Bonds
) -> tuple[Parts | None, bool]:
    """Contributions of the bonds, and whether they were found by random orders."""
    maps = [edge_map(one, batch, answer) for one in members]
    if not len(bonds) or not all(one.connected for one in maps):
        return None, False
    parts = Parts(
        members=np.stack([bonds.sum(one.contributions) for one in maps]),
        answers=np.array([one.end for one in maps]),
        baselines=np.array([one.start for one in maps]),
        steps=max(one.steps for one in maps),
    )
    if parts.relative_error < ROUGH:
        return parts, False
    each = [
        bonds_by_orders(one, batch, answer, bonds, alike_bonds(bonds, smooth))
        for one, smooth in zip(members, parts.members, strict=True)
    ]
    return replace(parts, members=np.stack(each), steps=0), True
