"""Crystals of the parent structures of halide films in any number, to learn their patterns from."""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator

from gnnmat.errors import did_you_mean
from gnnmat.sources.halide_parents import PARENTS, DrawnParent, build_parent, draw_parent
from gnnmat.sources.records import Records
from gnnmat.sources.symmetry_labels import labels


class HalidesSource(BaseModel):
    """Crystals of five parent structures of halide films, drawn at random."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["halides"] = "halides"
    samples: int = Field(default=100, gt=0, le=100_000, description="crystals of each class")
    seed: int = Field(default=0, ge=0, description="decides every draw")
    classes: tuple[str, ...] = Field(
        default=(), description=f"space groups to draw; empty: all of {', '.join(PARENTS)}"
    )

    @field_validator("classes", mode="after")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in PARENTS:
                raise ValueError(f"there is no class '{name}'. {did_you_mean(name, PARENTS)}")
            if names.count(name) > 1:
                raise ValueError(f"'{name}' is named {names.count(name)} times, expected once")
        return names

    def open(self) -> Records:
        """The crystals, class by class, with their symmetry, a and c.

        A crystal depends on seed, class and its number in the class alone: more samples, or fewer
        classes, leave the others as they are.
        """
        order = list(PARENTS)
        drawn = [
            draw_parent(name, np.random.default_rng([self.seed, order.index(name), number]))
            for name in self.classes or order
            for number in range(self.samples)
        ]
        return Records(
            ids=[f"{one.group}-{place % self.samples + 1}" for place, one in enumerate(drawn)],
            raws=drawn,
            read=build_parent,
            fingerprint=hashlib.sha256(repr((drawn, PARENTS)).encode()).hexdigest(),
            table=_table(drawn),
            units={"a": "Å", "c": "Å"},
        )


def _table(drawn: list[DrawnParent]) -> pd.DataFrame:
    numbers = np.array([PARENTS[one.group].number for one in drawn])
    lengths = {"a": [one.a for one in drawn], "c": [one.c for one in drawn]}
    return pd.DataFrame({**labels(numbers), **lengths})
