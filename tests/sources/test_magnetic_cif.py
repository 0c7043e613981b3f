from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gnnmat.errors import GnnmatError
from gnnmat.simulation.spin_waves.ground_state import check_ground_state
from gnnmat.simulation.spin_waves.waves import dispersion
from gnnmat.sources.magnetic_cif import read_magnetic_cif

LAYERS = Path(__file__).parents[1] / "crystals" / "antiferromagnet.mcif"


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = LAYERS.read_text()
    assert old in text
    path = tmp_path / "changed.mcif"
    path.write_text(text.replace(old, new))
    return path


def test_sites_are_completed_and_spins_turned_by_time_reversal() -> None:
    found = read_magnetic_cif(LAYERS, ions={"Mn": "Mn2+"}, spins={"Mn": 2.5})
    assert_allclose(found.lattice, np.diag([3.0, 3.0, 8.4]), atol=1e-12)
    assert [site.name for site in found.sites] == ["Mn1_0", "Mn1_1"]
    assert [site.position for site in found.sites] == [(0, 0, 0), (0, 0, 0.5)]
    # Moments +z and -z; spins point against them.
    assert [site.direction for site in found.sites] == [(0, 0, -1), (0, 0, 1)]
    assert {site.ion for site in found.sites} == {"Mn2+"}
    assert {site.spin for site in found.sites} == {2.5}


def test_spin_is_half_the_moment_unless_given() -> None:
    found = read_magnetic_cif(LAYERS, ions={"Mn1": "Mn2+"})
    assert found.sites[0].spin == pytest.approx(2.3)


def test_waves_of_the_structure_with_exchange_added() -> None:
    found = read_magnetic_cif(LAYERS, ions={"Mn": "Mn2+"}, spins={"Mn": 2.5})
    rules = [{"coupling": "J", "distance": 3.0}, {"coupling": "Jc", "distance": 4.2}]
    model = found.model({"J": -1.0, "Jc": 0.5}, rules, [])
    system = model.build()
    check_ground_state(system, model.reference)
    h, length = 0.3, 2.5
    # Ferromagnetic planes coupled antiferromagnetically: A^2 - B^2 at l = 0.
    a = 2 * length * (1 - np.cos(2 * np.pi * h)) + 2 * 0.5 * length
    expected = np.sqrt(a**2 - (2 * 0.5 * length) ** 2)
    w = dispersion(system, model.reference, [[h, 0, 0]])[0, 0].numpy()
    assert_allclose(w, [expected, expected])


def test_lanthanum_manganite_has_antiparallel_layers(shared_data: Path) -> None:
    # A-type order: Wollan & Koehler, Phys. Rev. 100, 545 (1955); layers stack along b in Pnma.
    path = shared_data / "robustness" / "LaMnO3_magnetic.mcif"
    found = read_magnetic_cif(path, ions={"Mn": "Mn3+"}, spins={"Mn": 2})
    assert len(found.sites) == 4
    for site in found.sites:
        assert site.direction[0] == pytest.approx(1 if site.position[1] == 0.5 else -1)


def test_copper_oxide_is_completed_by_centring(shared_data: Path) -> None:
    found = read_magnetic_cif(shared_data / "robustness" / "magnetic.example.CuO.mcif")
    assert len(found.sites) == 16
    assert {site.ion for site in found.sites} == {"Cu2+"}
    assert sum(site.direction[1] for site in found.sites) == 0


def test_unreadable_files_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="charge of Mn1 is not given(.|\n)*ions="):
        read_magnetic_cif(LAYERS)
    with pytest.raises(GnnmatError, match=r"no magnetic form factor of 'Mn9\+'"):
        read_magnetic_cif(LAYERS, ions={"Mn": "Mn9+"})
    with pytest.raises(GnnmatError, match="cannot be read"):
        read_magnetic_cif(tmp_path / "none.mcif")
    with pytest.raises(GnnmatError, match="no site has a magnetic moment"):
        read_magnetic_cif(changed(tmp_path, "Mn1 0 0 4.6", "Mn1 0 0 0"), ions={"Mn": "Mn2+"})
    added = "data_antiferromagnet\n_cell_modulation_dimension 1"
    path = changed(tmp_path, "data_antiferromagnet", added)
    with pytest.raises(GnnmatError, match="order is incommensurate"):
        read_magnetic_cif(path)
    path = changed(tmp_path, "_cell_length_a 3.0\n", "")
    with pytest.raises(GnnmatError, match="is not a readable magnetic CIF"):
        read_magnetic_cif(path)
    path = changed(tmp_path, "Mn1 Mn 0 0 0 1", "Mn1 Mn 0 0 0 0.5")
    with pytest.raises(GnnmatError, match="not full: Mn:0.5"):
        read_magnetic_cif(path)
    path = changed(tmp_path, "Mn1 Mn 0 0 0 1", "Mn1 Mn 0 0 0 0.5\nFe1 Fe 0 0 0 0.5")
    with pytest.raises(GnnmatError, match="readable magnetic CIF(.|\n)*[Dd]isordered"):
        read_magnetic_cif(path)
    path.write_text("data_a\n_cell_length_a 3\n")
    with pytest.raises(GnnmatError, match="is not a magnetic CIF"):
        read_magnetic_cif(path)
