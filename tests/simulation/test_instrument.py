"""Wave vectors of samples against the conservation laws."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gnnmat.simulation.instrument import NEUTRON, Instrument, Points, Twin, sample_points
from gnnmat.simulation.layout import SliceLayout
from gnnmat.simulation.resolution import ConstantWidths
from gnnmat.simulation.spin_waves.lattice import cell_vectors
from gnnmat.simulation.spin_waves.system import Floats

INCIDENT, LOSS = 50.0, 20.0
LAYOUT = SliceLayout(
    incident_energies=(INCIDENT,),
    energy_edges=(((LOSS - 0.5, LOSS + 0.5),),),
    h=(1.0, 0.0, -1.0),
    k=(-1.0, 0.0, 1.0),
)
UPRIGHT = [5.0, 6.0, 9.0]
OBLIQUE = {
    "monoclinic": [5.0, 6.0, 9.0, 90.0, 110.0, 90.0],
    "triclinic": [5.0, 6.0, 9.0, 80.0, 110.0, 95.0],
}
TURNED = Twin(1.0, np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]]))


def points(
    lattice: list[float], twin: Twin | None = None, *, flat: bool = False
) -> tuple[Points, Floats]:
    """Samples (1, 3, 3, n), and the reciprocal vectors."""
    reciprocal: Floats = 2 * np.pi * np.linalg.inv(cell_vectors(lattice).astype(np.float64)).T
    twin = twin or Twin(1.0, np.eye(3))
    instrument = Instrument(np.eye(3), (twin,))
    widths = ConstantWidths(q=1e-3, energy=0.01)
    found = sample_points(
        LAYOUT, 0, twin, instrument, widths, reciprocal, samples=8, seed=0, flat=flat
    )
    return found, reciprocal


def final_energy(cartesian: np.ndarray, beam: np.ndarray) -> np.ndarray:
    """E_f of k_f = k_i - Q in meV."""
    out: np.ndarray = NEUTRON * ((np.sqrt(INCIDENT / NEUTRON) * beam - cartesian) ** 2).sum(-1)
    return out


@pytest.mark.parametrize("twin", [Twin(1.0, np.eye(3)), TURNED])
@pytest.mark.parametrize("lattice", [UPRIGHT, *OBLIQUE.values()], ids=["upright", *OBLIQUE])
def test_energy_is_conserved_however_the_axes_lie(lattice: list[float], twin: Twin) -> None:
    found, reciprocal = points(lattice, twin)
    assert found.reachable.all()
    beam = twin.axes[:, 2] @ reciprocal
    beam /= np.linalg.norm(beam)
    assert_allclose(found.q @ reciprocal, found.cartesian, atol=1e-12)
    assert_allclose(final_energy(found.q @ reciprocal, beam), INCIDENT - LOSS, rtol=1e-9)
    # Forward scattering: the final neutron does not fly back.
    assert (found.cartesian @ beam < np.sqrt(INCIDENT / NEUTRON)).all()
    # h and k are those of the pixel: the box is one step wide.
    in_plane = found.q @ np.linalg.inv(twin.axes).T
    middle = np.stack(np.meshgrid(LAYOUT.h, LAYOUT.k, indexing="ij"), -1)[None, :, :, None]
    assert np.abs(in_plane[..., :2] - middle).max() < 0.51


def test_opposite_pixels_of_a_monoclinic_crystal_differ_in_l() -> None:
    found, reciprocal = points(OBLIQUE["monoclinic"])
    # At h, l of zero energy loss along the beam is c* l + a* cos(beta*) h.
    beam = reciprocal[2] / np.linalg.norm(reciprocal[2])
    along = found.q[..., 2] * np.linalg.norm(reciprocal[2])
    along = along + found.q[..., :2] @ (reciprocal[:2] @ beam)
    across = found.cartesian - along[..., None] * beam
    final = (INCIDENT - LOSS) / NEUTRON - (across**2).sum(-1)
    assert_allclose(along, np.sqrt(INCIDENT / NEUTRON) - np.sqrt(final), atol=1e-9)
    assert abs(found.q[0, 0, 1, :, 2].mean() - found.q[0, 2, 1, :, 2].mean()) > 0.5


def test_l_of_an_upright_crystal_is_the_textbook_one() -> None:
    found, reciprocal = points(UPRIGHT)
    across = ((found.q[..., :2] @ reciprocal[:2]) ** 2).sum(-1)
    kf = np.sqrt((INCIDENT - LOSS) / NEUTRON - across)
    assert_allclose(found.q[..., 2], (np.sqrt(INCIDENT / NEUTRON) - kf) * 9.0 / (2 * np.pi))


def test_flat_keeps_l_at_zero_and_the_direction_of_q() -> None:
    flat, _ = points(OBLIQUE["monoclinic"], flat=True)
    true, _ = points(OBLIQUE["monoclinic"])
    assert not flat.q[..., 2].any()
    assert_allclose(flat.cartesian, true.cartesian, atol=1e-12)
