"""``gnnmat train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .own_data import (
    OWN_DATA,
    RECIPE,
    Epochs,
    Freeze,
    From,
    Quiet,
    Recipe,
    Settings,
    Structures,
    Target,
    Targets,
    Task,
    Unit,
    overrides_of,
)

if TYPE_CHECKING:
    from rich.console import Console

    from gnnmat.workflows.run_folder import Run


def train_command(
    recipe: Recipe = None,
    structures: Structures = None,
    targets: Targets = None,
    target: Target = None,
    task: Task = None,
    unit: Unit = None,
    epochs: Epochs = None,
    begin_with: From = None,
    freeze: Freeze = False,
    settings: Settings = None,
    members: Annotated[
        int, typer.Option("--members", min=1, help="Fits with different seeds: an ensemble.")
    ] = 1,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Run folder. Default: runs/NAME.", show_default=False),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", help="Go on with the interrupted run in this folder."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in --output.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Train a model and write weights, predictions, scores and a report.

    [bold]Examples[/]

      gnnmat train                                    # embedded data, two minutes

      gnnmat train --structures cifs/ --targets values.csv --target band_gap

      gnnmat train configs/x.yaml --set optimizer.lr=3e-4 --output runs/gap

      gnnmat train configs/x.yaml --members 5             # an ensemble; again to go on

      gnnmat train configs/x.yaml --from runs/energy --set start.body_lr=0.1   # fine-tune

      gnnmat train --resume runs/gap
    """
    from gnnmat.errors import GnnmatError
    from gnnmat.train.committee import is_ensemble
    from gnnmat.train.config import load_config
    from gnnmat.workflows.ensemble import resume_ensemble, train_ensemble
    from gnnmat.workflows.run_folder import free_folder, has_checkpoint, is_finished, is_run
    from gnnmat.workflows.training import resume_training, train

    from .show import consoles

    out, err = consoles()
    progress = None if quiet else err
    if resume is not None:
        given = (
            recipe,
            structures,
            targets,
            target,
            task,
            unit,
            epochs,
            begin_with,
            freeze,
            settings,
            members > 1,
            output,
            overwrite,
        )
        if any(given):
            raise GnnmatError(
                "--resume goes on with the run as it was begun and takes no other option.",
                fix=f"gnnmat train --resume {resume}",
            )
        if is_ensemble(resume):
            run = resume_ensemble(resume, console=progress).run
            _tell(out, run)
            return
        if is_finished(resume):
            out.print(f"{resume} was finished before; nothing was trained.", soft_wrap=True)
        elif is_run(resume) and not has_checkpoint(resume):
            out.print("No epoch was finished before; training begins from the start.")
        run = resume_training(resume, console=progress)
    else:
        overrides = overrides_of(
            structures, targets, target, task, unit, epochs, begin_with, freeze
        ) + (settings or [])
        config = load_config(recipe or (OWN_DATA if structures else RECIPE), overrides)
        folder = output or free_folder(config.name)
        if members > 1:
            run = train_ensemble(
                config,
                folder,
                members=members,
                overwrite=overwrite,
                console=progress,
                on_member=lambda number, _: out.print(f"member {number} is finished"),
            ).run
        else:
            run = train(config, folder, overwrite=overwrite, console=progress)
    _tell(out, run)


def _tell(out: Console, run: Run) -> None:
    """What was learned, and what to try next."""
    from .show import next_command, print_counts, print_scores

    print_counts(out, run.counts, run.folder / "refused.csv")
    print_scores(out, run.metrics, run.baselines)
    out.print(f"\nReport:    {run.report}", soft_wrap=True)
    out.print(f"Try next:  {next_command(run.folder)}", soft_wrap=True)
