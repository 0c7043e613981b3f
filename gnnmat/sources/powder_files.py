"""Powder patterns from the files of diffractometers: .xy, .xye, .csv, .xrdml, .ras, .brml."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path, PurePath
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.sources.paths import existing_file
from gnnmat.sources.powder_columns import Columns, Held
from gnnmat.sources.powder_formats import LARGEST, READERS
from gnnmat.sources.powder_pattern import PowderPattern, powder_pattern

__all__ = ["LARGEST", "READERS", "check_kind", "parse_powder", "read_powder"]

FORMAT = 2  # change it when the same file is read as another pattern

PICTURES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".cbf", ".edf", ".img")
TIFF = (b"II*\0", b"MM\0*")  # how such a file begins, whatever its name
# What readers raise on a file that was cut short or mended by hand; a wrong number is a ValueError,
# a locked archive a RuntimeError.
DAMAGED = (
    ElementTree.ParseError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    LookupError,
    ValueError,
    RuntimeError,
)


def read_powder(
    path: str | Path, *, wavelength: float | None = None, otherwise: float | None = None
) -> PowderPattern:
    """The pattern in a file.

    Args:
        path: .xy, .xye, .txt, .dat, .csv (columns of angle and counts), .xrdml, .ras or .brml.
            A header such as ``Q (1/Å)`` says that the first column is Q instead.
        wavelength: of K-alpha 1 in Å, where the file does not say it.
        otherwise: likewise, see `parse_powder`.

    Raises:
        GnnmatError: no such file, of another kind, damaged, or no sound pattern; a wavelength that
            differs from that of the file.
    """
    file = existing_file(path, "The pattern")
    check_kind(file.name, str(file))
    if file.stat().st_size > LARGEST:
        raise GnnmatError(f"'{file}' has {file.stat().st_size / 1e6:.0f} MB: it is no pattern.")
    content = file.read_bytes()
    return parse_powder(str(file), content, wavelength=wavelength, otherwise=otherwise)


def check_kind(name: str, place: str) -> None:
    """Refuse a file that by its name is no powder pattern.

    Raises:
        GnnmatError: its ending is unknown, or that of a picture.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix in PICTURES:
        raise _picture(place)
    if suffix not in READERS:
        raise GnnmatError(
            f"'{place}' is not a file of a powder pattern.", why=f"Expected {', '.join(READERS)}."
        )


def parse_powder(
    name: str,
    content: bytes,
    *,
    wavelength: float | None = None,
    otherwise: float | None = None,
) -> PowderPattern:
    """The pattern in what a file holds.

    Args:
        name: of the file; its ending says the format.
        content: all bytes of it.
        wavelength: of K-alpha 1 in Å, where the file does not say it.
        otherwise: likewise, for a first column of Q alone, which is no angle without; the file
            may say another.

    Raises:
        GnnmatError: as `read_powder`.
    """
    check_kind(name, name)
    if content[:4] in TIFF:
        raise _picture(name)
    reader = READERS[PurePath(name).suffix.lower()]
    try:
        found = reader(Held(name, content))
    except DAMAGED as error:
        raise GnnmatError(f"'{name}' is damaged.", why=str(error)) from error
    header = found.header
    if header.is_spacing:
        raise GnnmatError(
            f"'{name}': by its header the first column is d, the lattice spacing, not an angle.",
            fix="Write 2 theta in degrees, or Q in 1/Å, and say so in the header.",
        )
    first = header.first
    if wavelength is not None and first is not None and abs(wavelength - first) > 2e-3 * first:
        raise GnnmatError(
            f"'{name}' says {first:g} Å, and {wavelength:g} Å was given.",
            fix="Leave the wavelength out, or mend the file.",
        )
    length = first or wavelength or (None if header.q_unit is None else otherwise)
    return powder_pattern(
        PurePath(name).stem,
        found.angles if header.q_unit is None else _angles_of_q(name, found, length),
        found.counts,
        wavelength=length,
        second=header.second,
        radiation=header.radiation,
        sigma=found.sigma,
    )


def _angles_of_q(name: str, found: Columns, wavelength: float | None) -> NDArray[np.float64]:
    """(n,) degrees of 2 theta from a first column that is Q = 4 pi sin(theta) / wavelength."""
    if wavelength is None:
        raise GnnmatError(
            f"'{name}' gives Q, and does not say its wavelength.",
            why="Without it Q is no angle.",
            fix="Give it, or write a line such as '# wavelength = 1.5406' above the columns.",
        )
    sine = found.angles * (found.header.q_unit or 1.0) * wavelength / (4 * np.pi)
    beyond = np.flatnonzero(~(np.abs(sine) <= 1))
    if len(beyond):
        raise GnnmatError(
            f"'{name}': Q of {found.angles[beyond[0]]:g} cannot be reached with {wavelength:g} Å.",
            why="By its header the first column is Q.",
            fix="Correct the wavelength, or the header.",
        )
    return np.asarray(np.degrees(2 * np.arcsin(sine)), dtype=np.float64)


def _picture(place: str) -> GnnmatError:
    return GnnmatError(
        f"'{place}' is a picture from a detector, not counts over angles.",
        fix="Integrate its rings over angle first, and give the angles and counts as .xy.",
    )
