"""The Hamiltonian behind a spectrum: couplings with errors, misfit, odds, what to measure next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from gnnmat.augment.measurement import signal
from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.simulation.hypotheses import Simulation
from gnnmat.simulation.inference.contender import Contender, Effort
from gnnmat.simulation.inference.fitting import fit_all
from gnnmat.simulation.inference.identifiability import Exchange
from gnnmat.simulation.inference.misfit import Imperfect
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.space import CouplingSpace, Floats
from gnnmat.simulation.layout import SliceLayout
from gnnmat.simulation.spectra import SpectrumSimulator
from gnnmat.sources.spectrum import Spectrum
from gnnmat.sources.spectrum_axes import arranged
from gnnmat.workflows.fit_folder import check_folder, write_fit
from gnnmat.workflows.fit_progress import Advance, Counted, expected_images, fit_progress
from gnnmat.workflows.fit_result import SpectrumFit
from gnnmat.workflows.fit_start import Values, given_start, network_starts, stable_starts
from gnnmat.workflows.next_setting import advice
from gnnmat.workflows.symmetries import image_exchanges

COARSE_GRID, COARSE_SAMPLES = 48, 4  # of the images that a search compares
FINER = 2  # times as many samples a pixel, and points of the zone, in the last round
MISSET, MOSAIC = 0.5, 1.0  # degrees; of the spectra drawn from a fit, as in training


def fit_spectrum(
    spectrum: Spectrum,
    simulation: Simulation,
    *,
    hypotheses: Sequence[str] = (),
    run: str | Path | None = None,
    starts: Mapping[str, Values] | None = None,
    effort: Effort | None = None,
    incident_energies: Sequence[float] = (),
    symmetries: bool = True,
    output: Path | None = None,
    overwrite: bool = False,
    device: str = "cpu",
    quiet: bool = True,
) -> SpectrumFit:
    """Every hypothesis fitted to a spectrum.

    Args:
        spectrum: measured or simulated.
        simulation: instrument and hypotheses.
        hypotheses: names of those to fit; default all.
        run: a trained run that says where to start; default a search of the ranges.
        starts: couplings to start from by hypothesis, meV; before those of the run.
        effort: how thoroughly.
        incident_energies: settings not measured yet, to be judged as the next, meV.
        symmetries: look for exchanges of couplings that leave the image the same.
        output: folder for tables and arrays.
        overwrite: replace a fit in ``output``.
        device: where to calculate images.
        quiet: no progress bar.

    Raises:
        GnnmatError: spectrum and simulation do not belong together, and other mistakes.
    """
    if output is not None:
        check_folder(output, overwrite)
    effort = effort or Effort()
    observed = observe(spectrum, simulation)
    begin = _begin(simulation, _chosen(simulation, hypotheses), spectrum, run, starts or {}, device)
    total = expected_images(
        effort,
        [one.start is None for one in begin],
        [len(one.space.names) for one in begin],
    )
    exchanges: dict[str, list[Exchange]] = {}
    with fit_progress(total, quiet) as (advance, tell):
        contenders = []
        for one in begin:
            tell(f"{one.name}: looking for symmetries")
            found = image_exchanges(simulation, one.name) if symmetries else []
            exchanges[one.name] = found
            contenders.append(_contender(simulation, one, len(found), device, advance))
        imperfect = imperfections(observed.layout)
        fitted = fit_all(observed, contenders, effort, imperfect=imperfect, tell=tell)
    result = SpectrumFit(
        name=spectrum.name,
        simulation=simulation.name,
        fits=fitted.fits,
        odds=fitted.odds,
        exchanges=exchanges,
        advice=advice(observed, fitted, simulation, incident_energies, device),
        layout=observed.layout,
        folder=output,
    )
    if output is not None:
        write_fit(output, result, observed.image)
    return result


def observe(spectrum: Spectrum, simulation: Simulation) -> Observation:
    """The spectrum as it is compared with images of the simulation, on its axes.

    Image and mask are turned together where axes run the other way. Without axes the image is
    taken to have those of the simulation; that cannot be checked.

    Raises:
        GnnmatError: its axes are not those of the simulation.
    """
    layout = simulation.layout.build()
    if spectrum.layout is not None:
        try:
            spectrum = arranged(spectrum, layout, "simulation's")
        except GnnmatError as error:
            fix = "Describe the spectrum's axes under layout: of the simulation."
            raise GnnmatError(error.what, why=error.why, fix=fix) from error
    image = np.where(spectrum.mask, 0.0, spectrum.image).astype(float)
    return Observation(image, np.asarray(spectrum.mask, dtype=bool), layout)


@dataclass(frozen=True)
class _Begin:
    """A hypothesis before it is fitted."""

    name: str
    simulator: SpectrumSimulator
    space: CouplingSpace
    start: Floats | None


def _chosen(simulation: Simulation, hypotheses: Sequence[str]) -> tuple[str, ...]:
    for name in hypotheses:
        if name not in simulation.names:
            raise GnnmatError(
                f"There is no hypothesis '{name}'.", fix=did_you_mean(name, simulation.names)
            )
    return tuple(dict.fromkeys(hypotheses)) or simulation.names


def _begin(
    simulation: Simulation,
    names: Sequence[str],
    spectrum: Spectrum,
    run: str | Path | None,
    starts: Mapping[str, Values],
    device: str,
) -> list[_Begin]:
    """The hypotheses with their simulators and what is known of where to start."""
    for name in starts:
        if name not in simulation.names:
            raise GnnmatError(
                f"A start is given for '{name}', which is no hypothesis of the simulation.",
                fix=did_you_mean(name, simulation.names),
            )
    spaces = {
        name: CouplingSpace(simulation.couplings(name), simulation.ranges(name)) for name in names
    }
    given = {
        name: given_start(name, values, spaces[name])
        for name, values in starts.items()
        if name in spaces
    }
    estimated, errors = network_starts(run, spectrum, simulation) if run is not None else ({}, {})
    out = []
    for name, space in spaces.items():
        simulator = simulation.simulator(name, device)
        start = None
        if name in given:
            start = stable_starts(simulator, space, given[name], 0.01 * space.width)
            if start is None or not np.allclose(start[0], given[name]):
                raise GnnmatError(
                    f"At the start given for '{name}' the assumed order is no minimum of the "
                    "energy.",
                    fix="Start from other couplings, or search the ranges.",
                )
        elif name in estimated:
            start = stable_starts(simulator, space, estimated[name], errors[name], keep=3)
        out.append(_Begin(name, simulator, space, start))
    return out


def _contender(
    simulation: Simulation, begin: _Begin, exchanges: int, device: str, advance: Advance
) -> Contender:
    fine = simulation.rendering
    rough = {"grid": min(COARSE_GRID, fine.grid), "samples": min(COARSE_SAMPLES, fine.samples)}
    grid = 2 * round(FINER**0.5 * fine.grid / 2)
    exact = {"samples": FINER * fine.samples, "grid": grid}
    other = {**exact, "seed": fine.seed + 1}

    def rendered(changes: Mapping[str, int]) -> Counted:
        changed = simulation.model_copy(update={"rendering": fine.model_copy(update=changes)})
        return Counted(changed.simulator(begin.name, device), advance)

    return Contender(
        begin.name,
        Counted(begin.simulator, advance),
        begin.space,
        starts=begin.start,
        coarse=rendered(rough) if begin.start is None else None,
        fine=rendered(exact),
        other=rendered(other),
        twins=2**exchanges,
        canonical=partial(simulation.canonical, begin.name),
    )


def imperfections(layout: SliceLayout) -> Imperfect:
    """What a crystal slightly turned, of slightly turned grains, does to an image (R, C)."""
    across, down = len(layout.incident_energies), layout.slices
    rows, columns = layout.tile_shape

    def turned(image: Floats, rng: np.random.Generator) -> Floats:
        tiles = torch.from_numpy(image.reshape(across, rows, down, columns).copy())
        drawn = signal(tiles, layout, rng, block_scale=0.0, misset=MISSET, mosaic=MOSAIC)
        whole: Floats = drawn.numpy().reshape(image.shape)
        return whole

    return turned
