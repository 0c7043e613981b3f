"""The check of invariance fails for encoders that depend on how a crystal is written."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

from gnnmat.inputs import CrystalGraph
from gnnmat.models import Encoder
from gnnmat.sample import Batch, Features

from . import checks, crystals
from .cases import EncoderCase
from .sound import Sound


class UsesPositions(Sound):
    def local(self, batch: Batch) -> Tensor:
        return super().local(batch) + batch.pos.sum(dim=1, keepdim=True)


class SumsOverAtoms(Sound):
    def pool(self, local: Tensor, batch: Batch) -> Tensor:
        return local.new_zeros(batch.num_graphs, 4).index_add(0, batch.batch, local)


class LooksAtTheFirstAtom(Sound):
    def pool(self, local: Tensor, batch: Batch) -> Tensor:
        return local[batch.ptr[:-1]]


class UsesOffsets(Sound):
    def messages(self, batch: Batch) -> Tensor:
        return super().messages(batch) * (1 + batch.edge_offset.abs().sum(dim=1)[:, None])


class UsesLatticeVectors(Sound):
    def pool(self, local: Tensor, batch: Batch) -> Tensor:
        return super().pool(local, batch) + batch.lattice.norm(dim=2).sum(dim=1, keepdim=True)


class UsesHandedness(Sound):
    def pool(self, local: Tensor, batch: Batch) -> Tensor:
        return super().pool(local, batch) + torch.linalg.det(batch.lattice).sign()[:, None]


class ShufflesAtoms(Sound):
    def forward(self, batch: Batch) -> Features:
        features = super().forward(batch)
        return Features(features.local.sort(dim=0).values, features.pooled)


OTHERWISE: dict[str, type[Encoder]] = {
    "supercell 2x1x1": SumsOverAtoms,
    "supercell 2x2x3": ShufflesAtoms,
    "supercell, not diagonal": UsesLatticeVectors,
    "supercell, sheared": SumsOverAtoms,
    "another cell": UsesLatticeVectors,
    "left-handed cell": UsesHandedness,
    "order of atoms": LooksAtTheFirstAtom,
    "rotation": UsesPositions,
    "translation": UsesPositions,
    "lattice vector": UsesPositions,
    "one atom by a lattice vector": UsesOffsets,
}


def case_of(twin: type[Encoder]) -> EncoderCase:
    return EncoderCase(twin, CrystalGraph.example())


@pytest.mark.parametrize("name", OTHERWISE)
def test_invariance_fails_for(name: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(name)):
        checks.check_is_the_same_for(case_of(OTHERWISE[name]), name)


@pytest.mark.parametrize("name", crystals.RELATIVES)
def test_invariance_holds_for_the_sound_one(name: str) -> None:
    checks.check_is_the_same_for(case_of(Sound), name)


def test_every_way_to_write_a_crystal_has_a_twin() -> None:
    assert set(OTHERWISE) == set(crystals.RELATIVES)
