"""What a file gives made into a spectrum, or refused in words: shape, numbers, mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout
from gnnmat.sources.number_kinds import instead_of_numbers
from gnnmat.sources.spectrum import Spectrum

# Share of the pixels under a mask that may hold counts: a mask that fits has none, but one that
# was resampled is off by a pixel at some edges. A mirrored mask of a real instrument has 14%.
STRAY = 0.02
COUNTED = 0.2  # share of pixels with counts, below which zeros say nothing of detectors


@dataclass(frozen=True)
class Parts:
    """What a file says of a spectrum, not checked yet.

    Args:
        name: of the file.
        image: (R, C), (1, R, C) or tiles (Ei, slice, h, k); NaN: no detector.
        mask: of the same shape, True or 1 where there is no detector; None if it gives none.
        layout: the axes; None if it gives none.
    """

    name: str
    image: NDArray[Any]
    mask: NDArray[Any] | None = None
    layout: SliceLayout | None = None


def assembled(
    parts: Parts, layout: SliceLayout | None = None, *, clip: bool = False
) -> tuple[Spectrum, bool]:
    """The spectrum on the axes of its file, and whether the file says where detectors were.

    Args:
        parts: from the file.
        layout: its axes if it gives none.
        clip: set negative intensities to zero.

    Raises:
        GnnmatError: wrong shape, axes missing, NaN or infinity, negative counts, nothing
            counted, or a mask that does not belong to the image.
    """
    name, axes = parts.name, parts.layout or layout
    if axes is None:
        raise GnnmatError(
            f"'{name}': axes missing: it does not say its energies, h and k.",
            fix="Save incident_energies, energy_edges (meV), h and k (r.l.u.) beside the image.",
        )
    image = np.array(flat(parts.image, axes, "image", name), dtype=np.float64)
    gaps = np.isnan(image)
    if parts.mask is None:
        mask = gaps
    else:
        mask = flags(flat(parts.mask, axes, "mask", name), name)
        _check_gaps(gaps, mask, axes, name)
    if mask.all():
        raise GnnmatError(f"'{name}': every pixel is masked or NaN.")
    _check_numbers(image[~mask], name, clip)
    if parts.mask is not None:
        check_mask(np.nan_to_num(image), mask, axes, name)
    with np.errstate(over="ignore"):
        seen = np.where(mask, 0.0, np.clip(image, 0.0, None)).astype(np.float32)
    if not np.isfinite(seen).all():
        raise GnnmatError(f"'{name}': an intensity is too large, {image[~mask].max():.3g}.")
    if not seen.any():
        raise GnnmatError(f"'{name}': nothing was counted: the image is zero everywhere.")
    return Spectrum(seen, mask, axes, name), parts.mask is not None or bool(gaps.any())


def checked(
    spectrum: Spectrum, layout: SliceLayout | None = None, *, clip: bool = False
) -> Spectrum:
    """A spectrum made in Python, put to the checks of a file.

    Raises:
        GnnmatError: as `assembled`.
    """
    parts = Parts(spectrum.name, spectrum.image, spectrum.mask, spectrum.layout)
    return assembled(parts, layout, clip=clip)[0]


def flat(array: NDArray[Any], layout: SliceLayout, what: str, name: str) -> NDArray[Any]:
    """(R, C) of an image, of a stack of one image, or of tiles (Ei, slice, h, k).

    Raises:
        GnnmatError: it has another shape, or holds no numbers.
    """
    if array.dtype.kind not in "fiub":
        raise GnnmatError(f"'{name}': the {what} holds {instead_of_numbers(array.dtype)}.")
    tiles = (len(layout.incident_energies), layout.slices, *layout.tile_shape)
    if array.shape == tiles:
        return layout.to_image(array)
    one = array[0] if array.ndim == 3 and array.shape[0] == 1 else array
    if one.shape == layout.image_shape:
        return one
    transposed = one.ndim == 2 and one.shape == layout.image_shape[::-1]
    several = array.ndim == 3 and array.shape[1:] == layout.image_shape
    raise GnnmatError(
        f"'{name}': the {what} has shape {array.shape}, expected {layout.image_shape}.",
        why="Rows are incident energies and h, columns are slices and k.",
        fix=("Transpose it." if transposed else "")
        + (f"It holds {len(array)} images; save each in a file of its own." if several else ""),
    )


def flags(mask: NDArray[Any], name: str) -> NDArray[np.bool_]:
    """A mask as true and false.

    Raises:
        GnnmatError: it holds other values than 0 and 1.
    """
    if mask.dtype != np.bool_ and not np.isin(mask, (0, 1)).all():
        raise GnnmatError(f"'{name}': the mask holds other values than 0 and 1.")
    return np.array(mask, dtype=np.bool_)


def _check_numbers(seen: NDArray[np.float64], name: str, clip: bool) -> None:
    """Refuse what cannot be an intensity.

    Args:
        seen: the pixels with a detector.
        name: of the file.
        clip: whether negative values will be cut off.
    """
    infinite = int(np.isinf(seen).sum())
    if infinite:
        what = "one pixel is" if infinite == 1 else f"{infinite:,} pixels are"
        raise GnnmatError(
            f"'{name}': {what} infinite.", fix="Set pixels without a detector to NaN, or mask them."
        )
    negative = int((seen < 0).sum())
    if negative and not clip:
        raise GnnmatError(
            f"'{name}': negative counts in {negative:,} pixels, down to {seen.min():.3g}.",
            why="Networks are trained on intensities that are cut off at zero.",
            fix="Cut them off: gnnmat.read_spectrum(path, clip=True), then write_spectrum.",
        )


def _check_gaps(
    gaps: NDArray[np.bool_], mask: NDArray[np.bool_], layout: SliceLayout, name: str
) -> None:
    """Refuse NaN where the mask says there is a detector."""
    outside = gaps & ~mask
    if not outside.any():
        return
    row, column = np.argwhere(outside)[0]
    better = [how for how, other in _variants(mask, layout).items() if not (gaps & ~other).any()]
    raise GnnmatError(
        f"'{name}': {int(outside.sum()):,} pixels outside the mask are NaN, the first at row "
        f"{row}, column {column}.",
        fix=_hint(better[0]) if better else "Mask these pixels too, or leave the mask out.",
    )


def check_mask(
    image: NDArray[Any], mask: NDArray[np.bool_], layout: SliceLayout, name: str
) -> None:
    """Refuse a mask under which there are counts.

    Raises:
        GnnmatError: with the mirror image that fits, if one does.
    """

    def stray(hidden: NDArray[np.bool_]) -> float:
        return float((image[hidden] != 0).mean()) if hidden.any() else 0.0

    under = stray(mask)
    if under <= STRAY:
        return
    shares = {how: stray(other) for how, other in _variants(mask, layout).items()}
    best = min(shares, key=lambda how: shares[how])
    fits = shares[best] <= max(STRAY, under / 4) and shares[best] < under
    raise GnnmatError(
        f"'{name}': the mask and the image disagree: {under:.0%} of the pixels under the mask hold "
        "counts.",
        why="The mask is True where there is no detector.",
        fix=_hint(best) if fits else "Set the image to NaN where there is no detector.",
    )


def _variants(mask: NDArray[np.bool_], layout: SliceLayout) -> dict[str, NDArray[np.bool_]]:
    """What a mask is easily confused with."""
    return {
        "mirrored in k": layout.mirror_k(mask),
        "mirrored in h": layout.mirror_h(mask),
        "mirrored in h and k": layout.mirror_h(layout.mirror_k(mask)),
        "inverted": ~mask,
    }


def _hint(how: str) -> str:
    also = "" if how == "inverted" else ", or the axes of the image are not as it says"
    return f"The mask fits when {how}{also}."


def with_mask(spectrum: Spectrum, mask: NDArray[np.bool_]) -> Spectrum:
    """The spectrum with this mask, if it has none.

    Args:
        spectrum: with axes.
        mask: (R, C) on its axes.

    Raises:
        GnnmatError: there are counts under the mask, with the mirror image that fits.
    """
    if spectrum.mask.any() or spectrum.layout is None:
        return spectrum
    check_mask(spectrum.image, mask, spectrum.layout, spectrum.name)
    image = np.where(mask, np.float32(0), spectrum.image)
    if not image.any():
        raise GnnmatError(f"'{spectrum.name}': nothing was counted outside the mask.")
    return replace(spectrum, image=image, mask=mask.copy())


def with_known_mask(spectrum: Spectrum, masks: Sequence[NDArray[np.bool_]]) -> Spectrum:
    """The spectrum with the best of these masks, if it is zero under it and not elsewhere.

    Thousands of pixels are not zero by chance exactly where an instrument has no detector.

    Args:
        spectrum: whose file did not say where detectors were.
        masks: (R, C), on its axes.
    """
    seen = spectrum.image != 0
    fitting = [
        (float(seen[mask].mean()), mask)
        for mask in masks
        if mask.shape == seen.shape and mask.any() and seen[~mask].mean() > COUNTED
    ]
    stray, best = min(fitting, key=lambda fit: fit[0], default=(1.0, None))
    if best is None or stray > STRAY / 4:
        return spectrum
    return replace(spectrum, image=np.where(best, np.float32(0), spectrum.image), mask=best.copy())
