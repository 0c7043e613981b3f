"""Tables of predictions joined: with what was refused, and of crystals beside measured patterns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gnnmat.errors import GnnmatError
from gnnmat.sources.columns import check_ids
from gnnmat.sources.listing import numbered
from gnnmat.sources.records import Records, Refusal

Predict = Callable[..., pd.DataFrame]


def with_refused(
    table: pd.DataFrame, refused: Sequence[Refusal], ids: Sequence[str]
) -> pd.DataFrame:
    """The table with a row for every refused input, at the place it was given.

    Args:
        table: of what was predicted.
        refused: the others.
        ids: of the records, in their order.
    """
    lost = refused_rows([(one.id, one.reason) for one in refused])
    order = {str(name): place for place, name in enumerate(ids)}
    joined = pd.concat([table, lost], ignore_index=True)
    place = joined["id"].map(order).fillna(len(order))
    return joined.iloc[np.argsort(place.to_numpy(), kind="stable")].reset_index(drop=True)


def with_notes(table: pd.DataFrame, records: Records) -> pd.DataFrame:
    """The table with what was mended in each measured pattern, joined by semicolons.

    Args:
        table: of what was predicted and refused.
        records: of the patterns.
    """
    raws = dict(zip(map(str, records.ids), records.raws, strict=True))
    done = dict.fromkeys(table["id"][table["refused"] == ""])
    told = {name: "; ".join(records.read(raws[name]).notes) for name in done}
    return table.assign(notes=[told.get(name, "") for name in table["id"]])


def refused_rows(refused: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """One row for each id and reason."""
    return pd.DataFrame([{"id": name, "formula": "", "refused": why} for name, why in refused])


def predict_apart(
    predict: Predict,
    items: Sequence[Any],
    measured: Sequence[bool],
    ids: Sequence[str] | None = None,
    state: Mapping[str, Any] | None = None,
    wavelength: str | float | None = None,
) -> pd.DataFrame:
    """One table of crystals and measured patterns that were given together, in their order.

    Samples of one data set are alike, so each stretch of one kind is predicted by itself. Names
    that come again are numbered. Whether a pattern is in distribution stands in the crystals'
    column ``in_domain``.

    Args:
        predict: `Predictor.predict` with the state.
        items: what was given.
        measured: whether each is a measured pattern, or files of some.
        ids: names, one an item.
        state: one value for all by name.
        wavelength: of patterns that do not say theirs.

    Raises:
        GnnmatError: ids that do not fit, a value of the state for each item, or not one item could
            be used.
    """
    if ids is not None:
        if len(ids) != len(items):
            raise GnnmatError(f"There are {len(items)} samples but {len(ids)} ids.")
        check_ids([str(name) for name in ids], "ids")
    if any(isinstance(one, (list, tuple, np.ndarray)) for one in (state or {}).values()):
        raise GnnmatError(
            "Crystals and measured patterns were given together, with a state for each.",
            fix="Predict them in two calls, or give one value for all.",
        )

    def rows(places: list[int]) -> list[pd.DataFrame]:
        own = _names(items, places) if ids is None else [str(ids[place]) for place in places]
        options = {"wavelength": wavelength} if measured[places[0]] else {}
        try:
            found = predict([items[n] for n in places], ids=own, **options)
        except GnnmatError as error:
            if len(places) > 1:
                return [table for place in places for table in rows([place])]
            failed.append(error)
            return [refused_rows([((own or [_name(items[places[0]])])[0], error.sentence)])]
        return [found]

    failed: list[GnnmatError] = []
    stretches = groupby(range(len(items)), key=lambda n: (measured[n], _is_path(items[n])))
    tables = [table for _, places in stretches for table in rows(list(places))]
    if len(failed) == len(tables):
        raise failed[0]
    return _joined(tables)


def _is_path(item: Any) -> bool:
    return isinstance(item, (str, Path))


def _name(item: Any) -> str:
    return Path(item).stem if _is_path(item) else str(getattr(item, "id", ""))


def _names(items: Sequence[Any], places: Sequence[int]) -> list[str] | None:
    """Names by position of things without any; None for files and patterns, which have theirs."""
    if _is_path(items[places[0]]) or hasattr(items[places[0]], "two_theta"):
        return None
    return [f"structure-{place + 1}" for place in places]


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    if any("in_domain" in one for one in tables):
        tables = [one.rename(columns={"in_distribution": "in_domain"}) for one in tables]
    each = [list(dict.fromkeys(table["id"])) for table in tables]
    names = iter(numbered([name for one in each for name in one]))
    named = [
        table.assign(id=table["id"].map({name: next(names) for name in own}))
        for table, own in zip(tables, each, strict=True)
    ]
    joined = pd.concat(named, ignore_index=True)
    return joined.fillna({"notes": ""}) if "notes" in joined else joined
