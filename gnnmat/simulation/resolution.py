"""Instrument resolution: the covariance of (h, k, E) around every point of the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gnnmat.errors import GnnmatError
from gnnmat.simulation.spin_waves.system import Floats

FWHM = 2 * np.sqrt(2 * np.log(2))  # full width at half maximum of a Gaussian, in sigmas


class Resolution(Protocol):
    """What the renderer asks of an instrument."""

    def covariance(self, incident: float, h: Floats, k: Floats, energy: Floats) -> Floats:
        """(..., 3, 3) covariance of (h, k, E) at these points: r.l.u. and meV, squared."""


@dataclass(frozen=True)
class ConstantWidths:
    """The same widths everywhere, without correlations.

    Args:
        q: standard deviation of h and of k, reciprocal lattice units.
        energy: standard deviation of the energy as a share of the incident energy.
    """

    q: float
    energy: float

    def covariance(self, incident: float, h: Floats, k: Floats, energy: Floats) -> Floats:
        """(..., 3, 3) covariance of (h, k, E)."""
        widths = np.array([self.q, self.q, self.energy * incident])
        shape = np.broadcast_shapes(h.shape, k.shape, energy.shape)
        covariance: Floats = np.broadcast_to(np.diag(widths**2), (*shape, 3, 3)).copy()
        return covariance


class CovarianceTable:
    """Covariances on a complete grid of (h, k, E), one table an incident energy.

    Args:
        tables: for every incident energy in meV an array (n, 12): h, k, E and the nine elements
            of the covariance of (h, k, E); variances in r.l.u. and meV; any order of rows.

    Raises:
        GnnmatError: a table is no complete grid, or has empty cells or is not positive.
    """

    def __init__(self, tables: Mapping[float, Floats]) -> None:
        self._axes: dict[float, tuple[Floats, ...]] = {}
        self._values: dict[float, Floats] = {}
        for incident, table in tables.items():
            axes, values = _as_grid(float(incident), np.asarray(table, dtype=float))
            self._axes[float(incident)], self._values[float(incident)] = axes, values

    def covariance(self, incident: float, h: Floats, k: Floats, energy: Floats) -> Floats:
        """(..., 3, 3) covariance, linear between the cells; outside it is that of the edge."""
        from scipy.interpolate import RegularGridInterpolator

        if incident not in self._axes:
            known = ", ".join(f"{one:g}" for one in sorted(self._axes))
            raise GnnmatError(
                f"The resolution table has no incident energy of {incident:g} meV.",
                why=f"It has: {known} meV.",
            )
        axes = self._axes[incident]
        points = np.stack(np.broadcast_arrays(h, k, energy), axis=-1)
        points = np.clip(points, [axis[0] for axis in axes], [axis[-1] for axis in axes])
        covariance: Floats = RegularGridInterpolator(axes, self._values[incident])(points)
        return covariance


def _as_grid(incident: float, table: Floats) -> tuple[tuple[Floats, ...], Floats]:
    where = f"The resolution table for {incident:g} meV"
    if table.ndim != 2 or table.shape[1] != 12:
        raise GnnmatError(
            f"{where} has shape {table.shape}, expected (n, 12): h, k, E and nine covariances."
        )
    axes = tuple(np.unique(np.round(table[:, column], 4)) for column in range(3))
    shape = tuple(len(axis) for axis in axes)
    if np.prod(shape) != len(table):
        raise GnnmatError(
            f"{where} is no complete grid: {len(table)} rows for {shape[0]} h x {shape[1]} k x "
            f"{shape[2]} energies."
        )
    places = tuple(
        np.abs(axis[None, :] - table[:, column, None]).argmin(axis=1)
        for column, axis in enumerate(axes)
    )
    values = np.full((*shape, 3, 3), np.nan)
    values[places] = table[:, 3:].reshape(-1, 3, 3)
    empty = ~np.isfinite(values).all((-1, -2)) | (values.diagonal(axis1=-2, axis2=-1) <= 0).any(-1)
    if empty.any():
        first = tuple(axis[i] for axis, i in zip(axes, np.argwhere(empty)[0], strict=True))
        raise GnnmatError(
            f"{where} has {int(empty.sum())} empty cells.",
            why=f"The first is h = {first[0]:g}, k = {first[1]:g}, E = {first[2]:g} meV.",
            fix="Fill every cell with a positive covariance.",
        )
    if (np.linalg.eigvalsh(values) <= 0).any():
        raise GnnmatError(f"{where} holds a matrix that is no covariance (not positive).")
    return axes, values
