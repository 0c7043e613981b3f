"""One hypothesis fitted to one spectrum: the numbers and the images to show."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gnnmat.simulation.inference.space import Floats


@dataclass(frozen=True)
class Fit:
    """A hypothesis at the couplings that explain a spectrum best.

    Args:
        hypothesis: its name.
        couplings: names of the p couplings.
        values: (p,) meV.
        errors: (p,) one standard error, meV.
        covariance: (p, p) meV^2.
        chi2: sum of squared residuals, in variances of the noise.
        dof: pixels less fitted numbers.
        p_value: share of spectra, drawn from the fit and measured alike, that lie as far off.
        image: (R, C) fitted intensity in the unit of the spectrum.
        residual: (R, C) spectrum minus fit in standard deviations; zero without a detector.
        log_evidence: natural logarithm of the probability of the spectrum.
        ranges: (p, 2) of the couplings, meV.
        log_likelihood: at the best couplings.
        structure: mean product of neighbouring residuals; zero for noise alone.
        by_slice: (E, slices) chi^2 a pixel.
        scale: (E,) measured unit per calculated unit.
        tilt: ln(measured / calculated) from the first slice to the last, beside the scales.
        offset: (E, slices) background left over, measured unit.
        at_bound: (p,) whether a coupling stopped at the end of its range.
        widened: (p,) factor on the errors because the fit is not perfect.
        blind: combinations of couplings about which the spectrum says nothing, in words.
        converged: whether the search came to its end.
        images: calculated for this fit.
    """

    hypothesis: str
    couplings: tuple[str, ...]
    values: Floats
    errors: Floats
    covariance: Floats
    chi2: float
    dof: int
    p_value: float
    image: Floats
    residual: Floats
    log_evidence: float
    ranges: Floats = field(default_factory=lambda: np.empty((0, 2)))
    log_likelihood: float = float("nan")
    structure: float = float("nan")
    by_slice: Floats = field(default_factory=lambda: np.empty((0, 0)))
    scale: Floats = field(default_factory=lambda: np.empty(0))
    tilt: float = 0.0
    offset: Floats = field(default_factory=lambda: np.empty((0, 0)))
    at_bound: tuple[bool, ...] = ()
    widened: Floats = field(default_factory=lambda: np.empty(0))
    blind: tuple[str, ...] = ()
    converged: bool = True
    images: int = 0

    @property
    def correlation(self) -> Floats:
        """(p, p) correlation matrix of the couplings; zero for one held fixed."""
        size = np.sqrt(np.maximum(np.diag(self.covariance), 1e-300))
        correlation: Floats = self.covariance / size[:, None] / size
        np.fill_diagonal(correlation, 1.0)
        return correlation

    @property
    def chi2_per_dof(self) -> float:
        """Chi^2 per degree of freedom."""
        return self.chi2 / self.dof

    @property
    def fits(self) -> bool:
        """Whether the hypothesis explains the spectrum, at one wrong refusal in a hundred."""
        return not self.p_value < 0.01

    @property
    def verdict(self) -> str:
        """In words, whether to trust the couplings."""
        if np.isnan(self.p_value):
            return "is not judged: no spectra were drawn to compare with"
        if self.fits:
            return f"fits: chi^2 {self.chi2_per_dof:.2f} per pixel, as chance would have it"
        return (
            f"is not to be trusted: chi^2 {self.chi2_per_dof:.2f} per pixel, or the pattern of its "
            f"residuals, comes by chance with p = {self.p_value:.1g} only"
        )
