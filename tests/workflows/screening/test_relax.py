"""Relaxation: minima of the energy as ASE's equation of state finds them, and what goes wrong."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.eos import EquationOfState

from gnnmat.workflows.screening import relaxing
from gnnmat.workflows.screening.stage import KEPT
from gnnmat.workflows.screening.stages.relax import Relax
from gnnmat.workflows.screening.table import crystals_of

from .small_crystals import OWN_EMT, judged, left, table_of


def emt(**options: object) -> Relax:
    return Relax(**{"calculator": "emt", "fmax": 1e-3, "optimizer": "LBFGS", **options})


def resting_volume(element: str, a: float) -> float:
    """Of an atom at the lowest energy, Å^3, from energies alone."""
    volumes, energies = [], []
    for scale in np.linspace(0.99, 1.01, 5):
        atoms = bulk(element, a=a * scale)
        atoms.calc = EMT()
        volumes.append(atoms.get_volume())
        energies.append(atoms.get_potential_energy())
    return float(EquationOfState(volumes, energies, eos="sj").fit()[0])


def displaced() -> Atoms:
    """Cu3Au with an atom out of its place."""
    atoms = bulk("Cu", cubic=True, a=3.75)
    atoms.numbers[0] = 79
    atoms.positions[1] += (0.1, 0.05, 0.0)
    return atoms


@pytest.mark.parametrize("optimizer", ["FIRE", "LBFGS"])
def test_volume_is_that_of_the_lowest_energy(optimizer: str) -> None:
    table = table_of({"cu": bulk("Cu", a=3.65), "al": bulk("Al", a=3.95)})
    found = judged(emt(optimizer=optimizer), table)
    assert list(found.reasons) == [KEPT, KEPT]
    wanted = np.array([resting_volume("Cu", 3.59), resting_volume("Al", 3.99)])
    volume = found.columns["volume"].to_numpy()
    assert volume == pytest.approx(wanted, rel=1e-3)
    change = found.columns["volume_change"].to_numpy()
    assert change == pytest.approx(wanted / table["volume"] - 1, abs=1e-3)
    assert found.units["energy"] == "eV/atom"


def test_relaxed_crystal_takes_the_place_of_the_given_one() -> None:
    table = table_of({"cu3au": displaced()})
    after = left(table, judged(emt(), table))
    crystal = crystals_of(after)[0]
    assert crystal.volume / 4 == pytest.approx(after["volume"][0])
    assert list(crystal.numbers) == list(table["numbers"][0])
    # The atom is back in its place: all twelve bonds of gold are alike.
    apart = (crystal.frac[1:] - crystal.frac[0] + 0.5) % 1 - 0.5
    bonds = np.linalg.norm(apart @ crystal.lattice, axis=1)
    assert np.ptp(bonds) < 1e-3
    again = judged(emt(steps=0), after)
    assert again.columns["energy"][0] == pytest.approx(after["energy"][0], abs=1e-9)


def test_energy_is_that_of_an_atom_and_the_cell_may_stay() -> None:
    table = table_of({"cu3au": displaced()})
    found = judged(emt(cell=False, keep="given"), table)
    assert set(found.columns) == {"energy", "volume_change", "converged"}
    assert found.columns["volume_change"][0] == 0
    perfect = displaced()
    perfect.positions[1] -= (0.1, 0.05, 0.0)
    perfect.calc = EMT()
    # The place is one of high symmetry, so it is the minimum for this cell.
    assert found.columns["energy"][0] == pytest.approx(perfect.get_potential_energy() / 4, abs=1e-6)


def test_without_steps_the_energy_is_that_of_the_given_crystal_and_nothing_is_dropped() -> None:
    table = table_of({"cu": bulk("Cu", a=3.8)})
    atoms = bulk("Cu", a=3.8)
    atoms.calc = EMT()
    found = judged(emt(steps=0), table)
    assert found.columns["energy"][0] == pytest.approx(atoms.get_potential_energy(), abs=1e-12)
    assert found.columns["volume_change"][0] == 0
    off = judged(emt(steps=0), table_of({"cu3au": displaced()}))
    assert list(off.reasons) == [KEPT]
    assert not off.columns["converged"][0]


def test_rows_that_go_wrong_have_plain_reasons_and_keep_their_crystal() -> None:
    crystals = {"salt": bulk("NaCl", "rocksalt", a=5.6), "small": bulk("Cu", a=2.0)}
    crystals["fine"] = bulk("Cu")
    table = table_of(crystals)
    found = judged(emt(), table)
    assert list(found.reasons) == [relaxing.UNKNOWN_ELEMENT, relaxing.EXPLODED, KEPT]
    assert list(found.columns["converged"]) == [False, False, True]
    assert np.isnan(found.columns["energy"][:2]).all()
    assert np.array_equal(found.columns["lattice"][0], table["lattice"][0])
    slow = judged(emt(steps=1), table_of({"cu3au": displaced()}))
    assert list(slow.reasons) == [relaxing.NO_CONVERGENCE]


def test_a_metal_does_not_become_one_of_the_toy_elements_of_emt() -> None:
    found = judged(emt(), table_of({"c": bulk("C"), "o": bulk("Cu")}))
    assert list(found.reasons) == [relaxing.UNKNOWN_ELEMENT, KEPT]


def test_collapse_is_found_where_numbers_are_not_finite() -> None:
    both = Atoms("Cu2", scaled_positions=[[0, 0, 0]] * 2, cell=[4, 4, 4], pbc=True)
    stage = Relax(calculator="lj", calculator_options={"sigma": 2.3, "epsilon": 0.1})
    found = judged(stage, table_of({"both": both, "fine": bulk("Cu", a=3.6)}))
    assert list(found.reasons) == [relaxing.NOT_FINITE, KEPT]


BROKEN = """
    from ase.calculators.emt import EMT

    class Broken(EMT):
        def calculate(self, atoms, properties, system_changes):
            super().calculate(atoms, properties, system_changes)
            self.results["stress"] = self.results["stress"] * float("nan")

    def broken():
        return Broken()

    def raising():
        one = EMT()
        one.calculate = None
        return one
"""


def test_nan_and_exceptions_of_a_calculator_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_broken.py").write_text(textwrap.dedent(BROKEN))
    monkeypatch.chdir(tmp_path)
    table = table_of({"cu": bulk("Cu")})
    found = judged(emt(calculator="my_broken:broken"), table)
    assert list(found.reasons) == [relaxing.NOT_FINITE]
    found = judged(emt(calculator="my_broken:raising"), table)
    assert list(found.reasons) == ["failed: the calculator raised TypeError"]
    assert found.notes[0].startswith("The calculator raised TypeError on cu: ")


def test_a_crystal_after_one_that_raised_is_not_taken_for_known() -> None:
    """EMT keeps parameters of the crystal before where the elements are the same."""
    salt = bulk("NaCl", "rocksalt", a=5.6)
    other = bulk("NaCl", "rocksalt", a=5.7)
    table = table_of({"cu": bulk("Cu", cubic=True)[:2], "salt": salt, "other": other})
    found = judged(emt(calculator=OWN_EMT, steps=0), table)
    raised = "failed: the calculator raised NotImplementedError"
    assert list(found.reasons) == [KEPT, raised, raised]


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    crystals = {"cu": bulk("Cu", a=3.63), "cu3au": displaced(), "al": bulk("Al"), "ni": bulk("Ni")}
    table = table_of(crystals)
    stage = emt(fmax=0.1)
    together = judged(stage, table).columns["energy"].to_numpy()
    turned = judged(stage, table[::-1]).columns["energy"].to_numpy()[::-1]
    alone = [judged(stage, table[row : row + 1]).columns["energy"].iloc[0] for row in range(4)]
    assert list(together) == list(turned) == alone


def test_options_that_make_no_sense_are_refused() -> None:
    for wrong in ({"fmax": 0}, {"steps": -1}, {"optimizer": "MD"}, {"keep": "both"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            emt(**wrong)


def test_columns_keep_the_index_of_the_table() -> None:
    table = table_of({"a": bulk("Cu"), "b": bulk("Ni")})
    table.index = pd.Index([7, 3])
    assert list(judged(emt(), table).columns.index) == [7, 3]
    assert len(judged(emt(), table[:0]).reasons) == 0
