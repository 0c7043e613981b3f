"""Elastic constants against second derivatives of the energy, symmetry and pair potentials."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.optimize import BFGS
from ase.units import GPa
from scipy.spatial.transform import Rotation

from gnnmat.sources.crystal import as_crystal
from gnnmat.workflows.screening import elastic_tensor as constants
from gnnmat.workflows.screening import relaxing
from gnnmat.workflows.screening.elastic_tensor import Strains
from gnnmat.workflows.screening.stage import KEPT
from gnnmat.workflows.screening.stages.elastic import UNSTABLE, Elastic
from gnnmat.workflows.screening.stages.relax import Relax
from gnnmat.workflows.screening.table import rows_of

from .small_crystals import judged, left, table_of

SMOOTH = {"sigma": 1.0, "epsilon": 1.0, "rc": 4.0, "ro": 3.5, "smooth": True}


def at_rest(crystals: dict[str, Any], **options: object) -> pd.DataFrame:
    """The crystals relaxed."""
    table = table_of(crystals)
    stage = Relax(**{"calculator": "emt", "fmax": 1e-4, "optimizer": "LBFGS", **options})
    return left(table, judged(stage, table))


def tensors(table: pd.DataFrame, **options: object) -> np.ndarray:
    """(rows, 6, 6) GPa."""
    found = judged(Elastic(**{"calculator": "emt", **options}), table)
    assert list(found.reasons) == [KEPT] * len(table)
    return np.stack([np.reshape(one, (6, 6)) for one in found.columns["elastic_tensor"]])


def curvature(table: pd.DataFrame, deform: Callable[[float], np.ndarray], relax: bool) -> float:
    """Second derivative of the energy along a deformation, a volume, GPa; from energies alone."""
    lattice, numbers, frac = (table[name].iloc[0] for name in ("lattice", "numbers", "frac"))
    sizes, energies = np.linspace(-0.01, 0.01, 5), []
    for size in sizes:
        cell = np.reshape(lattice, (3, 3)) @ deform(size)
        atoms = Atoms(numbers, cell=cell, scaled_positions=np.reshape(frac, (-1, 3)), pbc=True)
        atoms.calc = EMT()
        if relax:
            BFGS(atoms, logfile=None).run(fmax=1e-4)
        energies.append(atoms.get_potential_energy())
    volume = abs(np.linalg.det(np.reshape(lattice, (3, 3))))
    return float(2 * np.polyfit(sizes, energies, 4)[2] / volume / GPa)


def stretch(axis: int) -> Callable[[float], np.ndarray]:
    return lambda size: np.eye(3) + size * np.outer(np.eye(3)[axis], np.eye(3)[axis])


def shear(one: int, other: int) -> Callable[[float], np.ndarray]:
    """A simple shear: the strain that is asked for, and a turn that costs no energy."""
    return lambda size: np.eye(3) + size * np.outer(np.eye(3)[one], np.eye(3)[other])


@pytest.mark.parametrize("element", ["Cu", "Al"])
def test_constants_of_metals_are_second_derivatives_of_the_energy(element: str) -> None:
    table = at_rest({element: bulk(element)})
    tensor = tensors(table)[0]
    assert tensor[0, 0] == pytest.approx(curvature(table, stretch(0), False), rel=0.01)
    assert tensor[3, 3] == pytest.approx(curvature(table, shear(1, 2), False), rel=0.01)
    # Stretched alike along x and y: C11 + C22 + 2 C12.
    both = curvature(table, lambda size: np.diag([1 + size, 1 + size, 1]), False)
    assert tensor[0, 1] == pytest.approx((both - 2 * tensor[0, 0]) / 2, rel=0.01)
    assert np.abs(tensor[:3, 3:]).max() < 0.1
    assert np.ptp(np.diag(tensor)[:3]) < 0.1


def test_stretches_and_shears_of_a_hexagonal_crystal_stand_in_the_order_of_voigt() -> None:
    """C33 and C66 differ from C11 and C44, and C66 = (C11 - C12) / 2 by symmetry."""
    table = at_rest({"hcp": bulk("Cu", "hcp", a=2.6, c=4.1)})
    free, clamped = tensors(table)[0], tensors(table, relax_ions=False)[0]
    for tensor, relax in ((free, True), (clamped, False)):
        assert tensor[2, 2] == pytest.approx(curvature(table, stretch(2), relax), rel=0.01)
        assert tensor[3, 3] == pytest.approx(curvature(table, shear(1, 2), relax), rel=0.01)
        assert tensor[5, 5] == pytest.approx(curvature(table, shear(0, 1), relax), rel=0.01)
        assert tensor[5, 5] == pytest.approx((tensor[0, 0] - tensor[0, 1]) / 2, rel=0.01)
    # Ions that may settle make it softer, by a quarter here.
    assert free[5, 5] < 0.8 * clamped[5, 5]


def test_a_pair_potential_keeps_the_relations_of_cauchy() -> None:
    """At zero pressure C12 = C44; and K = 75 epsilon / sigma^3 in argon's crystal.

    Source: Ashcroft & Mermin, Solid State Physics (1976), chapter 20, for a potential without
    end; this one is cut at 4 sigma.
    """
    lj = {"calculator": "lj", "calculator_options": SMOOTH}
    table = at_rest({"argon": bulk("Ar", "fcc", a=1.54)}, fmax=1e-5, **lj)
    found = judged(Elastic(**lj), table).columns
    tensor = np.reshape(found["elastic_tensor"][0], (6, 6))
    assert tensor[0, 1] == pytest.approx(tensor[3, 3], rel=0.01)
    assert found["K_vrh"][0] * GPa == pytest.approx(75, rel=0.04)


def test_moduli_do_not_depend_on_how_the_crystal_lies() -> None:
    table = at_rest({"hcp": bulk("Cu", "hcp", a=2.6, c=4.1)})
    turn = Rotation.from_euler("xyz", [20, 35, 50], degrees=True).as_matrix()
    lattice = np.reshape(table["lattice"][0], (3, 3)) @ turn
    turned = rows_of(["turned"], [as_crystal(lattice, table["numbers"][0], table["frac"][0])])
    names = ["K_vrh", "G_vrh", "anisotropy", "poisson", "debye_temperature"]
    first, second = (
        judged(Elastic(calculator="emt"), one).columns[names] for one in (table, turned)
    )
    assert second.to_numpy() == pytest.approx(first.to_numpy(), rel=2e-3)


def test_moduli_are_those_of_pymatgen_for_the_same_tensor() -> None:
    from pymatgen.analysis.elasticity import ElasticTensor

    table = at_rest({"cu": bulk("Cu")})
    found = judged(Elastic(calculator="emt"), table)
    theirs = ElasticTensor.from_voigt(np.reshape(found.columns["elastic_tensor"][0], (6, 6)))
    assert found.columns["K_vrh"][0] == pytest.approx(theirs.k_vrh)
    assert found.columns["G_vrh"][0] == pytest.approx(theirs.g_vrh)
    assert found.columns["anisotropy"][0] == pytest.approx(theirs.universal_anisotropy)
    assert found.columns["mechanically_stable"][0]
    assert found.units["K_vrh"] == found.units["elastic_tensor"] == "GPa"
    # 343 K is measured (Kittel, Introduction to Solid State Physics); the potential is rough.
    assert found.columns["debye_temperature"][0] == pytest.approx(343, rel=0.1)


def test_strains_are_those_of_pymatgen() -> None:
    from pymatgen.analysis.elasticity import Strain

    for voigt in range(6):
        theirs = Strain.from_voigt(0.01 * np.eye(6)[voigt])
        assert constants.strain_of(voigt, 0.01) == pytest.approx(np.asarray(theirs))


def test_what_was_predicted_stays_beside_what_was_computed() -> None:
    table = at_rest({"cu": bulk("Cu")})
    members = [[100.0, 120.0]]
    table = table.assign(K_vrh=110.0, K_vrh_low=90.0, K_vrh_high=130.0, K_vrh_members=members)
    found = left(table, judged(Elastic(calculator="emt"), table))
    assert found["K_vrh"][0] == pytest.approx(134.5, abs=0.5)
    assert np.isnan(found["K_vrh_low"][0])
    assert found["K_vrh_members"][0] is None
    assert found["K_vrh_before"][0] == 110
    assert found["K_vrh_before_low"][0] == 90
    assert found["K_vrh_before_members"][0] == [100, 120]
    assert "G_vrh_before" not in found


def test_rows_that_go_wrong_have_plain_reasons() -> None:
    crystals = {
        "salt": bulk("NaCl", "rocksalt", a=5.6),
        "pressed": bulk("Cu", a=3.5),
        "bcc": bulk("Cu", "bcc", a=2.865, cubic=True),
    }
    found = judged(Elastic(calculator="emt"), table_of(crystals))
    # Nearest neighbours alone hold no body-centred metal: it gives way to a tetragonal shear.
    assert list(found.reasons) == [relaxing.UNKNOWN_ELEMENT, constants.NOT_AT_REST, UNSTABLE]
    assert not found.columns["mechanically_stable"].any()
    assert np.isnan(found.columns[["K_vrh", "G_vrh", "debye_temperature"]].to_numpy()).all()
    assert found.columns["elastic_tensor"][0] is None
    assert len(found.columns["elastic_tensor"][2]) == 36
    slow = judged(Elastic(calculator="emt", steps=1), at_rest({"h": bulk("Cu", "hcp", a=2.6)}))
    assert list(slow.reasons) == [relaxing.NO_CONVERGENCE]


class Lopsided(EMT):
    """A calculator whose stress is no derivative of an energy."""

    def calculate(self, *given: Any) -> None:
        super().calculate(*given)
        self.results["stress"] = self.results["stress"] * [1, 1, 2, 1, 1, 1]


def test_a_tensor_that_is_not_symmetric_is_refused() -> None:
    atoms = bulk("Cu", a=3.59)
    atoms.calc = Lopsided()
    with pytest.raises(relaxing.Trouble, match="not symmetric"):
        constants.elastic_tensor(atoms, Strains(relax_ions=False))
