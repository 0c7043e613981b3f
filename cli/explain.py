"""``gnnmat explain``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .state import State, Wavelength, state_of

if TYPE_CHECKING:
    from rich.console import Console

Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="The page, NAME.html; for crystals also a table, NAME.csv, or a folder with pages, "
        "atoms.csv, bonds.csv and summary.csv; for patterns also NAME.png and NAME.csv. Default: "
        "NAME-explanation.html here; for several crystals the folder explanations.",
    ),
]
Method = Annotated[
    str,
    typer.Option(
        help="Of a crystal: exact (linear heads; the default there), features (default else) or "
        "elements. Of a spectrum or a pattern: gradient_x_input (fast, the default), "
        "integrated_gradients (careful), grad_cam for networks whose last map covers the image, "
        "cam, the exact one, if its mean goes into one linear layer, guided_backprop or "
        "deconvolution."
    ),
]


def explain_command(
    run: Annotated[
        str, typer.Argument(help="Folder of a trained run or ensemble, or a shipped model's name.")
    ],
    samples: Annotated[
        list[str],
        typer.Argument(
            help="Crystal files or folders; for a model of spectra one file: .npz, .h5 or .nxs; "
            "for one of diffraction a measured pattern or a crystal."
        ),
    ],
    output: Output = None,
    method: Method = "",
    target: Annotated[
        str, typer.Option(help="Of a crystal: the target to explain. Default: the first.")
    ] = "",
    label: Annotated[
        str,
        typer.Option(
            "--class", help="Of a crystal or a pattern: the class. Default: the predicted one."
        ),
    ] = "",
    atom: Annotated[
        int | None,
        typer.Option(help="Of a crystal: whose value, from 0, if the run has one an atom."),
    ] = None,
    state: State = None,
    wavelength: Wavelength = None,
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
    """Show on one page what in a crystal, a spectrum or a pattern spoke for the answer.

    Of a crystal: what each atom and each bond adds, in 3D and as tables. Of a spectrum or a
    diffraction pattern: what each pixel or angle adds, and whether to trust the answer.

    [bold]Examples[/]

      gnnmat explain runs/gap new.cif

      gnnmat explain runs/gap candidates/ -o explained --check

      gnnmat explain pcsmo-exchange measured.npz

      gnnmat explain runs/powder film.xy --wavelength CuKa

      gnnmat explain runs/mine measured.npz --fit configs/pcsmo.yaml -o page.html
    """
    from gnnmat.errors import GnnmatError
    from gnnmat.workflows.explaining import check_method, kind_of

    from .show import consoles

    out, err = consoles()
    kind = kind_of(run)
    check_method(method or None, kind)
    if simulation and kind != "spectra":
        raise GnnmatError(f"--fit is for spectra, and this run knows {kind}.")
    if wavelength and kind != "patterns":
        raise GnnmatError(f"--wavelength is for powder patterns, and this run knows {kind}.")
    if kind != "crystals":
        if len(samples) > 1:
            one = "pattern" if kind == "patterns" else "spectrum"
            raise GnnmatError(f"One {one} is explained at a time.")
        if target or atom is not None or state or check or (label and kind == "spectra"):
            raise GnnmatError(
                "--target, --class, --atom, --state and --check are for crystals; this run knows "
                f"{kind}." + (" It can be asked for a --class." if kind == "patterns" else "")
            )
        if kind == "patterns":
            _pattern(out, run, Path(samples[0]), output, method, label, wavelength)
        else:
            _spectrum(out, run, Path(samples[0]), output, method, simulation)
        return
    chosen = {"target": target or None, "label": label or None, "method": method or None}
    options: dict[str, object] = {**chosen, "atom": atom, "state": state_of(state)}
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


def _pattern(
    out: Console,
    run: str,
    sample: Path,
    output: Path | None,
    method: str,
    label: str,
    wavelength: str | None,
) -> None:
    from gnnmat.workflows.beside import check_beside
    from gnnmat.workflows.explain_pattern import explain_pattern
    from gnnmat.workflows.explain_pattern_files import write_pattern

    from .show import check_output

    page = output or Path(f"{sample.stem}-explanation.html")
    check_output(page)
    check_beside(page, [sample])
    options: Any = {"label": label or None, "method": method or None, "wavelength": wavelength}
    found = explain_pattern(run, sample, **options)
    files = write_pattern(found, page, model=run)
    scores = sorted(found.scores.items(), key=lambda one: -one[1])[:5]
    words = ", ".join(f"{name} {score:.3g}" for name, score in scores)
    on_peaks = (
        f"{100 * found.share:.0f}% of the map on {100 * found.spots.area:.0f}% of the pattern"
    )
    for name, text in (
        ("Answer", f"{scores[0][0]} ({words})"),
        ("Verdict", found.verdict),
        ("Peaks", f"{len(found.spots.at)}: {found.spots.kind}; {on_peaks}"),
        ("Files", ", ".join(str(one) for one in files)),
    ):
        out.print(f"{name + ':':9} {text}", markup=False, soft_wrap=True)


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
