"""``gnnmat tune``."""

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
    from gnnmat.workflows.study import Told


def tune_command(
    recipe: Recipe = None,
    structures: Structures = None,
    targets: Targets = None,
    target: Target = None,
    task: Task = None,
    unit: Unit = None,
    epochs: Epochs = None,
    begin_with: From = None,
    freeze: Freeze = False,
    budget: Annotated[
        int | None,
        typer.Option("--budget", "-n", min=1, help="Trials. Default: 20, without --hours."),
    ] = None,
    hours: Annotated[
        float | None, typer.Option("--hours", min=0.0, help="Begin no trial after so long.")
    ] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(
            "--space",
            help="NAME=a,b,c or NAME=low..high, with :log for even logarithms. May be repeated. "
            "Default: rate, decay, batch size, width and layers.",
        ),
    ] = None,
    settings: Settings = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the search.", show_default=False),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Search over options of a recipe; give the same command again to go on.

    Trials are judged on the validation rows alone.

    [bold]Examples[/]

      gnnmat tune known_crystals --budget 20

      gnnmat tune configs/x.yaml --hours 1 --space model.width=32,64,128 \\

        --space optimizer.lr=1e-4..1e-2:log

      gnnmat train runs/x-tune/best.yaml                  # what was found
    """
    from gnnmat.train.config import load_config
    from gnnmat.workflows.search_space import parse_space
    from gnnmat.workflows.tune import tune

    from .show import consoles

    out, err = consoles()
    overrides = overrides_of(
        structures, targets, target, task, unit, epochs, begin_with, freeze
    ) + (settings or [])
    config = load_config(recipe or (OWN_DATA if structures else RECIPE), overrides)
    folder = output or Path("runs") / f"{config.name}-tune"

    def tell(told: Told) -> None:
        trial = told.row
        skip = {"number", "state", "value", "epochs", "seconds", "error"}
        options = ", ".join(f"{k} {_short(v)}" for k, v in trial.items() if k not in skip)
        total = f" of {told.budget}" if told.budget is not None else ""
        best = f", best {told.best:.4f}" if told.best is not None else ""
        said = trial["error"] or f"{trial['value']:.4f} after {trial['epochs']} epochs"
        out.print(
            f"trial {told.place}{total}: {said} ({trial['state']}){best}; {options}",
            soft_wrap=True,
            markup=False,
        )

    found = tune(
        config,
        folder,
        budget=budget,
        hours=hours,
        space=parse_space(space) if space else None,
        console=None if quiet else err,
        on_trial=tell,
    )
    out.print(f"\nBest on the validation rows: {found.value:.4f}", soft_wrap=True)
    if found.importance:
        told = ", ".join(f"{name} {share:.0%}" for name, share in found.importance.items())
        out.print(f"Importance: {told}", soft_wrap=True)
    out.print(f"All trials: {folder / 'tune.html'}", soft_wrap=True)
    out.print(f"Try next:   gnnmat train {folder / 'best.yaml'}", soft_wrap=True)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
