"""One measured or simulated spectrum: intensities, where detectors were, and the axes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A stack of slices laid out as one image.

    Args:
        image: (R, C) intensities, finite, zero where there is no detector.
        mask: (R, C) True where there is no detector.
        layout: axes and energies of the slices; None where they are not known. Then h is taken
            to fall from row to row and k to rise, and nothing can check it.
        name: for messages and tables.
    """

    image: NDArray[np.float32]
    mask: NDArray[np.bool_]
    layout: SliceLayout | None = None
    name: str = "spectrum"

    def __post_init__(self) -> None:
        if self.image.ndim != 2 or self.image.shape != self.mask.shape:
            raise GnnmatError(
                f"'{self.name}': the image has shape {self.image.shape}, the mask "
                f"{self.mask.shape}; expected two equal shapes (rows, columns)."
            )
        if self.layout is not None and self.image.shape != self.layout.image_shape:
            raise GnnmatError(
                f"'{self.name}': the image has shape {self.image.shape}, its axes belong to "
                f"{self.layout.image_shape}."
            )


def read_spectrum(
    path: str | Path,
    *,
    layout: SliceLayout | None = None,
    clip: bool = False,
    masks: Sequence[NDArray[np.bool_]] = (),
) -> Spectrum:
    """The spectrum of a file, checked, and turned to the wanted axes.

    An ``.npz`` file holds ``image`` (R, C) or tiles (Ei, slice, h, k), and the axes
    ``incident_energies`` (meV), ``energy_edges`` (Ei, slice, 2) (meV), ``h`` and ``k`` (pixel
    centres, r.l.u.); where there is no detector, ``mask`` is True or the image NaN. HDF5 and
    NeXus files hold the same names, or an NXdata group. A YAML file names the parts of a
    spectrum: exported slices, or volumes (h, k, l, E), see `gnnmat.sources.slice_stack`.

    Args:
        path: the file; ``$VARIABLES`` are filled in.
        layout: the wanted axes. An image whose axes run the other way is turned, with its
            mask; one without axes is taken to have these. None: h falls, k rises, as drawn.
            Without axes the orientation cannot be checked: an image that is flipped together
            with its mask is taken as it is, h falling from row to row and k rising.
        clip: set negative intensities to zero instead of refusing them.
        masks: (R, C) masks of known instruments in the orientation of ``layout``. An image that
            comes without a mask gets the first of them under which it is zero everywhere.

    Raises:
        GnnmatError: the file, its shape, axes, mask or numbers are not those of a spectrum.
    """
    from gnnmat.sources.spectrum_axes import arranged, upright
    from gnnmat.sources.spectrum_checks import assembled, with_known_mask
    from gnnmat.sources.spectrum_files import read_parts

    spectrum, told = assembled(read_parts(path, layout), layout, clip=clip)
    wanted = layout if layout is not None else upright(spectrum.layout)
    if wanted is not None:
        spectrum = arranged(spectrum, wanted)
    return spectrum if told else with_known_mask(spectrum, masks)


def write_spectrum(path: str | Path, spectrum: Spectrum) -> Path:
    """The ``.npz`` file that `read_spectrum` reads.

    Raises:
        GnnmatError: the name ends otherwise, or the axes of the spectrum are not known.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise GnnmatError(f"A spectrum is written to an .npz file, not to '{path}'.")
    if spectrum.layout is None:
        raise GnnmatError(f"'{spectrum.name}' has no axes to write.")
    axes = {name: np.array(axis, dtype=float) for name, axis in spectrum.layout.to_dict().items()}
    image, mask = np.asarray(spectrum.image, np.float32), np.asarray(spectrum.mask, np.bool_)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, image=image, mask=mask, **axes)  # type: ignore[arg-type]
    return write_atomically(path, buffer.getvalue())
