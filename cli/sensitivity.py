"""``gnnmat sensitivity``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .own_data import Quiet
from .state import State, state_of

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

HEADS = {
    "mean_change": "mean |Δ|",
    "largest": "largest",
    "bias": "mean Δ",
    "of_error": "/error",
    "of_half_width": "/half",
    "beyond": "outside",
    "in_domain": "in domain",
}
MEANINGS = {
    "of_error": "/error: mean |Δ| over the mean error of the run",
    "of_half_width": "/half: over half the width of the interval",
    "beyond": "outside: share that leaves the interval",
}
SHARES = {"beyond", "in_domain"}
# Columns of a table that is too wide, the least important first.
EXPENDABLE = ("bias", "largest", "of_half_width", "of_error")


def sensitivity_command(
    run: Annotated[Path, typer.Argument(help="Folder of a trained run or ensemble.")],
    samples: Annotated[list[str], typer.Argument(help="Crystal files, folders or patterns.")],
    strain: Annotated[
        list[float] | None,
        typer.Option(
            "--strain",
            help="Share by which all lattice vectors grow and shrink; may be repeated. "
            "Default: 0.01, 0.02 and 0.04.",
        ),
    ] = None,
    rattle: Annotated[
        list[float] | None,
        typer.Option(
            "--rattle",
            help="Standard deviation of displacements in Å; may be repeated. "
            "Default: 0.01, 0.02, 0.05 and 0.1.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Draws of each rattle.")] = 3,
    state: State = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write every change to this CSV file.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """How far predictions move when crystals are strained and their atoms displaced.

    If they move further than the model is unsure anyway, relax the crystals first.

    [bold]Examples[/]

      gnnmat sensitivity runs/gap candidates/

      gnnmat sensitivity runs/gap new.cif --strain 0.03 --rattle 0.05
    """
    from gnnmat.atomic import write_atomically
    from gnnmat.workflows.sensitivity import RATTLES, STRAINS, sensitivity

    from .show import check_output, consoles

    out, err = consoles()
    check_output(output)
    chosen = strain is not None or rattle is not None
    strains = [sign * one for one in strain or () for sign in (-1, 1)]
    found = sensitivity(
        run,
        samples,
        strains=strains if chosen else STRAINS,
        rattles=rattle or () if chosen else RATTLES,
        seeds=seeds,
        state=state_of(state),
        quiet=quiet,
    )
    _print(out, found.summary)
    for one in found.refused[:20]:
        err.print(f"refused  {one.id}: {one.reason}", markup=False, soft_wrap=True)
    if output is not None:
        write_atomically(output, found.table.to_csv(index=False))
        out.print(f"Changes: {output}", soft_wrap=True)


def _print(out: Console, summary: pd.DataFrame) -> None:
    from .columns import number, print_table

    count = int(summary["crystals"].max())
    noun = "crystal" if count == 1 else "crystals"
    lead = f"{count:,} {noun}, as given against strained and rattled"
    first = summary.iloc[0]
    alone = summary["target"].nunique() == 1
    if alone:
        unit = f" in {first['unit']}" if first["unit"] else ""
        lead += f"; changes of {first['target']}{unit}"
    out.print(f"{lead}:\n", markup=False, soft_wrap=True)
    known = [name for name in HEADS if name in summary]
    names = ["change", *known] if alone else ["target", "change", *known, "unit"]
    rows = []
    for _, row in summary.iterrows():
        amount = float(row["amount"])
        strain = row["kind"] == "strain"
        cells = {
            name: f"{row[name]:.0%}" if name in SHARES else number(float(row[name]), 3)
            for name in known
        }
        cells["change"] = f"strain {amount:+.1%}" if strain else f"rattle {amount:g} Å"
        rows.append(cells | {"target": str(row["target"]), "unit": str(row["unit"])})
    heads = {name: HEADS.get(name, name) for name in names}
    shown = print_table(out, heads, rows, numbers=[*known, "change"], expendable=EXPENDABLE)
    words = [words for name, words in MEANINGS.items() if name in shown]
    if words:
        out.print(f"\n{'; '.join(words)}.", markup=False)
