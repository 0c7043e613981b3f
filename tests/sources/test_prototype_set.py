"""Crystals drawn from structure types: their symmetry, their lengths, and what decides a draw."""

from __future__ import annotations

import math
from functools import cache
from itertools import product

import numpy as np
import pytest
from pydantic import ValidationError

from gnnmat.errors import GnnmatError
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.prototype_draws import (
    CLASSES,
    Drawn,
    covalent_radii,
    draw,
    shortest_bond,
    species_of,
)
from gnnmat.sources.prototype_set import PrototypesSource, build_drawn
from gnnmat.sources.prototypes import PROTOTYPES, build_prototype
from gnnmat.sources.records import Records
from gnnmat.sources.symmetry_labels import space_group

# Space groups of the structure types: any textbook.
GROUPS = {
    "fcc": 225, "bcc": 229, "hcp": 194, "sc": 221, "diamond": 227, "bct": 139, "rocksalt": 225,
    "cscl": 221, "zincblende": 216, "wurtzite": 186, "perovskite": 221, "fluorite": 225,
    "rutile": 136,
}  # fmt: skip


@cache
def records() -> Records:
    return PrototypesSource(samples=3).open()


def nearest(crystal: Crystal, first: int, second: int) -> float:
    """Shortest distance between two species, in Å, by brute force."""
    images = np.array(list(product(range(-2, 3), repeat=3)))
    one, other = (crystal.frac[crystal.numbers == z] for z in (first, second))
    apart = one[:, None, None] - other[None, :, None] + images
    lengths = np.linalg.norm(apart @ crystal.lattice, axis=-1)
    return float(lengths[lengths > 1e-6].min())


def test_the_list_of_classes_is_the_one_written_down() -> None:
    assert set(CLASSES) == set(GROUPS)
    assert len(CLASSES) == 13


def test_every_crystal_has_the_space_group_of_its_class_at_both_tolerances() -> None:
    found = records()
    for raw, name, number in zip(
        found.raws, found.table["prototype"], found.table["space_group_number"], strict=True
    ):
        crystal = found.read(raw)
        assert number == GROUPS[name]
        assert space_group(crystal, 0.01) == space_group(crystal, 0.1) == number
        assert len(crystal.numbers) == PROTOTYPES[name].atoms


@pytest.mark.parametrize("name", ["wurtzite", "rutile", "perovskite", "diamond"])
def test_cells_are_those_that_pymatgen_builds(name: str) -> None:
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Structure

    raw = records().raws[3 * CLASSES.index(name)]
    formula = records().ids[3 * CLASSES.index(name)].split("-")[1]
    crystals = build_drawn(raw), build_prototype(name, formula, raw.a, raw.c, raw.u)
    ours, theirs = (Structure(one.lattice, one.numbers.tolist(), one.frac) for one in crystals)
    strict = StructureMatcher(ltol=1e-4, stol=1e-4, angle_tol=0.01, scale=False)
    assert strict.fit(ours, theirs)


def test_bonds_are_sums_of_covalent_radii_within_the_scatter() -> None:
    found = records()
    for raw in found.raws:
        crystal = found.read(raw)
        first, second = raw.numbers[-2:] if len(raw.numbers) > 1 else raw.numbers * 2
        bond = nearest(crystal, first, second)
        ratio = 1.0 if raw.c is None else raw.c / raw.a
        assert bond == pytest.approx(
            shortest_bond(raw.prototype, ratio, raw.u or 0.0) * raw.a, rel=1e-5
        )
        radii = covalent_radii()
        assert bond / (radii[first] + radii[second]) == pytest.approx(1, abs=0.0801)


def test_covalent_radii_are_the_published_ones() -> None:
    # B. Cordero et al., Dalton Trans. 2832 (2008), table 2: C (sp3), Na, Cl, Cs, Au.
    assert [covalent_radii()[z] for z in (6, 11, 17, 55, 79)] == [0.76, 1.66, 1.02, 2.44, 1.36]


def test_bct_is_never_near_bcc_or_fcc() -> None:
    random = np.random.default_rng(0).random
    drawn = [draw("bct", [(29,)], random, scatter=0.0, margin=0.08) for _ in range(400)]
    ratios = np.array([one.c / one.a for one in drawn if one.c is not None])
    assert len(ratios) == 400
    for forbidden in (1.0, math.sqrt(2)):
        assert np.abs(ratios - forbidden).min() > 0.0799
    assert ratios.min() > 0.7499
    assert ratios.max() < 1.7501
    # All three gaps are used: below bcc, between, above fcc.
    assert [(ratios < 1).any(), ((ratios > 1) & (ratios < 1.4)).any(), (ratios > 1.42).any()] == [
        True
    ] * 3
    # On the Bain path itself the type is no type of its own.
    for ratio, number in ((1.0, 229), (math.sqrt(2), 225)):
        assert space_group(build_drawn(Drawn("bct", (29,), 3.0, 3.0 * ratio)), 0.01) == number


def test_a_crystal_depends_on_seed_class_and_number_alone() -> None:
    few = PrototypesSource(samples=2, classes=("rutile", "fcc")).open()
    kept = dict(zip(records().ids, records().raws, strict=True))
    assert all(kept[name] == raw for name, raw in zip(few.ids, few.raws, strict=True))
    again = PrototypesSource(samples=3).open()
    assert (again.ids, again.fingerprint) == (records().ids, records().fingerprint)
    other = PrototypesSource(samples=3, seed=1).open()
    assert other.raws != records().raws
    assert len({few.fingerprint, again.fingerprint, other.fingerprint}) == 3
    assert PrototypesSource(samples=3, scatter=0.1).open().fingerprint != again.fingerprint


def test_columns_name_class_symmetry_and_elements() -> None:
    table = records().table
    assert table["prototype"].value_counts().to_dict() == dict.fromkeys(CLASSES, 3)
    row = table.iloc[3 * CLASSES.index("rocksalt")]
    assert (row["space_group"], row["crystal_system"], row["bravais"]) == ("Fm-3m", "cubic", "cF")
    formula = records().ids[3 * CLASSES.index("rocksalt")].split("-")[1]
    assert sorted(row["elements"]) == sorted(formula + "-")
    assert records().units == {"a": "Å", "c": "Å"}
    assert len(set(records().ids)) == 39


def test_elements_do_not_give_the_class_away() -> None:
    for names in (("fcc", "bcc", "hcp", "sc", "diamond", "bct"), ("rocksalt", "cscl", "rutile")):
        choices = [species_of(name, 3, 83, 0.15) for name in names]
        assert all(one == choices[0] for one in choices)
    pairs = species_of("rocksalt", 3, 83, 0.15)
    assert (11, 17) in pairs  # NaCl
    assert (19, 17) not in pairs  # KCl: to X-rays, simple cubic
    assert (19, 17) in species_of("rocksalt", 3, 83, 0.1)
    assert (38, 22, 8) in species_of("perovskite", 3, 83, 0.15)  # SrTiO3
    assert (22, 38, 8) not in species_of("perovskite", 3, 83, 0.15)
    assert {z for one in species_of("fcc", 20, 30, 0.15) for z in one} == set(range(20, 31))
    assert not {z for (z,) in species_of("fcc", 1, 96, 0.15)} & {1, 2, 7, 8, 9, 10, 18, 36, 54}


def test_mistakes_are_named() -> None:
    with pytest.raises(ValidationError, match=r"no class 'rocksal'. Did you mean 'rocksalt'\?"):
        PrototypesSource(classes=("rocksal",))
    with pytest.raises(ValidationError, match="'fcc' is named 2 times"):
        PrototypesSource(classes=("fcc", "fcc"))
    with pytest.raises(GnnmatError, match=r"lightest \(60\) is above heaviest \(50\)"):
        PrototypesSource(lightest=60, heaviest=50).open()
    with pytest.raises(GnnmatError, match="No elements from 21 to 29 make .* rocksalt"):
        PrototypesSource(classes=("rocksalt",), lightest=21, heaviest=29).open()
