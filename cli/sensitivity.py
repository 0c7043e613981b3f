"""``gnnmat sensitivity``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .own_data import Quiet

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console


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
        quiet=quiet,
    )
    _print(out, found.summary)
    for one in found.refused[:20]:
        err.print(f"refused  {one.id}: {one.reason}", markup=False, soft_wrap=True)
    if output is not None:
        write_atomically(output, found.table.to_csv(index=False))
        out.print(f"Changes: {output}", soft_wrap=True)


def _print(out: Console, summary: pd.DataFrame) -> None:
    from rich.table import Table

    heads = {
        "mean_change": "mean |change|",
        "largest": "largest",
        "bias": "mean change",
        "of_error": "over mean error",
        "of_half_width": "over half-width",
        "beyond": "leave interval",
        "in_domain": "in domain",
    }
    known = {name: words for name, words in heads.items() if name in summary}
    table = Table(box=None, pad_edge=False)
    for name in ("target", "change", *known.values(), "unit"):
        side = "left" if name in {"target", "change", "unit"} else "right"
        table.add_column(name, justify="left" if side == "left" else "right")
    for _, row in summary.iterrows():
        amount = float(row["amount"])
        is_strain = row["kind"] == "strain"
        words = f"strain {amount:+.1%}" if is_strain else f"rattle {amount:g} Å"
        cells = [
            f"{row[name]:.0%}" if name in {"beyond", "in_domain"} else f"{row[name]:.3g}"
            for name in known
        ]
        table.add_row(str(row["target"]), words, *cells, str(row["unit"]))
    count = int(summary["crystals"].max())
    noun = "crystal" if count == 1 else "crystals"
    out.print(f"{count:,} {noun}, as given against strained and rattled:\n")
    out.print(table)
