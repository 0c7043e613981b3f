"""The Python API of spectra: simulate, fit a Hamiltonian; and of both wings: explain an answer.

Each function does what the command of the same name does.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnnmat.api_inputs import as_yaml
from gnnmat.errors import GnnmatError
from gnnmat.simulation.hypotheses import Simulation, load_simulation, parse_simulation
from gnnmat.workflows.fit_result import SpectrumFit
from gnnmat.workflows.simulating import SHARD, SimulatedSet
from gnnmat.workflows.simulating import simulate as _simulate

if TYPE_CHECKING:
    from gnnmat.models.encoder import Encoder
    from gnnmat.simulation.inference.contender import Effort
    from gnnmat.sources.spectrum import Spectrum
    from gnnmat.train.atom_attribution import AtomMethod
    from gnnmat.train.attribution import Method

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
    sample: Any,
    *,
    output: str | Path | None = None,
    method: Method | AtomMethod | None = None,
    fit: SpectrumFit | None = None,
    target: str | None = None,
    label: str | None = None,
    atom: int | None = None,
    state: Mapping[str, Any] | None = None,
    wavelength: str | float | None = None,
    model: Encoder | None = None,
) -> Any:
    """What spoke for the answer of a network: of a spectrum or a diffraction pattern its pixels,
    of a crystal its atoms and bonds.

    Args:
        run: folder of a run or an ensemble, or the name of a shipped model.
        sample: what the run was trained on: a spectrum as file or `Spectrum`; a powder pattern as
            file or `PowderPattern`, or a crystal that is to diffract; or a crystal, as file,
            folder, pymatgen ``Structure``, ASE ``Atoms`` or `Crystal`, or a list of them.
        output: file of the HTML page; for crystals also a .csv table, or a folder with pages and
            tables; default none. Patterns get a picture and a table of the same name beside it.
        method: of a spectrum or a pattern 'gradient_x_input' or 'integrated_gradients' for every
            network; 'grad_cam' for encoders whose last map covers the image; 'cam', the exact one,
            for those of them whose mean over that map goes into one linear layer;
            'guided_backprop' and 'deconvolution' for networks with ReLUs. Of a crystal 'exact' for
            linear heads, 'features' or 'elements', see `attribute_crystal`.
        fit: from `fit_spectrum`, to be shown on the page of a spectrum.
        target: of a crystal, to explain; default the first of the run.
        label: class to explain, of a crystal or a pattern; default the predicted one.
        atom: of a crystal, whose value is explained, if the run predicts one an atom.
        state: beside the crystals, if the run reads one: ``{"temperature": 300}``. It is held
            fixed.
        wavelength: of a powder pattern that does not say its own: ``CuKa``, ``CuKa1`` or Å.
        model: the user's own encoder, if the run was trained with one.

    Returns:
        Of a spectrum an `Explanation`: ``found.label``, ``found.scores``, ``found.verdict``,
        ``found.map``. Of a crystal a `CrystalExplanation` with the tables ``found.atoms`` and
        ``found.bonds``; of a list, or of several in one file, `CrystalExplanations`. Of a pattern a
        `PatternExplanation`: ``found.map``, ``found.at``, ``found.spots``, ``found.share``.
    """
    from gnnmat.workflows.explaining import explain_any

    return explain_any(
        run,
        sample,
        output=output,
        method=method,
        fit=fit,
        target=target,
        label=label,
        atom=atom,
        state=state,
        wavelength=wavelength,
        model=model,
    )
