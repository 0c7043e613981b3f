"""Bragg peaks of many crystals, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.progress import with_progress
from gnnmat.simulation.diffraction.cells import Cells
from gnnmat.simulation.diffraction.factors import Radiation
from gnnmat.simulation.diffraction.powder import powder_peaks
from gnnmat.sources.records import Refusal
from gnnmat.workflows.diffraction.beam import Beam
from gnnmat.workflows.diffraction.phases import Phase

Floats = NDArray[np.float64]

FORMAT = "1"  # of the files
BATCH = 32  # crystals; their reflections are in memory together
MOST = 256  # peaks kept of a crystal
FAINT = 1e-3  # of its strongest


@dataclass(frozen=True)
class Library:
    """Peaks of crystals, one after another.

    Args:
        start: (crystals + 1,) where the peaks of each begin.
        inverse: (peaks,) 1/d in 1/Å.
        strength: (peaks,) |F|^2 with multiplicity, without any factor of the angle, 1 for the
            strongest of a crystal.
    """

    start: NDArray[np.int64]
    inverse: Floats
    strength: Floats

    def __len__(self) -> int:
        return len(self.start) - 1


def open_library(
    phases: Sequence[Phase],
    beam: Beam,
    longest: float,
    *,
    folder: Path | None = None,
    quiet: bool = True,
) -> tuple[Library, list[int], list[Refusal]]:
    """The peaks of these crystals, which of them have any, and why others have none.

    They are read from the folder if the same crystals were asked for before.

    Args:
        phases: crystals.
        beam: its radiation matters alone.
        longest: 1/d up to which peaks are wanted, 1/Å.
        folder: of the files; default in the cache.
        quiet: no progress bar.
    """
    reach = math.ceil(longest * 20) / 20
    place = (folder or library_folder()) / f"{_key(phases, beam.radiation, reach)}.npz"
    known = _read(place)
    if known is not None and len(known) == len(phases):
        return known, *_sorted_out(known, phases, {})
    rows, reasons = _computed(phases, beam.radiation, reach, quiet)
    counts = [len(one[0]) for one in rows]
    made = Library(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.concatenate([one[0] for one in rows]),
        np.concatenate([one[1] for one in rows]),
    )
    if not reasons:  # a reason is not kept on disk, and is to be said every time
        _write(place, made)
    return made, *_sorted_out(made, phases, reasons)


def library_folder() -> Path:
    """Where peaks are kept: ``$GNNMAT_CACHE``, else the platform's cache folder."""
    from gnnmat.sources.download import cache_folder

    return cache_folder() / "diffraction"


def _key(phases: Sequence[Phase], radiation: Radiation, reach: float) -> str:
    sha = hashlib.sha256(f"{FORMAT} {radiation} {reach:.3f} {MOST} {FAINT}".encode())
    for phase in phases:
        sha.update(phase.crystal.digest())
    return sha.hexdigest()[:32]


def _sorted_out(
    library: Library, phases: Sequence[Phase], reasons: dict[int, str]
) -> tuple[list[int], list[Refusal]]:
    kept, refused = [], []
    for place, count in enumerate(np.diff(library.start)):
        if count:
            kept.append(place)
        else:
            reason = reasons.get(place, "no peak within the range of the pattern")
            refused.append(Refusal(phases[place].id, phases[place].formula, reason))
    return kept, refused


def _computed(
    phases: Sequence[Phase], radiation: Radiation, reach: float, quiet: bool
) -> tuple[list[tuple[Floats, Floats]], dict[int, str]]:
    rows: list[tuple[Floats, Floats]] = []
    reasons: dict[int, str] = {}
    starts = range(0, len(phases), BATCH)
    batches = with_progress(iter(starts), len(starts), "Simulating patterns", quiet)
    for start in batches:
        some = phases[start : start + BATCH]
        try:
            rows += _peaks(some, radiation, reach)
        except GnnmatError:
            for place, one in enumerate(some, start):
                try:
                    rows += _peaks([one], radiation, reach)
                except GnnmatError as error:
                    rows.append((np.zeros(0), np.zeros(0)))
                    reasons[place] = error.sentence
    return rows, reasons


def _peaks(
    phases: Sequence[Phase], radiation: Radiation, reach: float
) -> list[tuple[Floats, Floats]]:
    # Without a factor of the angle the wavelength does not matter; this one reaches far enough.
    wavelength = min(1.0, 1.9 / reach)
    high = float(np.degrees(2 * np.arcsin(wavelength * reach / 2)))
    found = powder_peaks(
        Cells.of([one.crystal for one in phases]),
        wavelength=wavelength,
        two_theta=(0.0, high),
        radiation=radiation,
        correction="none",
    )
    owner = found.owner.numpy()
    inverse, strength = 1 / found.spacing.numpy(), found.intensity.numpy()
    rows = []
    for place in range(len(phases)):
        own = np.flatnonzero(owner == place)
        # Strong as seen on a powder: the factor of the angle is nearly d^2.
        seen = strength[own] / inverse[own] ** 2
        kept = own[seen > FAINT * seen.max(initial=0.0)]
        order = np.argsort(-strength[kept] / inverse[kept] ** 2)[:MOST]
        kept = kept[np.sort(order)]
        rows.append((inverse[kept], strength[kept] / strength[kept].max(initial=1e-300)))
    return rows


def _read(place: Path) -> Library | None:
    try:
        with np.load(place, allow_pickle=False) as held:
            return Library(
                held["start"],
                held["inverse"].astype(np.float64),
                held["strength"].astype(np.float64),
            )
    except (OSError, ValueError, KeyError, EOFError):
        return None  # not there, or damaged: it is made again


def _write(place: Path, library: Library) -> None:
    held = io.BytesIO()
    # Spacings to 1e-7 of themselves, intensities to as much.
    np.savez(
        held,
        start=library.start,
        inverse=library.inverse.astype(np.float32),
        strength=library.strength.astype(np.float32),
    )
    write_atomically(place, held.getvalue())
