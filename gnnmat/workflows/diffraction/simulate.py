"""Crystals -> Bragg peaks, drawn patterns, patterns of particles, fingerprints; in batches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.simulation.diffraction.cells import Cells
from gnnmat.simulation.diffraction.clusters import Cluster, ball, debye_pattern, nearest_atoms
from gnnmat.simulation.diffraction.fingerprint import fingerprint, scaled
from gnnmat.simulation.diffraction.powder import Peaks, powder_peaks
from gnnmat.simulation.diffraction.profile import TAIL, Grid, Profile, draw_pattern
from gnnmat.sources.records import Refusal
from gnnmat.workflows.diffraction.axis import Axis
from gnnmat.workflows.diffraction.beam import SECOND_SHARE, Beam
from gnnmat.workflows.diffraction.phases import Phase

Floats = NDArray[np.float64]

BATCH = 32  # crystals; their reflections are in memory together
FAINTEST = 1e-3  # of 100, the highest; fainter peaks are not listed. Source: pymatgen's default
MOST_ATOMS = 8_000  # of a particle: its distances fill 0.5 GB
ELEMENTS = 119  # atomic numbers from 0
STEEPEST = 175.0  # degrees; nearer to 180 sizes make peaks of any width
LEAST_SIZE = 10.0  # Å of crystallites: a few cells
CLUSTER = 200  # atoms of a fingerprint, between the 128 and 256 of Ziletti et al. (2018)


@dataclass(frozen=True)
class Options:
    """What is computed of each crystal.

    Args:
        width: full width at half maximum of the instrument's peaks, degrees.
        size: of the crystallites, Å; infinite adds nothing.
        u: of Caglioti's formula, degrees^2, see `Profile`; the square of ``width`` is its W.
        v: likewise.
        microstrain: a pure number, see `Profile`.
        b_factor: B of all atoms, Å^2: amplitudes fall with exp(-B (sin(theta) / wavelength)^2).
        debye: radius of a ball cut out of the crystal, Å; its pattern by the formula of Debye
            takes the place of the Bragg pattern.
        fingerprint: also the two-dimensional views of a cluster.
    """

    width: float = 0.1
    size: float = math.inf
    u: float = 0.0
    v: float = 0.0
    microstrain: float = 0.0
    b_factor: float = 0.0
    debye: float | None = None
    fingerprint: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.width <= 10:
            raise GnnmatError(f"A peak width of {self.width:g} degrees is out of range.")
        if not self.size >= LEAST_SIZE:
            raise GnnmatError(
                f"Crystallites of {self.size:g} Å have no Bragg peaks.",
                fix=f"Take {LEAST_SIZE:g} Å or more, or a ball of atoms: --debye RADIUS.",
            )
        if not 0 <= self.microstrain <= 0.1:
            raise GnnmatError(f"A microstrain of {self.microstrain:g} is out of range.")
        if not 0 <= self.b_factor <= 50:
            raise GnnmatError(f"A B of {self.b_factor:g} Å^2 is out of range.")
        if not (self.u >= 0 and math.isfinite(self.u) and math.isfinite(self.v)):
            raise GnnmatError(f"U={self.u:g} and V={self.v:g} degrees^2 are no widths.")
        profile = self.u or self.v or self.microstrain or self.b_factor or math.isfinite(self.size)
        if self.debye is not None and profile:
            raise GnnmatError(
                "The formula of Debye is computed of atoms at rest in one particle.",
                fix="Leave out --debye, or --size, --u, --v, --microstrain and --b-factor.",
            )
        if self.debye is not None and not self.debye > 0:
            raise GnnmatError(f"A particle of radius {self.debye:g} Å is none.")


@dataclass(frozen=True)
class Simulated:
    """What became of one crystal.

    Args:
        phase: the crystal.
        peaks: a row a peak: h, k, l, d (Å), two_theta (degrees), multiplicity, intensity (100 for
            the highest).
        pattern: (n,) intensities along the axis, 100 at the highest; of a particle in squared
            units of the scattering factors, an atom.
        strength: intensity of the pattern that is drawn as 100, a cell.
        views: (3, 64, 64) the fingerprint, if it was asked for.
        atoms: of the particle, if one was asked for.
    """

    phase: Phase
    peaks: pd.DataFrame
    pattern: Floats
    strength: float
    views: Floats | None = None
    atoms: int | None = None

    @property
    def id(self) -> str:
        """Name of the crystal."""
        return self.phase.id


def simulate_phases(
    phases: Sequence[Phase], beam: Beam, axis: Axis, options: Options
) -> Iterator[Simulated | Refusal]:
    """What becomes of each crystal, in order; a bad one is refused, and the rest goes on."""
    for start in range(0, len(phases), BATCH):
        some = phases[start : start + BATCH]
        try:
            found: list[Simulated | Refusal] = list(_simulated(some, beam, axis, options))
        except GnnmatError:
            found = [_alone(one, beam, axis, options) for one in some]
        yield from found


def _alone(phase: Phase, beam: Beam, axis: Axis, options: Options) -> Simulated | Refusal:
    try:
        return _simulated([phase], beam, axis, options)[0]
    except GnnmatError as error:
        return Refusal(phase.id, phase.formula, error.sentence)


def _simulated(
    phases: Sequence[Phase], beam: Beam, axis: Axis, options: Options
) -> list[Simulated]:
    cells = Cells.of([one.crystal for one in phases])
    low, high = axis.degrees(beam.wavelength)
    peaks = powder_peaks(
        cells,
        wavelength=beam.wavelength,
        two_theta=_reaching(low, high, beam, options),
        displacement=torch.full((ELEMENTS,), options.b_factor, dtype=torch.float64),
        radiation=beam.radiation,
        correction=beam.correction,
    )
    if options.debye is None:
        patterns = drawn(peaks, len(phases), beam, axis, options)
    else:
        patterns = np.zeros((len(phases), axis.count))
    return [
        _one(one, peaks.of(place).between(low, high), patterns[place], beam, axis, options)
        for place, one in enumerate(phases)
    ]


def _one(
    phase: Phase, own: Peaks, pattern: Floats, beam: Beam, axis: Axis, options: Options
) -> Simulated:
    if not len(own.intensity) and options.debye is None:
        raise GnnmatError(
            f"There is no peak {axis.range_words}.",
            why=f"Lattice spacings from {axis.spacings(beam.wavelength)} Å are seen there.",
            fix="Widen the range.",
        )
    atoms = None
    if options.debye is not None:
        particle = _particle(phase, options.debye)
        pattern, atoms = particle_pattern(particle, beam, axis), len(particle)
    top = float(pattern.max())
    return Simulated(
        phase,
        peak_table(own),
        100 * pattern / top if top > 0 else pattern,
        top,
        _views(phase) if options.fingerprint else None,
        atoms,
    )


def drawn(peaks: Peaks, count: int, beam: Beam, axis: Axis, options: Options) -> Floats:
    """(count, n) patterns along the axis, intensity per degree of 2 theta."""
    low, high = axis.degrees(beam.wavelength)
    profile = _profile(beam, options)
    points = axis.drawn_points(beam.wavelength, options.width)
    grid = Grid(low, high, points)
    pattern = draw_pattern(peaks, count, grid, profile, wavelength=beam.wavelength).numpy()
    if not axis.is_q:
        return np.asarray(pattern, dtype=np.float64)
    at = axis.two_theta(beam.wavelength)
    return np.stack([np.interp(at, grid.angles.numpy(), one) for one in pattern])


def _profile(beam: Beam, options: Options) -> Profile:
    return Profile(
        u=options.u,
        v=options.v,
        w=options.width**2,
        size=options.size,
        strain=options.microstrain,
        second=beam.second,
        second_share=SECOND_SHARE,
    )


def _reaching(low: float, high: float, beam: Beam, options: Options) -> tuple[float, float]:
    """Angles from which peaks reach between these two, with their feet and second lines."""
    ends = torch.tensor([low, min(high, STEEPEST)], dtype=torch.float64)
    gaussian, lorentzian = _profile(beam, options).widths(ends, beam.wavelength)
    first, last = (TAIL / 2 * (gaussian + lorentzian)).tolist()
    split = math.degrees(2 * math.tan(math.radians(low / 2)) * (beam.second - 1))
    return max(low - first - split, 0.0), max(high, min(high + last, STEEPEST))


def peak_table(peaks: Peaks) -> pd.DataFrame:
    """The peaks of one cell as a table, those above a hundred-thousandth of the highest."""
    highest = float(peaks.intensity.max()) if len(peaks.intensity) else 1.0
    scaled_to_100 = 100 * peaks.intensity / max(highest, 1e-300)
    seen = scaled_to_100 > FAINTEST
    hkl = peaks.hkl[seen].numpy()
    return pd.DataFrame(
        {
            "h": hkl[:, 0],
            "k": hkl[:, 1],
            "l": hkl[:, 2],
            "d": peaks.spacing[seen].numpy(),
            "two_theta": peaks.two_theta[seen].numpy(),
            "multiplicity": peaks.multiplicity[seen].numpy(),
            "intensity": scaled_to_100[seen].numpy(),
        }
    )


def _particle(phase: Phase, radius: float) -> Cluster:
    crystal = phase.crystal
    expected = 4 / 3 * math.pi * radius**3 * len(crystal.numbers) / crystal.volume
    if expected > MOST_ATOMS:
        largest = radius * (MOST_ATOMS / expected) ** (1 / 3)
        raise GnnmatError(
            f"A ball of radius {radius:g} Å holds about {expected:,.0f} atoms, more than "
            f"{MOST_ATOMS:,}.",
            fix=f"Choose a radius up to {math.floor(largest)} Å.",
        )
    return ball(crystal, radius)


def particle_pattern(particle: Cluster, beam: Beam, axis: Axis) -> Floats:
    """(n,) intensity an atom; for X-rays with their polarisation."""
    q = np.maximum(axis.q(beam.wavelength), 1e-6)
    found = debye_pattern(particle, torch.from_numpy(q), radiation=beam.radiation).numpy()
    if beam.radiation == "xray":
        found = found * (1 + np.cos(np.radians(axis.two_theta(beam.wavelength))) ** 2) / 2
    return np.asarray(found / len(particle), dtype=np.float64)


def _views(phase: Phase) -> Floats:
    cluster, _ = scaled(nearest_atoms(phase.crystal, CLUSTER))
    return np.asarray(fingerprint([cluster])[0].numpy(), dtype=np.float64)
