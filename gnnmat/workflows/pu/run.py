"""From a PU recipe to scores, their worth, and a committee that scores new crystals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console

from gnnmat.atomic import write_atomically
from gnnmat.data.symmetry import formulas
from gnnmat.errors import GnnmatError
from gnnmat.sources.records import Records
from gnnmat.train.checkpoint import PU_RECIPE, load_trained
from gnnmat.train.committee import ENSEMBLE, MEMBERS, Committee, member_folders
from gnnmat.train.config import RunConfig
from gnnmat.train.environment import check_fingerprints, write_environment
from gnnmat.train.landmarks import Landmarks
from gnnmat.train.trees import load_trees
from gnnmat.workflows.cross_validation import finish_run
from gnnmat.workflows.outdated import forget_verdicts
from gnnmat.workflows.preparation import split_table
from gnnmat.workflows.pu.folder import (
    PuRun,
    check_begun,
    families,
    fingerprints,
    open_pu,
    write_found,
)
from gnnmat.workflows.pu.grown import grow_beside
from gnnmat.workflows.pu.heads import check_trunk, head_scores
from gnnmat.workflows.pu.labels import POSITIVE, both_kinds
from gnnmat.workflows.pu.options import PuConfig, load_pu
from gnnmat.workflows.pu.rows import PuRows, find_rows, open_records
from gnnmat.workflows.pu.scores import judge_member, out_of_bag
from gnnmat.workflows.pu.verdict import verdict
from gnnmat.workflows.run_folder import (
    METRICS,
    REPORT,
    TWINS,
    Run,
    begin,
    claim,
    is_finished,
    release,
    write_refused,
)
from gnnmat.workflows.transfer import find_start, keep_start, one_run, with_start

Parts = NDArray[np.str_]


def learn_pu(
    config: PuConfig,
    folder: Path,
    *,
    records: Records | None = None,
    overwrite: bool = False,
    console: Console | None = None,
    on_fit: Callable[[int, Run], None] | None = None,
) -> PuRun:
    """A finished PU run in ``folder``, fit k in ``folder/members/k``.

    Finished fits are kept and an interrupted one goes on after its last epoch, so that the same
    call again, or one with more fits, adds only what is missing.

    Args:
        config: from `gnnmat.workflows.pu.options.load_pu`.
        folder: of the run.
        records: what to learn from, instead of the config's source.
        overwrite: begin again.
        console: for progress; None is silent.
        on_fit: told of every finished fit, for progress.

    Raises:
        GnnmatError: labels other than 1, 0 and nothing; only one of both; too few unlabelled rows
            for a bag; the folder holds another run, or one of other data.
    """
    begun = (folder / PU_RECIPE).is_file() and not overwrite
    place = find_start(config.run, folder, *([folder] if begun else []))
    config = PuConfig(with_start(config.run, place), config.options)
    config.splits()
    if begun:
        check_begun(config, folder)
    claim(folder, resume=begun, overwrite=overwrite)
    try:
        given, column = open_records(config, records)
        known = fingerprints(given, column)
        if begun:
            check_fingerprints(folder, known)
        same = begun and is_finished(folder) and load_pu(folder / PU_RECIPE) == config
        # A run from before there were trees says nothing of them, and has none.
        if same and (not config.trees or all(map(load_trees, member_folders(folder)))):
            return open_pu(folder)
        if place is not None:
            check_trunk(str(config.run.start.run), one_run(place, 0), column)
        rows = find_rows(config, given, column, quiet=console is None)
        parts = _parts(config, rows)
    except GnnmatError:
        if not begun:
            release(folder)
        raise
    if not begun:
        begin(folder, config.together())
    forget_verdicts(folder)
    write_atomically(folder / PU_RECIPE, config.to_yaml())
    write_environment(folder, known)
    keep_start(config.run, place, folder)
    write_atomically(folder / TWINS, rows.twins.drop(columns="row").to_csv(index=False))
    write_refused(folder, rows.prepared.dataset.refused)
    if config.options.method == "heads":
        assert place is not None
        trunk = load_trained(one_run(place, 0))
        table = head_scores(trunk, rows.prepared, rows.told, parts, config.options.seed)
        return _conclude(config, folder, rows, parts, table)
    runs = _fits(config, folder, rows, overwrite, console, on_fit)
    options = config.options
    homes = [run.folder for run in runs]
    quiet = console is None
    beside = grow_beside(homes, rows, parts, config.trees, options.seed, quiet=quiet)
    _mark(folder, rows)
    scores = out_of_bag(rows.prepared.dataset.ids, runs, beside)
    return _conclude(config, folder, rows, parts, scores)


def _parts(config: PuConfig, rows: PuRows) -> list[Parts]:
    """(labelled rows,) the part of each row in every fit.

    Raises:
        GnnmatError: what cannot be drawn, or a fit that would learn from one kind of rows alone.
    """
    labelled = np.flatnonzero(rows.prepared.parts != "")
    table = split_table(rows.prepared.dataset, labelled, quiet=True)
    parts = []
    for number, split in enumerate(config.splits()):
        parts.append(split.assign(table))
        both_kinds(rows.told[labelled][parts[-1] == "train"], f"fit {number + 1}")
    return parts


def _fits(
    config: PuConfig,
    folder: Path,
    rows: PuRows,
    overwrite: bool,
    console: Console | None,
    on_fit: Callable[[int, Run], None] | None,
) -> list[Run]:
    """All fits, finished."""
    fits = config.fits()
    write_atomically(folder / ENSEMBLE, json.dumps({"members": len(fits)}))
    runs = []
    for number, fit in enumerate(fits):
        runs.append(_finish(fit, folder, number, rows, overwrite, console))
        if on_fit is not None:
            on_fit(number, runs[-1])
    return runs


def _finish(
    fit: RunConfig,
    folder: Path,
    number: int,
    rows: PuRows,
    overwrite: bool,
    console: Console | None,
) -> Run:
    try:
        return finish_run(
            fit,
            folder / MEMBERS / str(number),
            rows.records,
            overwrite,
            console,
            what="a fit",
            start=folder,
            judge=judge_member,
        )
    except KeyboardInterrupt:
        told = "The same command, without --overwrite, goes on."
        raise KeyboardInterrupt(told) from None


def _conclude(
    config: PuConfig, folder: Path, rows: PuRows, parts: list[Parts], table: pd.DataFrame
) -> PuRun:
    """Scores, what they are worth, and the page; the folder is a finished run last of all."""
    from gnnmat.pages.pu import pu_page

    dataset = rows.prepared.dataset
    table.insert(1, "formula", formulas(dataset))
    table.insert(2, "label", rows.label)
    table = table.assign(spy=rows.spy)[rows.prepared.parts != ""].reset_index(drop=True)
    table, summary = verdict(config, rows, parts, table)
    summary["twins"] = len(rows.twins)
    summary["refused"] = len(dataset.refused)
    write_found(folder, table, summary)
    page = pu_page(config.run.name, table, families(table), summary, config.to_yaml())
    write_atomically(folder / REPORT, page)
    counts = {part: len(rows.prepared.rows(part)) for part in ("train", "val", "test")}
    results = {"metrics": [], "baselines": [], "audit": [], "counts": counts}
    write_atomically(folder / METRICS, json.dumps(results, indent=1))
    return PuRun(folder, table, summary)


def _mark(folder: Path, rows: PuRows) -> None:
    """The positives as the first fit sees them, so that a new crystal finds its like."""
    dataset = rows.prepared.dataset
    known = np.flatnonzero((rows.label == POSITIVE) & (rows.prepared.parts != ""))
    first = Committee([load_trained(member_folders(folder)[0])])
    pooled = first.observe(dataset, known).pooled[0].numpy()
    names = formulas(dataset)
    marks = Landmarks.of(pooled, [dataset.ids[r] for r in known], [names[r] for r in known])
    if marks is not None:
        marks.save(folder)
