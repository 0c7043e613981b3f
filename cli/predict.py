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
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state",
            help="NAME=VALUE of a state that the model was trained with: --state temperature=300.",
        ),
    ] = None,
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
    """
    from gnnmat.api import load
    from gnnmat.atomic import write_atomically

    from .answers import has_hypotheses, print_hypotheses
    from .show import check_output, consoles

    out, err = consoles()
    check_output(output)
    predictor = load(run, samples=dropout)
    table = predictor.predict(samples, state=_state(state or []), quiet=quiet)
    refused = table[table["refused"] != ""]
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
    for _, row in refused.head(20).iterrows():
        err.print(f"refused  {row['id']}: {row['refused']}", markup=False, soft_wrap=True)
    if len(refused):
        err.print(f"{table['id'].nunique() - len(refused):,} predicted, {len(refused):,} refused")


def _print(out: Console, table: pd.DataFrame) -> None:
    from rich.table import Table

    # Of the probabilities only that of the predicted class, which says more than its score; the
    # CSV file has everything. The verdicts are sentences and stand below.
    hidden = {"refused", "verdict", "in_distribution", "mutual_information"}
    if "trust_score" not in table and "in_domain" in table and table["in_domain"].all():
        hidden.add("in_domain")  # nothing but the elements was looked at
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
        shown.add_row(*(_cell(value) for value in row))
    out.print(shown)


def _state(pairs: list[str]) -> dict[str, str]:
    """Values by name.

    Raises:
        GnnmatError: no equals sign.
    """
    from gnnmat.errors import GnnmatError

    for pair in pairs:
        if "=" not in pair:
            raise GnnmatError(
                f"--state {pair}: expected NAME=VALUE.", fix="For example --state temperature=300"
            )
    return {name.strip(): value.strip() for name, _, value in (p.partition("=") for p in pairs)}


def _cell(value: object) -> str:
    """A value as the terminal shows it; of a curve only how long it is and where its top lies."""
    if isinstance(value, tuple):
        top = max(range(len(value)), key=lambda place: value[place])
        return f"{len(value)} points, highest {value[top]:.3g} at point {top}"
    if str(value) in {"True", "False"}:  # of numpy, which need not be imported here
        return "yes" if value else "no"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


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
