"""Array -> image sample: one or more channels on a grid of any spatial rank."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from gnnmat.errors import GnnmatError


class Image(BaseModel):
    """An image with channels in front, optionally scaled by a robust percentile."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["image"] = "image"
    percentile: float | None = Field(
        None,
        gt=0,
        le=100,
        description="Divide by this percentile of the image's absolute values; null keeps them.",
    )

    @classmethod
    def example(cls) -> Image:
        """A small instance for contract tests."""
        return cls()

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the samples it makes."""
        return ("image",)

    def sample(self, raw: NDArray[np.float64]) -> dict[str, NDArray[np.generic]]:
        """``image`` (1, C, *S), float64.

        Args:
            raw: (C, *S) finite values, already checked by its source.
        """
        if not isinstance(raw, np.ndarray):
            raise GnnmatError(
                f"The input 'image' was given a {type(raw).__name__}, not an array.",
                fix="Choose the input for these data: input.kind=crystal_graph",
            )
        image = np.asarray(raw, dtype=np.float64)
        if self.percentile is not None:
            scale = float(np.percentile(np.abs(image), self.percentile))
            image = image / scale if scale > 0 else image
        return {"image": image[None]}
