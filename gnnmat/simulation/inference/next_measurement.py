"""Where two fitted hypotheses differ most: what to measure next to tell them apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnnmat.simulation.inference.space import Floats
from gnnmat.simulation.layout import SliceLayout

Range = tuple[float, float]


@dataclass(frozen=True)
class Window:
    """A part of a measurement, and how well it tells two hypotheses apart.

    Args:
        incident: incident energy, meV.
        energy: energy transfers, meV.
        h: range of |h|, reciprocal lattice units.
        k: range of |k|.
        separation: chi^2 between the hypotheses, counted as long as the spectrum was; the
            expected logarithm of their odds is half of it.
        per_pixel: the same for a pixel, where each is counted for itself.
        words: the window.
    """

    incident: float
    energy: Range
    h: Range
    k: Range
    separation: float
    per_pixel: float
    words: str


@dataclass(frozen=True)
class Expected:
    """What both hypotheses expect of one setting.

    Args:
        layout: of the setting.
        first: (R, C) intensity expected by one hypothesis.
        second: (R, C) by the other, on the same scale.
        per_intensity: (E, slices) counts for a unit of intensity.
        background: (E, slices) counts without signal.
        seen: (R, C) True where there is a detector.
    """

    layout: SliceLayout
    first: Floats
    second: Floats
    per_intensity: Floats
    background: Floats
    seen: Floats


def separation_map(expected: Expected) -> Floats:
    """(R, C) chi^2 between the hypotheses in each pixel.

    What a scale of every incident energy and a background of every slice can take up is left out.
    """
    layout = expected.layout
    first, second, seen = (
        layout.to_tiles(image.astype(float))
        for image in (expected.first, expected.second, expected.seen)
    )
    c, background = (
        grid[:, :, None, None] for grid in (expected.per_intensity, expected.background)
    )
    mean = np.maximum(c * np.maximum((first + second) / 2, 0) + background, 1e-2)
    weight = seen * c**2 / mean
    total = np.maximum(weight.sum((2, 3), keepdims=True), 1e-300)

    def centred(values: Floats) -> Floats:
        deviation: Floats = values - (weight * values).sum((2, 3), keepdims=True) / total
        return deviation

    difference, shape = centred(first - second), centred((first + second) / 2)
    across = (1, 2, 3)
    power = np.maximum((weight * shape**2).sum(across, keepdims=True), 1e-300)
    factor = (weight * shape * difference).sum(across, keepdims=True) / power
    chi2: Floats = weight * (difference - factor * shape) ** 2
    return np.asarray(layout.to_image(chi2))


def windows(expected: Expected) -> list[Window]:
    """Every slice of every incident energy, whole and in quarters of (|h|, |k|), best first.

    Ranked by the separation of all pixels together, so that a whole slice stands before its parts;
    a whole incident energy, the sum of its slices, is not among them.
    """
    layout = expected.layout
    tiles = layout.to_tiles(separation_map(expected))
    seen = layout.to_tiles(expected.seen.astype(float))
    h, k = np.abs(np.array(layout.h)), np.abs(np.array(layout.k))
    parts_h, parts_k = _parts(h), _parts(k)
    out = []
    for i, incident in enumerate(layout.incident_energies):
        for s, energy in enumerate(layout.energy_edges[i]):
            for low_high_h in parts_h:
                for low_high_k in parts_k:
                    inside = _within(h, low_high_h)[:, None] & _within(k, low_high_k)
                    count = float((seen[i, s] * inside).sum())
                    if count < 1:
                        continue
                    total = float((tiles[i, s] * inside).sum())
                    out.append(
                        Window(
                            incident,
                            energy,
                            low_high_h,
                            low_high_k,
                            total,
                            total / count,
                            _sentence(incident, energy, low_high_h, low_high_k, h, k),
                        )
                    )
    return sorted(out, key=lambda one: -one.separation)


def by_incident(expected: Expected) -> dict[float, float]:
    """Incident energy in meV -> chi^2 between the hypotheses, all slices together."""
    tiles = expected.layout.to_tiles(separation_map(expected))
    sums = tiles.sum((1, 2, 3))
    return {
        energy: float(value)
        for energy, value in zip(expected.layout.incident_energies, sums, strict=True)
    }


def _parts(axis: Floats) -> list[Range]:
    low, high = float(axis.min()), float(axis.max())
    middle = high / 2
    return [(0.0, high), (0.0, middle), (middle, high)] if low < middle else [(0.0, high)]


def _within(axis: Floats, bounds: Range) -> np.ndarray:
    return (axis >= bounds[0]) & (axis <= bounds[1])


def _sentence(
    incident: float, energy: Range, part_h: Range, part_k: Range, h: Floats, k: Floats
) -> str:
    text = f"Ei {incident:g} meV, {energy[0]:.3g} to {energy[1]:.3g} meV"
    for name, part, axis in (("h", part_h, h), ("k", part_k, k)):
        if part == (0.0, float(axis.max())):
            continue
        side, edge = ("below", part[1]) if part[0] == 0 else ("above", part[0])
        text += f", |{name}| {side} {edge:.2g}"
    return text
