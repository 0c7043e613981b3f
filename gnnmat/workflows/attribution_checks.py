"""Whether maps of attribution point to where the physics differs, measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout
from gnnmat.sources.records import Records
from gnnmat.train.checkpoint import Trained, build

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
BRIGHT = 99.0  # percentile of an image that becomes 1 before images are averaged


@dataclass(frozen=True)
class Agreement:
    """Rank correlations of a map with what it should look like.

    Args:
        boxes: over boxes of pixels of the whole image.
        slices: over the means of the slices.
        inside: over the boxes of one slice, mean over the slices; which slice is bright does
            not matter to it.
        beyond: over all boxes, with the brightness of the image held fixed; NaN without it. Both
            maps are large where the image is bright, of which no network needs to know anything.
    """

    boxes: float
    slices: float
    inside: float
    beyond: float = float("nan")


def agreement(
    found: Floats,
    expected: Floats,
    layout: SliceLayout,
    *,
    mask: Mask | None = None,
    brightness: Floats | None = None,
    box: int = 4,
) -> Agreement:
    """How well two maps (R, C) of sizes, such as |attribution| and |difference|, agree.

    Args:
        found: one of them.
        expected: the other.
        layout: of the slices.
        mask: (R, C) pixels that are left out.
        brightness: (R, C) what both may follow.
        box: pixels on a side over which both are averaged first.
    """
    hidden = np.zeros(found.shape, dtype=bool) if mask is None else mask
    first, second = (_boxed(one, layout, hidden, box) for one in (found, expected))
    means = [slice_means(one, layout, hidden) for one in (found, expected)]
    known = ~np.isnan(means[0])
    each = [
        rank_correlation(a[~np.isnan(a)], b[~np.isnan(b)])
        for a, b in zip(first, second, strict=True)
        if (~np.isnan(a)).sum() > 2
    ]
    whole = [one[~np.isnan(one)] for one in (first.ravel(), second.ravel())]
    beyond = float("nan")
    if brightness is not None:
        third = _boxed(brightness, layout, hidden, box).ravel()
        beyond = partial_rank_correlation(whole[0], whole[1], third[~np.isnan(third)])
    return Agreement(
        boxes=rank_correlation(*whole),
        slices=rank_correlation(means[0][known], means[1][known]),
        inside=float(np.mean(each)) if each else float("nan"),
        beyond=beyond,
    )


def slice_means(values: Floats, layout: SliceLayout, mask: Mask | None = None) -> Floats:
    """(Ei, slices) mean over the pixels of each slice that have a detector; NaN if none has."""
    seen = np.ones(values.shape) if mask is None else 1.0 - mask
    count = layout.to_tiles(seen).sum((-1, -2))
    total = layout.to_tiles(values * seen).sum((-1, -2))
    means: Floats = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return means


def standing_out(
    values: Floats,
    layout: SliceLayout,
    incident_energy: float,
    energies: tuple[float, float],
    *,
    mask: Mask | None = None,
) -> float:
    """Mean of a map over some slices of one incident energy, divided by that over all slices.

    Args:
        values: (R, C), not negative.
        layout: of the slices.
        incident_energy: meV.
        energies: lowest and highest energy transfer, meV; slices whose centre lies between.
        mask: (R, C) pixels that are left out.

    Raises:
        GnnmatError: the layout has no such slice.
    """
    low, high = energies
    chosen = np.array(
        [
            [one == incident_energy and low <= (edge[0] + edge[1]) / 2 <= high for edge in bins]
            for one, bins in zip(layout.incident_energies, layout.energy_edges, strict=True)
        ]
    )
    if not chosen.any():
        raise GnnmatError(
            f"No slice of Ei {incident_energy:g} meV has its centre between {low:g} and "
            f"{high:g} meV."
        )
    means = slice_means(values, layout, mask)
    return float(np.nanmean(means[chosen]) / np.nanmean(means))


def mean_images(records: Records, rows: Iterable[int], column: str) -> dict[str, Floats]:
    """By class (R, C) the mean image; every image is divided by its 99th percentile first.

    Args:
        records: of spectra.
        rows: to average over.
        column: of the classes.

    Raises:
        GnnmatError: there is no such column.
    """
    if column not in records.table:
        raise GnnmatError(f"The records have no column '{column}'.")
    classes = records.table[column].astype(str).to_numpy()
    total: dict[str, Floats] = {}
    count: dict[str, int] = {}
    for row in rows:
        name = str(classes[row])
        image = np.asarray(records.read(records.raws[row]).image, dtype=np.float32)
        bright = float(np.percentile(image, BRIGHT)) or 1.0
        if name not in total:
            total[name], count[name] = np.zeros(image.shape), 0
        total[name] += image / bright
        count[name] += 1
    return {name: summed / count[name] for name, summed in total.items()}


def untrained(trained: Trained, seed: int) -> Trained:
    """A network of the same config and data whose weights were never trained."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = trained.config.model_copy(update={"before": None})
        encoder, task = build(config, trained.spec)
    return replace(trained, encoder=encoder.eval(), task=task.eval())


def shuffled(values: Floats, layout: SliceLayout, seed: int, *, box: int = 4) -> Floats:
    """The map with its boxes of pixels in random order over all slices; a map that knows nothing.

    Boxes at the ends of a slice that are cut off stay where they are.
    """
    rng = np.random.default_rng(seed)
    rows, columns = (size // box * box for size in layout.tile_shape)
    tiles = layout.to_tiles(values).copy()
    whole = tiles[..., :rows, :columns]
    shape = (*tiles.shape[:2], rows // box, box, columns // box, box)
    parts = whole.reshape(shape).transpose(0, 1, 2, 4, 3, 5).reshape(-1, box, box)
    mixed = parts[rng.permutation(len(parts))]
    turned = mixed.reshape(*shape[:3], columns // box, box, box).transpose(0, 1, 2, 4, 3, 5)
    tiles[..., :rows, :columns] = turned.reshape(whole.shape)
    image: Floats = layout.to_image(tiles)
    return image


def rank_correlation(first: Sequence[float] | Floats, second: Sequence[float] | Floats) -> float:
    """Spearman's; zero if one of them is the same everywhere."""
    from scipy.stats import rankdata

    ranks = [rankdata(one) for one in (first, second)]
    if any(len(one) < 2 or one.std() == 0 for one in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def partial_rank_correlation(first: Floats, second: Floats, fixed: Floats) -> float:
    """Spearman's of two, a third held fixed.

    Source: Kendall & Stuart, The Advanced Theory of Statistics 2, chapter 27.
    """
    pairs = ((first, second), (first, fixed), (second, fixed))
    direct, one, other = (rank_correlation(*pair) for pair in pairs)
    rest = (1 - one**2) * (1 - other**2)
    return (direct - one * other) / rest**0.5 if rest > 1e-12 else 0.0


def _boxed(values: Floats, layout: SliceLayout, mask: Mask, box: int) -> Floats:
    """(slices, boxes) means over boxes; NaN where no pixel of a box has a detector."""
    seen = layout.to_tiles((~mask).astype(float))
    rows, columns = (np.arange(0, size, box) for size in layout.tile_shape)
    total, count = (
        np.add.reduceat(np.add.reduceat(one, rows, axis=-2), columns, axis=-1)
        for one in (layout.to_tiles(values) * seen, seen)
    )
    means: Floats = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return means.reshape(-1, len(rows) * len(columns))
