"""What to measure next: where the two leading hypotheses differ most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gnnmat.errors import GnnmatError
from gnnmat.simulation.hypotheses import Simulation
from gnnmat.simulation.inference.contender import Fitted
from gnnmat.simulation.inference.fit import Fit
from gnnmat.simulation.inference.next_measurement import Expected, by_incident, windows
from gnnmat.simulation.inference.noise_model import CountingNoise
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.space import Floats, render
from gnnmat.simulation.layout import SliceLayout

SHOWN = 12  # rows of the table, of each kind
Row = tuple[str, float, float, bool]
COLUMNS = ("what", "separation", "per_pixel", "measured")


def leading(fitted: Fitted) -> tuple[Fit, Fit] | None:
    """The two hypotheses with the highest evidence; None if there is but one."""
    if len(fitted.fits) < 2:
        return None
    order = np.argsort([-fit.log_evidence for fit in fitted.fits])
    return fitted.fits[order[0]], fitted.fits[order[1]]


def advice(
    observed: Observation,
    fitted: Fitted,
    simulation: Simulation,
    incident_energies: Sequence[float] = (),
    device: str = "cpu",
) -> pd.DataFrame:
    """Settings and windows that tell the two leading hypotheses apart, best first.

    ``separation`` is the chi^2 between them when counted as long as the spectrum was; half of it
    is the expected logarithm of their odds. ``per_pixel`` is for instruments that count point by
    point.

    Args:
        observed: the spectrum.
        fitted: the hypotheses.
        simulation: to calculate other settings.
        incident_energies: settings that were not measured, meV.
        device: where to compute.

    Raises:
        GnnmatError: the resolution at an incident energy is not known.
    """
    pair = leading(fitted)
    if pair is None:
        return pd.DataFrame(columns=list(COLUMNS))
    parts = [(_measured(observed, fitted.noise, *pair), True)]
    if incident_energies:
        new = _not_measured(observed, fitted.noise, pair, simulation, incident_energies, device)
        parts.append((new, False))
    return advice_table(parts)


def advice_table(parts: Sequence[tuple[Expected, bool]]) -> pd.DataFrame:
    """Whole incident energies first, then windows, each kind best first.

    Args:
        parts: what both hypotheses expect, and whether it was measured already.
    """
    whole: list[Row] = []
    some: list[Row] = []
    for expected, measured in parts:
        seen = expected.layout.to_tiles(expected.seen.astype(float)).sum((1, 2, 3))
        for place, (energy, value) in enumerate(by_incident(expected).items()):
            text = f"Ei {energy:g} meV, all slices"
            whole.append((text, value, value / max(seen[place], 1), measured))
        best: dict[tuple[float, float], Row] = {}
        for one in windows(expected):
            row = (one.words, one.separation, one.per_pixel, measured)
            key = one.incident, one.energy[0]
            # Of the windows of a slice, the one in which a pixel says most.
            if key not in best or row[2] > best[key][2]:
                best[key] = row
        some += best.values()
    whole.sort(key=lambda row: -row[1])
    some.sort(key=lambda row: -row[2])
    return pd.DataFrame(whole + some[:SHOWN], columns=list(COLUMNS))


def _measured(observed: Observation, noise: CountingNoise, first: Fit, second: Fit) -> Expected:
    shape = observed.blocks, observed.layout.slices
    return Expected(
        observed.layout,
        first.image,
        second.image,
        noise.per_intensity.reshape(shape),
        noise.background.reshape(shape),
        (~observed.mask).astype(float),
    )


def _not_measured(
    observed: Observation,
    noise: CountingNoise,
    pair: tuple[Fit, Fit],
    simulation: Simulation,
    incident_energies: Sequence[float],
    device: str,
) -> Expected:
    """Other incident energies, counted like the nearest that was measured."""
    energies = tuple(sorted(float(energy) for energy in incident_energies))
    if min(energies) <= 0:
        raise GnnmatError(f"An incident energy of {min(energies):g} meV cannot be measured.")
    changed = simulation.layout.model_copy(update={"incident_energies": energies})
    other = simulation.model_copy(update={"layout": changed})
    layout = changed.build()
    images = [_image(other, fit, layout, device) for fit in pair]
    known = np.array(observed.layout.incident_energies)
    nearest = [int(np.abs(np.log(known / energy)).argmin()) for energy in energies]
    shape = observed.blocks, observed.layout.slices
    per = np.median(noise.per_intensity.reshape(shape), axis=1)[nearest, None]
    background = np.median(noise.background.reshape(shape), axis=1)[nearest, None]
    wide = np.ones((1, layout.slices))
    return Expected(
        layout, images[0], images[1], per * wide, background * wide, np.ones(layout.image_shape)
    )


def _image(simulation: Simulation, fit: Fit, layout: SliceLayout, device: str) -> Floats:
    image = render(simulation.simulator(fit.hypothesis, device), fit.values)
    scale: float = float(np.median(fit.scale))
    return image * scale
