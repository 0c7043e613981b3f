"""Trees beside the networks of a PU run: grown on the rows of each fit, asked for the others."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gnnmat.engine import available_cores
from gnnmat.progress import with_progress
from gnnmat.train.descriptors import crystal_descriptors
from gnnmat.train.trees import FILE, Trees, load_trees
from gnnmat.workflows.pu.rows import PuRows

Floats = NDArray[np.float64]


def grow_beside(
    folders: Sequence[Path],
    rows: PuRows,
    parts: Sequence[NDArray[np.str_]],
    count: int,
    seed: int,
    *,
    quiet: bool = True,
) -> list[Floats]:
    """The log-odds that the trees of each fit say, (samples,) each; NaN for rows without a label.

    Trees that a fit has already are kept. Without any, those of an earlier recipe are removed.

    Args:
        folders: of the fits.
        rows: the crystals.
        parts: (labelled rows,) the part of each row in every fit; trees learn from 'train' alone.
        count: trees a fit; 0: none.
        seed: of the trees.
        quiet: no progress bar.
    """
    if not count:
        for folder in folders:
            (folder / FILE).unlink(missing_ok=True)
        return []
    dataset = rows.prepared.dataset
    labelled = np.flatnonzero(rows.prepared.parts != "")
    features = crystal_descriptors(dataset, labelled, quiet=quiet)
    positive = rows.told[labelled]

    def grow(number: int) -> Floats:
        trees = load_trees(folders[number])
        if trees is None or len(trees) != count:
            train = parts[number] == "train"
            trees = Trees.grow(features[train], positive[train], count, seed + number)
            trees.save(folders[number])
        said = np.full(len(dataset), np.nan)
        said[labelled] = trees.logits(features)
        return said

    with ThreadPoolExecutor(available_cores()) as pool:  # scikit-learn grows without the lock
        found = pool.map(grow, range(len(folders)))
        return list(with_progress(found, len(folders), "Growing trees", quiet))
