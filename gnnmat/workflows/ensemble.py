"""Several fits of one config that differ in their seed, and what they say together."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.sources.records import Records
from gnnmat.train.checkpoint import PU_RECIPE, load_run_config
from gnnmat.train.committee import (
    ENSEMBLE,
    MEMBERS,
    Committee,
    is_ensemble,
    load_committee,
    member_folders,
)
from gnnmat.train.config import RunConfig
from gnnmat.workflows.cross_validation import finish_run, on_its_own
from gnnmat.workflows.evaluation import evaluate
from gnnmat.workflows.outdated import forget_verdicts
from gnnmat.workflows.preparation import prepare, truth_table
from gnnmat.workflows.run_folder import (
    Run,
    begin,
    claim,
    is_finished,
    open_run,
    write_refused,
)
from gnnmat.workflows.run_report import write_found
from gnnmat.workflows.transfer import find_start, keep_start, with_start


@dataclass(frozen=True)
class Ensemble:
    """A finished ensemble.

    Args:
        run: what the members say together; its folder holds them.
        members: the run of each.
    """

    run: Run
    members: list[Run]

    @property
    def folder(self) -> Path:
        """Everything it wrote."""
        return self.run.folder

    def load(self) -> Committee:
        """The members, ready to predict together."""
        return load_committee(self.folder)


def train_ensemble(
    config: RunConfig,
    folder: Path,
    *,
    members: int = 5,
    records: Records | None = None,
    overwrite: bool = False,
    console: Console | None = None,
    on_member: Callable[[int, Run], None] | None = None,
) -> Ensemble:
    """A finished ensemble in ``folder``, member k in ``folder/members/k`` with seed + k.

    Finished members are kept and an interrupted one goes on, so that the same call again, or
    one with more members, adds only what is missing. All members have the same rows.

    Args:
        config: of one fit.
        folder: of the ensemble.
        members: how many.
        records: what to learn from, instead of the config's source.
        overwrite: begin again.
        console: for progress; None is silent.
        on_member: told of every finished member, for progress.

    Raises:
        GnnmatError: fewer than two members, or the folder holds something else.

    Source: Lakshminarayanan et al., "Simple and scalable predictive uncertainty estimation using
    deep ensembles", NeurIPS 2017.
    """
    if members < 2:
        raise GnnmatError(
            f"An ensemble of {members} has nobody to disagree with.", fix="--members 5"
        )
    begun = is_ensemble(folder) and not overwrite
    place = find_start(config, folder, *([folder] if begun else []))
    config = with_start(config, place)
    if begun:
        _check_begun(config, folder, members)
        if is_finished(folder) and len(member_folders(folder)) == members:
            return resume_ensemble(folder)
    claim(folder, resume=begun, overwrite=overwrite)
    if not begun:
        begin(folder, config)
    forget_verdicts(folder)
    keep_start(config, place, folder)
    write_atomically(folder / ENSEMBLE, json.dumps({"members": members}))
    same = same_rows(config, records)
    runs = []
    for number in range(members):
        home = folder / MEMBERS / str(number)
        try:
            run = finish_run(
                member_config(config, number),
                home,
                same,
                overwrite,
                console,
                what="a member",
                start=folder,
            )
        except KeyboardInterrupt:
            told = f"Go on with: gnnmat train --resume {folder}"
            raise KeyboardInterrupt(told) from None
        runs.append(run)
        if on_member is not None:
            on_member(number, run)
    run = _together(config, folder, same, runs, quiet=console is None)
    return Ensemble(run, runs)


def _check_begun(config: RunConfig, folder: Path, members: int) -> None:
    """Refuse to go on with another config, or with fewer members than there are."""
    if load_run_config(folder) != config:
        raise GnnmatError(
            f"{folder} holds an ensemble of another configuration.",
            fix="Choose another --output, or --overwrite it.",
        )
    there = len(member_folders(folder))
    if there > members:
        raise GnnmatError(
            f"{folder} has {there} members already, more than {members}.",
            fix=f"--members {there}, another --output, or --overwrite it.",
        )


def resume_ensemble(
    folder: Path, *, records: Records | None = None, console: Console | None = None
) -> Ensemble:
    """The ensemble in ``folder``, finished; one that came to its end is opened.

    Raises:
        GnnmatError: there is none, or the data are not those it was begun with.
    """
    if (folder / PU_RECIPE).is_file():
        raise GnnmatError(
            f"{folder} holds a PU run.", fix=f"gnnmat pu {folder / PU_RECIPE} -o {folder}"
        )
    try:
        members = int(json.loads((folder / ENSEMBLE).read_text())["members"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GnnmatError(f"There is no ensemble to resume in {folder}.", why=str(error)) from error
    if is_finished(folder):
        runs = [open_run(folder / MEMBERS / str(number)) for number in range(members)]
        return Ensemble(open_run(folder), runs)
    config = load_run_config(folder)
    return train_ensemble(config, folder, members=members, records=records, console=console)


def member_config(config: RunConfig, number: int) -> RunConfig:
    """The config of one member: another seed, the same split."""
    seeded = config.trainer.model_copy(update={"seed": config.trainer.seed + number})
    return config.model_copy(
        update={"name": f"{config.name}-{number}", "trainer": on_its_own(seeded)}
    )


def same_rows(config: RunConfig, records: Records | None) -> Records | None:
    """The records that all fits use: a limited number is drawn by the seed of the config."""
    limit = config.data.limit
    if limit is None:
        return records
    records = config.data.source.open() if records is None else records
    if limit >= len(records):
        return records
    draw = np.random.default_rng(config.trainer.seed)
    return records.take(np.sort(draw.choice(len(records), limit, replace=False)).tolist())


def _together(
    config: RunConfig, folder: Path, records: Records | None, runs: list[Run], *, quiet: bool
) -> Run:
    """Scores of what the members say together, written like those of a run."""
    prepared = prepare(config, records, quiet=quiet)
    committee = load_committee(folder)
    used = np.flatnonzero(prepared.parts != "")
    table = committee.rows_table(prepared.dataset, used, draw="fixed")
    predictions = truth_table(prepared, table)
    found = evaluate(prepared, predictions, seed=config.trainer.seed, quiet=quiet)
    write_refused(folder, prepared.dataset.refused)
    first = config.trainer.seed
    facts = [("members", f"{len(runs)}"), ("seeds", f"{first} to {first + len(runs) - 1}")]
    return write_found(folder, config, prepared, found, runs[0].counts, facts)
