"""From a config to samples and parts: everything before the first step of training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.data.dataset import SampleDataset, open_dataset
from gnnmat.data.split_folds import FoldsSplit
from gnnmat.data.split_table import SplitTable
from gnnmat.data.symmetry import formulas, symmetries
from gnnmat.data.targets import ideal_labels
from gnnmat.errors import GnnmatError
from gnnmat.sources.card import CardSource
from gnnmat.sources.records import Records
from gnnmat.target import curves
from gnnmat.train.config import RunConfig

PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Prepared:
    """Samples and the part each belongs to.

    Args:
        dataset: samples with labels.
        parts: (samples,) ``train``, ``val``, ``test`` or empty for rows that are not used.
        source: what people call the data.
    """

    dataset: SampleDataset
    parts: NDArray[np.str_]
    source: str = ""

    def rows(self, part: str) -> NDArray[np.int64]:
        """The rows of one part."""
        return np.flatnonzero(self.parts == part)


def prepare(config: RunConfig, records: Records | None = None, *, quiet: bool = False) -> Prepared:
    """Samples of the config's source, or of the records given, and their split.

    Rows without any label are left out of every part.

    Raises:
        GnnmatError: from the source, the graphs, the labels or the split.
    """
    source = "given in Python"
    if records is None:
        source = str(getattr(config.data.source, "name", config.data.source.kind))
        records = config.data.source.open()
    if config.data.limit is not None and config.data.limit < len(records):
        draw = np.random.default_rng(config.trainer.seed)
        chosen = np.sort(draw.choice(len(records), config.data.limit, replace=False))
        records = records.take(chosen.tolist())
    dataset = open_dataset(
        records,
        config.input,
        choose_columns(config, records),
        classes=config.task.classes,
        axes=config.data.axes,
        state=config.data.state,
        workers=config.data.workers,
        quiet=quiet,
    )
    if config.task.own_targets:
        dataset.labels = ideal_labels(config.task.own_targets, len(dataset))
    labelled = _labelled(dataset)
    parts = np.full(len(dataset), "", dtype="<U5")
    parts[labelled] = _assign(config, records, dataset, labelled, quiet)
    if not (parts == "train").any():
        raise GnnmatError(
            "The split leaves no training row.", why=f"{len(labelled)} rows have a label."
        )
    return Prepared(dataset, parts, source)


def _assign(
    config: RunConfig,
    records: Records,
    dataset: SampleDataset,
    rows: NDArray[np.int64],
    quiet: bool,
) -> NDArray[np.str_]:
    """(rows,) part of each row."""
    split = config.split
    if not isinstance(split, FoldsSplit) or split.by is not None:
        return split.assign(split_table(dataset, rows, quiet=quiet))
    # Folds are cut over all rows of the source, read or refused, so that one bad file does not
    # shift the official folds of a benchmark.
    stratify = None
    columns = choose_columns(config, records)
    if split.stratified and columns:
        stratify = records.column(columns[0]).to_list()
    everything = split.assign(SplitTable(n=len(records), table=records.table, stratify=stratify))
    return everything[dataset.store.kept[rows]]


def choose_columns(config: RunConfig, records: Records) -> tuple[str, ...]:
    """The target columns: those of the config, the card's default, or the only one there is.

    None for a task that learns from the samples alone.
    """
    if config.task.own_targets:
        return ()
    if config.data.targets:
        return config.data.targets
    source = config.data.source
    if isinstance(source, CardSource):
        return (source.card.target,)
    columns = [str(name) for name in records.table.columns]
    if not columns:
        raise GnnmatError(
            "The structures come without any values to learn.",
            fix="--targets values.csv, whose first column is the id.",
        )
    if len(columns) == 1:
        return (columns[0],)
    raise GnnmatError(
        "Which column is to be learned?",
        why=f"Columns: {', '.join(columns) or 'none'}.",
        fix="Name one with --target, or in data.targets.",
    )


def split_table(
    dataset: SampleDataset, rows: NDArray[np.int64], *, quiet: bool = False
) -> SplitTable:
    """What a split may look at, for these rows."""
    names = formulas(dataset) if dataset.is_crystal else None
    labels = dataset.labels.sample
    classes = bool(dataset.labels.spec.targets) and bool(dataset.labels.spec.targets[0].classes)
    return SplitTable(
        n=len(rows),
        table=dataset.table.iloc[rows].reset_index(drop=True),
        formulas=[names[row] for row in rows] if names is not None else None,
        prototypes=partial(_prototypes, dataset, rows, quiet) if dataset.is_crystal else None,
        stratify=labels[rows, 0].tolist() if labels is not None and classes else None,
    )


def _prototypes(dataset: SampleDataset, rows: NDArray[np.int64], quiet: bool) -> list[str]:
    return [one.prototype for one in symmetries(dataset, rows, quiet=quiet).values()]


def _labelled(dataset: SampleDataset) -> NDArray[np.int64]:
    has = np.zeros(len(dataset), dtype=bool)
    if dataset.labels.sample is not None:
        has |= ~dataset.labels.sample.isnan().all(dim=1).numpy()
    if dataset.labels.atom is not None:
        known = ~dataset.labels.atom.isnan().all(dim=1).numpy()
        owner = np.repeat(np.arange(len(dataset)), dataset.store.atoms)
        has |= np.bincount(owner[known], minlength=len(dataset)) > 0
    return np.flatnonzero(has)


def truth_table(prepared: Prepared, predictions: pd.DataFrame) -> pd.DataFrame:
    """The prediction table with ``split`` and ``truth`` beside each prediction.

    Args:
        prepared: samples and parts.
        predictions: from `gnnmat.train.predictor.prediction_table`, with ``row``.
    """
    dataset = prepared.dataset
    tables = []
    for target, table in predictions.groupby("target", sort=False):
        spec = dataset.labels.spec[str(target)]
        columns = dataset.labels.spec.columns(spec)
        labels = dataset.labels.sample if spec.level == "sample" else dataset.labels.atom
        assert labels is not None
        place = np.array(table["row"])
        if spec.level == "atom":
            place = dataset.store.atom_start[place] + table["atom"].to_numpy()
        values = labels[place, columns.start].numpy()
        truth: object = values.astype(float)
        if spec.is_curve:
            truth = curves(labels[place, columns].numpy())
        elif spec.classes:
            truth = [None if np.isnan(v) else spec.classes[int(v)] for v in values]
        tables.append(table.assign(truth=truth, split=prepared.parts[table["row"].to_numpy()]))
    joined = pd.concat(tables, ignore_index=True)
    lead = ["id", "formula", "split", "target", "unit", "truth", "prediction"]
    rest = [name for name in joined.columns if name not in lead]
    return joined[[*lead, *rest]]
