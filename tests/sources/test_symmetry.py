"""Space groups as columns: names against pymatgen and by hand, refusals, and what is kept."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ase.data import atomic_numbers

from gnnmat.errors import GnnmatError
from gnnmat.sources import space_groups
from gnnmat.sources.card import CardSource
from gnnmat.sources.crystal import Crystal, as_crystal
from gnnmat.sources.prototype_label import COMMON, describe
from gnnmat.sources.prototype_set import PrototypesSource, primitive_cell
from gnnmat.sources.prototypes import PROTOTYPES
from gnnmat.sources.space_groups import find_space_groups
from gnnmat.sources.symmetry import SymmetrySource
from gnnmat.sources.symmetry_labels import bravais, crystal_system, labels, operations, symbol
from gnnmat.sources.table import TableSource
from gnnmat.train.config import parse_config

CELL = [4.0, 0, 0, 0, 4.0, 0, 0, 0, 4.0]
# By hand, from the lattice that each structure is known for.
BRAVAIS = {
    2: "aP", 14: "mP", 15: "mC", 62: "oP", 63: "oC", 38: "oC", 70: "oF", 71: "oI", 136: "tP",
    139: "tI", 167: "hR", 152: "hP", 186: "hP", 194: "hP", 221: "cP", 225: "cF", 229: "cI",
}  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "symmetry"


def table(folder: Path, **more: Any) -> TableSource:
    """CsCl, a perovskite whose B atom is 0.05 Å off its centre, and bcc; a fourth row is no row."""
    rows = {
        "id": ["salt", "bent", "iron", "bad"],
        "lattice": [CELL, CELL, CELL, [1.0]],
        "numbers": [[55, 17], [38, 22, 8, 8, 8], [26, 26], [1]],
        "frac": [
            [0, 0, 0, 0.5, 0.5, 0.5],
            [0, 0, 0, 0.5, 0.5, 0.5125, 0.5, 0.5, 0, 0.5, 0, 0.5, 0, 0.5, 0.5],
            [0, 0, 0, 0.5, 0.5, 0.5],
            [0.0, 0, 0],
        ],
        "gap": [8.0, 3.0, 0.0, 1.0],
        "crystal_system": ["wrong"] * 4,
    }
    path = folder / "structures.parquet"
    pd.DataFrame(rows).to_parquet(path)
    return TableSource(path=str(path), units={"gap": "eV"}, **more)


def test_symbols_are_those_of_pymatgen() -> None:
    from pymatgen.symmetry.groups import sg_symbol_from_int_number

    for number in range(1, 231):
        theirs = sg_symbol_from_int_number(number, hexagonal=False)
        if crystal_system(number) == "monoclinic":  # pymatgen writes all axes: P12_1/c1
            theirs = theirs[0] + theirs[2:-1]
        assert symbol(number) == theirs
    assert symbol(14) == "P2_1/c"


def test_bravais_types_are_the_fourteen() -> None:
    assert {number: bravais(number) for number in BRAVAIS} == BRAVAIS
    assert {bravais(number) for number in range(1, 231)} == set(BRAVAIS.values())
    assert len(set(BRAVAIS.values())) == 14


def test_numbers_outside_1_to_230_are_no_space_groups() -> None:
    with pytest.raises(GnnmatError, match="no space group 231"):
        crystal_system(231)


def test_a_group_has_as_many_operations_as_its_order() -> None:
    # Order of the point group times lattice points of the conventional cell: 48 x 4, 16, 24.
    assert [len(operations(number)[0]) for number in (225, 136, 194)] == [192, 16, 24]


def read_quickly(raw: tuple[str, str, float, float | None, float | None]) -> Crystal:
    """A row of the known crystals: prototype, formula, a, c, u."""
    name, formula, a, c, u = raw
    kind = PROTOTYPES[name]
    inner = kind.u if u is None else u
    lattice, species, frac = primitive_cell(kind, a, c, inner)
    numbers = [atomic_numbers[one] for one in re.findall(r"[A-Z][a-z]?", formula)]
    return as_crystal(lattice, np.array(numbers)[species], frac)


# pymatgen passes on what spglib announces of its next way of raising errors.
@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")
def test_known_crystals_have_the_symmetry_that_pymatgen_finds(cache: Path) -> None:
    from pymatgen.core import Structure
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    card = CardSource(name="known_crystals").open()
    # The same primitive cells in a hundredth of the time that pymatgen takes to build them.
    records = replace(card.take(range(0, len(card), 5)), read=read_quickly)
    found = find_space_groups(records, 0.01, 0.1, workers=1, quiet=True)
    columns = labels(found.number)
    for place, raw in enumerate(records.raws):
        crystal = read_quickly(raw)
        theirs = SpacegroupAnalyzer(
            Structure(crystal.lattice, crystal.numbers.tolist(), crystal.frac), symprec=0.01
        )
        assert columns["space_group_number"][place] == theirs.get_space_group_number()
        assert columns["space_group"][place] == theirs.get_space_group_symbol()
        assert columns["crystal_system"][place] == theirs.get_crystal_system()
    assert len(found.number) == 23
    assert found.number.tolist() == found.loose.tolist()


def test_columns_are_added_and_everything_else_is_kept(tmp_path: Path) -> None:
    inner = table(tmp_path).open()
    records = SymmetrySource(of=table(tmp_path), check=None).open()
    assert records.ids == ["salt", "bent", "iron"]
    assert records.table["space_group"].tolist() == ["Pm-3m", "P4mm", "Im-3m"]
    assert records.table["space_group_number"].tolist() == [221, 99, 229]
    assert records.table["crystal_system"].tolist() == ["cubic", "tetragonal", "cubic"]
    assert records.table["bravais"].tolist() == ["cP", "tP", "cI"]
    assert records.table["prototype"].tolist() == ["cscl", "ABC3_99_a_b_ac", "bcc"]
    assert records.table["gap"].tolist() == [8.0, 3.0, 0.0]
    assert records.units == {"gap": "eV"}
    assert records.origins == inner.origins
    assert records.refused == inner.refused
    assert records.refused[0].id == "bad"
    assert records.fingerprint == inner.fingerprint  # the same structures


def test_common_names_of_prototypes_are_those_of_the_crystals_that_have_them() -> None:
    card = CardSource(name="known_crystals").open()
    named = {}
    for raw in card.raws:
        named.setdefault(raw[0], set()).add(describe(read_quickly(raw)).prototype)
    assert set(named) <= set(PROTOTYPES)
    known = {COMMON[label] for labels_ in named.values() for label in labels_}
    for name, (label,) in ((name, tuple(found)) for name, found in named.items()):
        assert COMMON[label] == name.removeprefix("anti")
    assert len(known) >= 10


def test_a_crystal_whose_group_changes_at_check_is_refused(tmp_path: Path) -> None:
    records = SymmetrySource(of=table(tmp_path)).open()
    assert records.ids == ["salt", "iron"]
    assert records.read(records.raws[1]).numbers.tolist() == [26, 26]
    assert [one.id for one in records.refused] == ["bad", "bent"]
    assert records.refused[1].reason == (
        "its space group depends on the tolerance: P4mm (99) within 0.01 Å, "
        "Pm-3m (221) within 0.1 Å"
    )
    assert records.refused[1].origin == "structures.parquet, row 2"
    assert records.fingerprint != table(tmp_path).open().fingerprint


def test_crystals_that_cannot_be_read_are_refused_with_their_reason(tmp_path: Path) -> None:
    path = tmp_path / "two.jsonl"
    row = '{{"id": "{}", "lattice": {}, "numbers": [{}, 26], "frac": [0, 0, 0, 0.5, 0.5, 0.5]}}\n'
    path.write_text(row.format("good", CELL, 26) + row.format("odd", CELL, 200))
    records = SymmetrySource(of=TableSource(path=str(path))).open()
    assert records.ids == ["good"]
    assert "Atomic number 200" in records.refused[0].reason


def test_a_set_without_one_reliable_group_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("id\nbent\n")
    source = SymmetrySource(of=table(tmp_path, ids=str(tmp_path / "one.csv")))
    with pytest.raises(GnnmatError, match=r"Not one crystal[\s\S]*1 were refused[\s\S]*P4mm"):
        source.open()


def count_calls(monkeypatch: pytest.MonkeyPatch, stop_at: int = 0) -> list[float]:
    """Tolerances that spglib was asked with; it is interrupted at this call."""
    asked: list[float] = []

    def counting(plain: Any) -> Any:
        def counted(crystal: Any, symprec: float) -> Any:
            asked.append(symprec)
            if len(asked) == stop_at:
                raise KeyboardInterrupt
            return plain(crystal, symprec)

        return counted

    for name in ("describe", "space_group"):
        monkeypatch.setattr(space_groups, name, counting(getattr(space_groups, name)))
    return asked


def test_what_was_found_is_read_the_second_time(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = count_calls(monkeypatch)
    first = SymmetrySource(of=table(tmp_path)).open()
    assert asked == [0.01, 0.1] * 3
    second = SymmetrySource(of=table(tmp_path)).open()
    assert len(asked) == 6
    pd.testing.assert_frame_equal(first.table, second.table)
    assert first.refused == second.refused
    SymmetrySource(of=table(tmp_path), check=0.2).open()
    assert len(asked) == 12
    (shard, _) = sorted(cache.glob("*/*.parquet"))
    shard.write_bytes(shard.read_bytes()[:50])
    for check in (0.1, 0.2):
        SymmetrySource(of=table(tmp_path), check=check).open()
    assert len(asked) == 18


def test_an_interrupted_search_goes_on_where_it_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(space_groups, "SHARD", 4)
    records = PrototypesSource(classes=("fcc", "bct"), samples=5).open()
    asked = count_calls(monkeypatch, stop_at=14)
    with pytest.raises(KeyboardInterrupt):
        find_space_groups(records, 0.01, 0.1, quiet=True, folder=tmp_path)
    found = find_space_groups(records, 0.01, 0.1, quiet=True, folder=tmp_path)
    assert len(asked) == 14 + 12  # six crystals were done, four of them written down
    assert found.number.tolist() == [225] * 5 + [139] * 5


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    records = PrototypesSource(classes=("sc",), samples=2).open()
    found = find_space_groups(records, 0.01, None, quiet=True, folder=tmp_path / "file")
    np.testing.assert_array_equal(found.number, [221, 221])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"check": 0.01}, r"check \(0.01\) has to be above symprec \(0.01\)"),
        ({"of": {"kind": "table", "pth": "a"}}, r"data.source.of.pth: unknown option"),
        ({"of": {"kind": "arrays", "path": "a"}}, "'arrays' is none of the kinds"),
        ({"symprec": 0}, "data.source.symprec"),
    ],
)
def test_mistakes_in_a_recipe_are_named(options: dict[str, Any], words: str) -> None:
    source = {"kind": "symmetry", "of": {"kind": "card"}, **options}
    with pytest.raises(GnnmatError, match=words):
        parse_config({"data": {"source": source}})


def test_the_data_are_called_by_the_name_of_their_source() -> None:
    assert SymmetrySource(of=CardSource(name="known_crystals")).name == "known_crystals"
    assert SymmetrySource(of=TableSource(path="a")).name == "table"
