"""Axes of a spectrum: read from a file, compared with those of a run, and turned to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout
from gnnmat.sources.number_kinds import instead_of_numbers
from gnnmat.sources.spectrum import Spectrum

AXES = ("incident_energies", "energy_edges", "h", "k")
ENERGY = 1e-3  # share of the incident energy within which two energies are the same
PIXEL = 0.1  # share of a pixel within which two places are the same

# How axes may name their unit; anything else is refused rather than converted.
UNITS = {
    "energy": {"mev"},
    "momentum": {"r.l.u.", "rlu", "r.l.u", "in r.l.u.", "1", "dimensionless"},
}


def layout_of_arrays(arrays: Mapping[str, NDArray[Any]], name: str) -> SliceLayout | None:
    """The axes that a file gives; None if it gives none.

    Args:
        arrays: some of `AXES`, pixel centres or edges, energies in meV.
        name: of the file, for messages.

    Raises:
        GnnmatError: some axes are missing, or are no axes.
    """
    given = [axis for axis in AXES if axis in arrays]
    if not given:
        return None
    missing = [axis for axis in AXES if axis not in arrays]
    if missing:
        raise GnnmatError(
            f"'{name}': axes missing: {', '.join(missing)}.", why=f"It gives {', '.join(given)}."
        )
    values = {axis: _numbers(arrays[axis], axis, name) for axis in AXES}
    energies = values["incident_energies"].reshape(-1)
    edges = _bins(values["energy_edges"], len(energies), name)
    try:
        return SliceLayout(
            tuple(energies.tolist()),
            tuple(tuple((float(low), float(high)) for low, high in row) for row in edges),
            tuple(values["h"].reshape(-1).tolist()),
            tuple(values["k"].reshape(-1).tolist()),
        )
    except GnnmatError as error:
        raise GnnmatError(f"'{name}': {error.what}", why=error.why, fix=error.fix) from error


def _numbers(values: NDArray[Any], axis: str, name: str) -> NDArray[np.float64]:
    if values.dtype.kind not in "fiu":
        raise GnnmatError(f"'{name}': axis {axis} holds {instead_of_numbers(values.dtype)}.")
    if not np.isfinite(values).all():
        raise GnnmatError(f"'{name}': axis {axis} holds NaN or infinity.")
    return np.asarray(values, dtype=np.float64)


def _bins(edges: NDArray[np.float64], energies: int, name: str) -> NDArray[np.float64]:
    """(Ei, slices, 2) of (Ei, slices, 2) or of (Ei, slices + 1) edges without gaps."""
    if edges.ndim == 2 and edges.shape[0] == energies and edges.shape[1] > 1:
        edges = np.stack([edges[:, :-1], edges[:, 1:]], axis=-1)
    if edges.ndim != 3 or edges.shape[0] != energies or edges.shape[2] != 2:
        raise GnnmatError(
            f"'{name}': energy_edges has shape {edges.shape}, expected ({energies}, slices, 2), "
            f"low and high of every slice, or ({energies}, slices + 1)."
        )
    return np.sort(edges, axis=-1)


def check_unit(unit: str, kind: str, axis: str, name: str) -> None:
    """Refuse an axis in another unit than meV or r.l.u.; one that names none passes.

    Raises:
        GnnmatError: naming the unit that was found.
    """
    if unit.strip() and unit.strip().lower() not in UNITS[kind]:
        expected = "meV" if kind == "energy" else "r.l.u."
        raise GnnmatError(f"'{name}': axis {axis} is in {unit.strip()}, expected {expected}.")


def upright(layout: SliceLayout | None) -> SliceLayout | None:
    """The same axes with h falling and k rising, as images are drawn."""
    if layout is None:
        return None
    return replace(layout, h=tuple(sorted(layout.h, reverse=True)), k=tuple(sorted(layout.k)))


def arranged(spectrum: Spectrum, layout: SliceLayout, owner: str = "expected") -> Spectrum:
    """The spectrum on these axes: tiles in their order, image and mask turned together.

    Args:
        spectrum: with axes, or without: then only its shape can be compared.
        layout: the wanted axes.
        owner: whose axes they are, for messages.

    Raises:
        GnnmatError: it was measured at other energies or places, or has another shape.
    """
    own = spectrum.layout
    if own is None:
        _check_shape(spectrum, layout)
        return replace(spectrum, layout=layout)
    if own == layout:
        return spectrum
    index = _places(own, layout, spectrum.name, owner)
    image, mask = (
        np.ascontiguousarray(layout.to_image(own.to_tiles(array)[index]))
        for array in (spectrum.image, spectrum.mask)
    )
    return replace(spectrum, image=image, mask=mask, layout=layout)


def _check_shape(spectrum: Spectrum, layout: SliceLayout) -> None:
    if spectrum.image.shape != layout.image_shape:
        turned = spectrum.image.shape == layout.image_shape[::-1]
        raise GnnmatError(
            f"'{spectrum.name}': the image has shape {spectrum.image.shape}, expected "
            f"{layout.image_shape}.",
            why="Rows are incident energies and h, columns are slices and k.",
            fix="Transpose the image." if turned else "",
        )


def _places(own: SliceLayout, wanted: SliceLayout, name: str, owner: str) -> tuple[Any, ...]:
    """Index (Ei, slice, h, k) into the own tiles that gives the wanted ones."""

    def differ(what: str, first: Sequence[float], second: Sequence[float], unit: str) -> None:
        raise GnnmatError(
            f"'{name}': the {what} of the spectrum and the {owner} ones differ.",
            why=f"The spectrum has {_listed(first)} {unit}, expected {_listed(second)} {unit}.",
        )

    a, b = np.array(own.incident_energies), np.array(wanted.incident_energies)
    rows = _partners(a, b, ENERGY * b)
    if rows is None:
        differ("incident energies", own.incident_energies, wanted.incident_energies, "meV")
    assert rows is not None
    bins = []
    for row, place in enumerate(rows):
        mine, other = np.array(own.energy_edges[place]), np.array(wanted.energy_edges[row])
        slack = np.full(len(other), ENERGY * b[row])
        low = _partners(mine[:, 0], other[:, 0], slack)
        if low is None or np.abs(mine[low, 1] - other[:, 1]).max() > ENERGY * b[row]:
            what = f"slices at an incident energy of {b[row]:g} meV"
            differ(what, mine.ravel().tolist(), other.ravel().tolist(), "meV")
        bins.append(low)
    axes = []
    for axis in ("h", "k"):
        mine, other = np.array(getattr(own, axis)), np.array(getattr(wanted, axis))
        slack = np.full(len(other), PIXEL * np.abs(np.diff(other)).min())
        found = _partners(mine, other, slack)
        if found is None:
            differ(f"pixels along {axis}", mine.tolist(), other.tolist(), "r.l.u.")
        axes.append(found)
    return (
        rows[:, None, None, None],
        np.array(bins)[:, :, None, None],
        axes[0][:, None],  # type: ignore[index]
        axes[1],
    )


def _partners(
    own: NDArray[np.float64], wanted: NDArray[np.float64], slack: NDArray[np.float64]
) -> NDArray[np.int64] | None:
    """For each wanted number the place of its partner; None unless all pair up."""
    if len(own) != len(wanted):
        return None
    near = np.abs(own[None, :] - wanted[:, None])
    place = near.argmin(axis=1)
    fits = (near[np.arange(len(wanted)), place] <= slack).all()
    return place if fits and len(set(place.tolist())) == len(place) else None


def _listed(values: Sequence[float]) -> str:
    shown = [f"{value:.4g}" for value in values]
    if len(shown) > 8:
        return f"{len(shown)} numbers from {shown[0]} to {shown[-1]}"
    return ", ".join(shown)
