"""Crystal -> its reflections, from which patterns are drawn; measured pattern -> an image."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from gnnmat.errors import GnnmatError
from gnnmat.inputs.resampling import resampled
from gnnmat.simulation.diffraction.angles import Grid, emission, line_name
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.powder_pattern import PowderPattern
from gnnmat.sources.records import Records

Floats = NDArray[np.float64]

LOOKED_AT = 20  # records, until one can be read
BESIDE = 2.0  # degrees of 2 theta beside the pattern, from which shifts bring reflections into it


class Powder(BaseModel):
    """Powder diffraction: reflections of crystals, or measured patterns, on one grid of angles.

    Of a crystal the strongest reflections are kept, unmerged, one of each Friedel pair: widths,
    texture, strain and noise are drawn later, by ``augment.kind=powder_measurement``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["powder"] = "powder"
    of: Literal["crystal", "pattern"] = Field(
        "crystal", description="What samples are made of: 'crystal', or a measured 'pattern'."
    )
    two_theta: tuple[float, float] = Field(
        (10.0, 80.0), description="First and last angle, degrees of 2 theta."
    )
    points: int = Field(2048, gt=16, le=65536, description="Angles of a pattern.")
    wavelength: str | float = Field(
        "CuKa", description="Of the patterns: a name such as CuKa (a doublet) or CuKa1, or in Å."
    )
    radiation: Literal["xray", "neutron", "electron"] = Field(
        "xray", description="Whose scattering factors crystals have: xray, neutron or electron."
    )
    reflections: int = Field(512, gt=0, description="Strongest reflections kept of a crystal.")
    missing: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Largest share of the angles that a measured pattern may lack, at its ends or "
        "in holes: where its angles are more than 0.3 degrees apart.",
    )
    assumed_wavelength: float | None = Field(
        None, gt=0, description="Of measured patterns that do not say theirs, Å; null refuses them."
    )

    @field_validator("two_theta")
    @classmethod
    def _is_range(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 < value[0] < value[1] < 180:
            raise ValueError("expected two rising angles within 0 to 180 degrees")
        return value

    @field_validator("wavelength")
    @classmethod
    def _is_wavelength(cls, value: str | float) -> str | float:
        if isinstance(value, str):
            try:
                return line_name(value)
            except GnnmatError as error:
                raise ValueError(f"expected a length in Å or a line: {error.why}") from None
        if not isinstance(value, str) and not 0.05 <= value <= 10:
            raise ValueError("expected a wavelength between 0.05 and 10 Å")
        return value

    @classmethod
    def example(cls) -> Powder:
        """A small instance for contract tests."""
        return cls(points=128, reflections=24)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the samples it makes."""
        return ("z", "pos", "lattice", "peaks") if self.of == "crystal" else ("image",)

    @property
    def grid(self) -> dict[str, Any]:
        """The axis of the patterns, for `DataSpec.grid`."""
        return {
            "two_theta": list(self.two_theta),
            "points": self.points,
            "wavelength": self.wavelength,
            "radiation": self.radiation,
        }

    @property
    def for_patterns(self) -> Powder:
        """The same for measured patterns, which a run trained on crystals predicts as well."""
        return self.model_copy(update={"of": "pattern"})

    def sample(self, raw: Crystal | PowderPattern) -> dict[str, NDArray[np.generic]]:
        """The fields of one sample as arrays, float64.

        Args:
            raw: ordered crystal or measured pattern, already checked by its source.

        Returns:
            Of a crystal ``z`` (atoms,), ``pos`` (atoms, 3) in Å, ``lattice`` (1, 3, 3) in Å and
            ``peaks`` (1, reflections, 4); of a pattern ``image`` (1, 1, points), its counts.
        """
        wanted = Crystal if self.of == "crystal" else PowderPattern
        if not isinstance(raw, wanted):
            other = "pattern" if self.of == "crystal" else "crystal"
            raise GnnmatError(
                f"The input 'powder' of a {self.of} was given a {type(raw).__name__}.",
                fix=f"Choose the input for these data: input.of={other}",
            )
        if isinstance(raw, PowderPattern):
            return {"image": self._image(raw)[None, None]}
        return {
            "z": raw.numbers,
            "pos": raw.positions,
            "lattice": raw.lattice[None],
            "peaks": self._peaks(raw)[None],
        }

    def _peaks(self, crystal: Crystal) -> Floats:
        """(reflections, 4) q vector, 1/Å, and intensity, the strongest first, zeros behind."""
        import torch

        from gnnmat.simulation.diffraction.cells import Cells
        from gnnmat.simulation.diffraction.reflections import reflections, structure_factors

        first, last = self.two_theta
        ends = np.array([max(first - BESIDE, 0.1), min(last + BESIDE, 179.9)])
        shortest, longest = 2 * np.sin(np.radians(ends / 2)) / emission(self.wavelength)[0][0]
        cells = Cells.of([crystal])
        found = reflections(cells, float(longest), float(shortest))
        out = np.zeros((self.reflections, 4))
        if not len(found):
            return out
        strength = 2 * structure_factors(cells, found, self.radiation).abs() ** 2
        # Ranked by what is seen of them: the factor of the angle goes nearly as 1/q^2.
        rank = torch.argsort(strength / found.length**2, descending=True, stable=True)
        rank = rank[strength[rank] > 1e-9 * strength.max()][: self.reflections]
        q = found.hkl[rank].to(torch.float64) @ cells.reciprocal[0]
        out[: len(rank), :3] = q.numpy()
        out[: len(rank), 3] = strength[rank].numpy()
        return out

    def _image(self, pattern: PowderPattern) -> Floats:
        """(points,) counts on the grid."""
        if pattern.radiation not in (None, self.radiation):
            raise GnnmatError(
                f"It was measured with radiation of another kind: {pattern.radiation}.",
                why=f"The patterns learned from are of {self.radiation}.",
            )
        return resampled(
            pattern,
            Grid(*self.two_theta, self.points),
            emission(self.wavelength)[0][0],
            polarized=self.radiation == "xray",
            missing=self.missing,
            assumed=self.assumed_wavelength,
        )


def suited(input: Any, records: Records) -> Any:
    """The input for these records: that of patterns where measured ones are given.

    Args:
        input: any input; only ``powder`` has two sides.
        records: of which the first that can be read tells.
    """
    if not isinstance(input, Powder) or input.of == "pattern":
        return input
    for raw in list(records.raws)[:LOOKED_AT]:
        try:
            found = records.read(raw)
        except GnnmatError:
            continue
        return input.for_patterns if isinstance(found, PowderPattern) else input
    return input
