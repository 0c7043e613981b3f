"""What is known of an instrument, from files: its noise by slice, its detector mask."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout

COLUMNS = ("ei_mev", "slice", "noise_sigma_over_p99")


def named_file(text: str, option: str) -> Path:
    """The file that an option names; environment variables and ``~`` are filled in.

    Raises:
        GnnmatError: a variable is not set, or there is no such file.
    """
    path = Path(os.path.expandvars(os.path.expanduser(text)))
    if path.is_file():
        return path
    unset = [part for part in path.parts if part.startswith("$")]
    raise GnnmatError(
        f"augment.{option}: there is no file {text}.",
        why=f"The environment variable {unset[0]} is not set." if unset else "",
        fix=f"Name another file, or none: augment.{option}=null",
    )


def read_noise(path: Path, layout: SliceLayout) -> NDArray[np.float32]:
    """(Ei, slices) standard deviation of a pixel's noise, as a share of the 99th percentile.

    The table has columns ``ei_mev``, ``slice`` (counted from 0) and ``noise_sigma_over_p99``, and
    may have more rows than the layout has slices.

    Raises:
        GnnmatError: not such a table, a slice of the layout is missing, a value is no noise.
    """
    found = np.full((len(layout.incident_energies), layout.slices), np.nan, dtype=np.float32)
    try:
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                energy, place, sigma = (float(row[name]) for name in COLUMNS)
                for index, wanted in enumerate(layout.incident_energies):
                    if abs(wanted - energy) < 1e-3 * wanted and 0 <= place < layout.slices:
                        found[index, int(place)] = sigma
    except (KeyError, TypeError, ValueError) as error:
        raise GnnmatError(
            f"{path} is not a table of noise.", why=f"Expected numbers in {', '.join(COLUMNS)}."
        ) from error
    if np.isnan(found).any():
        index, place = np.argwhere(np.isnan(found))[0]
        raise GnnmatError(
            f"{path} says nothing of slice {place} at an incident energy of "
            f"{layout.incident_energies[index]:g} meV.",
            fix="Complete the table, or take one level everywhere: augment.noise_table=null",
        )
    if (found < 0).any() or not np.isfinite(found).all():
        raise GnnmatError(f"{path} holds a noise below zero or infinite.")
    return found


def read_mask(path: Path, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The mask in an .npz (its field ``mask``) or .npy file, True where there is no detector.

    Raises:
        GnnmatError: not such a file, another shape than the images have, or nothing is left.
    """
    try:
        with path.open("rb") as file:  # an archive that is cut short would be left open
            loaded: Any = np.load(file, allow_pickle=False)
            mask = loaded if isinstance(loaded, np.ndarray) else loaded["mask"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise GnnmatError(
            f"{path} holds no mask.", why="Expected an .npy file, or an .npz file with 'mask'."
        ) from error
    if mask.shape != shape:
        raise GnnmatError(f"{path}: the mask has shape {mask.shape}, the images have {shape}.")
    if mask.dtype != np.bool_ and not np.isin(mask, (0, 1)).all():
        raise GnnmatError(f"{path}: a mask holds 0 and 1 only, or False and True.")
    if mask.all():
        raise GnnmatError(f"{path} masks every pixel.")
    flags: NDArray[np.bool_] = mask.astype(np.bool_)
    return flags
