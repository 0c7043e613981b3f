"""``gnnmat predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .own_data import Quiet


def predict_command(
    run: Annotated[Path, typer.Argument(help="Folder of a trained run.")],
    structures: Annotated[list[str], typer.Argument(help="Crystal files, folders or patterns.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the table to this CSV file.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Predict the properties of crystals; nothing but their files is needed.

    [bold]Examples[/]

      gnnmat predict runs/gap new.cif

      gnnmat predict runs/gap candidates/ --output predictions.csv
    """
    from gnnmat.atomic import write_atomically
    from gnnmat.train.predictor import load

    from .show import check_output, consoles

    out, err = consoles()
    check_output(output)
    predictor = load(run)
    table = predictor.predict(structures, quiet=quiet)
    refused = table[table["refused"] != ""]
    if output is not None:
        write_atomically(output, table.to_csv(index=False))
        out.print(f"Predictions: {output}", soft_wrap=True)
    else:
        _print(out, table[table["refused"] == ""])
    for _, row in refused.head(20).iterrows():
        err.print(f"refused  {row['id']}: {row['refused']}", markup=False, soft_wrap=True)
    if len(refused):
        err.print(f"{table['id'].nunique() - len(refused):,} predicted, {len(refused):,} refused")


def _print(out: object, table: object) -> None:
    from rich.table import Table

    # Of the probabilities only that of the predicted class; the CSV file has all of them.
    columns = [
        name
        for name in table.columns  # type: ignore[attr-defined]
        if name != "refused" and not name.startswith("probability_")
    ]
    shown = Table(box=None, pad_edge=False)
    for name in columns:
        number = name.startswith(("pred", "prob"))
        shown.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in table[columns].itertuples(index=False):  # type: ignore[index]
        shown.add_row(*(f"{v:.5g}" if isinstance(v, float) else str(v) for v in row))
    out.print(shown)  # type: ignore[attr-defined]
