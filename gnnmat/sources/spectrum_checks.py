"""Whether image, mask and axes of a spectrum belong together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout

Image = NDArray[np.float64]
Mask = NDArray[np.bool_]
LOOSE = 0.02  # share of masked pixels that may hold counts, as detectors do at their edges


def checked_image(
    image: NDArray[Any], mask: NDArray[Any] | None, layout: SliceLayout, name: str, *, clip: bool
) -> Image:
    """The image (R, C) as numbers; NaN stays where there is no detector.

    Raises:
        GnnmatError: another shape, no numbers, NaN under a detector, negative, or empty.
    """
    if image.shape != layout.image_shape:
        raise GnnmatError(
            f"'{name}': the image has shape {image.shape}, its axes belong to "
            f"{layout.image_shape}.",
            why=f"{len(layout.incident_energies)} incident energies of {len(layout.h)} pixels in "
            f"h, {layout.slices} slices of {len(layout.k)} pixels in k.",
        )
    if image.dtype.kind not in "fiub":
        raise GnnmatError(f"'{name}': the image is {image.dtype}, expected numbers.")
    values = image.astype(np.float64)
    seen = np.ones(values.shape, bool) if mask is None else ~_as_mask(mask, name, values.shape)
    if mask is not None and not np.isfinite(values[seen]).all():
        bad = int((~np.isfinite(values[seen])).sum())
        raise GnnmatError(
            f"'{name}': {bad:,} pixels under a detector are NaN or infinite.",
            fix="Mark them in the mask, or leave the mask out: then NaN marks missing detectors.",
        )
    if np.isinf(values).any():
        raise GnnmatError(f"'{name}': the image holds infinite values.")
    negative = seen & (values < 0)
    if negative.any() and not clip:
        raise GnnmatError(
            f"'{name}': {int(negative.sum()):,} intensities are negative, down to "
            f"{np.nanmin(values):.3g}.",
            why="Networks are trained on intensities that are cut off at zero.",
            fix="Cut them off: gnnmat.read_spectrum(path, clip=True), then write_spectrum.",
        )
    if not (values[seen & np.isfinite(values)] > 0).any():
        raise GnnmatError(f"'{name}': no pixel under a detector has any intensity.")
    cut: Image = np.where(negative, 0.0, values)
    return cut


def checked_mask(image: Image, mask: NDArray[Any] | None, layout: SliceLayout, name: str) -> Mask:
    """The mask (R, C), True where there is no detector; without one, where the image is NaN.

    Raises:
        GnnmatError: the mask leaves nothing, or masked pixels hold counts.
    """
    missing: Mask = ~np.isfinite(image)
    if mask is None:
        return missing
    own = _as_mask(mask, name, image.shape)
    if own.all():
        raise GnnmatError(f"'{name}': the mask leaves no pixel.")
    counts = np.nan_to_num(image) > 0

    def loose(one: Mask) -> float:
        return float((counts & one).sum() / max(one.sum(), 1))

    if loose(own) > LOOSE:
        turns = {
            "mirrored in k": layout.mirror_k(own),
            "mirrored in h": layout.mirror_h(own),
            "mirrored in h and k": layout.mirror_h(layout.mirror_k(own)),
            "inverted (true means no detector)": ~own,
        }
        better = [words for words, one in turns.items() if loose(one) <= LOOSE]
        raise GnnmatError(
            f"'{name}': {100 * loose(own):.0f}% of the masked pixels hold counts.",
            why="Mask and image do not belong together.",
            fix=f"The mask fits when it is {better[0]}." if better else "",
        )
    return own | missing


def matched_axes(
    image: Image, mask: Mask, own: SliceLayout, wanted: SliceLayout, name: str
) -> tuple[Image, Mask]:
    """Image and mask turned so that h and k run as they are expected to.

    Raises:
        GnnmatError: the axes are others.
    """
    for what in ("incident_energies", "energy_edges"):
        _check_same(np.array(getattr(own, what)), np.array(getattr(wanted, what)), what, name)
    for what, mirror in (("h", own.mirror_h), ("k", own.mirror_k)):
        axis, expected = np.array(getattr(own, what)), np.array(getattr(wanted, what))
        if len(axis) == len(expected) and np.allclose(axis[::-1], expected, atol=1e-3):
            if not np.allclose(axis, expected, atol=1e-3):
                image, mask = mirror(image), mirror(mask)
            continue
        _check_same(axis, expected, what, name)
    return image, mask


def _check_same(own: NDArray[Any], wanted: NDArray[Any], what: str, name: str) -> None:
    if own.shape == wanted.shape and np.allclose(own, wanted, atol=1e-3):
        return
    raise GnnmatError(
        f"'{name}': its {what} are not those that are expected.",
        why=f"It has {_short(own)}; expected {_short(wanted)}.",
        fix="Cut the slices anew on the expected axes, or train on a simulation of yours.",
    )


def _short(values: NDArray[Any]) -> str:
    flat = values.ravel()
    shown = ", ".join(f"{value:g}" for value in flat[:6])
    return f"{shown}{', ...' if flat.size > 6 else ''} ({flat.size} numbers)"


def _as_mask(mask: NDArray[Any], name: str, shape: tuple[int, ...]) -> Mask:
    if mask.shape != shape:
        raise GnnmatError(f"'{name}': the mask has shape {mask.shape}, the image {shape}.")
    if not np.isin(np.asarray(mask, dtype=float), (0, 1)).all():
        raise GnnmatError(f"'{name}': the mask holds other values than true and false.")
    return mask.astype(bool)
