"""``gnnmat trust``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .own_data import Quiet


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
    quiet: Quiet = False,
) -> None:
    """Fix on validation rows what is in distribution; predict then says when not to trust.

    [bold]Examples[/]

      gnnmat trust runs/pcsmo

      gnnmat trust runs/pcsmo --false-refusal 0.01 --score duq --score distance
    """
    from rich.table import Table

    from gnnmat.workflows.trust import fit_trust

    from .show import consoles

    out, _ = consoles()
    trust = fit_trust(
        run,
        false_refusal=false_refusal,
        scores=scores,
        samples=dropout,
        draws=draws,
        quiet=quiet,
    )
    table = Table(box=None, pad_edge=False)
    for name in ("score", "usual", "trusted up to", "counts"):
        table.add_column(name, justify="left" if name in {"score", "counts"} else "right")
    for name, usual in trust.usual.items():
        middle = float(usual.values[len(usual.values) // 2])
        counts = "yes" if name in trust.used else "no"
        table.add_row(name, f"{middle:.4g}", f"{trust.threshold(name):.4g}", counts)
    out.print(table)
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
    out.print(f"\nTry next:  gnnmat predict {run} {_sample(run)}", soft_wrap=True)


def _sample(run: Path) -> str:
    from .show import reads_spectra

    return "YOUR_SPECTRUM.npz" if reads_spectra(run) else "YOUR_CRYSTAL.cif"
