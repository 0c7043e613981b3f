"""``gnnmat screen``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .own_data import Quiet, Settings

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from gnnmat.workflows.screening.result import ScreenRun

RECIPE = "superhard"


def screen_command(
    recipe: Annotated[
        str | None,
        typer.Argument(
            help="A YAML file with stages, or the name of a shipped one. Default: superhard.",
            show_default=False,
        ),
    ] = None,
    structures: Annotated[
        list[str] | None,
        typer.Option(
            "--structures",
            "-s",
            help="Candidates instead of the recipe's: a folder, a file, a pattern, a table of "
            "structures, or the name of a data set. May be repeated.",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the first candidates.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder of the screen. Default: runs/NAME.", show_default=False
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            envvar="GNNMAT_ENGINE",
            help="local, or ray (pip install 'gnnmat\\[ray]').",
        ),
    ] = "local",
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes. Default: one a core.")
    ] = None,
    propose: Annotated[
        int,
        typer.Option("--propose", min=0, help="Name so many candidates to compute next."),
    ] = 0,
    objective: Annotated[
        str | None,
        typer.Option("--objective", help="Column to propose by. Default: what is ranked by."),
    ] = None,
    stages: Annotated[
        bool, typer.Option("--stages", help="List the stages there are, with their options.")
    ] = False,
    settings: Settings = None,
    quiet: Quiet = False,
) -> None:
    """From many candidates to a shortlist, in stages; give the same command to go on.

    A recipe names where candidates come from and what is asked of them: filters, predictions of
    any run, formulas, a hull, a relaxation, an order. Each stage says what came in, what was
    dropped and why. The folder holds the shortlist as a table and as CIF files, all candidates
    with what was said of them, and a page.

    [bold]Examples[/]

      gnnmat screen superhard -o runs/hard

      gnnmat screen --stages

      gnnmat screen superhard --structures my_crystals/ -o runs/hard

      gnnmat screen superhard --set stages.best.keep=20 --engine ray
    """
    from gnnmat.engine import spread_by
    from gnnmat.workflows.screening.config import load_screen, source_of
    from gnnmat.workflows.screening.paging import safe_name
    from gnnmat.workflows.screening.run import screen

    from .show import consoles

    out, err = consoles()
    if stages:
        _list_stages(out)
        return
    overrides = [] if limit is None else [f"limit={limit}"]
    if structures:
        overrides.append(f"source={source_of(structures)}")
    config = load_screen(recipe or RECIPE, [*overrides, *(settings or [])])
    folder = output or Path("runs") / safe_name(config.name)
    with spread_by(engine):
        found = screen(config, folder, workers=workers, console=None if quiet else err)
    _funnel(out, found.summary)
    _first(out, found.shortlist, found.summary["units"])
    for note in found.summary["notes"]:
        out.print(f"Note: {note}", soft_wrap=True, markup=False)
    if propose:
        _propose(out, found, propose, objective)
    out.print(f"\nShortlist:  {folder / 'shortlist.csv'}", soft_wrap=True)
    out.print(f"Crystals:   {folder / 'shortlist'}", soft_wrap=True)
    out.print(f"Page:       {found.report}", soft_wrap=True)


def _funnel(out: Console, summary: dict[str, Any]) -> None:
    """A line a stage: how many came in, how many are left, and the commonest reasons."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head, side in (("stage", "left"), ("in", "right"), ("left", "right"), ("dropped", "left")):
        table.add_column(head, justify="right" if side == "right" else "left", overflow="fold")
    if summary["unread"]:
        why = _reasons(summary["unread_because"])
        count = summary["candidates"]
        table.add_row("read", f"{count + summary['unread']:,}", f"{count:,}", escape(why))
    for one in summary["stages"]:
        why = escape(_reasons(one["dropped"]))
        table.add_row(escape(one["stage"]), f"{one['into']:,}", f"{one['out']:,}", why)
    out.print(table)


def _reasons(counts: dict[str, int]) -> str:
    shown = [f"{count:,} {reason}" for reason, count in list(counts.items())[:3]]
    more = len(counts) - len(shown)
    return "; ".join(shown) + (f"; {more} other reasons" if more > 0 else "")


def _first(out: Console, shortlist: pd.DataFrame, units: dict[str, str]) -> None:
    """The first of the shortlist, with the columns that have a unit."""
    from .columns import print_table

    names = [name for name in units if name in shortlist]
    rows = [
        {name: _cell(row[name]) for name in ("id", "formula", *names)}
        for _, row in shortlist.head(10).iterrows()
    ]
    heads = {"id": "id", "formula": "formula"}
    heads |= {name: f"{name} {units[name]}".strip() for name in names}
    out.print()
    print_table(
        out, heads, rows, numbers=names, expendable=names[::-1], elsewhere="; shortlist.csv has all"
    )


def _cell(value: object) -> str:
    from .columns import number

    return number(value) if isinstance(value, float) else str(value)


def _propose(out: Console, found: ScreenRun, count: int, objective: str | None) -> None:
    """The next candidates to compute, also as a table in the folder."""
    from gnnmat.atomic import write_atomically
    from gnnmat.workflows.screening.paging import csv_text

    from .columns import print_table

    table = found.propose(count, objective=objective)
    path = write_atomically(found.folder / "proposed.csv", csv_text(table))
    name = str(table.columns[-1])
    rows = [
        {one: _cell(row[one]) for one in ("id", "formula", name, "acquisition", "why")}
        for _, row in table.head(20).iterrows()
    ]
    heads = {one: one for one in ("id", "formula", name, "acquisition", "why")}
    out.print("\nTo compute next:")
    print_table(
        out, heads, rows, numbers=(name, "acquisition"), expendable=("why",), elsewhere=f"; {path}"
    )


def _list_stages(out: Console) -> None:
    """Every stage with what it does, and its options with their defaults."""
    from gnnmat.train.unions import members
    from gnnmat.workflows.screening.stages.union import AnyStage

    for kind, stage in members(AnyStage).items():
        first = " ".join((stage.__doc__ or "").partition("\n\n")[0].split())
        out.print(f"[bold]{kind}[/]  {first}", soft_wrap=True)
        for name, field in stage.model_fields.items():
            if name in ("kind", "name"):
                continue
            given = "needed"
            if not field.is_required():
                given = f"default {field.get_default(call_default_factory=True)!r}"
            text = f"    {name} ({given}): {field.description}"
            out.print(text, markup=False, highlight=False, soft_wrap=True)
