"""``gnnmat audit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from gnnmat.workflows.label_audit import LabelAudit

OUTPUT = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write all labels to this .csv, or a page to this .html."),
]


def audit_command(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders of gnnmat crossval (best), ensembles or runs, one data set."),
    ],
    target: Annotated[str | None, typer.Option("--target", help="Only this one.")] = None,
    scale: Annotated[
        str,
        typer.Option(
            "--scale", help="linear: differences count; log: factors; learned: as it was trained."
        ),
    ] = "learned",
    top: Annotated[int, typer.Option("--top", min=1, help="Rows to show.")] = 20,
    output: OUTPUT = None,
) -> None:
    """List labels that models which have not seen them agree to be wrong.

    Several cross-validations with other seeds let several models judge every label.

    [bold]Examples[/]

      gnnmat audit runs/moduli-crossval

      gnnmat audit runs/cv-0 runs/cv-1 runs/cv-2 --top 50 --output suspects.csv
    """
    from gnnmat.errors import GnnmatError
    from gnnmat.workflows.label_audit import audit_labels

    from .show import consoles

    if output is not None and output.suffix not in {".csv", ".html"}:
        raise GnnmatError(f"{output}: expected a name that ends in .csv or .html.")
    out, _ = consoles()
    if scale not in ("learned", "linear", "log"):
        raise GnnmatError(f"--scale {scale}: expected learned, linear or log.")
    found = audit_labels(runs, target=target, scale=scale)  # type: ignore[arg-type]
    _show(out, found, top)
    if output is not None:
        from gnnmat.atomic import write_atomically
        from gnnmat.workflows.audit_page import audit_page

        is_page = output.suffix == ".html"
        text = audit_page(found, top) if is_page else found.table.to_csv(index=False)
        write_atomically(output, text)
        out.print(f"Written to {output}", soft_wrap=True)


def _show(out: Console, found: LabelAudit, top: int) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("id", "formula", "target"):
        table.add_column(name, overflow="fold")
    for name in ("label", "prediction", "spread", "score"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("reason", overflow="fold", ratio=1)
    for row in found.table.head(top).to_dict("records"):
        one = row["voices"] < 2
        table.add_row(
            *(escape(str(row[name])) for name in ("id", "formula", "target")),
            f"{row['label']:.4g} {row['unit']}".rstrip(),
            f"{row['prediction']:.4g}",
            "" if one else f"{row['spread']:.2g}",
            f"[bold]{row['score']:.1f}[/]" if row["suspect"] else f"{row['score']:.1f}",
            escape(row["reason"]),
        )
    out.print(table)
    count = len(found.suspects)
    out.print(
        f"\n{count:,} of {len(found.table):,} labels are suspect: more than five usual errors "
        "from every model. A label is not wrong because models are surprised: look at it.",
        soft_wrap=True,
    )
    for note in found.notes:
        out.print(f"Note: {note}", markup=False, highlight=False, soft_wrap=True)
