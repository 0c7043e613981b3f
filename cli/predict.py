"""``gnnmat predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .own_data import Quiet
from .state import State, Wavelength, state_of

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

HEADS = {"interval_low": "low", "interval_high": "high"}
# Columns of a table that is too wide, the least important first.
EXPENDABLE = ("score", "disagreement", "error", "formula")


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
    state: State = None,
    wavelength: Wavelength = None,
    dropout: Annotated[
        int,
        typer.Option("--dropout-samples", min=0, help="Draws of dropout, for its uncertainty."),
    ] = 0,
    quiet: Quiet = False,
) -> None:
    """Predict properties or classes; nothing but the files is needed.

    Where thresholds were fixed (gnnmat trust), each answer comes with a verdict in words, and
    each number with an interval.

    [bold]Examples[/]

      gnnmat predict runs/gap new.cif

      gnnmat predict runs/gap candidates/ --output predictions.csv

      gnnmat predict runs/powder film.xy --wavelength CuKa
    """
    from gnnmat.api import load
    from gnnmat.atomic import write_atomically

    from .answers import has_hypotheses, print_hypotheses
    from .show import check_output, consoles

    out, err = consoles()
    check_output(output)
    predictor = load(run, samples=dropout)
    table = predictor.predict(samples, state=state_of(state), wavelength=wavelength, quiet=quiet)
    done = table[table["refused"] == ""]
    if output is not None:
        write_atomically(output, table.to_csv(index=False))
        out.print(f"Predictions: {output}", soft_wrap=True)
    elif has_hypotheses(done):
        print_hypotheses(out, done)
    else:
        _print(out, done)
    if "trust_score" in table:
        _print_verdicts(out, done)
    elif "in_domain" in table:
        _print_strangers(out, done)
    _print_asides(err, table)


def _print_asides(err: Console, table: pd.DataFrame) -> None:
    """What was mended while reading, and what was refused, at most twenty of each."""
    if "notes" in table:
        mended = table[table["notes"].fillna("") != ""].drop_duplicates("id")
        for _, row in mended.head(20).iterrows():
            err.print(f"mended   {row['id']}: {row['notes']}", markup=False, soft_wrap=True)
    refused = table[table["refused"] != ""]
    for _, row in refused.head(20).iterrows():
        err.print(f"refused  {row['id']}: {row['refused']}", markup=False, soft_wrap=True)
    if len(refused):
        err.print(f"{table['id'].nunique() - len(refused):,} predicted, {len(refused):,} refused")


def _print(out: Console, table: pd.DataFrame) -> None:
    from .columns import print_table

    # Of the probabilities only that of the predicted class, which says more than its score; the
    # CSV file has everything. The verdicts are sentences and stand below.
    hidden = {
        *("refused", "notes", "verdict"),
        *("in_distribution", "mutual_information", "trust_score"),
    }
    if "trust_score" not in table and "in_domain" in table and table["in_domain"].all():
        hidden.add("in_domain")  # nothing but the elements was looked at
    if "standard_error" in table:  # a score that ranks, and no chance
        hidden |= {"prediction", "probability"}
    elif "probability" in table:
        hidden.add("score")
    columns = [
        name
        for name in table.columns
        if name not in hidden
        and not name.startswith(("probability_", "score_"))
        and not (name in {"formula", "unit"} and (table[name] == "").all())
    ]
    expendable = [*EXPENDABLE, "target"] if table["target"].nunique() == 1 else EXPENDABLE
    rows = [
        dict(zip(columns, map(_cell, row), strict=True))
        for row in table[columns].itertuples(index=False)
    ]
    heads = {name: HEADS.get(name, name.replace("_", " ")) for name in columns}
    numbers = [n for n in columns if table[n].dtype.kind == "f" or n == "prediction"]
    aside = "; the CSV file (--output) has everything"
    print_table(out, heads, rows, numbers=numbers, expendable=expendable, elsewhere=aside)


def _cell(value: object) -> str:
    """A value as the terminal shows it; of a curve only how long it is and where its top lies."""
    from .columns import number

    if isinstance(value, tuple):
        top = max(range(len(value)), key=lambda place: value[place])
        return f"{len(value)} points, highest {value[top]:.3g} at point {top}"
    if str(value) in {"True", "False"}:  # of numpy, which need not be imported here
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else str(value)


def _print_strangers(out: Console, table: pd.DataFrame) -> None:
    """Why some crystals are out of domain though no thresholds were fixed, at most twenty."""
    each = table[~table["in_domain"].astype(bool)].drop_duplicates("id")
    for _, row in each.head(20).iterrows():
        out.print(f"{row['id']}: {row['verdict']}", markup=False, soft_wrap=True)


def _print_verdicts(out: Console, table: pd.DataFrame) -> None:
    """One sentence a sample, at most twenty, and how many may be trusted."""
    each = table.drop_duplicates("id")
    out.print()
    for _, row in each.head(20).iterrows():
        out.print(f"{row['id']}: {row['verdict']}", markup=False, soft_wrap=True)
    if len(each) > 1:
        name = "in_domain" if "in_domain" in each else "in_distribution"
        trusted = int(each[name].astype(bool).sum())
        out.print(f"{trusted:,} of {len(each):,} {name.replace('_', ' ')}")
