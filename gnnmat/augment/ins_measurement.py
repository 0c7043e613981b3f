"""A calculated spectrum as the instrument would have measured it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field

from gnnmat.augment.measured import Measured
from gnnmat.augment.measurement import Range
from gnnmat.augment.robust_scale import RobustScale, check_is_image
from gnnmat.errors import GnnmatError
from gnnmat.sample import DataSpec
from gnnmat.simulation.layout import SliceLayout


def _is_range(between: Range) -> Range:
    low, high = between
    if not 0 < low <= high < float("inf"):
        raise ValueError("expected a range (low, high) of positive numbers")
    return between


PositiveRange = Annotated[Range, AfterValidator(_is_range)]


class InsMeasurement(RobustScale):
    """Noise, background, detector gaps and imperfections, drawn anew for every spectrum.

    Counts are Poisson(signal + background); the background is then subtracted and what is below
    zero cut off, as in measured data. Ends like 'robust_scale'.
    """

    kind: Literal["ins_measurement"] = "ins_measurement"  # type: ignore[assignment]
    noise_table: str | None = Field(
        None,
        description="CSV file of noise by slice: ei_mev, slice, noise_sigma_over_p99. May name "
        "environment variables. Null: 'noise' everywhere.",
    )
    noise: float = Field(
        0.1,
        ge=0,
        description="Standard deviation of a pixel without signal, as a share of the 99th "
        "percentile of the image, where no table is named.",
    )
    noise_factor: PositiveRange = Field(
        (0.5, 2.0), description="Range of a factor on the noise, drawn evenly in its logarithm."
    )
    background: PositiveRange = Field(
        (0.5, 20.0),
        description="Range of background counts a pixel, drawn evenly in its logarithm: few "
        "make noise of few large values and many zeros.",
    )
    residual: float = Field(
        0.3,
        ge=0,
        description="Standard deviation of the error of the subtracted background, in standard "
        "deviations of the noise: for all slices together, and for each.",
    )
    phonons: float = Field(
        0.1,
        ge=0,
        description="Largest height of a smooth background that was not subtracted, as a share "
        "of the 99th percentile; it grows as Q^2 and falls with energy.",
    )
    overall_scale: float = Field(
        0.25,
        ge=0,
        description="Standard deviation of ln(scaled intensity): a measurement may have a longer "
        "tail than a calculation, and so another percentile.",
    )
    block_scale: float = Field(
        0.25,
        ge=0,
        description="Standard deviation of ln(intensity) between incident energies, and from the "
        "first slice to the last.",
    )
    misset: float = Field(0.5, ge=0, le=3, description="Standard deviation of a turn, degrees.")
    mosaic: float = Field(1.0, ge=0, le=3, description="Largest mosaic spread, degrees.")
    spurious: float = Field(2.0, ge=0, description="Expected number of false peaks of one pixel.")
    mask: str | None = Field(
        None,
        description="Detector mask, .npz or .npy, True where there is no detector. May name "
        "environment variables. Null: gaps drawn at random.",
    )
    mirrored: float = Field(0.5, ge=0, le=1, description="Share of masks mirrored in k.")
    unmasked: float = Field(0.1, ge=0, le=1, description="Share of spectra without any mask.")
    extra_gaps: float = Field(0.3, ge=0, le=1, description="Share with a few more gaps.")
    keep_clean: bool = Field(
        False, description="Hand on the spectrum before noise and mask, on the same scale."
    )

    @classmethod
    def example(cls) -> InsMeasurement:
        """A small instance for contract tests."""
        return cls()

    def build(self, spec: DataSpec) -> Measured:
        """The module for these data."""
        check_is_image(self.kind, spec)
        if spec.channels != 1 or len(spec.image_shape) != 2:
            raise GnnmatError(
                f"augment.kind={self.kind} needs images of one channel and two axes.",
                why=f"These have {spec.channels} channels and axes of {spec.image_shape} pixels.",
            )
        return Measured(self, layout_of(spec))


def layout_of(spec: DataSpec) -> SliceLayout:
    """The layout of the images; one slice over the whole image where none is known."""
    plain: dict[str, Any] = getattr(spec, "layout", {})
    if plain:
        return SliceLayout.from_dict(plain)
    rows, columns = spec.image_shape
    axes = [tuple(np.linspace(1, -1, n).tolist()) for n in (rows, columns)]
    return SliceLayout((1.0,), (((0.0, 0.5),),), axes[0], axes[1][::-1])
