"""State of a crystal beside its structure: temperature, pressure, the functional of a calculation.

One number an attribute travels with every sample: a number in its unit, or the place of a
category. What a network is told of them, `StateSpec.encode` decides from the training rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class StateAttribute:
    """One attribute.

    Args:
        name: column name.
        unit: as printed; empty for categories.
        categories: names in order; empty for a number.
        mean: of the training rows, for a number.
        spread: their standard deviation, 1 where they are alike.
    """

    name: str
    unit: str = ""
    categories: tuple[str, ...] = ()
    mean: float = 0.0
    spread: float = 1.0

    @property
    def width(self) -> int:
        """Numbers that a network is told."""
        return len(self.categories) or 1


@dataclass(frozen=True)
class StateSpec:
    """The attributes of a data set, in the order of the columns of ``state``."""

    attributes: tuple[StateAttribute, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the attributes."""
        return tuple(one.name for one in self.attributes)

    @property
    def width(self) -> int:
        """Numbers a sample that `encode` gives."""
        return sum(one.width for one in self.attributes)

    def encode(self, state: Tensor) -> Tensor:
        """(B, width) what a network is told: numbers standardised, categories as one-hot.

        Args:
            state: (B, s) as in a batch.
        """
        parts = []
        for column, one in enumerate(self.attributes):
            values = state[:, column]
            if one.categories:
                places = torch.arange(len(one.categories), device=state.device)
                parts.append((values[:, None] == places).to(state.dtype))
            else:
                parts.append(((values - one.mean) / one.spread)[:, None])
        return torch.cat(parts, dim=1) if parts else state[:, :0]

    def learned_from(self, state: Tensor) -> StateSpec:
        """The same attributes with mean and spread of these rows (n, s)."""
        found = []
        for column, one in enumerate(self.attributes):
            if one.categories or not len(state):
                found.append(one)
                continue
            values = state[:, column].double()
            spread = float(values.std(unbiased=False))
            mean = float(values.mean())
            alike = spread <= 1e-9 * max(abs(mean), 1e-30)
            found.append(
                StateAttribute(one.name, one.unit, mean=mean, spread=1.0 if alike else spread)
            )
        return StateSpec(tuple(found))

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> StateSpec:
        """The spec that `dataclasses.asdict` wrote."""
        return cls(
            tuple(
                StateAttribute(**{**one, "categories": tuple(one["categories"])})
                for one in plain.get("attributes", ())
            )
        )
