"""``gnnmat match``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .own_data import Quiet

if TYPE_CHECKING:
    from rich.console import Console

    from gnnmat.workflows.diffraction.match import Match


def match_command(
    pattern: Annotated[
        Path, typer.Argument(help="Measured: .xy, .xye, .txt, .csv, .xrdml, .ras or .brml.")
    ],
    among: Annotated[
        list[str],
        typer.Option(
            "--among",
            "-a",
            help="Known crystals: table (.parquet, .csv), folder, file. May be repeated.",
        ),
    ],
    wavelength: Annotated[
        str | None,
        typer.Option(
            "--wavelength",
            "-w",
            help="If the file does not say it: CuKa (a tube), CuKa1 (a monochromator), or Å.",
        ),
    ] = None,
    radiation: Annotated[
        str | None,
        typer.Option(
            "--radiation",
            help="xray or neutron. Default: what the file says, else xray.",
            show_default=False,
        ),
    ] = None,
    elements: Annotated[
        str,
        typer.Option(
            "--elements", "-e", help="Only crystals made of these and no others: Cs,Pb,I,Br."
        ),
    ] = "",
    top: Annotated[int, typer.Option("--top", min=1, max=100, help="Candidates to refine.")] = 10,
    strain: Annotated[
        float, typer.Option("--strain", help="Largest relative change of lengths in the search.")
    ] = 0.02,
    zero: Annotated[
        float, typer.Option("--zero", help="Largest zero shift in the search, degrees.")
    ] = 0.2,
    texture: Annotated[
        bool,
        typer.Option(
            "--texture/--no-texture",
            help="Refine a preferred orientation where it explains much more.",
        ),
    ] = True,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            "-r",
            help="A model of powder patterns: what it finds most like the pattern is refined, too.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Page; a table and a picture are written beside it. Default: NAME-match.html.",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Find the known crystal of a measured powder pattern, and refine its lattice.

    Every crystal is simulated once and kept in the cache. The best are refined by least squares
    through the simulator, and shown over the pattern.

    [bold]Examples[/]

      gnnmat match film.xy --among crystals.parquet --elements Cs,Ag,Bi,Br -w CuKa

      gnnmat match scan.xrdml --among cifs/ --top 5 -o scan.html

      gnnmat match film.xy --among cifs/ -w CuKa --run powder-crystal-system
    """
    from gnnmat.diffraction_api import match_pattern
    from gnnmat.errors import GnnmatError

    from .show import check_output, consoles

    page = output or Path(f"{pattern.stem}-match.html")
    if page.suffix.lower() not in (".html", ".htm"):
        raise GnnmatError(f"The page {page} does not end in .html.", fix="-o scan.html")
    check_output(page)
    out, err = consoles()
    found = match_pattern(
        pattern,
        among,
        wavelength=wavelength,
        radiation=radiation,
        elements=[one.strip() for one in elements.split(",") if one.strip()],
        top=top,
        strain=strain,
        zero=zero,
        texture=texture,
        run=run,
        output=page,
        progress=not quiet,
    )
    for text in found.notes:
        err.print(f"Note: {text}", markup=False, soft_wrap=True)
    for one in found.refused[:20]:
        err.print(f"refused  {one.id}: {one.reason}", markup=False, soft_wrap=True)
    searched = f"{found.searched:,} crystals searched"
    out.print(f"{searched}, {len(found.refused):,} refused\n", soft_wrap=True)
    _print(out, found, page.with_suffix(".csv"))
    out.print(f"\nPage:  {page}", markup=False, soft_wrap=True)


def _print(out: Console, found: Match, table: Path) -> None:
    from gnnmat.workflows.diffraction.match_files import lattice_words

    from .columns import print_table

    heads = {
        "rank": "",
        "id": "id",
        "formula": "formula",
        "group": "space group",
        "similarity": "similarity",
        "search": "search",
        "r_wp": "R_wp",
        "lattice": "lattice (Å, degrees)",
    }
    if any(one.embedding is not None for one in found.candidates):
        heads["network"] = "network"
    rows = [
        {
            "rank": str(place),
            "id": one.phase.id,
            "formula": one.phase.formula,
            "group": one.cell.symbol,
            "similarity": f"{one.similarity:.3f}",
            "search": f"{one.score:.3f}",
            "r_wp": f"{100 * one.refined.r_wp:.1f}%",
            "lattice": lattice_words(one),
            "network": "" if one.embedding is None else f"{one.embedding:.2f}",
        }
        for place, one in enumerate(found.candidates, start=1)
    ]
    numbers = ("rank", "similarity", "search", "r_wp", "network")
    hidden = ("search", "lattice")
    print_table(out, heads, rows, numbers=numbers, expendable=hidden, elsewhere=f"; all in {table}")
