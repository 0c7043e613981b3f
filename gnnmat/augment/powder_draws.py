"""What is drawn for powder patterns: sample, diffractometer and counter, each with its unit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gnnmat.augment.defects import random_strain
from gnnmat.augment.measurement import log_even

if TYPE_CHECKING:
    from gnnmat.augment.powder_measurement import PowderMeasurement

SPURIOUS = 6  # lines of other phases that a pattern can have
STRONGEST = 30  # reflections among whose directions a preferred one is drawn

# name -> shape of one pattern's value, in the order in which they are drawn
SHAPES: dict[str, tuple[int, ...]] = {
    "strain": (3, 3), "shift": (), "height": (), "u": (), "v": (), "w": (), "size": (),
    "microstrain": (), "b": (), "r": (), "direction": (), "spurious_place": (SPURIOUS,),
    "spurious_area": (SPURIOUS,), "level": (), "slope": (2,), "rise": (2,), "hump": (3,),
    "counts": (), "short": (),
}  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """A value of each for every pattern of a batch.

    Args:
        strain: (B, 3, 3) of the lattice.
        shift: (B,) zero error, degrees.
        height: (B,) of the sample above the axis, mm.
        u: (B,) of Caglioti's formula, degrees^2; v and w likewise.
        v: see u.
        w: see u.
        size: (B,) of the crystallites, Å.
        microstrain: (B,).
        b: (B,) of Debye and Waller, Å^2.
        r: (B,) of March and Dollase; 1 without texture.
        direction: (B,) place of the reflection along which the texture is, as a share of those
            looked at.
        spurious_place: (B, n) of lines of another phase, as shares of the range.
        spurious_area: (B, n) over that of the strongest line.
        level: (B,) of the background, over the highest point.
        slope: (B, 2), with rise and hump its shape, see `powder_transforms.background`.
        rise: (B, 2).
        hump: (B, 3).
        counts: (B,) at the highest point; infinite without counting noise.
        short: (B,) share of the angles that is missing at the end; below 0 none.
        scatter: (B, P) natural logarithm of a factor on each reflection; None without.
    """

    strain: Tensor
    shift: Tensor
    height: Tensor
    u: Tensor
    v: Tensor
    w: Tensor
    size: Tensor
    microstrain: Tensor
    b: Tensor
    r: Tensor
    direction: Tensor
    spurious_place: Tensor
    spurious_area: Tensor
    level: Tensor
    slope: Tensor
    rise: Tensor
    hump: Tensor
    counts: Tensor
    short: Tensor
    scatter: Tensor | None = None


def nothing_drawn(options: PowderMeasurement, size: int, like: Tensor) -> Drawn:
    """An ideal sample in a diffractometer of one width, without background and noise.

    Args:
        options: with that width.
        size: patterns.
        like: a tensor of the type and on the device that are wanted.
    """
    plain = {name: like.new_zeros(size, *shape) for name, shape in SHAPES.items()}
    plain["w"] += options.clean_width**2
    for name in ("size", "counts"):
        plain[name] += math.inf
    plain["r"] += 1
    plain["rise"] += 1  # lengths are divided by
    plain["hump"] += 1
    return Drawn(**plain)


def drawn(
    options: PowderMeasurement,
    generators: Sequence[np.random.Generator],
    reflections: int,
    like: Tensor,
) -> Drawn:
    """A value of each for every pattern.

    Args:
        options: with the ranges.
        generators: one a pattern.
        reflections: of each; 0 for measured patterns.
        like: a tensor of the type and on the device that are wanted.
    """
    rows = [_one(options, generator) for generator in generators]
    fields = {
        name: torch.from_numpy(np.stack([np.asarray(row[name]) for row in rows])).to(like)
        for name in SHAPES
    }
    scatter = None
    if reflections and options.scatter:
        normal = [one.standard_normal(reflections, dtype=np.float32) for one in generators]
        scatter = options.scatter * torch.from_numpy(np.stack(normal)).to(like)
    return Drawn(**fields, scatter=scatter)


def _one(options: PowderMeasurement, generator: np.random.Generator) -> dict[str, object]:
    """The values of one pattern."""
    normal, even = generator.standard_normal, generator.uniform
    strain = options.lattice * normal() * np.eye(3) + random_strain(options.strain, generator)
    count = min(int(generator.poisson(options.spurious)), SPURIOUS)
    areas = np.where(np.arange(SPURIOUS) < count, even(0, options.spurious_area, SPURIOUS), 0.0)
    textured, amorphous = generator.random(2)
    hump = even(0, 2) if amorphous < options.amorphous else 0.0
    return {
        "strain": strain,
        "shift": options.shift * normal(),
        "height": options.height * normal(),
        "u": even(*options.u),
        "v": even(*options.v),
        "w": log_even(generator, options.width) ** 2,
        "size": log_even(generator, options.size),
        "microstrain": even(*options.microstrain),
        "b": even(*options.debye_waller),
        "r": log_even(generator, options.march) if textured < options.textured else 1.0,
        "direction": generator.random(),
        "spurious_place": generator.random(SPURIOUS),
        "spurious_area": areas,
        "level": log_even(generator, options.background),
        "slope": even(-0.4, 0.4, 2),
        "rise": np.array([even(0, 2), log_even(generator, (0.03, 0.3))]),
        "hump": np.array([hump, even(0.05, 0.5), even(0.05, 0.15)]),
        "counts": log_even(generator, options.counts),
        "short": options.short * even(-1, 1),
    }
