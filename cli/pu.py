"""``gnnmat pu``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .own_data import (
    Epochs,
    From,
    Quiet,
    Settings,
    Structures,
    Target,
    Targets,
    overrides_of,
)

if TYPE_CHECKING:
    from rich.console import Console

    from gnnmat.workflows.run_folder import Run

RECIPE = "synthesizability"


def pu_command(
    recipe: Annotated[
        str | None,
        typer.Argument(
            help="A YAML file with a section pu, or the name of a shipped one. Default: "
            "synthesizability.",
            show_default=False,
        ),
    ] = None,
    structures: Structures = None,
    targets: Targets = None,
    target: Target = None,
    epochs: Epochs = None,
    begin_with: From = None,
    fits: Annotated[
        int | None, typer.Option("--fits", "-n", min=2, help="Fits in all. Default: the recipe's.")
    ] = None,
    settings: Settings = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the run.", show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin again.")] = False,
    quiet: Quiet = False,
) -> None:
    """Which unlabelled crystals look like the positive ones; give the same command to go on.

    Labels are 1 for positive (made, say), 0 for unlabelled (nobody knows), empty for rows that
    are not used. A crystal is scored by fits that have not learned from its formula. The folder
    scores new crystals: gnnmat predict FOLDER my.cif

    [bold]Examples[/]

      gnnmat pu --structures cifs/ --targets labels.csv --target made -o runs/made

      gnnmat pu synthesizability -o runs/icsd

      gnnmat pu synthesizability --set pu.method=bags --fits 20 --set model.kind=cgcnn
    """
    from gnnmat.workflows.pu.options import load_pu
    from gnnmat.workflows.pu.run import learn_pu

    from .show import consoles

    out, err = consoles()
    overrides = overrides_of(structures, targets, target, None, None, epochs, begin_with)
    if structures and recipe is None:  # the recipe's own data have these columns
        overrides = ["pu.compare=[]", *([] if target else ["data.targets=[]"]), *overrides]
    if fits is not None:
        overrides.append(f"pu.fits={fits}")
    config = load_pu(recipe or RECIPE, [*overrides, *(settings or [])])
    folder = output or Path("runs") / config.run.name

    def tell(number: int, run: Run) -> None:
        scores = {row["split"]: row["value"] for row in run.metrics}
        share = scores.get("test")
        said = "scores no positive it has not seen"
        if share is not None:
            said = "a positive ranks above an unlabelled row in "
            said += f"{100 * share:.1f}% of the pairs it has not seen"
        out.print(f"fit {number + 1} of {config.options.fits}: {said}", soft_wrap=True)

    found = learn_pu(
        config, folder, overwrite=overwrite, console=None if quiet else err, on_fit=tell
    )
    _show(out, found.summary)
    out.print(f"\nScores:     {folder / 'scores.csv'}", soft_wrap=True)
    out.print(f"Report:     {folder / 'report.html'}", soft_wrap=True)
    if config.options.method != "heads":  # which keeps no networks
        out.print(f"Try next:   gnnmat predict {folder} my.cif", soft_wrap=True)


def _show(out: Console, summary: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    shares = (0.1, 0.221, 0.3)
    table = Table(box=None, pad_edge=False)
    table.add_column("", overflow="fold")
    for name in ("ranking", *(f"found at {100 * share:g}%" for share in shares)):
        table.add_column(name, justify="right")
    for one in summary["models"]:
        at = {row["share"]: row for row in one["recall_at"]}
        table.add_row(
            escape(one["name"]),
            *(_percent(row) for row in (one["ranking"], *(at[share] for share in shares))),
        )
    out.print(table)
    out.print(
        f"\nAbove a score of {summary['threshold']:g}: {_percent(summary['recall'])} of the "
        f"positives, {_percent(summary['flagged'])} of the unlabelled. If positives were labelled "
        "at random, the scores allow this share of positives among the unlabelled at most: "
        f"{_percent(summary['prior_at_most'])}.",
        soft_wrap=True,
    )
    if not summary["judged_positives"]:
        out.print(
            "Note: no positive was scored by a fit that has not seen it, so nothing can be judged: "
            "raise pu.held_out or pu.left_out.",
            soft_wrap=True,
        )
    if summary["twins"]:
        out.print(
            f"Note: {summary['twins']:,} unlabelled crystals have the structure of a positive one "
            "and were left out: twins.csv",
            soft_wrap=True,
        )


def _percent(one: dict[str, float]) -> str:
    """The value with its 95% interval."""
    value, low, high = (100 * one[name] for name in ("value", "low", "high"))
    if value != value:
        return "-"
    return f"{value:.1f}%" if low != low else f"{value:.1f}% ({low:.0f} to {high:.0f})"
