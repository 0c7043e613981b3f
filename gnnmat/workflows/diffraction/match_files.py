"""The result of a search as a page, a table and a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from gnnmat.atomic import write_atomically
from gnnmat.pages.diffraction_figures import Tick, tick_words
from gnnmat.pages.diffraction_match import CandidatePanel, MatchPage, match_page
from gnnmat.pages.markup import number, plural
from gnnmat.workflows.diffraction.candidate import Candidate
from gnnmat.workflows.diffraction.match import Match
from gnnmat.workflows.diffraction.picture import match_png
from gnnmat.workflows.diffraction.refine import Parameter

WORDS = {
    "zero": "zero shift",
    "gaussian": "width, Gaussian part",
    "lorentzian": "width, Lorentzian part (size)",
    "strain": "width, times tan θ (strain)",
    "displacement": "displacement B",
    "aligned": "share with that orientation",
}


def write_match(found: Match, page: Path) -> list[Path]:
    """The page, and beside it the table (.csv) and a picture of the best candidate (.png)."""
    written = [write_atomically(page, match_page(page_data(found)))]
    table = found.table.to_csv(index=False)
    written.append(write_atomically(page.with_suffix(".csv"), table))
    if found.candidates:
        best = found.candidates[0]
        title = f"{found.pattern.id}: {best.phase.formula}, {best.cell.symbol}, {best.phase.id}"
        ticks = [one.at for one in bragg_ticks(best)]
        pattern = found.pattern
        picture = match_png(
            title, pattern.two_theta, pattern.counts, best.refined.calculated, ticks
        )
        written.append(write_atomically(page.with_suffix(".png"), picture))
    return written


def page_data(found: Match) -> MatchPage:
    """What the page shows of a search."""
    pattern = found.pattern
    panels = [_panel(one) for one in found.candidates]
    facts = {
        "pattern": pattern.id,
        "searched": found.searched,
        "best": found.candidates[0].phase.id if found.candidates else None,
    }
    return MatchPage(
        title=pattern.id,
        lead=f"{found.beam.words}; {plural(found.searched, 'crystal')} searched; "
        f"{plural(len(found.signal.peaks), 'peak')} above the noise",
        at=pattern.two_theta,
        measured=pattern.counts,
        candidates=panels,
        notes=found.notes,
        refused=[(one.id, one.reason) for one in found.refused],
        facts=facts,
    )


def bragg_ticks(one: Candidate) -> list[Tick]:
    """Bragg peaks of a refined candidate at the first wavelength, with their indices."""
    model = one.refined.model
    families = model.families
    with torch.no_grad():
        centres, _ = model.lines(one.refined.values)
        lattice = one.cell.lattice(one.refined.values[: len(one.cell.names)])
        spacing = 1 / (families.hkl @ torch.linalg.inv(lattice).T).norm(dim=1)
    hkl = families.hkl.to(torch.int64).tolist()
    many = families.multiplicity.tolist()
    first, last = float(model.two_theta[0]), float(model.two_theta[-1])
    return [
        Tick(at, tick_words(indices, d, count))
        for at, indices, d, count in zip(
            centres[: len(hkl)].tolist(), hkl, spacing.tolist(), many, strict=True
        )
        if first <= at <= last
    ]


def with_error(value: float, error: float) -> str:
    """``5.6403(12)``: a value with the standard error of its last digits."""
    if not (np.isfinite(error) and 0 < error < max(abs(value), 1.0)):
        return number(value, 5)
    decimals = max(0, -int(np.floor(np.log10(error))) + (1 if _leading(error) < 2 else 0))
    digits = round(error * 10**decimals)
    return f"{value:.{decimals}f}({digits})".replace("-", "−")


def _leading(error: float) -> float:
    return float(error / 10 ** np.floor(np.log10(error)))


def lattice_words(one: Candidate) -> str:
    """``a 5.6403(2), c 9.12(1)``: the free lengths and angles with errors."""
    found = one.refined
    names = {"alpha": "α", "beta": "β", "gamma": "γ"}
    return ", ".join(
        f"{names.get(name, name)} {with_error(found[name].value, found[name].error)}"
        for name in one.cell.names
    )


def _panel(one: Candidate) -> CandidatePanel:
    refined = one.refined
    remarks = []
    if not refined.converged:
        remarks.append("The refinement did not come to rest; take its numbers as a start.")
    if refined.texture is not None:
        plane = " ".join(map(str, refined.texture))
        remarks.append(
            f"A preferred orientation with ({plane}) flat was refined: "
            f"r = {refined['texture'].value:.2f}, 1 would be none, of "
            f"{100 * refined['aligned'].value:.0f}% of the crystallites."
        )
    return CandidatePanel(
        id=one.phase.id,
        formula=one.phase.formula,
        space_group=one.cell.symbol,
        similarity=one.similarity,
        score=one.score,
        r_wp=refined.r_wp,
        lattice=lattice_words(one),
        calculated=refined.calculated,
        background=refined.background,
        ticks=bragg_ticks(one),
        parameters=[_row(parameter, one) for parameter in refined.parameters],
        remarks=remarks,
        embedding=one.embedding,
    )


def _row(one: Parameter, candidate: Candidate) -> tuple[object, ...]:
    words = WORDS.get(one.name, one.name)
    if one.name == "texture":
        words = f"March-Dollase r of ({' '.join(map(str, candidate.refined.texture or ()))})"
    remark = "at the end of its range" if one.at_bound else ""
    error = number(one.error, 2)
    return words, number(one.value, 6), error, number(one.start, 6), one.unit, remark
