"""``gnnmat predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .own_data import Quiet

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console


def predict_command(
    run: Annotated[
        str, typer.Argument(help="Folder of a trained run or ensemble, or a shipped model's name.")
    ],
    samples: Annotated[
        list[str],
        typer.Argument(help="Crystal files, folders or patterns; spectra for a model of spectra."),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the table to this CSV file.")
    ] = None,
    dropout: Annotated[
        int,
        typer.Option("--dropout-samples", min=0, help="Draws of dropout, for its uncertainty."),
    ] = 0,
    quiet: Quiet = False,
) -> None:
    """Predict properties or classes; nothing but the files is needed.

    Where thresholds were fixed (gnnmat trust), each answer comes with a verdict in words.

    [bold]Examples[/]

      gnnmat predict runs/gap new.cif

      gnnmat predict runs/gap candidates/ --output predictions.csv
    """
    from gnnmat.api import load
    from gnnmat.atomic import write_atomically

    from .answers import has_hypotheses, print_hypotheses
    from .show import check_output, consoles

    out, err = consoles()
    check_output(output)
    predictor = load(run, samples=dropout)
    table = predictor.predict(samples, quiet=quiet)
    refused = table[table["refused"] != ""]
    done = table[table["refused"] == ""]
    if output is not None:
        write_atomically(output, table.to_csv(index=False))
        out.print(f"Predictions: {output}", soft_wrap=True)
    elif has_hypotheses(done):
        print_hypotheses(out, done)
    else:
        _print(out, done)
    if "verdict" in table:
        _print_verdicts(out, done)
    for _, row in refused.head(20).iterrows():
        err.print(f"refused  {row['id']}: {row['refused']}", markup=False, soft_wrap=True)
    if len(refused):
        err.print(f"{table['id'].nunique() - len(refused):,} predicted, {len(refused):,} refused")


def _print(out: Console, table: pd.DataFrame) -> None:
    from rich.table import Table

    # Of the probabilities only that of the predicted class, which says more than its score; the
    # CSV file has everything. The verdicts are sentences and stand below.
    hidden = {"refused", "verdict", "in_distribution", "mutual_information"}
    if "probability" in table:
        hidden.add("score")
    columns = [
        name
        for name in table.columns
        if name not in hidden
        and not name.startswith(("probability_", "score_"))
        and not (name in {"formula", "unit"} and (table[name] == "").all())
    ]
    shown = Table(box=None, pad_edge=False)
    for name in columns:
        number = table[name].dtype.kind == "f" or name == "prediction"
        shown.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in table[columns].itertuples(index=False):
        shown.add_row(*(f"{v:.5g}" if isinstance(v, float) else str(v) for v in row))
    out.print(shown)


def _print_verdicts(out: Console, table: pd.DataFrame) -> None:
    """One sentence a sample, at most twenty, and how many may be trusted."""
    each = table.drop_duplicates("id")
    out.print()
    for _, row in each.head(20).iterrows():
        out.print(f"{row['id']}: {row['verdict']}", markup=False, soft_wrap=True)
    if len(each) > 1:
        trusted = int(each["in_distribution"].astype(bool).sum())
        out.print(f"{trusted:,} of {len(each):,} in distribution")
