"""How much of the test part training has met: formulas, prototypes, near-duplicates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Volumes of one crystal computed twice, or relaxed with other settings, differ by about this.
VOLUME_TOLERANCE = 0.02
EXAMPLES = 5


@dataclass(frozen=True, eq=False)
class AuditRows:
    """What the audit compares, one entry a crystal.

    Args:
        ids: (n,) names.
        formulas: (n,) reduced formulas.
        prototypes: (n,) prototype labels; None leaves prototypes and near-duplicates out.
        volumes: (n,) volume of an atom, Å^3; None leaves near-duplicates out.
    """

    ids: Sequence[str]
    formulas: Sequence[str]
    prototypes: Sequence[str] | None = None
    volumes: NDArray[np.float64] | None = None


def audit(train: AuditRows, test: AuditRows, *, name: str = "test") -> list[dict[str, Any]]:
    """How many test crystals share formula, prototype or nearly everything with a train crystal.

    A near-duplicate has the same reduced formula, the same prototype label (space group and
    Wyckoff positions) and a volume an atom within 2%. That finds one crystal in another cell,
    setting or relaxation; it misses a duplicate whose symmetry was broken by more than the
    tolerance of the label, and it may join two crystals that differ only in free coordinates.

    Args:
        train: the crystals that the model learned from.
        test: the crystals that judge it.
        name: what the text calls the second part.

    Returns:
        One row a question: ``what`` (formula, prototype, near-duplicate), ``overlap`` and
        ``total`` (crystals), ``share`` (0 to 1), ``text`` (a sentence) and ``examples`` (at most
        five, each ``test``, ``train`` (ids) and ``shared``). No row for an empty test part.
    """
    if not len(test.ids):
        return []
    questions: list[tuple[str, str, Callable[[], tuple[NDArray[np.int64], Sequence[str]]]]] = [
        ("formula", "have a formula", lambda: _same(train.formulas, test.formulas))
    ]
    if train.prototypes is not None and test.prototypes is not None:
        known, asked = train.prototypes, test.prototypes
        questions.append(("prototype", "have a prototype", lambda: _same(known, asked)))
        if train.volumes is not None and test.volumes is not None:
            questions.append(
                ("near-duplicate", "are near-duplicates of a crystal", lambda: _near(train, test))
            )
    rows = []
    for what, claim, find in questions:
        partner, shared = find()
        rows.append(_row(what, claim, name, train, test, partner, shared))
    return rows


def _row(
    what: str,
    claim: str,
    name: str,
    train: AuditRows,
    test: AuditRows,
    partner: NDArray[np.int64],
    shared: Sequence[str],
) -> dict[str, Any]:
    found = np.flatnonzero(partner >= 0)
    total = len(test.ids)
    share = len(found) / total
    examples = [
        {
            "test": str(test.ids[row]),
            "train": str(train.ids[partner[row]]),
            "shared": str(shared[row]),
        }
        for row in found[:EXAMPLES]
    ]
    return {
        "what": what,
        "overlap": len(found),
        "total": total,
        "share": share,
        "text": f"{len(found):,} of {total:,} {name} crystals ({share:.1%}) {claim} "
        "that is also in train.",
        "examples": examples,
    }


def _same(train: Sequence[str], test: Sequence[str]) -> tuple[NDArray[np.int64], Sequence[str]]:
    """(test,) first train row with the same name, -1 for none; and the names."""
    first: dict[str, int] = {}
    for row, key in enumerate(train):
        first.setdefault(key, row)
    return np.array([first.get(key, -1) for key in test], dtype=np.int64), test


def partners(train: AuditRows, test: AuditRows) -> NDArray[np.int64]:
    """(test,) the train row that a test row nearly duplicates, see `audit`; -1 for none."""
    return _near(train, test)[0]


def _near(train: AuditRows, test: AuditRows) -> tuple[NDArray[np.int64], Sequence[str]]:
    """(test,) the train row nearest in volume among equals, -1 where none is near; and names."""
    n_train = len(train.ids)
    keys = [
        f"{formula} {prototype}"
        for rows in (train, test)
        for formula, prototype in zip(rows.formulas, rows.prototypes or (), strict=True)
    ]
    codes = pd.factorize(np.asarray(keys, dtype=object))[0].astype(np.float64)
    # One sorted line: each key has its own stretch, and within it crystals lie by log volume.
    # Volumes of an atom are far inside e^-50 to e^50 Å^3, so stretches never touch.
    volumes = np.concatenate([np.asarray(rows.volumes, dtype=float) for rows in (train, test)])
    place = codes * 100 + np.log(np.maximum(volumes, 1e-20))
    order = np.argsort(place[:n_train], kind="stable")
    line = place[:n_train][order]
    asked = place[n_train:]
    right = np.searchsorted(line, asked)
    partner = np.full(len(asked), -1, dtype=np.int64)
    nearest = np.full(len(asked), np.log1p(VOLUME_TOLERANCE))
    for side in (right - 1, right):
        inside = (side >= 0) & (side < n_train)
        gap = np.full(len(asked), np.inf)
        gap[inside] = np.abs(line[side[inside]] - asked[inside])
        closer = gap <= nearest
        nearest[closer] = gap[closer]
        partner[closer] = order[side[closer]]
    return partner, keys[n_train:]
