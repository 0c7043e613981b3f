"""Labels of PU learning: 1 positive, 0 unlabelled, empty not used; and spies among them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.data.label_values import class_name, is_missing
from gnnmat.errors import GnnmatError
from gnnmat.sources.records import Records

POSITIVE, UNLABELLED = "1", "0"
_WORDS = {"1": POSITIVE, "true": POSITIVE, "0": UNLABELLED, "false": UNLABELLED}
MEANING = "1 is positive, 0 is unlabelled, and an empty cell is not used."


def checked_labels(records: Records, column: str) -> Records:
    """The records with labels ``1``, ``0`` or nothing in this column.

    Raises:
        GnnmatError: another label, with the first row that has it; no positive row; no unlabelled
            row.
    """
    values = records.column(column)
    labels = [None if is_missing(value) else str(_named(value)) for value in values]
    wrong = [place for place, one in enumerate(labels) if one is not None and one not in _WORDS]
    if wrong:
        kinds = Counter(str(values.iloc[place]) for place in wrong)
        shown = ", ".join(f"'{name}' ({count:,} rows)" for name, count in kinds.most_common(5))
        raise GnnmatError(
            f"Column '{column}' holds {shown}, first for '{records.ids[wrong[0]]}'.",
            why=MEANING,
            fix="Write the labels so, or leave the cells empty.",
        )
    found = [None if one is None else _WORDS[one] for one in labels]
    counts = Counter(found)
    if not counts[POSITIVE]:
        raise GnnmatError(f"Column '{column}' holds no positive row.", why=MEANING)
    if not counts[UNLABELLED]:
        raise GnnmatError(
            f"Column '{column}' holds no unlabelled row.",
            why=MEANING,
            fix=f"Write 0 into the {counts[None]:,} empty cells, if these are the unlabelled rows."
            if counts[None]
            else "Add crystals of which nobody knows whether they are positive.",
        )
    return with_labels(records, column, found)


def both_kinds(positive: NDArray[np.bool_], where: str) -> None:
    """Refuse rows to learn from that are all positive, or all unlabelled.

    Raises:
        GnnmatError: they are, or there are none.
    """
    count = int(positive.sum())
    if 0 < count < len(positive):
        return
    kind = "no unlabelled row" if count else "no positive row"
    raise GnnmatError(
        f"There is {kind} to learn from in {where}.",
        why="Rows go to the groups that choose epochs or are scored, to spies, and to twins: "
        "unlabelled crystals with the structure of a positive one.",
        fix="Give more crystals, or lower pu.val, pu.spies, pu.held_out or pu.left_out.",
    )


def _named(value: object) -> str:
    return class_name(value).strip().lower()


def with_labels(records: Records, column: str, labels: list[str | None]) -> Records:
    """The records with these labels in a column."""
    return replace(records, table=records.table.assign(**{column: pd.Series(labels, dtype=object)}))


def draw_spies(
    positive: NDArray[np.bool_], groups: NDArray[np.str_], share: float, seed: int
) -> NDArray[np.bool_]:
    """(n,) which positives are hidden among the unlabelled rows: whole groups, drawn at random.

    Source: Liu, Lee, Yu & Li, "Partially supervised classification of text documents", ICML 2002.
    """
    spies = np.zeros(len(positive), dtype=bool)
    wanted = round(share * int(positive.sum()))
    if not wanted:
        return spies
    names = np.unique(groups[positive])
    order = np.random.default_rng([seed, 1]).permutation(len(names))
    place = dict(zip(names[order], range(len(names)), strict=True))
    rows = np.flatnonzero(positive)
    rank = np.array([place[name] for name in groups[rows]])
    last = np.sort(rank)[wanted - 1]
    spies[rows[rank <= last]] = True
    return spies
