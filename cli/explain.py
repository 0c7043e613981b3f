"""``gnnmat explain``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .state import State, state_of

if TYPE_CHECKING:
    from rich.console import Console

Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="The page, NAME.html; for crystals also a table, NAME.csv, or a folder with pages, "
        "atoms.csv, bonds.csv and summary.csv. Default: NAME-explanation.html here; for several "
        "crystals the folder explanations.",
    ),
]
Method = Annotated[
    str,
    typer.Option(
        help="Of a crystal: exact (linear heads; the default there), features (default else) or "
        "elements. Of a spectrum: gradient_x_input (fast, the default), integrated_gradients "
        "(careful), grad_cam for networks whose last map covers the image, or cam, the exact "
        "one, if its mean goes into one linear layer."
    ),
]


def explain_command(
    run: Annotated[
        str, typer.Argument(help="Folder of a trained run or ensemble, or a shipped model's name.")
    ],
    samples: Annotated[
        list[str],
        typer.Argument(
            help="Crystal files or folders; for a model of spectra one file: .npz, .h5 or .nxs."
        ),
    ],
    output: Output = None,
    method: Method = "",
    target: Annotated[
        str, typer.Option(help="Of a crystal: the target to explain. Default: the first.")
    ] = "",
    label: Annotated[
        str, typer.Option("--class", help="Of a crystal: the class. Default: the predicted one.")
    ] = "",
    atom: Annotated[
        int | None,
        typer.Option(help="Of a crystal: whose value, from 0, if the run has one an atom."),
    ] = None,
    state: State = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Of crystals: also test the maps, against random weights among others."
        ),
    ] = False,
    simulation: Annotated[
        str,
        typer.Option(
            "--fit", help="Also fit the couplings with this simulation; takes minutes. Its name."
        ),
    ] = "",
) -> None:
    """Show on one page what in a crystal or a spectrum spoke for the answer.

    Of a crystal: what each atom and each bond adds, in 3D and as tables. Of a spectrum: what
    each pixel adds, and whether to trust the answer.

    [bold]Examples[/]

      gnnmat explain runs/gap new.cif

      gnnmat explain runs/gap candidates/ -o explained --check

      gnnmat explain pcsmo-exchange measured.npz

      gnnmat explain runs/mine measured.npz --fit configs/pcsmo.yaml -o page.html
    """
    from gnnmat.errors import GnnmatError
    from gnnmat.workflows.explaining import check_method, knows_crystals

    from .show import consoles

    out, err = consoles()
    crystals = knows_crystals(run)
    check_method(method or None, crystals=crystals)
    if not crystals:
        if len(samples) > 1:
            raise GnnmatError("One spectrum is explained at a time.")
        if target or label or atom is not None or state or check:
            raise GnnmatError(
                "--target, --class, --atom, --state and --check are for crystals; this run knows "
                "spectra."
            )
        _spectrum(out, run, Path(samples[0]), output, method, simulation)
        return
    if simulation:
        raise GnnmatError("--fit is for spectra, and this run knows crystals.")
    options: dict[str, object] = {
        "target": target or None,
        "label": label or None,
        "method": method or None,
    }
    options |= {"atom": atom, "state": state_of(state)}
    _crystals(out, err, run, samples, output, options, check=check)


def _crystals(
    out: Console,
    err: Console,
    run: str,
    samples: list[str],
    output: Path | None,
    options: dict[str, object],
    *,
    check: bool,
) -> None:
    from gnnmat.workflows.explain_crystal import explain_crystals
    from gnnmat.workflows.explain_crystal_files import check_page, write_explanations

    from .show import check_output

    if output is not None:
        check_page(output, len(samples))
    if output is not None and output.suffix in (".csv", ".html", ".htm"):
        check_output(output)
    found = explain_crystals(run, samples, **options)  # type: ignore[arg-type]
    written = write_explanations(found, output, model=run)
    for one in list(found)[:20]:
        parts = one.found.atoms
        words = (
            f"{one.id}: {one.found.answer.words} = {parts.answer:.5g}, from {parts.baseline:.5g}"
        )
        out.print(words, markup=False, soft_wrap=True)
        sums = one.atoms.groupby("element", sort=False)["contribution"].sum()
        shares = ", ".join(f"{name} {value:+.3g}" for name, value in sums.items())
        out.print(f"  {shares}", markup=False, soft_wrap=True)
        if one.nearest:
            near = ", ".join(f"{x.id} {x.formula} ({x.distance:.2g})" for x in one.nearest[:3])
            out.print(f"  nearest positives: {near}", markup=False, soft_wrap=True)
    for refused in found.refused[:20]:
        err.print(f"refused  {refused.id}: {refused.reason}", markup=False, soft_wrap=True)
    if check:
        from gnnmat.workflows.explain_crystal_checks import check_explanations

        _print_checks(out, check_explanations(run, found))
    kind = {".csv": "Table: ", ".html": "Page:  "}.get(written[0].suffix, "Files: ")
    several = len(written) > 1
    shown = written[0].parent if several else written[0]
    out.print(f"{'Folder:' if several else kind} {shown}", markup=False, soft_wrap=True)


def _print_checks(out: Console, checks: object) -> None:
    from rich.table import Table

    from gnnmat.workflows.explain_crystal_checks import Check

    assert isinstance(checks, list)
    table = Table(box=None, pad_edge=False)
    for name in ("check", "found", "wanted", ""):
        table.add_column(name, justify="right" if name == "found" else "left", overflow="fold")
    for one in checks:
        assert isinstance(one, Check)
        table.add_row(one.name, one.shown, one.wanted, one.verdict)
    out.print()
    out.print(table)
    out.print()


def _spectrum(
    out: Console, run: str, spectrum: Path, output: Path | None, method: str, simulation: str
) -> None:
    from dataclasses import replace

    from gnnmat.simulation.hypotheses import find_simulation, load_simulation
    from gnnmat.workflows.explain import explain, write_page

    from .show import check_output

    page = output or Path(f"{spectrum.stem}-explanation.html")
    check_output(page)
    if simulation:
        find_simulation(simulation)
    found = explain(run, spectrum, method=method or "gradient_x_input")  # type: ignore[arg-type]
    if simulation:
        from gnnmat.spectra_api import fit_spectrum
        from gnnmat.workflows.fit_start import knows_couplings

        start = run if knows_couplings(run, load_simulation(simulation)) else "search"
        fit = fit_spectrum(spectrum, simulation, start=start, progress=True)
        found = replace(found, fit=fit)
    write_page(found, page, model=run)
    scores = ", ".join(f"{name} {score:.3g}" for name, score in found.scores.items())
    out.print(f"Answer:   {found.label} ({scores})", markup=False, soft_wrap=True)
    out.print(f"Verdict:  {found.verdict}", markup=False, soft_wrap=True)
    out.print(f"Page:     {page}", markup=False, soft_wrap=True)
