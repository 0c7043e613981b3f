"""Energy above the hull: by hand for two elements, pymatgen for three, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition

from gnnmat.errors import GnnmatError
from gnnmat.workflows.screening.references import Hull, read_references, reduced
from gnnmat.workflows.screening.stage import Judged
from gnnmat.workflows.screening.stages.hull import HullStage

from .formulas import candidates

ENTRIES = [("Li2O", -2.0), ("TiO2", -3.2), ("Li2TiO3", -3.0), ("TiO", -2.7), ("NaCl", -2.1)]


@pytest.fixture
def entries(tmp_path: Path) -> Path:
    path = tmp_path / "entries.csv"
    pd.DataFrame(ENTRIES, columns=["formula", "e_form"]).to_csv(path, index=False)
    return path


def judged(table: pd.DataFrame, entries: Path, **options: Any) -> Judged:
    return HullStage(entries=str(entries), **options).open(Path())(table)


def test_distances_by_hand(entries: Path) -> None:
    # Na3Cl: on the line from Na (0) to NaCl (-2.1) half of the atoms are in NaCl: -1.05.
    # TiO2: itself a reference. Ti2O3: 0.4 of the atoms in TiO (5 = 2 + 3): 2/5 * -2.7 + 3/5 * -3.2.
    energies = [-1.0, -3.0, -3.1, 0.2]
    found = judged(candidates("Na3Cl", "TiO2", "Ti2O3", "Na", e_form=energies), entries)
    above = list(found.columns["e_above_hull"])
    assert above == pytest.approx([0.05, 0.2, -3.1 + 0.4 * 2.7 + 0.6 * 3.2, 0.2])
    high = "more than 0.1 eV/atom above the hull"
    assert list(found.reasons) == ["", high, "", high]
    assert list(found.columns["hull_references"]) == [1, 2, 2, 0]
    assert found.units["e_above_hull"] == "eV/atom"


def test_distances_are_those_of_pymatgen(entries: Path) -> None:
    known = [PDEntry(Composition(one), e * Composition(one).num_atoms) for one, e in ENTRIES[:4]]
    diagram = PhaseDiagram([*known, *(PDEntry(Composition(one), 0.0) for one in ("Li", "Ti", "O"))])
    formulas = ["LiTiO2", "Li4Ti5O12", "LiO2", "Ti3O5", "LiTi"]
    energy = np.linspace(-3.2, 0.1, len(formulas))
    found = judged(candidates(*formulas, e_form=energy), entries, max_e_above_hull=None)
    wanted = []
    for formula, value in zip(formulas, energy, strict=True):
        composition = Composition(formula)
        entry = PDEntry(composition, value * composition.num_atoms)
        wanted.append(diagram.get_e_above_hull(entry, allow_negative=True))
    assert list(found.columns["e_above_hull"]) == pytest.approx(wanted, abs=1e-9)


def test_total_energies_give_the_same_distance(tmp_path: Path) -> None:
    # The same Na-Cl system, with -1.3 and -1.8 eV/atom for the elements.
    path = tmp_path / "total.parquet"
    rows = [("Na", -1.3), ("Cl", -1.8), ("NaCl", -2.1 - 1.55), ("Na2Cl2", -1.0)]
    pd.DataFrame(rows, columns=["name", "energy"]).to_parquet(path)
    options = {"entries_formula": "name", "entries_energy": "energy", "energy": "energy"}
    table = candidates("Na3Cl", "KCl", energy=[-1.0 - (3 * 1.3 + 1.8) / 4, -3.0])
    found = judged(table, path, energies="total", **options)
    assert found.columns["e_above_hull"].iloc[0] == pytest.approx(0.05)
    assert list(found.reasons) == ["", "an element of it is in no reference"]


def test_total_energies_need_the_elements(tmp_path: Path) -> None:
    path = tmp_path / "total.csv"
    path.write_text("formula,e_form\nNaCl,-3.6\nNa,-1.3\n", encoding="utf-8")
    found = judged(candidates("Na3Cl", e_form=[-1.0]), path, energies="total")
    assert list(found.reasons) == ["an element of it has no reference energy"]


def test_intervals_and_members_are_carried(entries: Path) -> None:
    table = candidates("Na3Cl", "KCl", e_form=[-1.0, -1.0]).assign(
        e_form_low=[-1.2, -1.2],
        e_form_high=[-0.8, -0.8],
        e_form_members=[[-1.1, -0.9], [-1.0, -1.0]],
    )
    found = judged(table, entries).columns
    assert found["e_above_hull_low"].iloc[0] == pytest.approx(-0.15)
    assert found["e_above_hull_high"].iloc[0] == pytest.approx(0.25)
    assert found["e_above_hull_members"].iloc[0] == pytest.approx([-0.05, 0.15])
    assert found["e_above_hull_members"].iloc[1] is None
    assert np.isnan(found["e_above_hull_low"].iloc[1])


def test_candidates_without_references_get_a_reason(entries: Path) -> None:
    formulas = ["KCl", "Na3Cl", "Na3Cl", "Xx", "NaLiTiOClH9"]
    table = candidates(*formulas, e_form=[-1.0, np.nan, -1.0, -1.0, -1.0])
    nothing = "an element of it is in no reference"
    broken = "failed: its formula cannot be read"
    found = judged(table, entries)
    assert list(found.reasons) == [nothing, "e_form is not known", "", broken, nothing]
    kept = judged(table, entries, no_reference="keep")
    assert list(kept.reasons) == ["", "e_form is not known", "", broken, ""]


def test_too_many_elements_are_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    formula = "LiNaKRbCsFClBrIO"
    path.write_text(f"formula,e_form\n{formula},-1\n", encoding="utf-8")
    found = judged(candidates(formula, e_form=[0.0]), path)
    assert list(found.reasons) == ["more elements than 9, too many for a hull"]


def test_a_diagram_is_built_once_a_system(entries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hull = Hull(read_references(entries, "formula", "e_form", formation=True))
    built: list[int] = []
    init = PhaseDiagram.__init__

    def counted(self: PhaseDiagram, *args: Any, **kwargs: Any) -> None:
        built.append(1)
        init(self, *args, **kwargs)

    monkeypatch.setattr(PhaseDiagram, "__init__", counted)
    for formula in ("NaCl2", "Na2Cl", "Na3Cl", "NaCl"):
        hull(formula)
    assert len(built) == 1


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Na2Cl2", "Cl1Na1"),
        ("Ca(OH)2", "Ca1H2O2"),
        ("NO", "N1O1"),
        ("Li0.5CoO2", ""),
        ("??", ""),
        ("", ""),
    ],
)
def test_formulas_are_reduced_or_refused(text: str, wanted: str) -> None:
    assert reduced(text) == wanted


def test_the_lowest_of_several_entries_counts(tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("formula,e_form\nNaCl,-1.0\nClNa,-2.1\nNa4Cl4,-2.0\nN,\n", encoding="utf-8")
    found = read_references(path, "formula", "e_form", formation=True)
    assert dict(found.energies) == {"Cl1Na1": -2.1}


@pytest.mark.parametrize(
    ("text", "options", "word"),
    [
        ("formula,e_form\nNaCl,-1\n", {"entries_energy": "e"}, "no column 'e'"),
        ("formula,e_form\nNaCl,-1\n", {"entries_formula": "f"}, "no column 'f'"),
        ("formula,e_form\nNaCl,\n", {}, "no row with a formula and an energy"),
        ("", {}, "cannot be read"),
    ],
)
def test_bad_entries_are_refused_when_the_stage_is_opened(
    tmp_path: Path, text: str, options: dict[str, str], word: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(GnnmatError, match=word):
        HullStage(entries=str(path), **options).open(tmp_path)


@pytest.mark.parametrize("name", ["none.csv", "none.parquet"])
def test_missing_entries_are_refused_when_the_stage_is_opened(tmp_path: Path, name: str) -> None:
    with pytest.raises(GnnmatError, match="cannot be read"):
        HullStage(entries=str(tmp_path / name)).open(tmp_path)


def test_a_missing_energy_column_is_named(entries: Path) -> None:
    with pytest.raises(GnnmatError, match="no column 'e_form'"):
        judged(candidates("NaCl"), entries)
