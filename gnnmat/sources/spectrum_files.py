"""Spectra from files: NumPy archives and HDF5, with their axes checked against what is expected."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout
from gnnmat.sources.arrays import load_arrays
from gnnmat.sources.paths import existing_file
from gnnmat.sources.spectrum import Spectrum
from gnnmat.sources.spectrum_checks import checked_image, checked_mask, matched_axes

HDF5 = {".h5", ".hdf5", ".nxs", ".nx5", ".hdf"}
AXES = ("incident_energies", "energy_edges", "h", "k")
UNITS = {"incident_energies": "meV", "energy_edges": "meV"}
Arrays = dict[str, NDArray[Any]]


def read_spectrum(
    path: str | Path, *, layout: SliceLayout | None = None, clip: bool = False
) -> Spectrum:
    """The spectrum in a file.

    Args:
        path: ``.npz`` or HDF5 (``.h5``, ``.nxs``) with ``image`` (R, C) and, if there are any,
            ``mask`` (true where there is no detector), ``incident_energies`` (n,) in meV,
            ``energy_edges`` (n, slices, 2) in meV, ``h`` and ``k``; or ``.npy`` with the image.
        layout: axes that are expected. A file without axes is taken to have them if its shape
            fits; a file whose h or k runs the other way is turned.
        clip: set negative intensities to zero.

    Raises:
        GnnmatError: not such a file, pickled objects, no axes, other axes, NaN where there are
            detectors, negative intensities, or a mask that does not belong to the image.
    """
    found = existing_file(str(path), "The spectrum")
    arrays = _read(found)
    name = found.stem
    if "image" not in arrays:
        raise GnnmatError(
            f"'{found}' has no array called 'image'.",
            why=f"It holds: {', '.join(arrays) or 'nothing'}.",
        )
    image = np.asarray(arrays["image"])
    mask = np.asarray(arrays["mask"]) if "mask" in arrays else None
    if image.ndim == 3 and len(image) == 1:
        image = image[0]
    if mask is not None and mask.ndim == 3 and len(mask) == 1:
        mask = mask[0]
    own = _axes(arrays, found)
    if own is None and layout is None:
        raise GnnmatError(
            f"'{found}' has no axes.",
            why=f"An image alone does not say what it shows; expected {', '.join(AXES)}.",
            fix="gnnmat.write_spectrum writes a file with them.",
        )
    known = own or layout
    assert known is not None
    image = checked_image(image, mask, known, name, clip=clip)
    mask = checked_mask(image, mask, known, name)
    if layout is not None and own is not None:
        image, mask = matched_axes(image, mask, own, layout, name)
        known = layout
    clean = np.where(mask, 0.0, image).astype(np.float32)
    return Spectrum(clean, mask, known, name)


def write_spectrum(path: str | Path, spectrum: Spectrum) -> Path:
    """The ``.npz`` file that `read_spectrum` reads.

    Raises:
        GnnmatError: the axes of the spectrum are not known.
    """
    if spectrum.layout is None:
        raise GnnmatError(f"'{spectrum.name}' has no axes to write.")
    plain = spectrum.layout.to_dict()
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        image=spectrum.image,
        mask=spectrum.mask,
        **{name: np.array(plain[name], dtype=float) for name in AXES},
    )
    target = Path(path)
    write_atomically(target, buffer.getvalue())
    return target


def _read(path: Path) -> Arrays:
    if path.suffix in HDF5:
        return _read_hdf5(path)
    if path.suffix == ".npy":
        try:
            return {"image": np.load(path, allow_pickle=False)}
        except (OSError, ValueError) as error:
            raise GnnmatError(
                f"'{path}' is no array of numbers, or holds Python objects, which are not read "
                "because they may run code.",
                why=str(error),
            ) from error
    if path.suffix == ".npz":
        return load_arrays(path)
    raise GnnmatError(
        f"'{path}' is not a kind of file that spectra are read from.",
        why=f"Read are .npz, .npy and {', '.join(sorted(HDF5))}.",
    )


def _read_hdf5(path: Path) -> Arrays:
    """The arrays of the first group that holds an ``image``; their units are checked."""
    try:
        import h5py
    except ImportError:
        raise GnnmatError(
            f"'{path}' needs h5py, which is not installed.", fix="pip install h5py"
        ) from None
    groups: list[Mapping[str, Any]] = []
    try:
        with h5py.File(path, "r") as file:
            groups.append(file)
            file.visititems(lambda _, item: groups.append(item) if _is_group(item) else None)
            group = next((one for one in groups if "image" in one), {})
            arrays: Arrays = {}
            for name in ("image", "mask", *AXES):
                if name in group:
                    _check_unit(path, name, group[name].attrs.get("units"))
                    arrays[name] = np.asarray(group[name])
            return arrays
    except OSError as error:
        raise GnnmatError(f"'{path}' is not a readable HDF5 file.", why=str(error)) from error


def _is_group(item: Any) -> bool:
    return hasattr(item, "keys")


def _check_unit(path: Path, name: str, unit: Any) -> None:
    text = unit.decode() if isinstance(unit, bytes) else unit
    if text is not None and name in UNITS and str(text).lower() != UNITS[name].lower():
        raise GnnmatError(f"'{path}': {name} is in {text}, expected {UNITS[name]}.")


def _axes(arrays: Arrays, path: Path) -> SliceLayout | None:
    missing = [name for name in AXES if name not in arrays]
    if len(missing) == len(AXES):
        return None
    if missing:
        raise GnnmatError(f"'{path}' lacks the axes {', '.join(missing)}.")
    try:
        return SliceLayout.from_dict({name: np.asarray(arrays[name]).tolist() for name in AXES})
    except (TypeError, ValueError) as error:
        raise GnnmatError(f"'{path}': the axes are not of the expected shape.") from error
