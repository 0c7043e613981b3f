"""``gnnmat trust``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .own_data import Quiet

if TYPE_CHECKING:
    from rich.console import Console

    from gnnmat.train.trust import Trust


def trust_command(
    run: Annotated[Path, typer.Argument(help="Folder of a trained run or ensemble.")],
    false_refusal: Annotated[
        float,
        typer.Option("--false-refusal", help="Share of validation rows that may be refused."),
    ] = 0.05,
    scores: Annotated[
        list[str] | None,
        typer.Option("--score", help="A score that counts; may be repeated. Default: all."),
    ] = None,
    dropout: Annotated[
        int, typer.Option("--dropout-samples", min=0, help="Draws of dropout a member.")
    ] = 0,
    draws: Annotated[
        int, typer.Option("--draws", min=1, help="Looks at each validation row, other noise each.")
    ] = 1,
    coverage: Annotated[
        float, typer.Option("--coverage", help="Share of true numbers inside their intervals.")
    ] = 0.9,
    quiet: Quiet = False,
) -> None:
    """Fix on validation rows what is usual, and how far numbers may be off.

    Predict then says when not to trust, and puts an interval around every number.

    [bold]Examples[/]

      gnnmat trust runs/gap --coverage 0.95

      gnnmat trust runs/pcsmo --false-refusal 0.01 --score duq --score distance
    """
    from gnnmat.workflows.trust import fit_trust
    from gnnmat.workflows.uncertainty import read_uncertainty

    from .show import consoles, sample_file

    out, _ = consoles()
    trust = fit_trust(
        run,
        false_refusal=false_refusal,
        coverage=coverage,
        scores=scores,
        samples=dropout,
        draws=draws,
        quiet=quiet,
    )
    _print_scores(out, trust)
    calibration = trust.facts["calibration"]
    if calibration:
        before, after = (calibration[when]["ece"] for when in ("before", "after"))
        out.print(
            f"\nTemperature {trust.temperature:.3g}: calibration error {before:.3f} before, "
            f"{after:.3f} after"
        )
    rows = trust.facts["rows"]["val"]
    out.print(
        f"{false_refusal:.1%} of {rows:,} validation rows are refused by all scores together."
    )
    for reason in trust.facts["without_interval"].values():
        out.print(f"No interval: {reason}", markup=False, soft_wrap=True)
    report = read_uncertainty(run)
    if report is not None:
        _print_intervals(out, report, run)
    out.print(f"\nTry next:  gnnmat predict {run} {sample_file(run)}", soft_wrap=True)


def _print_scores(out: Console, trust: Trust) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("score", "usual", "trusted up to", "counts"):
        table.add_column(name, justify="left" if name in {"score", "counts"} else "right")
    for name, usual in trust.usual.items():
        middle = float(usual.values[len(usual.values) // 2])
        counts = "yes" if name in trust.used else "no"
        table.add_row(name, f"{middle:.4g}", f"{trust.threshold(name):.4g}", counts)
    out.print(table)


def _print_intervals(out: Console, report: Mapping[str, Any], run: Path) -> None:
    """Coverage, sharpness and what equally wide intervals would have given, part by part."""
    from rich.table import Table

    from gnnmat.pages.uncertainty import PARTS

    out.print(f"\n{report['coverage']:.0%} intervals, scaled by the spread of each crystal:\n")
    table = Table(box=None, pad_edge=False)
    names = ["target", "judged on", "coverage", "worst fifth", "mean width"]
    names += ["plain: worst fifth", "mean width", "unit"]
    for name in names:
        left = name in {"target", "judged on", "unit"}
        table.add_column(name, justify="left" if left else "right", overflow="fold")
    for one in report["targets"]:
        for part, found in one["parts"].items():
            scaled, constant = found["scaled"], found["constant"]
            error = "" if scaled["se"] is None else f" ± {100 * scaled['se']:.1f}"
            table.add_row(
                one["target"],
                f"{scaled['rows']:,} {PARTS[part].partition(',')[0]}",
                f"{scaled['coverage']:.1%}{error}",
                f"{scaled['worst_fifth']:.1%}",
                f"{scaled['mean_width']:.4g}",
                f"{constant['worst_fifth']:.1%}",
                f"{constant['mean_width']:.4g}",
                one["unit"],
            )
    out.print(table)
    kinds = {one["spread_means"] for one in report["targets"]}
    out.print(f"\nSpread: {'; '.join(sorted(kinds))}. Plain intervals are equally wide.")
    out.print(report["note"])
    out.print(f"Report:    {run / 'uncertainty.html'}", soft_wrap=True)
