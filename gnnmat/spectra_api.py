"""The Python API of spectra: simulate, fit a Hamiltonian, explain an answer.

Each function does what the command of the same name does.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnnmat.api import as_yaml
from gnnmat.errors import GnnmatError
from gnnmat.simulation.hypotheses import Simulation, load_simulation, parse_simulation
from gnnmat.workflows.fit_result import SpectrumFit
from gnnmat.workflows.simulating import SHARD, SimulatedSet
from gnnmat.workflows.simulating import simulate as _simulate

if TYPE_CHECKING:
    from gnnmat.simulation.inference.contender import Effort
    from gnnmat.sources.spectrum import Spectrum
    from gnnmat.train.attribution import Method
    from gnnmat.workflows.explain import Explanation

__all__ = ["explain", "fit_spectrum", "simulate"]


def simulate(
    simulation: Simulation | str | Path | Mapping[str, Any],
    output: str | Path | None = None,
    *,
    images: int = 1000,
    seed: int = 0,
    keep_unstable: bool = False,
    shard_size: int = SHARD,
    workers: int | None = None,
    device: str = "auto",
    options: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> SimulatedSet:
    """Simulated spectra of every hypothesis in a folder; goes on with an interrupted set.

    Args:
        simulation: a `Simulation`, the name of a shipped one, a YAML file, or plain options.
        output: folder; default ``simulated/<name>``.
        images: of each hypothesis; a larger number extends a set.
        seed: decides every draw.
        keep_unstable: keep draws whose assumed order is no minimum of the energy.
        shard_size: images in a file.
        workers: processes; default one a core.
        device: 'auto', 'cpu', 'cuda' or 'cuda:1'.
        options: dotted options, such as ``{"rendering.samples": 32}``.
        progress: show progress bars.

    Returns:
        The set: ``set.table``, ``set.manifest``, ``set.overview``, ``set.open()``.

    Example:
        >>> made = gnnmat.simulate("pcsmo", images=100)  # doctest: +SKIP
        >>> gnnmat.fit(options={"data.source.kind": "simulated",
        ...                     "data.source.path": str(made.folder)})  # doctest: +SKIP
    """
    overrides = [f"{name}={as_yaml(value)}" for name, value in (options or {}).items()]
    if isinstance(simulation, str | Path):
        chosen = load_simulation(simulation, overrides)
    elif overrides:
        raise GnnmatError(
            "Options go with the name or the file of a simulation.",
            fix="Write them into the simulation itself.",
        )
    elif isinstance(simulation, Simulation):
        chosen = simulation
    else:
        chosen = parse_simulation(dict(simulation))
    return _simulate(
        chosen,
        Path(output) if output is not None else Path("simulated") / chosen.name,
        images=images,
        seed=seed,
        keep_unstable=keep_unstable,
        shard_size=shard_size,
        workers=workers,
        device=device,
        quiet=not progress,
        warn=lambda text: warnings.warn(text, stacklevel=3),
    )


def fit_spectrum(
    spectrum: Spectrum | str | Path,
    simulation: Simulation | str | Path | Mapping[str, Any] = "pcsmo",
    *,
    start: str | Path | Mapping[str, Any] = "search",
    mask: str | Path | None = None,
    hypotheses: Sequence[str] = (),
    effort: Effort | None = None,
    incident_energies: Sequence[float] = (),
    output: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
    settings: Sequence[str] = (),
    progress: bool = False,
) -> SpectrumFit:
    """Every hypothesis fitted to a spectrum: couplings with errors, misfit, odds, advice.

    Args:
        spectrum: a file, or a `Spectrum`.
        simulation: instrument and hypotheses, as in `simulate`.
        start: ``"search"`` the ranges; a trained run (folder or name) that knows couplings; or
            values in meV by hypothesis, ``{"dimer": {"JFS": -14.2, ...}}``.
        mask: .npy or .npz file, True where there is no detector, beside the spectrum's own.
        hypotheses: names of those to fit; default all.
        effort: how thoroughly; default minutes.
        incident_energies: settings not measured yet, to be judged as the next, meV.
        output: folder for tables and images; default none.
        overwrite: replace a fit in ``output``.
        seed: decides every draw.
        device: 'auto', 'cpu', 'cuda' or 'cuda:1'.
        settings: options of the simulation, ``"rendering.samples=32"``.
        progress: show a progress bar.

    Returns:
        ``result.best.values``, ``result["dimer"].errors``, ``result.conclusion`` and more.

    Example:
        >>> result = gnnmat.fit_spectrum("measured.npz", "pcsmo")  # doctest: +SKIP
        >>> print(result.conclusion)  # doctest: +SKIP
    """
    from dataclasses import replace

    from gnnmat.simulation.inference.contender import Effort
    from gnnmat.workflows.fit_spectrum import fit_spectrum as fit_one
    from gnnmat.workflows.measured_spectrum import measured_spectrum
    from gnnmat.workflows.rendering import choose_device

    if isinstance(simulation, str | Path):
        chosen = load_simulation(simulation, settings)
    elif isinstance(simulation, Simulation):
        chosen = simulation
    else:
        chosen = parse_simulation(dict(simulation))
    starts, run = (start, None) if isinstance(start, Mapping) else (None, start)
    run = None if str(run) == "search" else run
    return fit_one(
        measured_spectrum(spectrum, chosen, mask=mask, run=run),
        chosen,
        hypotheses=hypotheses,
        run=run,
        starts=starts,
        effort=replace(effort or Effort(), seed=seed),
        incident_energies=incident_energies,
        output=Path(output) if output is not None else None,
        overwrite=overwrite,
        device=choose_device(device),
        quiet=not progress,
    )


def explain(
    run: str | Path,
    spectrum: Spectrum | str | Path,
    *,
    output: str | Path | None = None,
    method: Method = "gradient_x_input",
    fit: SpectrumFit | None = None,
) -> Explanation:
    """What in a spectrum spoke for the answer of a network, and whether to trust it.

    Args:
        run: folder of a run or an ensemble, or the name of a shipped model.
        spectrum: a file, or a `Spectrum`.
        output: file of the HTML page; default none.
        method: 'gradient_x_input' or 'integrated_gradients' for every network; 'grad_cam' for
            encoders whose last map covers the image; 'cam', the exact one, for those of them
            whose mean over that map goes into one linear layer.
        fit: from `fit_spectrum`, to be shown on the page.

    Returns:
        ``found.label``, ``found.scores``, ``found.verdict``, ``found.map`` and more.
    """
    from gnnmat.workflows.explain import explain as _explain
    from gnnmat.workflows.explain import write_page

    found = _explain(run, spectrum, method=method, fit=fit)
    if output is not None:
        write_page(found, Path(output), model=str(run))
    return found
