"""Cluster of atoms -> its diffraction fingerprint, with defects and in an orientation."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gnnmat.augment.cluster_views import ClusterViews
from gnnmat.augment.measurement import Range
from gnnmat.augment.powder_measurement import FromZero
from gnnmat.errors import GnnmatError
from gnnmat.sample import DataSpec


def _is_share(between: Range) -> Range:
    if not 0 <= between[0] <= between[1] < 1:
        raise ValueError("expected a range (low, high) of shares from 0 to below 1")
    return between


ShareRange = Annotated[Range, AfterValidator(_is_share)]


class Fingerprint(BaseModel):
    """Vacancies, displacements, substitutions, strain and orientation, then six views.

    A range of one value, such as [0.25, 0.25], is that value for every cluster.

    Source: after Ziletti, Kumar, Scheffler & Ghiringhelli, Nature Communications 9, 2775 (2018).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["fingerprint"] = "fingerprint"
    vacancies: ShareRange = Field((0.0, 0.5), description="Range of the share of atoms removed.")
    displacement: FromZero = Field(
        (0.0, 0.1),
        description="Range of the standard deviation of each component of a displacement, Å.",
    )
    substituted: ShareRange = Field(
        (0.0, 0.0), description="Range of the share of atoms that become of a random element."
    )
    strain: FromZero = Field(
        (0.0, 0.01), description="Range of the standard deviation of the components of a strain."
    )
    orientation: Literal["none", "misorientation", "random"] = Field(
        "none",
        description="'none': as the crystal's cell lies; 'misorientation': turned about a random "
        "axis; 'random': any orientation.",
    )
    misorientation: FromZero = Field((0.0, 10.0), description="Range of that turn, degrees.")
    scale: Literal["found", "pristine"] = Field(
        "found",
        description="The mean neighbour distance that becomes 1: of the cluster with its defects, "
        "which is what can be measured of it, or without.",
    )
    strength: Literal["atomic_number", "alike"] = Field(
        "atomic_number", description="How strongly atoms scatter: by atomic number, or alike."
    )
    pixels: int = Field(64, ge=4, le=1024, multiple_of=2, description="On a side of an image.")
    widest: float = Field(
        24.0, gt=0, description="Largest |q|, radians over the mean neighbour distance."
    )
    beam_stop: FromZero = Field(
        (3.0, 3.0), description="Range of the |q| below which nothing is seen, in the same unit."
    )
    transform: Literal["sqrt", "none"] = Field(
        "sqrt", description="'sqrt' of the intensity over the highest of each channel; 'none'."
    )

    @classmethod
    def example(cls) -> Fingerprint:
        """A small instance for contract tests."""
        return cls(pixels=16, widest=12.0)

    def seen(self, spec: DataSpec) -> DataSpec:
        """The data as the network is given them: images of three channels.

        Raises:
            GnnmatError: the samples are no clusters.
        """
        if not {"z", "pos"} <= set(spec.fields) or "lattice" in spec.fields:
            raise GnnmatError(
                f"augment.kind={self.kind} needs clusters of atoms; these samples are none.",
                why=f"They have: {', '.join(spec.fields)}.",
                fix="input.kind=cluster, or augment.kind=none",
            )
        fields = tuple(name for name in spec.fields if name not in ("z", "pos"))
        shape = (self.pixels, self.pixels)
        return replace(spec, fields=(*fields, "image"), channels=3, image_shape=shape)

    def build(self, spec: DataSpec) -> ClusterViews:
        """The module for these data."""
        self.seen(spec)
        return ClusterViews(self)
