"""Prototypes and the embedded known crystals, against numbers counted by hand and by spglib."""

from __future__ import annotations

import csv
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import spglib
import yaml
from pymatgen.core import Composition, Element

from gnnmat.errors import GnnmatError
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.prototypes import PROTOTYPES, build_prototype

# spglib announces its next way of raising errors at every call.
pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")

DATASETS = Path(__file__).resolve().parents[2] / "datasets"
IDEAL = math.sqrt(8.0 / 3.0)  # c/a of touching spheres

# prototype: formula, a, c, space group, atoms in the primitive cell, formula units in it.
# Space groups and Pearson symbols are those of any crystallography textbook: cF4 has one atom in
# its primitive cell, hP2 two, cF8 two, cF12 three, hP4 four, tP6 six, cP5 five.
EXAMPLES = {
    "fcc": ("Cu", 3.6, None, 225, 1, 1),
    "bcc": ("Fe", 2.9, None, 229, 1, 1),
    "hcp": ("Mg", 3.2, 3.2 * IDEAL, 194, 2, 2),
    "sc": ("Po", 3.35, None, 221, 1, 1),
    "bct": ("In", 3.25, 4.95, 139, 1, 1),
    "diamond": ("Si", 5.4, None, 227, 2, 2),
    "rocksalt": ("NaCl", 5.6, None, 225, 2, 1),
    "cscl": ("CsCl", 4.1, None, 221, 2, 1),
    "zincblende": ("ZnS", 5.4, None, 216, 2, 1),
    "wurtzite": ("ZnS", 3.8, 3.8 * IDEAL, 186, 4, 2),
    "fluorite": ("CaF2", 5.5, None, 225, 3, 1),
    "antifluorite": ("Li2O", 4.6, None, 225, 3, 1),
    "rutile": ("TiO2", 4.6, 2.96, 136, 6, 2),
    "perovskite": ("SrTiO3", 3.9, None, 221, 5, 1),
}

# prototype, centre, neighbour, coordination, distance in units of a; counted by hand.
COORDINATION = [
    ("fcc", "Cu", "Cu", 12, 1 / math.sqrt(2)),
    ("bcc", "Fe", "Fe", 8, math.sqrt(3) / 2),
    ("hcp", "Mg", "Mg", 12, 1.0),
    ("sc", "Po", "Po", 6, 1.0),
    ("bct", "In", "In", 4, 1.0),
    ("diamond", "Si", "Si", 4, math.sqrt(3) / 4),
    ("rocksalt", "Na", "Cl", 6, 1 / 2),
    ("rocksalt", "Cl", "Na", 6, 1 / 2),
    ("rocksalt", "Na", "Na", 12, 1 / math.sqrt(2)),
    ("cscl", "Cs", "Cl", 8, math.sqrt(3) / 2),
    ("cscl", "Cs", "Cs", 6, 1.0),
    ("zincblende", "Zn", "S", 4, math.sqrt(3) / 4),
    ("zincblende", "S", "Zn", 4, math.sqrt(3) / 4),
    ("wurtzite", "Zn", "S", 4, IDEAL * 3 / 8),
    ("wurtzite", "Zn", "Zn", 12, 1.0),
    ("fluorite", "Ca", "F", 8, math.sqrt(3) / 4),
    ("fluorite", "F", "Ca", 4, math.sqrt(3) / 4),
    ("fluorite", "F", "F", 6, 1 / 2),
    ("antifluorite", "Li", "O", 4, math.sqrt(3) / 4),
    ("antifluorite", "O", "Li", 8, math.sqrt(3) / 4),
    ("perovskite", "Ti", "O", 6, 1 / 2),
    ("perovskite", "Sr", "O", 12, 1 / math.sqrt(2)),
    ("perovskite", "O", "Ti", 2, 1 / 2),
    ("perovskite", "O", "Sr", 4, 1 / math.sqrt(2)),
]


@cache
def example(prototype: str) -> Crystal:
    formula, a, c, *_ = EXAMPLES[prototype]
    return build_prototype(prototype, formula, a, c)


def shell(crystal: Crystal, centre: str, neighbour: str) -> tuple[int, float]:
    """Coordination and distance (Å) of the nearest shell, by brute force over 7^3 images."""
    first = int(np.flatnonzero(crystal.numbers == Element(centre).Z)[0])
    others = np.flatnonzero(crystal.numbers == Element(neighbour).Z)
    steps = np.arange(-3, 4)
    images = np.array(np.meshgrid(steps, steps, steps)).reshape(3, -1).T  # (343, 3)
    vectors = crystal.frac[others][:, None, :] + images[None] - crystal.frac[first]
    distances = np.linalg.norm(vectors.reshape(-1, 3) @ crystal.lattice, axis=1)
    distances = distances[distances > 1e-6]
    nearest = float(distances.min())
    return int(np.sum(np.abs(distances - nearest) < 1e-6)), nearest


def symmetry(crystal: Crystal) -> int:
    dataset = spglib.get_symmetry_dataset(
        (crystal.lattice, crystal.frac, crystal.numbers), symprec=1e-5
    )
    return int(dataset.number)


def composition(crystal: Crystal) -> Composition:
    return Composition(
        {Element.from_Z(int(z)): int(np.sum(crystal.numbers == z)) for z in set(crystal.numbers)}
    )


@cache
def known_rows() -> tuple[dict[str, str], ...]:
    with (DATASETS / "known_crystals.csv").open(newline="", encoding="utf-8") as lines:
        return tuple(csv.DictReader(lines))


@cache
def known_sources() -> dict[str, dict[str, str]]:
    text = (DATASETS / "known_crystals_sources.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def number(text: str) -> float | None:
    return float(text) if text else None


@cache
def known_crystals() -> dict[str, Crystal]:
    return {
        row["id"]: build_prototype(
            row["prototype"], row["formula"], float(row["a"]), number(row["c"]), number(row["u"])
        )
        for row in known_rows()
    }


def test_every_prototype_has_an_example() -> None:
    assert set(EXAMPLES) == set(PROTOTYPES)


@pytest.mark.parametrize("prototype", EXAMPLES)
def test_space_group_atoms_and_formula(prototype: str) -> None:
    formula, _, _, group, atoms, units = EXAMPLES[prototype]
    crystal = example(prototype)
    assert symmetry(crystal) == group
    assert len(crystal.numbers) == atoms
    assert composition(crystal) == Composition(formula) * units


@pytest.mark.parametrize("prototype", EXAMPLES)
def test_arrays_have_the_promised_types_and_range(prototype: str) -> None:
    crystal = example(prototype)
    assert (crystal.lattice.shape, crystal.lattice.dtype) == ((3, 3), np.float64)
    assert (crystal.frac.shape, crystal.frac.dtype) == ((len(crystal.numbers), 3), np.float64)
    assert crystal.numbers.dtype == np.int64
    assert np.all((crystal.frac >= 0) & (crystal.frac < 1))


@pytest.mark.parametrize(("prototype", "centre", "neighbour", "count", "distance"), COORDINATION)
def test_coordination(
    prototype: str, centre: str, neighbour: str, count: int, distance: float
) -> None:
    found, nearest = shell(example(prototype), centre, neighbour)
    assert found == count
    assert nearest == pytest.approx(distance * EXAMPLES[prototype][1], rel=1e-9)


def test_rutile_bonds_of_tin_dioxide() -> None:
    # WWW-MINCRYST lists two Sn-O bonds of 2.0475 Å for this cell; the other four of the octahedron
    # are at sqrt(2 (1/2 - x)^2 a^2 + c^2 / 4) = 2.0578 Å.
    crystal = build_prototype("rutile", "SnO2", 4.7373, 3.1864, 0.3056)
    count, nearest = shell(crystal, "Sn", "O")
    assert count == 2
    assert nearest == pytest.approx(2.0475, abs=2e-4)
    elongated = build_prototype("rutile", "SnO2", 4.7373, 3.1864, 0.31)
    count, nearest = shell(elongated, "Sn", "O")
    assert count == 4
    assert nearest == pytest.approx(math.sqrt(2 * (0.19 * 4.7373) ** 2 + 3.1864**2 / 4), rel=1e-9)


@pytest.mark.parametrize("prototype", EXAMPLES)
def test_volume_of_the_primitive_cell(prototype: str) -> None:
    _, a, c, *_ = EXAMPLES[prototype]
    centring = {"fcc": 4, "diamond": 4, "rocksalt": 4, "zincblende": 4, "fluorite": 4}
    centring |= {"antifluorite": 4, "bcc": 2, "bct": 2}
    base = a * a * (c or a) * (math.sqrt(3) / 2 if prototype in ("hcp", "wurtzite") else 1.0)
    assert example(prototype).volume == pytest.approx(base / centring.get(prototype, 1), rel=1e-9)


def test_atoms_come_in_the_order_of_the_formula() -> None:
    assert build_prototype("perovskite", "SrTiO3", 3.9).numbers.tolist() == [38, 22, 8, 8, 8]
    assert build_prototype("antifluorite", "Mg2Si", 6.3).numbers.tolist() == [12, 12, 14]


def test_internal_parameter_moves_the_anion() -> None:
    flat = build_prototype("wurtzite", "ZnO", 3.25, 5.2, 0.38)
    assert (flat.frac[2, 2] - flat.frac[0, 2]) % 0.5 == pytest.approx(0.38, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "what", "fix"),
    [
        (("fluorit", "CaF2", 5.5), "Unknown prototype 'fluorit'", "Did you mean 'fluorite'?"),
        (("spinel-like", "MgO", 4.2), "Unknown prototype", "Known: "),
        (("fcc", "NaCl", 5.6), "does not fit the prototype 'fcc'", "another prototype"),
        (("fluorite", "CaF", 5.6), "does not fit the prototype 'fluorite'", "counts"),
        (("rocksalt", "NaXx", 5.6), "does not fit", "elements"),
        (("rocksalt", "NaNa", 5.6), "does not fit", "elements"),
        (("rocksalt", "nacl", 5.6), "does not fit", "elements"),
        (("hcp", "Mg", 3.2), "has no c", "Give c"),
        (("fcc", "Cu", 3.6, 3.6), "was given c", "Leave it out"),
        (("rocksalt", "NaCl", 5.6, None, 0.1), "was given u", "Leave it out"),
        (("fcc", "Cu", -3.6), "a = -3.6", "in Å"),
        (("hcp", "Mg", 3.2, float("nan")), "c = nan", "in Å"),
        (("rutile", "TiO2", 4.6, 2.96, 0.0), "atoms", "another u"),
    ],
)
def test_mistakes_are_named(arguments: tuple[object, ...], what: str, fix: str) -> None:
    with pytest.raises(GnnmatError) as raised:
        build_prototype(*arguments)  # type: ignore[arg-type]
    assert what in raised.value.what
    assert fix in raised.value.fix


def test_known_crystals_are_many_and_their_ids_unique() -> None:
    ids = [row["id"] for row in known_rows()]
    assert 60 <= len(ids) <= 150
    assert len(set(ids)) == len(ids)
    assert all(row["id"] == f"{row['formula']}-{row['prototype']}" for row in known_rows())


@pytest.mark.parametrize("row", known_rows(), ids=lambda row: row["id"])
def test_known_crystal_builds_in_its_space_group(row: dict[str, str]) -> None:
    crystal = known_crystals()[row["id"]]
    kind = PROTOTYPES[row["prototype"]]
    assert len(crystal.numbers) == kind.atoms
    assert symmetry(crystal) == kind.number
    assert composition(crystal).reduced_formula == Composition(row["formula"]).reduced_formula
    volume = crystal.volume / len(crystal.numbers)
    assert 5.0 < volume < 120.0  # Å^3 an atom: diamond 5.7, caesium about 115


def test_no_two_known_crystals_are_the_same() -> None:
    assert len({crystal.digest() for crystal in known_crystals().values()}) == len(known_rows())


@pytest.mark.parametrize("row", known_rows(), ids=lambda row: row["id"])
def test_known_values_have_a_source_and_a_sane_size(row: dict[str, str]) -> None:
    assert row["lattice_source"] in known_sources()
    for value in ("bulk_modulus", "band_gap"):
        source = row[f"{value}_source"]
        assert (row[value] == "") == (source == "")
        assert source == "" or source in known_sources()
    assert 2.0 < float(row["a"]) < 8.0
    modulus, gap = number(row["bulk_modulus"]), number(row["band_gap"])
    assert modulus is None or 1.0 < modulus < 460.0  # GPa: potassium to diamond
    assert gap is None or 0.0 <= gap < 14.5  # eV: no solid is wider than LiF


def test_every_source_is_used_and_complete() -> None:
    keys = ("lattice_source", "bulk_modulus_source", "band_gap_source")
    used = {row[key] for row in known_rows() for key in keys} - {""}
    assert used == set(known_sources())
    for key, source in known_sources().items():
        assert set(source) == {"title", "locator", "note"}, key
        assert all(isinstance(text, str) and len(text) > 5 for text in source.values()), key


def test_a_gap_of_zero_called_metallic_belongs_to_a_metal() -> None:
    metals = [row for row in known_rows() if row["band_gap_source"] == "pymatgen_is_metal"]
    assert metals
    assert all(Element(row["formula"]).is_metal and row["band_gap"] == "0" for row in metals)
