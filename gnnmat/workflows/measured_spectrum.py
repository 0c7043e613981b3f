"""A measured spectrum with the gaps of its detectors, from its file or from elsewhere."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gnnmat.augment.measured import Measured
from gnnmat.errors import GnnmatError, GnnmatWarning
from gnnmat.simulation.hypotheses import Simulation
from gnnmat.simulation.layout import SliceLayout
from gnnmat.sources.spectrum import Spectrum, read_spectrum
from gnnmat.sources.spectrum_axes import arranged
from gnnmat.sources.spectrum_checks import with_known_mask
from gnnmat.sources.spectrum_files import read_mask

Mask = NDArray[np.bool_]


def measured_spectrum(
    spectrum: Spectrum | str | Path,
    simulation: Simulation,
    *,
    mask: str | Path | None = None,
    run: str | Path | None = None,
) -> Spectrum:
    """The spectrum on the axes of a simulation, with its mask.

    One that comes without a mask gets that of the simulation, or of the run, if it is zero under
    it; if none fits, a warning says that every pixel counts.

    Args:
        spectrum: a file, or a `Spectrum`.
        simulation: what will be fitted to it.
        mask: file of a mask, True where there is no detector, beside the spectrum's own.
        run: a trained run that knows the instrument.

    Raises:
        GnnmatError: the spectrum or the mask cannot be read, or have other axes.
    """
    layout = simulation.layout.build()
    if isinstance(spectrum, Spectrum):
        found = spectrum if spectrum.layout is None else arranged(spectrum, layout)
    else:
        found = read_spectrum(spectrum, layout=layout)
    if mask is not None:
        together = found.mask | read_mask(mask, layout)
        if together.all():
            raise GnnmatError(f"'{found.name}': {mask} covers every pixel that is left.")
        image = np.where(together, np.float32(0), found.image)
        return replace(found, image=image, mask=together)
    if found.mask.any():
        return found
    known = [*_of_simulation(simulation, layout), *(_of_run(run) if run is not None else ())]
    found = with_known_mask(found, known)
    if simulation.instrument.mask and not found.mask.any():
        warnings.warn(_words(found.name, bool(known)), GnnmatWarning, stacklevel=3)
    return found


def _words(name: str, known: bool) -> str:
    lacks = "is not zero where the instrument has no detector" if known else "none is at hand"
    return (
        f"'{name}' comes without a mask, and {lacks}: every pixel counts as measured. If some had "
        "no detector, set them to NaN, add an array 'mask', or name a file: --mask"
    )


def _of_simulation(simulation: Simulation, layout: SliceLayout) -> list[Mask]:
    """The mask that a simulation names and its mirror image in k; none if it is not at hand."""
    path = Path(os.path.expandvars(simulation.instrument.mask)).expanduser()
    if not simulation.instrument.mask or not path.is_file():
        return []
    found = read_mask(path, layout)
    return [found, np.ascontiguousarray(layout.mirror_k(found))]


def _of_run(run: str | Path) -> list[Mask]:
    from gnnmat.train.judge import load_model
    from gnnmat.zoo import find_model

    augment = load_model(find_model(run)).trained.augment
    return augment.known_masks() if isinstance(augment, Measured) else []
