"""``gnnmat simulate diffraction``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .own_data import Quiet

MOST_LISTED = 20  # lines on the terminal


def simulate_diffraction_command(
    structures: Annotated[
        list[str],
        typer.Argument(help="Crystal files, folders, patterns, or tables (.parquet, .csv)."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder.")] = Path("patterns"),
    radiation: Annotated[
        str, typer.Option("--radiation", help="xray, neutron or electron.")
    ] = "xray",
    wavelength: Annotated[
        str | None,
        typer.Option(
            "--wavelength",
            "-w",
            help="A line such as CuKa or MoKa1, or Å. Default: CuKa; neutrons 1.54; electrons "
            "0.02508 Å (200 keV).",
            show_default=False,
        ),
    ] = None,
    doublet: Annotated[
        bool, typer.Option("--doublet", help="Draw K-alpha 1 and 2 instead of their mean.")
    ] = False,
    start: Annotated[
        float | None, typer.Option("--from", help="First angle, degrees; with --q 1/Å.")
    ] = None,
    stop: Annotated[float | None, typer.Option("--to", help="Last angle, likewise.")] = None,
    step: Annotated[float | None, typer.Option("--step", help="Between two points.")] = None,
    q: Annotated[bool, typer.Option("--q", help="Steps of Q instead of 2 theta.")] = False,
    width: Annotated[
        float | None,
        typer.Option("--width", help="Full width of the instrument's peaks, degrees."),
    ] = None,
    size: Annotated[
        float | None, typer.Option("--size", help="Of the crystallites, Å. Default: endless.")
    ] = None,
    u: Annotated[
        float, typer.Option("--u", help="Of Caglioti's widths, degrees^2; W is --width squared.")
    ] = 0.0,
    v: Annotated[float, typer.Option("--v", help="Likewise.")] = 0.0,
    microstrain: Annotated[
        float, typer.Option("--microstrain", help="Of the crystallites, a pure number.")
    ] = 0.0,
    b_factor: Annotated[
        float, typer.Option("--b-factor", help="Of Debye and Waller, for all atoms, Å^2.")
    ] = 0.0,
    mixture: Annotated[
        str, typer.Option("--mixture", help="Shares of mass to draw together: NaCl=0.7,Si=0.3.")
    ] = "",
    debye: Annotated[
        float | None,
        typer.Option("--debye", help="Radius in Å of a ball of atoms to draw instead."),
    ] = None,
    fingerprint: Annotated[
        bool, typer.Option("--fingerprint", help="Also two-dimensional views of a cluster.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Draw the powder pattern of each crystal: peaks, columns, pictures, one page.

    [bold]Examples[/]

      gnnmat simulate diffraction NaCl.cif Si.cif -o patterns

      gnnmat simulate diffraction cifs/ --doublet --size 300 --from 10 --to 80

      gnnmat simulate diffraction cifs/ --radiation neutron --q --from 0.5 --to 8

      gnnmat simulate diffraction NaCl.cif Si.cif --mixture NaCl=0.7,Si=0.3 --fingerprint
    """
    from gnnmat.diffraction_api import simulate_diffraction

    from .show import consoles, print_refused

    out, err = consoles()
    made = simulate_diffraction(
        structures,
        output,
        radiation=radiation,
        wavelength=wavelength,
        doublet=doublet,
        start=start,
        stop=stop,
        step=step,
        q=q,
        width=width,
        size=size,
        u=u,
        v=v,
        microstrain=microstrain,
        b_factor=b_factor,
        mixture=mixture,
        debye=debye,
        fingerprint=fingerprint,
        progress=not quiet,
    )
    for row in made.summary.head(MOST_LISTED).itertuples():
        words = f"{row.id}: {row.formula}, {row.peaks:,} peaks"
        if row.peaks:
            words += f", the strongest at {row.strongest_two_theta:.3f} degrees"
        out.print(words, markup=False, soft_wrap=True)
    if len(made.summary) > MOST_LISTED:
        out.print(f"... and {len(made.summary) - MOST_LISTED:,} more, see summary.csv")
    for one in made.refused[:MOST_LISTED]:
        err.print(f"refused  {one.id}: {one.reason}", markup=False, soft_wrap=True)
    print_refused(out, len(made.summary), len(made.refused), made.folder / "refused.csv")
    out.print(f"Page:    {made.page}", markup=False, soft_wrap=True)
