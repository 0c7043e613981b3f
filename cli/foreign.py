"""``gnnmat foreign``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .own_data import Quiet, Settings


def foreign_command(
    run: Annotated[Path, typer.Argument(help="Folder of a run with thresholds (gnnmat trust).")],
    simulation: Annotated[
        str, typer.Argument(help="The simulation that it was trained on: a recipe or YAML file.")
    ] = "pcsmo",
    count: Annotated[int, typer.Option("--count", "-n", min=2, help="Images a family.")] = 100,
    seed: Annotated[int, typer.Option("--seed", help="Of the images.")] = 0,
    settings: Settings = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder for images and table. Default: RUN/foreign.",
            show_default=False,
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Measure how well a run refuses foreign spectra: other magnets, noise, wrong settings.

    [bold]Examples[/]

      gnnmat foreign runs/pcsmo pcsmo --count 50
    """
    from rich.table import Table

    from gnnmat.simulation.hypotheses import load_simulation
    from gnnmat.workflows.foreign import VERDICT, measure_foreign

    from .show import consoles

    out, err = consoles()
    folder = output or run / "foreign"
    found = measure_foreign(
        run,
        load_simulation(simulation, settings or []),
        folder,
        count=count,
        seed=seed,
        on_family=None if quiet else lambda name: err.print(f"{name} is judged"),
    )
    together = found[found["score"] == VERDICT]
    table = Table(box=None, pad_edge=False)
    for name in ("family", "refused", "AUROC", "samples"):
        table.add_column(name, justify="left" if name == "family" else "right")
    for _, row in together.sort_values("auroc", ascending=False).iterrows():
        table.add_row(row["family"], f"{row['refused']:.0%}", f"{row['auroc']:.3f}", str(row["n"]))
    out.print(table)
    foreign = found[found["family"] != "test rows"]
    worst = foreign.loc[foreign.groupby("score")["auroc"].idxmin()]
    out.print("\nThe worst family of each score:")
    for _, row in worst.sort_values("auroc", ascending=False).iterrows():
        out.print(f"  {row['score']}: {row['auroc']:.3f} ({row['family']})")
    out.print(f"\nTable: {folder / 'foreign.csv'}", soft_wrap=True)
