"""From a PU recipe to scores, their worth, and a committee that scores new crystals."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from gnnmat.atomic import write_atomically
from gnnmat.data.dataset import SampleDataset
from gnnmat.data.symmetry import formulas
from gnnmat.errors import GnnmatError
from gnnmat.sources.records import Records
from gnnmat.train.checkpoint import load_trained
from gnnmat.train.committee import (
    ENSEMBLE,
    MEMBERS,
    Committee,
    load_committee,
    member_folders,
)
from gnnmat.train.landmarks import Landmarks
from gnnmat.workflows.cross_validation import finish_run
from gnnmat.workflows.outdated import forget_verdicts
from gnnmat.workflows.preparation import Prepared, split_table
from gnnmat.workflows.pu.heads import check_trunk, head_scores
from gnnmat.workflows.pu.labels import POSITIVE
from gnnmat.workflows.pu.options import PuConfig, load_pu
from gnnmat.workflows.pu.rows import PuRows, find_rows
from gnnmat.workflows.pu.scores import judge_member, out_of_bag
from gnnmat.workflows.pu.verdict import verdict
from gnnmat.workflows.run_folder import (
    METRICS,
    PU_RECIPE,
    Run,
    begin,
    claim,
    is_finished,
    release,
    write_refused,
)
from gnnmat.workflows.transfer import find_start, keep_start, read_start, with_start

SCORES, SUMMARY, TWINS = "scores.csv", "pu.json", "twins.csv"
PAGE = "report.html"


@dataclass(frozen=True)
class PuRun:
    """A finished PU run.

    Args:
        folder: everything it wrote; a committee of all fits for new crystals.
        scores: a row a labelled crystal: ``id``, ``formula``, ``label``, ``score``,
            ``standard_error``, ``fits``, ``spy``, and what it is compared with.
        summary: what the scores are worth, as in ``pu.json``.
    """

    folder: Path
    scores: pd.DataFrame
    summary: dict[str, Any]

    def load(self) -> Committee:
        """All fits, ready to score new crystals together.

        Raises:
            GnnmatError: the method was ``heads``, which keeps scores and no networks.
        """
        if self.summary["method"] == "heads":
            raise GnnmatError(f"{self.folder} keeps scores and no networks.", fix="pu.method=folds")
        return load_committee(self.folder)


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
            for a bag; the folder holds another run.
    """
    begun = (folder / PU_RECIPE).is_file() and not overwrite
    place = find_start(config.run, folder, *([folder] if begun else []))
    config = PuConfig(with_start(config.run, place), config.options)
    config.splits()
    if begun and is_finished(folder) and load_pu(folder / PU_RECIPE) == config:
        return open_pu(folder)
    if begun:
        _check_begun(config, folder)
    claim(folder, resume=begun, overwrite=overwrite)
    try:
        rows = find_rows(config, records, quiet=console is None)
        trunk = read_start(config.run, place)
        if trunk is not None:
            check_trunk(trunk.name, trunk.config, rows.column)
        config.splits()[0].assign(_table(rows.prepared))  # what cannot be drawn is said now
    except GnnmatError:
        if not begun:
            release(folder)
        raise
    if not begun:
        begin(folder, config.together())
    forget_verdicts(folder)
    write_atomically(folder / PU_RECIPE, config.to_yaml())
    keep_start(config.run, place, folder)
    write_atomically(folder / TWINS, rows.twins.drop(columns="row").to_csv(index=False))
    write_refused(folder, rows.prepared.dataset.refused)
    if config.options.method == "heads":
        return _conclude(config, folder, rows, _heads(config, rows, folder))
    fits = config.fits()
    write_atomically(folder / ENSEMBLE, json.dumps({"members": len(fits)}))
    runs = []
    for number, fit in enumerate(fits):
        runs.append(_finish(fit, folder, number, rows, overwrite, console))
        if on_fit is not None:
            on_fit(number, runs[-1])
    found = _conclude(config, folder, rows, out_of_bag(rows.prepared.dataset.ids, runs))
    _mark(folder, rows, rows.prepared.dataset)
    return found


def _heads(config: PuConfig, rows: PuRows, folder: Path) -> pd.DataFrame:
    """Scores of bagged heads on the encoder of the run to begin with."""
    place = find_start(config.run, folder, folder)
    assert place is not None
    table = _table(rows.prepared)
    parts = [split.assign(table) for split in config.splits()]
    trunk = load_trained((member_folders(place) or [place])[0])
    return head_scores(trunk, rows.prepared, rows.told, parts, config.options.seed)


def _finish(
    fit: Any, folder: Path, number: int, rows: PuRows, overwrite: bool, console: Console | None
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
        told = "Give the same command again to go on."
        raise KeyboardInterrupt(told) from None


def _check_begun(config: PuConfig, folder: Path) -> None:
    """Refuse to go on with another recipe; more fits are welcome."""
    old = load_pu(folder / PU_RECIPE)
    same = old.options.model_copy(update={"fits": config.options.fits})
    if old.run != config.run or same != config.options:
        raise GnnmatError(
            f"{folder} holds a PU run of another recipe.",
            fix="Choose another --output, or --overwrite it.",
        )
    if old.options.fits > config.options.fits:
        raise GnnmatError(
            f"{folder} was begun with {old.options.fits} fits, more than {config.options.fits}.",
            fix=f"pu.fits={old.options.fits}, another --output, or --overwrite it.",
        )


def _table(prepared: Prepared) -> Any:
    return split_table(prepared.dataset, np.flatnonzero(prepared.parts != ""), quiet=True)


def _conclude(config: PuConfig, folder: Path, rows: PuRows, table: pd.DataFrame) -> PuRun:
    """Scores, what they are worth, and the page."""
    from gnnmat.pages.pu import pu_page

    dataset = rows.prepared.dataset
    table.insert(1, "formula", formulas(dataset))
    table.insert(2, "label", rows.label)
    table = table.assign(spy=rows.spy)[rows.prepared.parts != ""].reset_index(drop=True)
    table, summary = verdict(config, rows.prepared, table)
    summary["twins"] = len(rows.twins)
    summary["refused"] = len(dataset.refused)
    write_atomically(folder / SCORES, table.to_csv(index=False))
    write_atomically(folder / SUMMARY, json.dumps(summary, indent=1))
    write_atomically(folder / PAGE, pu_page(config.run.name, table, summary, config.to_yaml()))
    counts = {part: len(rows.prepared.rows(part)) for part in ("train", "val", "test")}
    results = {"metrics": [], "baselines": [], "audit": [], "counts": counts}
    write_atomically(folder / METRICS, json.dumps(results, indent=1))
    return PuRun(folder, table, summary)


def _mark(folder: Path, rows: PuRows, dataset: SampleDataset) -> None:
    """The positives as the first fit sees them, so that a new crystal finds its like."""
    known = np.flatnonzero((rows.label == POSITIVE) & (rows.prepared.parts != ""))
    if len(known) < 2:
        return
    first = Committee([load_trained(member_folders(folder)[0])])
    pooled = first.observe(dataset, known).pooled[0].numpy()
    names = formulas(dataset)
    marks = Landmarks.of(pooled, [dataset.ids[r] for r in known], [names[r] for r in known])
    marks.save(folder)


def open_pu(folder: Path) -> PuRun:
    """A finished PU run by its folder.

    Raises:
        GnnmatError: it is none.
    """
    if not (folder / SUMMARY).is_file() or not is_finished(folder):
        raise GnnmatError(f"{folder} is not a finished PU run.")
    words = dict.fromkeys(("id", "formula", "label", "prototype"), str)
    numbers = set(pd.read_csv(folder / SCORES, nrows=0).columns) - set(words)
    scores = pd.read_csv(
        folder / SCORES,
        dtype=words,
        keep_default_na=False,
        na_values={name: [""] for name in numbers},
    )
    return PuRun(folder, scores, json.loads((folder / SUMMARY).read_text()))
