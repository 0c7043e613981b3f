"""``gnnmat fit-spectrum``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .own_data import Quiet, Settings


def fit_spectrum_command(
    spectrum: Annotated[Path, typer.Argument(help="File of a spectrum.")],
    simulation: Annotated[
        str,
        typer.Option(
            "--simulation", "-s", help="YAML file with instrument and hypotheses, or a name."
        ),
    ] = "pcsmo",
    start: Annotated[
        str,
        typer.Option(
            "--start",
            help="'search' the ranges, or a trained run (folder or name) that knows couplings.",
        ),
    ] = "search",
    mask: Annotated[
        Path | None,
        typer.Option("--mask", help="File of pixels without a detector, .npy or .npz."),
    ] = None,
    hypothesis: Annotated[
        list[str] | None, typer.Option("--hypothesis", help="Fit this one only; may be repeated.")
    ] = None,
    next_ei: Annotated[
        list[float] | None,
        typer.Option("--next-ei", help="Incident energy to judge as the next, meV; repeatable."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for tables and images.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a fit.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Decides every draw.")] = 0,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:1.")] = "auto",
    settings: Settings = None,
    quiet: Quiet = False,
) -> None:
    """Fit the couplings of every hypothesis to a spectrum, and say which one holds.

    [bold]Examples[/]

      gnnmat fit-spectrum measured.npz

      gnnmat fit-spectrum measured.npz -s mine.yaml --hypothesis dimer -o fits/dimer

      gnnmat fit-spectrum measured.npz --mask detectors.npz

      gnnmat fit-spectrum measured.npz --start pcsmo-exchange --next-ei 60
    """
    from gnnmat.spectra_api import fit_spectrum

    from .show import consoles

    out, _ = consoles()
    result = fit_spectrum(
        spectrum,
        simulation,
        start=start,
        mask=mask,
        hypotheses=hypothesis or (),
        incident_energies=next_ei or (),
        output=output,
        overwrite=overwrite,
        seed=seed,
        device=device,
        settings=settings or (),
        progress=not quiet,
    )
    _print(out, result)


def _print(out: object, result: object) -> None:
    from rich.markup import escape
    from rich.table import Table

    print_ = out.print  # type: ignore[attr-defined]
    for fit, odds in zip(result.fits, result.odds, strict=True):  # type: ignore[attr-defined]
        table = Table(box=None, pad_edge=False)
        for name in ("coupling", "value", "error", "unit", ""):
            table.add_column(name, justify="right" if name in ("value", "error") else "left")
        for place, name in enumerate(fit.couplings):
            limit = "at the end of its range" if fit.at_bound[place] else ""
            value, error = f"{fit.values[place]:.4f}", f"{fit.errors[place]:.4f}"
            table.add_row(escape(name), value, error, "meV", limit)
        print_(f"[bold]{escape(fit.hypothesis)}[/]  {escape(fit.verdict)}")
        print_(table)
        if fit.blind:
            print_(f"The spectrum says nothing of {escape(', '.join(fit.blind))}.")
        for exchange in result.exchanges[fit.hypothesis]:  # type: ignore[attr-defined]
            pairs = " and ".join(f"{a} with {b}" for a, b in exchange)
            print_(f"The image is the same after exchanging {escape(pairs)}.")
        if len(result.fits) > 1:  # type: ignore[attr-defined]
            behind = f"; slices left out: {-odds.behind:,.0f} +- {odds.behind_error:,.0f}"
            print_(f"Odds: 10^{odds.log10_odds:.1f} to 1{behind if odds.behind else ''}")
        print_()
    print_(escape(result.conclusion), soft_wrap=True)  # type: ignore[attr-defined]
    advice = result.advice  # type: ignore[attr-defined]
    if len(advice):
        print_("\nWhat tells the two leading hypotheses apart (chi^2 for the same counting):")
        for row in advice.head(4).itertuples():
            print_(f"  {escape(row.what)}: {row.separation:,.0f}")
        fine = advice[~advice["what"].str.endswith("all slices")].head(3)
        for row in fine.itertuples():
            print_(f"  {escape(row.what)}: {row.per_pixel:,.2f} a pixel")
    if result.folder is not None:  # type: ignore[attr-defined]
        page = result.folder / "fit.html"  # type: ignore[attr-defined]
        print_(f"\nTo look at: {page}; tables and images beside it.", soft_wrap=True)
