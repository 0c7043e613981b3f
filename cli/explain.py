"""``gnnmat explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def explain_command(
    run: Annotated[
        str, typer.Argument(help="Folder of a trained run or ensemble, or a shipped model's name.")
    ],
    spectrum: Annotated[Path, typer.Argument(help="Spectrum file: .npz, .h5 or .nxs.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The page; default SPECTRUM-explanation.html here."),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help="gradient_x_input (fast), integrated_gradients (careful), grad_cam for networks "
            "whose last map covers the image, or cam, the exact one, if its mean goes into one "
            "linear layer."
        ),
    ] = "gradient_x_input",
    simulation: Annotated[
        str,
        typer.Option(
            "--fit", help="Also fit the couplings with this simulation; takes minutes. Its name."
        ),
    ] = "",
) -> None:
    """Show on one page what in a spectrum spoke for the answer, and whether to trust it.

    [bold]Examples[/]

      gnnmat explain pcsmo-exchange measured.npz

      gnnmat explain runs/mine measured.npz --fit configs/pcsmo.yaml -o page.html
    """
    from dataclasses import replace

    from gnnmat.errors import GnnmatError, did_you_mean
    from gnnmat.simulation.hypotheses import find_simulation, load_simulation
    from gnnmat.workflows.explain import WORDS, explain, write_page

    from .show import check_output, consoles

    out, err = consoles()
    if method not in WORDS:
        raise GnnmatError(f"There is no method '{method}'.", fix=did_you_mean(method, WORDS))
    page = output or Path(f"{spectrum.stem}-explanation.html")
    check_output(page)
    if simulation:
        find_simulation(simulation)
    found = explain(run, spectrum, method=method)  # type: ignore[arg-type]
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
