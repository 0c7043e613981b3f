"""A measured pattern against known crystals: searched, the best refined, compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.sources.powder_pattern import PowderPattern
from gnnmat.sources.records import Refusal
from gnnmat.workflows.diffraction.background import Signal, take_apart
from gnnmat.workflows.diffraction.beam import Beam
from gnnmat.workflows.diffraction.candidate import Candidate, candidate
from gnnmat.workflows.diffraction.embedding import embedding_scores
from gnnmat.workflows.diffraction.library import open_library
from gnnmat.workflows.diffraction.phases import Phase
from gnnmat.workflows.diffraction.search_match import Scan, rank

Floats = NDArray[np.float64]

LEAST_SPAN = 5.0  # degrees of 2 theta
LEAST_POINTS = 50
FEW_PEAKS = 4  # fewer are met by many crystals
FEW_CRYSTALS = 3  # fewer have no mean that could be taken off their features
# Below these a crystal is hardly the one: of four measured films the right one had 0.76 to 0.90 in
# the search and 0.91 to 0.95 after refinement, and wrong ones up to 0.64 and 0.85.
POOR, POOR_SEARCH = 0.7, 0.65


@dataclass(frozen=True)
class Match:
    """The best known crystals for a pattern.

    Args:
        pattern: measured.
        beam: it was measured with.
        signal: the pattern taken apart.
        candidates: best first, by `Candidate.merit`.
        searched: number of crystals.
        refused: crystals that could not be searched, with the reason.
        notes: what a reader should know.
    """

    pattern: PowderPattern
    beam: Beam
    signal: Signal
    candidates: tuple[Candidate, ...]
    searched: int
    refused: tuple[Refusal, ...]
    notes: tuple[str, ...]

    @property
    def table(self) -> pd.DataFrame:
        """A row a candidate, best first."""
        rows = []
        for place, one in enumerate(self.candidates, start=1):
            names = ("a", "b", "c", "alpha", "beta", "gamma")
            row: dict[str, object] = {
                "rank": place,
                "id": one.phase.id,
                "formula": one.phase.formula,
                "space_group": one.cell.symbol,
                "similarity": one.similarity,
                "search_score": one.score,
                "r_wp": one.refined.r_wp,
                **({} if one.embedding is None else {"embedding": one.embedding}),
                **dict(zip(names, one.lattice, strict=True)),
            }
            for name in one.refined.model.names:
                found = one.refined[name]
                row[name] = found.value
                row[f"{name}_error"] = found.error
            row["flat"] = "".join(map(str, one.refined.texture or ()))
            rows.append(row)
        return pd.DataFrame(rows)


def match_pattern(
    pattern: PowderPattern,
    beam: Beam,
    phases: Sequence[Phase],
    *,
    top: int = 10,
    scan: Scan | None = None,
    texture: bool = True,
    run: str | Path | None = None,
    refused: Sequence[Refusal] = (),
    quiet: bool = True,
) -> Match:
    """The known crystals that explain a pattern best, refined.

    Args:
        pattern: measured.
        beam: it was measured with.
        phases: crystals to search.
        top: candidates that are refined and shown.
        scan: strains and zero shifts of the search.
        texture: also refine a preferred orientation, if one explains much more.
        run: trained on powder patterns; as many candidates more are refined, those that look most
            like the pattern to it.
        refused: crystals that could not be read.
        quiet: no progress bar.

    Raises:
        GnnmatError: a pattern that is too short or has no peak, or no crystal with a peak in it.
    """
    from gnnmat.progress import with_progress

    if top < 1:
        raise GnnmatError(f"There is nothing to refine with top={top}.")
    check_searched(beam.radiation)
    check_span(pattern)
    if not phases:
        raise GnnmatError(
            "There is no crystal to search.",
            why=f"{refused[0].id}: {refused[0].reason}" if refused else "",
        )
    signal = take_apart(pattern.two_theta, pattern.counts)
    if not len(signal.peaks):
        raise GnnmatError(
            f"{pattern.id}: no peak stands above background and noise.",
            fix="Count longer, or look whether the columns are angle and counts.",
        )
    tried = scan or Scan()
    library, rows, without = open_library(phases, beam, _longest(pattern, beam, tried), quiet=quiet)
    if not rows:
        raise GnnmatError(
            f"None of {len(phases):,} crystals has a peak within the pattern.",
            why=without[0].reason if without else "",
        )
    scores = rank(signal, beam, library, rows, tried)
    ranked = np.argsort(-scores.score, kind="stable").tolist()
    order = ranked[:top]
    alike: Floats | None = None
    notes = [*pattern.notes, *_notes(pattern, signal)]
    if run is not None and len(rows) < FEW_CRYSTALS:
        notes.append(f"The network was not asked: it compares {FEW_CRYSTALS} crystals or more.")
    elif run is not None:
        alike = embedding_scores(run, pattern, beam, [phases[row] for row in rows], quiet=quiet)
        more = np.argsort(-alike, kind="stable")[:top].tolist()
        order += [place for place in more if place not in order]
    found: list[Candidate] = []
    failed: list[Refusal] = []
    spare = [place for place in ranked[: 2 * top] if place not in order]
    for place in with_progress(chain(order, spare), len(order), "Refining", quiet):
        if len(found) == len(order):
            break
        phase = phases[rows[place]]
        try:
            one = candidate(phase, scores, place, signal, pattern, beam, texture)
        except GnnmatError as error:  # all its peaks lie just outside, say
            failed.append(Refusal(phase.id, phase.formula, error.sentence))
            continue
        found.append(one if alike is None else replace(one, embedding=float(alike[place])))
    if not found:
        raise GnnmatError("Not one crystal could be refined.", why=failed[0].reason)
    found.sort(key=lambda one: -one.merit)
    if found[0].similarity < POOR or found[0].score < POOR_SEARCH:
        notes.append(
            "Even the best candidate meets the pattern poorly: its crystal is probably not "
            "among those searched, or the wavelength is another one."
        )
    lost = (*refused, *without, *failed)
    return Match(pattern, beam, signal, tuple(found), len(rows), lost, tuple(notes))


def check_searched(radiation: str | None) -> None:
    """Refuse electrons: what is searched and refined is a pattern of many degrees.

    Raises:
        GnnmatError: they are.
    """
    if radiation == "electron":
        raise GnnmatError(
            "Patterns of electrons cannot be searched.",
            why="Their peaks lie within a few degrees, closer than what is smoothed over.",
        )


def check_span(pattern: PowderPattern) -> None:
    """Refuse a pattern that is too short to search with.

    Raises:
        GnnmatError: it is.
    """
    span = float(pattern.two_theta[-1] - pattern.two_theta[0])
    if span < LEAST_SPAN or len(pattern) < LEAST_POINTS:
        raise GnnmatError(
            f"{pattern.id}: the pattern is shorter than {LEAST_SPAN:g} degrees or "
            f"{LEAST_POINTS} points.",
            why=f"It has {len(pattern)} points over {span:.3g} degrees.",
            fix="Give the whole scan.",
        )


def _longest(pattern: PowderPattern, beam: Beam, scan: Scan) -> float:
    last = min(float(pattern.two_theta[-1]) + scan.zero, 179.0)
    return 2 * float(np.sin(np.radians(last / 2))) / beam.wavelength * (1 + scan.strain + 0.01)


def _notes(pattern: PowderPattern, signal: Signal) -> list[str]:
    notes = []
    if len(signal.peaks) < FEW_PEAKS:
        peaks = "peak stands" if len(signal.peaks) == 1 else "peaks stand"
        notes.append(
            f"Only {len(signal.peaks)} {peaks} above the noise: many crystals have peaks there."
        )
    return notes
