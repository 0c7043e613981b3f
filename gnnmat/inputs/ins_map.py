"""Spectrum -> image sample: intensities as they are, with the mask of detectors beside them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from gnnmat.errors import GnnmatError
from gnnmat.sources.spectrum import Spectrum


class InsMap(BaseModel):
    """A stack of slices of an inelastic neutron spectrum; scaling is left to ``augment``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ins_map"] = "ins_map"

    @classmethod
    def example(cls) -> InsMap:
        """A small instance for contract tests."""
        return cls()

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the samples it makes."""
        return ("image", "mask")

    def sample(self, raw: Spectrum) -> dict[str, NDArray[np.generic]]:
        """``image`` (1, 1, R, C), float64, and ``mask`` (1, 1, R, C), True without detector."""
        if not isinstance(raw, Spectrum):
            raise GnnmatError(
                f"The input 'ins_map' was given a {type(raw).__name__}, not a spectrum.",
                fix="Choose the input for these data: input.kind=crystal_graph",
            )
        image = np.where(raw.mask, 0.0, raw.image).astype(np.float64)
        return {"image": image[None, None], "mask": raw.mask[None, None]}
