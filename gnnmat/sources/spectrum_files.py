"""What files say of a spectrum: NumPy archives, HDF5 and NeXus, and lists of slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout
from gnnmat.sources.arrays import load_arrays
from gnnmat.sources.number_kinds import instead_of_numbers
from gnnmat.sources.paths import existing_file
from gnnmat.sources.spectrum import Spectrum
from gnnmat.sources.spectrum_axes import AXES, arranged, check_unit, layout_of_arrays
from gnnmat.sources.spectrum_checks import Parts, flags, flat

HDF5 = (".h5", ".hdf5", ".hdf", ".nxs", ".nx", ".nx5")
LISTS = (".yaml", ".yml")
SUFFIXES = (".npz", ".npy", *HDF5, *LISTS)


def read_parts(path: str | Path, layout: SliceLayout | None = None) -> Parts:
    """What a file says of a spectrum.

    Args:
        path: .npz, .npy, HDF5, NeXus, or a YAML list of slices or volumes.
        layout: how volumes are cut if their list does not say it.

    Raises:
        GnnmatError: no such file, of another kind, damaged, or without an image.
    """
    file = existing_file(path, "The spectrum")
    suffix = file.suffix.lower()
    if suffix in LISTS:
        from gnnmat.sources.slice_stack import read_stack

        return read_stack(file, layout)
    if suffix == ".npz":
        arrays = load_arrays(file)
    elif suffix == ".npy":
        arrays = {"image": _load_array(file)}
    elif suffix in HDF5:
        arrays = _read_hdf5(file)
    else:
        single = " A single slice is named in a YAML list." if suffix == ".slc" else ""
        raise GnnmatError(
            f"'{file}' is not a file of a spectrum.",
            why=f"Expected {', '.join(SUFFIXES)}.{single}",
        )
    if "image" not in arrays:
        held = ", ".join(arrays) or "nothing"
        raise GnnmatError(f"'{file}' has no array called 'image'.", why=f"It holds: {held}.")
    axes = layout_of_arrays(_centres(arrays), file.stem)
    return Parts(file.stem, arrays["image"], arrays.get("mask"), axes)


def read_mask(path: str | Path, layout: SliceLayout) -> NDArray[np.bool_]:
    """(R, C) mask of an instrument on these axes, True where there is no detector.

    Args:
        path: ``.npy``, or ``.npz`` with ``mask`` and, if it has other axes, with its own.
        layout: the wanted axes; a mask without axes is taken to have these.

    Raises:
        GnnmatError: no such file, no mask, another shape or other axes, or nothing left to see.
    """
    file = existing_file(path, "The mask")
    suffix = file.suffix.lower()
    if suffix not in (".npy", ".npz"):
        raise GnnmatError(f"The mask '{file}' is neither an .npy nor an .npz file.")
    arrays = load_arrays(file) if suffix == ".npz" else {"mask": _load_array(file)}
    if "mask" not in arrays:
        held = ", ".join(arrays) or "nothing"
        raise GnnmatError(f"'{file}' has no array called 'mask'.", why=f"It holds: {held}.")
    own = layout_of_arrays({name: arrays[name] for name in AXES if name in arrays}, file.stem)
    axes = own or layout
    mask = flags(flat(arrays["mask"], axes, "mask", file.stem), file.stem)
    if mask.all():
        raise GnnmatError(f"'{file.stem}': the mask covers every pixel.")
    nothing = np.zeros(mask.shape, dtype=np.float32)
    return arranged(Spectrum(nothing, mask, axes, file.stem), layout).mask


def _load_array(file: Path) -> NDArray[Any]:
    try:
        loaded: NDArray[Any] = np.load(file, allow_pickle=False)
    except Exception as error:
        # NumPy takes any file that it does not know for a pickle.
        with file.open("rb") as opened:
            start = opened.read(6)
        if start[:1] == b"\x80" or (start == b"\x93NUMPY" and "allow_pickle" in str(error)):
            raise GnnmatError(
                f"'{file}' holds Python objects, which are not read because they may run code.",
                fix="save a plain array of numbers.",
            ) from error
        raise GnnmatError(f"'{file}' is not a readable .npy file.") from error
    return loaded


def _centres(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The axes, with h and k as pixel centres where a file gives edges, one more than pixels."""
    axes = {name: arrays[name] for name in AXES if name in arrays}
    image = arrays["image"]
    if len(axes) < len(AXES) or image.ndim < 2:
        return axes
    energies = max(int(axes["incident_energies"].size), 1)
    tiles = image.ndim == 4
    slices = axes["energy_edges"].shape[1] if axes["energy_edges"].ndim == 3 else 0
    if axes["energy_edges"].ndim == 2:
        slices = axes["energy_edges"].shape[1] - 1
    pixels = {
        "h": image.shape[-2] // (1 if tiles else energies),
        "k": image.shape[-1] // (1 if tiles else max(slices, 1)),
    }
    for name, count in pixels.items():
        if axes[name].ndim == 1 and len(axes[name]) == count + 1 and axes[name].dtype.kind in "fiu":
            axes[name] = (axes[name][1:] + axes[name][:-1]) / 2
    return axes


def _read_hdf5(file: Path) -> dict[str, NDArray[Any]]:
    """Image, mask and axes of the first group that has an image.

    Raises:
        GnnmatError: the file is damaged, has no such group, or an axis has another unit.
    """
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            group = _image_group(opened)
            if group is None:
                raise GnnmatError(
                    f"'{file}' has no group with an image.",
                    why="Looked for a dataset 'image' or an NXdata group with a signal.",
                )
            arrays = _group_arrays(group, file.stem)
    except (OSError, RuntimeError, KeyError) as error:
        raise GnnmatError(
            f"'{file}' is not a readable HDF5 file: {error}.",
            fix="It may be cut short: copy or export it again.",
        ) from error
    return arrays


def _image_group(opened: Any) -> Any:
    """The first group with a dataset ``image``, else the first NXdata; None if there is neither."""
    import h5py

    found: dict[str, Any] = {}

    def look(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Group):
            return
        if isinstance(item.get("image"), h5py.Dataset):
            found.setdefault("image", item)
        if text(item.attrs.get("NX_class")) == "NXdata" and text(item.attrs.get("signal")) in item:
            found.setdefault("nexus", item)

    look("/", opened)
    opened.visititems(look)
    return found.get("image", found.get("nexus"))


def _group_arrays(group: Any, name: str) -> dict[str, NDArray[Any]]:
    import h5py

    signal = "image" if "image" in group else text(group.attrs["signal"])
    arrays: dict[str, NDArray[Any]] = {"image": _numbers(group[signal], name)}
    for axis in ("mask", *AXES):
        dataset = group.get(axis)
        if not isinstance(dataset, h5py.Dataset):
            continue
        arrays[axis] = _numbers(dataset, name)
        if axis != "mask":
            kind = "momentum" if axis in ("h", "k") else "energy"
            check_unit(text(dataset.attrs.get("units")), kind, axis, name)
    return arrays


def _numbers(dataset: Any, name: str) -> NDArray[Any]:
    if dataset.dtype.kind not in "fiub":
        raise GnnmatError(f"'{name}': {dataset.name} holds {instead_of_numbers(dataset.dtype)}.")
    return np.asarray(dataset[()])


def text(value: Any) -> str:
    """An attribute of an HDF5 file as text; empty if it is not there."""
    if value is None:
        return ""
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
