"""Crystals that stand among the positives and, once more, among the unlabelled rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.data.symmetry import formulas, symmetries
from gnnmat.workflows.leakage import AuditRows, partners
from gnnmat.workflows.preparation import Prepared


def twins(
    prepared: Prepared, positive: NDArray[np.bool_], used: NDArray[np.bool_], *, quiet: bool = False
) -> pd.DataFrame:
    """Unlabelled rows that are the structure of a positive one: ``row``, ``id``, ``positive``.

    Two crystals are one structure if formula and prototype (space group, Wyckoff positions) are
    the same and volumes an atom differ by less than 2%, as in the leakage audit of a run.

    Args:
        prepared: the crystals.
        positive: (samples,) whether a row is positive.
        used: (samples,) whether it has a label.
        quiet: no progress bar.
    """
    dataset = prepared.dataset
    names = np.array(formulas(dataset))
    both = np.isin(names, np.intersect1d(names[positive & used], names[~positive & used]))
    known, asked = (np.flatnonzero(both & used & one) for one in (positive, ~positive))
    lattice = np.asarray(dataset.store.array("lattice"), dtype=np.float64)
    volumes = np.abs(np.linalg.det(lattice)) / np.maximum(dataset.store.atoms, 1)
    found = symmetries(dataset, np.concatenate([known, asked]), quiet=quiet)

    def rows(chosen: NDArray[np.int64]) -> AuditRows:
        return AuditRows(
            ids=[dataset.ids[row] for row in chosen],
            formulas=names[chosen].tolist(),
            prototypes=[found[row].prototype for row in chosen],
            volumes=volumes[chosen],
        )

    partner = partners(rows(known), rows(asked))
    there = partner >= 0
    return pd.DataFrame(
        {
            "row": asked[there],
            "id": [dataset.ids[row] for row in asked[there]],
            "positive": [dataset.ids[known[one]] for one in partner[there]],
        }
    )
