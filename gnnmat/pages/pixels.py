"""Arrays as PNG pictures, without any library."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

BRIGHTEST = 99.0  # percentile of the intensities that is drawn brightest
# Anchors of the colour map "inferno". Source: S. van der Walt & N. Smith, matplotlib (CC0).
INFERNO = (
    "000004",
    "1b0c41",
    "4a0c6b",
    "781c6d",
    "a52c60",
    "cf4446",
    "ed6925",
    "fb9b06",
    "f7d13d",
    "fcffa4",
)
# Red speaks for, blue against; the stronger, the less transparent.
FOR, AGAINST = (224, 49, 49), (51, 137, 220)


def png(image: NDArray[np.float32], mask: NDArray[np.bool_] | None = None) -> bytes:
    """A PNG file of (R, C) intensities, dark to bright; brightest from the 99th percentile on.

    Args:
        image: intensities; what is not finite or negative is drawn as zero.
        mask: (R, C) pixels without detector, drawn transparent.

    Source: W3C, Portable Network Graphics (second edition), colour type 3.
    """
    hidden = np.zeros(image.shape, dtype=bool) if mask is None else mask
    positive = np.clip(np.nan_to_num(image, posinf=0.0), 0, None)
    seen = positive[~hidden] if not hidden.all() else positive
    top = float(np.percentile(seen, BRIGHTEST)) or float(seen.max()) or 1.0
    # Level 0 is kept for what nobody saw.
    levels = np.where(hidden, 0, 1 + np.clip(positive / top * 254, 0, 254)).astype(np.uint8)
    anchors = np.array([[int(one[i : i + 2], 16) for i in (0, 2, 4)] for one in INFERNO])
    steps = np.linspace(0, len(anchors) - 1, 255)
    colours = np.stack([np.interp(steps, range(len(anchors)), part) for part in anchors.T], axis=1)
    palette = np.concatenate([np.zeros((1, 3)), colours]).round().astype(np.uint8)
    return _indexed(levels, palette, None if mask is None else np.zeros(1, np.uint8))


def signed_png(values: NDArray[np.float64]) -> bytes:
    """A PNG file of (R, C) values of both signs: colour tells the sign, opacity the size."""
    top = float(np.percentile(np.abs(values), BRIGHTEST)) or float(np.abs(values).max()) or 1.0
    levels = np.clip(np.round(values / top * 127), -127, 127).astype(np.int64) + 128
    palette = np.where(np.arange(256)[:, None] < 128, AGAINST, FOR).astype(np.uint8)
    opacity = np.minimum(np.abs(np.arange(256) - 128) * 2, 255).astype(np.uint8)
    return _indexed(levels.astype(np.uint8), palette, opacity)


def _indexed(
    levels: NDArray[np.uint8], palette: NDArray[np.uint8], opacity: NDArray[np.uint8] | None = None
) -> bytes:
    rows, columns = levels.shape
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), levels], axis=1)  # filter type 0
    parts = [
        b"\x89PNG\r\n\x1a\n",
        _chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),
        _chunk(b"PLTE", palette.tobytes()),
    ]
    if opacity is not None:
        parts.append(_chunk(b"tRNS", opacity.tobytes()))
    parts += [_chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)), _chunk(b"IEND", b"")]
    return b"".join(parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)
