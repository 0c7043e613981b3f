"""What the axes of a volume in an HDF5 file are, and where its cells end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.sources.spectrum_axes import check_unit
from gnnmat.sources.spectrum_files import text

NAMES = {
    "h": r"\[?q?_?h(,0,0)?\]?",
    "k": r"\[?(0,)?q?_?k(,0)?\]?",
    "l": r"\[?(0,0,)?q?_?l\]?",
    "energy": r"(delta)?_?(e|en|energy|energy_?transfer|w|omega)",
}


def nexus_axes(
    data: Any, axes: Sequence[str], name: str
) -> tuple[tuple[str, ...], dict[str, NDArray[np.float64]]]:
    """Names and edges of the axes of a dataset, from NXdata's or Mantid's attributes."""
    group = data.parent
    named = data.attrs.get("axes", group.attrs.get("axes"))
    listed = (
        [text(one) for one in named] if isinstance(named, np.ndarray) else text(named).split(":")
    )
    if len(listed) != data.ndim or any(one not in group for one in listed):
        raise GnnmatError(
            f"'{name}': axes missing: {data.name} does not name its four axes.",
            fix="Give grid: first, last and number by axis.",
        )
    order, edges = [], {}
    for place, dataset in enumerate(listed):
        axis = group[dataset]
        called = text(axis.attrs.get("long_name")) or dataset
        meant = axes[place] if axes else _meant(called, name)
        check_unit(_unit(axis), "energy" if meant == "energy" else "momentum", called, name)
        order.append(meant)
        edges[meant] = _edges(
            np.asarray(axis[()], dtype=np.float64), data.shape[place], called, name
        )
    return tuple(order), edges


def _unit(axis: Any) -> str:
    # Mantid names the axis again, or "in 1.162 A^-1", its length, for what is in r.l.u.
    unit = text(axis.attrs.get("units")).strip()
    return "" if unit == "DeltaE" or unit.startswith("in ") else unit


def _meant(called: str, name: str) -> str:
    plain = called.replace(" ", "").lower()
    for axis, pattern in NAMES.items():
        if re.fullmatch(pattern, plain):
            return axis
    raise GnnmatError(
        f"'{name}': it is not clear what the axis '{called}' is.",
        fix="Say it for all four: axes: [energy, l, k, h]",
    )


def _edges(values: NDArray[np.float64], cells: int, called: str, name: str) -> NDArray[np.float64]:
    """The edges of the cells, from edges or centres."""
    steps = np.diff(values)
    if (
        values.ndim != 1
        or not np.isfinite(values).all()
        or not ((steps > 0).all() or (steps < 0).all())
    ):
        raise GnnmatError(f"'{name}': the axis '{called}' does not rise or fall steadily.")
    if len(values) == cells + 1:
        return values
    if len(values) != cells or cells < 2:
        raise GnnmatError(
            f"'{name}': the axis '{called}' has {len(values)} values for {cells} cells."
        )
    return edges_of(values)


def edges_of(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n + 1,) edges half way between n centres, the outer ones as far outside."""
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])
