"""Drawn parents of halide films: the symmetry of their class, and draws that are repeatable."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from gnnmat.sources.halide_parents import PARENTS
from gnnmat.sources.halide_set import HalidesSource
from gnnmat.sources.symmetry_labels import space_group, symbol


def test_spglib_finds_the_group_of_every_parent() -> None:
    records = HalidesSource(samples=4, seed=3).open()
    assert len(records) == 4 * len(PARENTS)
    found = [symbol(space_group(records.read(raw), 1e-3)) for raw in records.raws]
    assert found == records.table["space_group"].tolist()
    numbers = {PARENTS[str(name).rsplit("-", 1)[0]].number for name in records.ids}
    assert numbers == set(records.table["space_group_number"])


def test_atoms_keep_their_distance() -> None:
    records = HalidesSource(samples=3, seed=1).open()
    for raw in records.raws:
        crystal = records.read(raw)
        steps = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), axis=-1).reshape(-1, 3)
        apart = crystal.frac[:, None, None] - crystal.frac[None, :, None] + steps
        far = np.linalg.norm(apart @ crystal.lattice, axis=-1)
        assert far[far > 1e-9].min() > 1.5  # Å


def test_draws_depend_on_seed_class_and_number_alone() -> None:
    few, more = HalidesSource(samples=2).open(), HalidesSource(samples=5).open()
    known = dict(zip(more.ids, more.raws, strict=True))
    assert all(known[name] == raw for name, raw in zip(few.ids, few.raws, strict=True))
    one = HalidesSource(samples=2, classes=("P-3m1",)).open()
    assert all(known[name] == raw for name, raw in zip(one.ids, one.raws, strict=True))
    assert HalidesSource(samples=2, seed=1).open().raws != few.raws
    assert HalidesSource(samples=2).open().fingerprint == few.fingerprint


def test_unknown_classes_are_refused() -> None:
    with pytest.raises(ValidationError, match="no class 'Pm-3'"):
        HalidesSource(classes=("Pm-3",))
    with pytest.raises(ValidationError, match="2 times"):
        HalidesSource(classes=("P-3m1", "P-3m1"))
