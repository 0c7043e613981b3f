"""``gnnmat crossval``."""

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
    from gnnmat.workflows.run_folder import Run


def crossval_command(
    recipe: Recipe = None,
    structures: Structures = None,
    targets: Targets = None,
    target: Target = None,
    task: Task = None,
    unit: Unit = None,
    epochs: Epochs = None,
    begin_with: From = None,
    freeze: Freeze = False,
    folds: Annotated[
        int, typer.Option("--folds", "-k", min=2, help="Folds, unless the data set has official.")
    ] = 5,
    settings: Settings = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of all folds.", show_default=False),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin again.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train on k folds and report the mean score; give the same command again to go on.

    [bold]Examples[/]

      gnnmat crossval known_crystals --folds 5

      gnnmat crossval --structures cifs/ --targets values.csv --target band_gap

      gnnmat crossval matbench_phonons --output runs/phonons
    """
    from gnnmat.train.config import load_config
    from gnnmat.workflows.cross_validation import cross_validate

    from .show import consoles

    out, err = consoles()
    overrides = overrides_of(
        structures, targets, target, task, unit, epochs, begin_with, freeze
    ) + (settings or [])
    config = load_config(recipe or (OWN_DATA if structures else RECIPE), overrides)
    folder = output or Path("runs") / f"{config.name}-crossval"

    def tell(index: int, run: Run) -> None:
        first = run.metrics[-1] if not run.metrics else _first_test(run)
        out.print(f"fold {index}: {first['metric']} {first['value']:.4g} {first['unit']}")

    found = cross_validate(
        config,
        folder,
        folds=folds,
        overwrite=overwrite,
        console=None if quiet else err,
        on_fold=tell,
    )
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("target", "score", "of", "mean", "deviation", "unit"):
        table.add_column(name, justify="right" if name in {"mean", "deviation"} else "left")
    for row in found.summary:
        spread = "" if row["std"] is None else f"{row['std']:.3g}"
        table.add_row(
            escape(row["target"]),
            row["metric"],
            row["baseline"] or "[bold]model[/]",
            f"{row['mean']:.4g}",
            spread,
            escape(row["unit"]),
        )
    out.print(table)
    out.print(f"\nHeld-out predictions: {folder / 'predictions.csv'}", soft_wrap=True)


def _first_test(run: Run) -> dict[str, object]:
    return next(row for row in run.metrics if row["split"] == "test")
