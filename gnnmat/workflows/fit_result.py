"""What came of fitting hypotheses to a spectrum, and the sentence that sums it up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from gnnmat.simulation.inference.evidence import Odds
from gnnmat.simulation.inference.fit import Fit
from gnnmat.simulation.inference.identifiability import Exchange
from gnnmat.simulation.layout import SliceLayout

CLEAR = 3.0  # standard errors by which slices left out must prefer a hypothesis


@dataclass(frozen=True)
class SpectrumFit:
    """Every hypothesis fitted to one spectrum.

    Args:
        name: of the spectrum.
        simulation: name of the simulation.
        fits: one a hypothesis.
        odds: likewise.
        exchanges: of couplings that leave the image the same, by hypothesis.
        advice: what to measure next, best first: what, separation, per_pixel, measured.
        layout: of the spectrum.
        folder: where it was written; None if it was not.
    """

    name: str
    simulation: str
    fits: tuple[Fit, ...]
    odds: tuple[Odds, ...]
    exchanges: Mapping[str, list[Exchange]]
    advice: pd.DataFrame
    layout: SliceLayout
    folder: Path | None = None

    @property
    def best(self) -> Fit:
        """The fit with the highest evidence."""
        return max(self.fits, key=lambda fit: fit.log_evidence)

    def __getitem__(self, hypothesis: str) -> Fit:
        for fit in self.fits:
            if fit.hypothesis == hypothesis:
                return fit
        raise KeyError(hypothesis)

    @property
    def conclusion(self) -> str:
        """One sentence: which hypothesis, how surely, and whether to trust it."""
        best = self.best
        if len(self.fits) == 1:
            return f"{best.hypothesis} {best.verdict}."
        odds = next(one for one in self.odds if one.hypothesis == best.hypothesis)
        rivals = [one for one in self.odds if one.hypothesis != best.hypothesis]
        clear = odds.behind == 0 and all(
            one.behind > CLEAR * one.behind_error and one.behind > 0 for one in rivals
        )
        times = f"10^{odds.log10_odds:.0f}" if odds.log10_odds > 4 else f"{10**odds.log10_odds:.3g}"
        if not clear:
            start = f"Not decided: odds of {times} to 1 for {best.hypothesis}, but slices left out"
            start += " do not prefer it clearly"
        else:
            start = f"{best.hypothesis}, with odds of {times} to 1, and slices left out agree"
        return f"{start}. It {best.verdict}."
