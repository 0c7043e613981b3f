"""Whether an order is a minimum of the classical energy, and a search for a better one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from gnnmat.errors import GnnmatError
from gnnmat.simulation.spin_waves.collinear import BOHR_MAGNETON, STABLE
from gnnmat.simulation.spin_waves.system import Floats, SpinSystem
from gnnmat.simulation.spin_waves.waves import Values, coupling_values, solver_parts, spin_waves

# Torques below this share of the largest local field are rounding of the given directions.
BALANCED = 1e-5
_TOGETHER = 64  # wave vectors
SNAP = 1e-4  # components of directions: minimisers stop about here, collinear solvers need none


@dataclass(frozen=True)
class GroundState:
    """What is known of an order for one set of couplings.

    Args:
        energy: classical energy per spin, meV.
        torque: the largest torque on a spin, meV; zero where the order is stationary.
        torque_site: the site that feels it.
        field: the largest local field on a spin, meV.
        softest: lowest w^2 on the grid, meV^2; negative where the order is no minimum.
        wave_vector: where that is, units of the reciprocal magnetic cell.
    """

    energy: float
    torque: float
    torque_site: int
    field: float
    softest: float
    wave_vector: tuple[float, float, float]

    @property
    def is_stationary(self) -> bool:
        """Whether no spin feels a torque."""
        return self.torque <= BALANCED * max(self.field, 1e-12)

    @property
    def is_minimum(self) -> bool:
        """Whether the order is stationary and every spin wave has a real energy."""
        return self.is_stationary and self.softest >= STABLE


def examine_order(system: SpinSystem, values: Values, *, grid: int = 8) -> GroundState:
    """What is known of the order for one set of couplings.

    Args:
        system: the magnet.
        values: (p,) couplings in meV, or a number for every name.
        grid: wave vectors along each direction in which the magnet is infinite; the zone centre
            and the middle of the zone's faces are among them if it is even.

    Raises:
        GnnmatError: a coupling is missing or unknown.
    """
    couplings = _one(system, values)
    matrix, push = _quadratic(system, couplings.numpy()[0])
    n = system.directions.ravel()
    gradient = (matrix @ n + push).reshape(-1, 3)
    torque = np.linalg.norm(np.cross(system.directions, gradient), axis=1)
    k = _zone_grid(system, grid)
    solver = spin_waves(system)
    softest = torch.tensor(torch.inf)
    for size in (_TOGETHER, 1):  # the worst part first, then the worst of its wave vectors
        pieces = k.split(size)
        each = [
            solver.softest(couplings, solver_parts(solver, piece, couplings))  # type: ignore[arg-type]
            for piece in pieces
        ]
        softest, worst = torch.cat(each).min(dim=0)
        k = pieces[int(worst)]
    x, y, z = k[0].tolist()
    return GroundState(
        energy=float(n @ matrix @ n / 2 + push @ n) / len(system),
        torque=float(torque.max()),
        torque_site=int(torque.argmax()),
        field=float(np.linalg.norm(gradient, axis=1).max()),
        softest=float(softest),
        wave_vector=(x, y, z),
    )


def check_ground_state(system: SpinSystem, values: Values, *, grid: int = 8) -> GroundState:
    """The order, examined.

    Raises:
        GnnmatError: it is not a minimum of the energy for these couplings.
    """
    found = examine_order(system, values, grid=grid)
    fix = "Give other directions or couplings; find_ground_state looks for better directions."
    if not found.is_stationary:
        site = found.torque_site
        name = system.site_names[site] if system.site_names else f"number {site}"
        raise GnnmatError(
            "The order of this magnet is not at rest for these couplings: spin waves about it "
            "have no meaning.",
            why=f"Site {name} (number {site}) feels a torque of {found.torque:.3g} meV.",
            fix=fix,
        )
    if not found.is_minimum:
        vector = ", ".join(f"{x:g}" for x in found.wave_vector)
        larger = " The order may need a larger cell." if any(found.wave_vector) else ""
        raise GnnmatError(
            "The order of this magnet is not a minimum of its energy for these couplings.",
            why=f"Tilting the spins in a wave of k = ({vector}) lowers the energy. "
            "Couplings above zero are antiferromagnetic.",
            fix=fix + larger,
        )
    return found


def find_ground_state(
    system: SpinSystem, values: Values, *, seeds: int = 20, seed: int = 0
) -> tuple[SpinSystem, float]:
    """The magnet with the best directions found in its cell, and their energy per spin in meV.

    The energy is minimised from the given directions, from the eigenvectors of the exchange at
    k = 0 (Luttinger-Tisza) and from random directions; the lowest wins, the given order if equal.

    Args:
        system: the magnet; its cell is kept.
        values: (p,) couplings in meV, or a number for every name.
        seeds: random starts.
        seed: of the random starts.

    Raises:
        GnnmatError: a coupling is missing or unknown.

    Source: Luttinger & Tisza, Phys. Rev. 70, 954 (1946).
    """
    matrix, push = _quadratic(system, _one(system, values).numpy()[0])
    rng = np.random.default_rng(seed)
    _, vectors = np.linalg.eigh(matrix)
    starts = [system.directions, *vectors.T[:6].reshape(-1, len(system), 3)]
    starts += list(rng.normal(size=(seeds, len(system), 3)))
    best = system.directions
    lowest = _energy(best, matrix, push)
    scale = max(float(np.abs(matrix).max()), float(np.abs(push).max()), 1e-12)
    for start in starts:
        # Exact symmetry would keep a saddle point at rest.
        moved = start + 1e-3 * rng.normal(size=start.shape)
        directions = _tidy(_descend(moved, matrix, push), matrix, push)
        energy = _energy(directions, matrix, push)
        if energy < lowest - 1e-9 * scale * len(system):
            best, lowest = directions, energy
    return replace(system, directions=best), lowest / len(system)


def _one(system: SpinSystem, values: Values) -> torch.Tensor:
    couplings = coupling_values(system, values).detach().cpu().double()
    if len(couplings) != 1:
        raise GnnmatError(f"An order is examined for one set of couplings, got {len(couplings)}.")
    return couplings


def _quadratic(system: SpinSystem, values: Floats) -> tuple[Floats, Floats]:
    """(3n, 3n) matrix M and (3n,) vector f of E = 1/2 n.M.n + f.n for the directions n, meV."""
    n = len(system)
    blocks = np.zeros((n, 3, n, 3))
    for (i, j), coupling, pattern in zip(
        system.bond_sites, system.bond_coupling, system.bond_pattern, strict=True
    ):
        term = values[coupling] * system.spins[i] * system.spins[j] * pattern
        blocks[i, :, j] += term
        blocks[j, :, i] += term.T
    for i, coupling, pattern in zip(
        system.onsite_site, system.onsite_coupling, system.onsite_pattern, strict=True
    ):
        blocks[i, :, i] += 2 * values[coupling] * system.spins[i] ** 2 * pattern
    push = system.g * BOHR_MAGNETON * system.spins[:, None] * system.field
    return blocks.reshape(3 * n, 3 * n), push.ravel()


def _energy(directions: Floats, matrix: Floats, push: Floats) -> float:
    n = directions.ravel()
    return float(n @ matrix @ n / 2 + push @ n)


def _descend(start: Floats, matrix: Floats, push: Floats) -> Floats:
    """(n, 3) unit vectors at a minimum, from vectors of any length."""
    from scipy.optimize import minimize

    def value(flat: Floats) -> tuple[float, Floats]:
        vectors = flat.reshape(-1, 3)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        n = vectors / length
        slope = (matrix @ n.ravel() + push).reshape(-1, 3)
        across = (slope - (slope * n).sum(1, keepdims=True) * n) / length
        return _energy(n, matrix, push), across.ravel()

    found = minimize(
        value, start.ravel(), jac=True, method="L-BFGS-B",
        options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-10},
    )  # fmt: skip
    vectors = found.x.reshape(-1, 3)
    unit: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _tidy(directions: Floats, matrix: Floats, push: Floats) -> Floats:
    """Directions made exactly collinear, and turned to a Cartesian axis, where that is free."""
    _, _, axes = np.linalg.svd(directions)
    signs = np.sign(directions @ axes[0])
    signs *= signs[0]
    axes[0] *= np.sign(directions[0] @ axes[0])
    if np.abs(directions - signs[:, None] * axes[0]).max() > SNAP:
        return directions
    energy = _energy(directions, matrix, push)
    scale = 1e-9 * max(np.abs(matrix).max(), np.abs(push).max(), 1e-12) * len(directions)
    for axis in (*np.eye(3)[::-1], axes[0]):
        for turned in (signs[:, None] * axis, -signs[:, None] * axis):
            if _energy(turned, matrix, push) <= energy + scale:
                return turned + 0.0  # no -0
    return directions


def _zone_grid(system: SpinSystem, points: int) -> torch.Tensor:
    """(K, 3) wave vectors, one point along directions that no bond leaves."""
    moving = (
        np.any(system.bond_offset != 0, axis=0) if len(system.bond_offset) else np.zeros(3, bool)
    )
    axes = [np.arange(points if active else 1) / points for active in moving]
    return torch.from_numpy(np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3))
