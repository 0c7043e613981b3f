"""Reflections of a crystal -> its powder pattern as a diffractometer would have measured it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gnnmat.augment.ins_measurement import PositiveRange
from gnnmat.augment.measurement import Range
from gnnmat.errors import GnnmatError
from gnnmat.sample import DataSpec
from gnnmat.simulation.diffraction.angles import Grid

if TYPE_CHECKING:
    from gnnmat.augment.powder_instrument import PowderInstrument


def _is_rising(between: Range) -> Range:
    if not between[0] <= between[1]:
        raise ValueError("expected a range (low, high)")
    return between


def _is_not_negative(between: Range) -> Range:
    if not 0 <= between[0] <= between[1] < float("inf"):
        raise ValueError("expected a range (low, high) of numbers from 0 on")
    return between


AnyRange = Annotated[Range, AfterValidator(_is_rising)]
FromZero = Annotated[Range, AfterValidator(_is_not_negative)]


class PowderMeasurement(BaseModel):
    """Sample, diffractometer and counter, drawn anew for every pattern.

    Reflections of crystals are drawn as a pattern; a measured pattern passes by the instrument
    and is only scaled, in training also moved and counted again. Both lose their background in the
    same way, and end between 0 and 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["powder_measurement"] = "powder_measurement"
    lattice: float = Field(
        0.01, ge=0, lt=0.2, description="Standard deviation of a strain alike in all directions."
    )
    strain: float = Field(
        0.0005,
        ge=0,
        lt=0.1,
        description="Standard deviation of each component of a strain that keeps no symmetry.",
    )
    shift: float = Field(0.05, ge=0, description="Standard deviation of the zero error, degrees.")
    height: float = Field(
        0.05, ge=0, description="Standard deviation of the sample's height above the axis, mm."
    )
    radius: float = Field(200.0, gt=0, description="Radius of the diffractometer, mm.")
    width: PositiveRange = Field(
        (0.07, 0.2),
        description="Range of the root of Caglioti's W: the full width at small angles, degrees.",
    )
    u: FromZero = Field((0.0, 0.02), description="Range of Caglioti's U, degrees^2.")
    v: AnyRange = Field((-0.01, 0.0), description="Range of Caglioti's V, degrees^2.")
    size: PositiveRange = Field((150.0, 3000.0), description="Range of the crystallite size, Å.")
    microstrain: FromZero = Field((0.0, 0.002), description="Range of the microstrain.")
    debye_waller: FromZero = Field((0.2, 2.5), description="Range of B of all atoms, Å^2.")
    textured: float = Field(0.5, ge=0, le=1, description="Share of samples with texture.")
    march: PositiveRange = Field(
        (0.4, 1.5),
        description="Range of March and Dollase's r: 1 without texture, below 1 for plates; along "
        "one of the strongest reflections.",
    )
    scatter: float = Field(
        0.1,
        ge=0,
        description="Standard deviation of ln(intensity) of each reflection; a line of many has "
        "less of it.",
    )
    spurious: float = Field(0.7, ge=0, description="Expected number of lines of other phases.")
    spurious_area: float = Field(
        0.15, ge=0, description="Largest area of such a line over that of the strongest."
    )
    background: PositiveRange = Field(
        (0.003, 0.5), description="Range of the mean background over the highest point."
    )
    amorphous: float = Field(0.3, ge=0, le=1, description="Share with a hump of glass.")
    counts: PositiveRange = Field(
        (100.0, 1_000_000.0), description="Range of the counts at the highest point."
    )
    short: float = Field(
        0.1,
        ge=0,
        lt=0.9,
        description="Largest share of the angles that is missing at the end, in half of the "
        "patterns: measured ones may be as short, see input.missing.",
    )
    subtract: float = Field(
        3.0,
        ge=0,
        description="Degrees on each side that the background is looked for in; 0 leaves it.",
    )
    transform: Literal["sqrt", "none"] = Field(
        "sqrt", description="'sqrt' of the pattern over its highest point; 'none'."
    )
    clean_width: float = Field(
        0.1, gt=0, description="Full width of all lines where nothing is drawn, degrees."
    )

    @classmethod
    def example(cls) -> PowderMeasurement:
        """A small instance for contract tests."""
        return cls()

    def seen(self, spec: DataSpec) -> DataSpec:
        """The data as the network is given them: patterns.

        Raises:
            GnnmatError: the samples are no powder patterns.
        """
        return seen_pattern(self.kind, spec)

    def build(self, spec: DataSpec) -> PowderInstrument:
        """The module for these data."""
        from gnnmat.augment.powder_instrument import PowderInstrument

        seen_pattern(self.kind, spec)
        first, last = spec.grid["two_theta"]
        grid = Grid(first, last, spec.grid["points"])
        return PowderInstrument(self, grid, spec.grid["wavelength"], spec.grid["radiation"])


def seen_pattern(kind: str, spec: DataSpec) -> DataSpec:
    """Data with a pattern in place of reflections.

    Raises:
        GnnmatError: the samples are no powder patterns.
    """
    if not spec.grid or not {"peaks", "image"} & set(spec.fields):
        raise GnnmatError(
            f"augment.kind={kind} needs powder patterns; these samples are none.",
            why=f"They have: {', '.join(spec.fields)}.",
            fix="input.kind=powder, or augment.kind=none",
        )
    if "image" in spec.fields:
        return spec
    fields = tuple(name for name in spec.fields if name != "peaks")
    shape = (int(spec.grid["points"]),)
    return replace(spec, fields=(*fields, "image"), channels=1, image_shape=shape)
