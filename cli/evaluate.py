"""``gnnmat evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .own_data import Quiet, Structures, Targets


def evaluate_command(
    run: Annotated[Path, typer.Argument(help="Folder of a trained run.")],
    structures: Structures = None,
    targets: Targets = None,
    table: Annotated[
        str | None,
        typer.Option("--table", help="Instead: a parquet, jsonl or CSV table of crystals."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write predictions to this CSV file.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Score a trained run; without new data, show the scores it was stored with.

    [bold]Examples[/]

      gnnmat evaluate runs/gap

      gnnmat evaluate runs/gap --structures new/ --targets measured.csv
    """
    from gnnmat.atomic import write_atomically
    from gnnmat.errors import GnnmatError
    from gnnmat.sources.files import FilesSource
    from gnnmat.sources.table import TableSource
    from gnnmat.workflows.evaluating import evaluate_run
    from gnnmat.workflows.run_folder import open_run

    from .show import check_output, consoles, print_refused, print_scores

    out, _ = consoles()
    check_output(output)
    if structures is None and table is None:
        if targets is not None:
            raise GnnmatError("--targets needs --structures.", fix="Name the crystals.")
        stored = open_run(run)
        print_scores(out, stored.metrics, stored.baselines)
        return
    source: FilesSource | TableSource
    if table is not None:
        source = TableSource(path=table)
    else:
        values = None if targets is None else str(targets)
        source = FilesSource(structures=tuple(structures or ()), targets=values)
    found = evaluate_run(run, source.open(), quiet=quiet)
    print_refused(out, found.predictions["id"].nunique(), len(found.refused), "the table below")
    for one in found.refused[:20]:
        out.print(f"refused  {one.id}: {one.reason}", markup=False, soft_wrap=True)
    print_scores(out, found.metrics)
    if output is not None:
        write_atomically(output, found.predictions.to_csv(index=False))
        out.print(f"Predictions: {output}", soft_wrap=True)
