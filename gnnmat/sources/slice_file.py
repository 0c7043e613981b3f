"""A slice of constant energy as MSlice and Horace export it: ``.slc``, plain text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.sources.paths import existing_file


@dataclass(frozen=True)
class Slice:
    """Intensities on a regular grid.

    Args:
        x: (nx,) pixel centres, r.l.u.
        y: (ny,) pixel centres, r.l.u.
        intensity: (ny, nx), NaN where no detector looked.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    intensity: NDArray[np.float64]


def read_slice(path: str | Path) -> Slice:
    """The pixels of a ``.slc`` file; its list of detectors is passed over.

    The first line is ``nx ny x y dx dy``, with the centre of the first bin. Then comes for each
    bin, x fastest, ``x y intensity error detectors``, followed by one line a detector.

    Raises:
        GnnmatError: no such file, of another form, or cut short.

    Source: pace-neutrons/Horace, classes/mslice_classes/@slice/private/get_slice.m, the
        description of the format.
    """
    file = existing_file(path, "The slice")
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            header = [float(word) for word in next(lines).split()]
            if len(header) != 6:
                raise ValueError("the first line is not nx ny x y dx dy")
            nx, ny = int(header[0]), int(header[1])
            if not (0 < nx <= 10_000 and 0 < ny <= 10_000) or not all(header[4:]):
                raise ValueError(f"a grid of {header[0]:g} by {header[1]:g} pixels")
            intensity = np.full(nx * ny, np.nan)
            for place in range(nx * ny):
                words = [float(word) for word in next(lines).split()]
                if len(words) != 5:
                    raise ValueError(f"bin {place + 1} has {len(words)} numbers, expected 5")
                detectors = int(words[4])
                if detectors > 0:
                    intensity[place] = words[2]
                for _ in range(detectors):
                    next(lines)
    except (ValueError, StopIteration, OverflowError) as error:
        reason = str(error) or "it is cut short"
        raise GnnmatError(f"'{file}' is not a slice file: {reason}.") from error
    across, down = np.arange(nx, dtype=np.float64), np.arange(ny, dtype=np.float64)
    return Slice(
        header[2] + header[4] * across, header[3] + header[5] * down, intensity.reshape(ny, nx)
    )
