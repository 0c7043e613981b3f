"""A volume S(h, k, l, E) on disk, opened without being loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.sources.number_kinds import instead_of_numbers
from gnnmat.sources.paths import existing_file
from gnnmat.sources.spectrum_files import text
from gnnmat.sources.volume_axes import nexus_axes

DIMENSIONS = ("h", "k", "l", "energy")


class Cells(Protocol):
    """What is cut: an array on disk that gives a part of itself at a time."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, place: Any) -> Any: ...


class MappedArray:
    """A ``.npy`` file, mapped anew for every part, so that parts read before leave memory.

    Args:
        path: of the file.

    Raises:
        GnnmatError: it holds Python objects, or is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        mapped = self._map()
        self.shape: tuple[int, ...] = mapped.shape
        self.dtype = mapped.dtype

    def _map(self) -> NDArray[Any]:
        try:
            mapped: NDArray[Any] = np.load(self._path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise GnnmatError(
                f"'{self._path}' is not an array of numbers: {error}.",
                fix="Save a plain array; Python objects are not read because they may run code.",
            ) from error
        if mapped.dtype.kind not in "fiu":
            raise GnnmatError(f"'{self._path}' holds {instead_of_numbers(mapped.dtype)}.")
        return mapped

    def __getitem__(self, place: Any) -> NDArray[Any]:
        return np.array(self._map()[place])


@dataclass(frozen=True)
class Volume:
    """Intensities on a grid of cells.

    Args:
        name: for messages.
        signal: four axes; NaN where nothing was measured.
        order: the names of the axes, some order of `DIMENSIONS`.
        edges: of the cells, by axis: one more than there are cells; meV and r.l.u.
        weights: of the same shape: how much was counted in a cell, zero for empty ones; None:
            all the same.
        summed: whether the signal is a sum over what was counted, to be divided by weights.
        mask: of the same shape, not zero where nothing was measured; None: nowhere.
    """

    name: str
    signal: Cells
    order: tuple[str, ...]
    edges: Mapping[str, NDArray[np.float64]]
    weights: Cells | None = None
    summed: bool = False
    mask: Cells | None = None

    def __post_init__(self) -> None:
        if sorted(self.order) != sorted(DIMENSIONS):
            raise GnnmatError(
                f"'{self.name}': the axes of a volume are {', '.join(DIMENSIONS)}, not "
                f"{', '.join(self.order)}."
            )
        cells = tuple(len(self.edges[axis]) - 1 for axis in self.order)
        if tuple(self.signal.shape) != cells:
            raise GnnmatError(
                f"'{self.name}': the volume has shape {tuple(self.signal.shape)}, its axes "
                f"({', '.join(self.order)}) belong to {cells}."
            )
        for what, other in (("weights", self.weights), ("mask", self.mask)):
            if other is not None and tuple(other.shape) != cells:
                raise GnnmatError(
                    f"'{self.name}': the {what} have shape {tuple(other.shape)}, the volume "
                    f"{cells}."
                )
        if self.summed and self.weights is None:
            raise GnnmatError(f"'{self.name}': a summed signal needs weights to be divided by.")

    @property
    def chunks(self) -> tuple[int, ...]:
        """How many cells along each axis lie together on disk."""
        return tuple(getattr(self.signal, "chunks", None) or (1,) * len(self.order))


Grid = Mapping[str, tuple[float, float, int]]


@contextmanager
def open_volume(
    path: str | Path,
    *,
    grid: Grid | None = None,
    axes: Sequence[str] = (),
    signal: str | None = None,
    weights: str | None = None,
    summed: bool = False,
) -> Iterator[Volume]:
    """The volume of a file, open as long as the block lasts.

    Args:
        path: .npy; HDF5 with an NXdata group; or the NeXus file of a Mantid MDHistoWorkspace.
        grid: first edge, last edge and number of cells by axis, in the order of the array;
            needed for .npy.
        axes: what the axes of the array are, where their names do not say it.
        signal: path of the dataset in the file; None: it is looked for.
        weights: path of the dataset with what was counted.
        summed: whether the signal is a sum, to be divided by the weights.

    Raises:
        GnnmatError: no such file or dataset, or axes that are not h, k, l and energy.
    """
    file = existing_file(path, "The volume")
    if axes and sorted(axes) != sorted(DIMENSIONS):
        raise GnnmatError(
            f"'{file}': axes are {', '.join(axes)}, expected {', '.join(DIMENSIONS)}, each once."
        )
    if file.suffix.lower() == ".npy":
        if grid is None:
            raise GnnmatError(
                f"'{file}': axes missing.", fix="Give grid: first, last and number by axis."
            )
        cells = MappedArray(file)
        yield Volume(file.name, cells, tuple(grid), _grid_edges(grid), None, summed)
        return
    import h5py

    try:
        opened = h5py.File(file, "r")
    except OSError as error:
        raise GnnmatError(f"'{file}' is not a readable HDF5 file: {error}.") from error
    with opened:
        data = _dataset(opened, signal, file)
        counted = _dataset(opened, weights, file) if weights else None
        order, edges = (
            (tuple(grid), _grid_edges(grid)) if grid else nexus_axes(data, axes, file.name)
        )
        beside = data.parent.get("mask")
        mask = beside if isinstance(beside, h5py.Dataset) and beside.shape == data.shape else None
        yield Volume(file.name, data, order, edges, counted, summed, mask)


def _grid_edges(grid: Grid) -> dict[str, NDArray[np.float64]]:
    for axis, (low, high, cells) in grid.items():
        if cells < 1 or not np.isfinite([low, high]).all() or low == high:
            raise GnnmatError(
                f"The grid has {cells} cells from {low:g} to {high:g} along {axis}.",
                why="Expected the first edge, the last edge and the number of cells.",
            )
    return {axis: np.linspace(low, high, cells + 1) for axis, (low, high, cells) in grid.items()}


def _dataset(opened: Any, place: str | None, file: Path) -> Any:
    """The named dataset, or the signal of the first NXdata group with four axes."""
    import h5py

    if place is not None:
        found = opened.get(place)
        if not isinstance(found, h5py.Dataset):
            raise GnnmatError(f"'{file}' has no dataset '{place}'.")
    else:
        candidates: list[Any] = []

        def look(_: str, item: Any) -> None:
            if isinstance(item, h5py.Group) and text(item.attrs.get("NX_class")) == "NXdata":
                inner = item.get(text(item.attrs.get("signal")) or "signal")
                if isinstance(inner, h5py.Dataset) and inner.ndim == 4:
                    candidates.append(inner)

        opened.visititems(look)
        if not candidates:
            raise GnnmatError(
                f"'{file}' has no NXdata group with a signal of four axes.",
                fix="Name the dataset: signal: entry/data/intensity",
            )
        found = candidates[0]
    if found.dtype.kind not in "fiu":
        raise GnnmatError(f"'{file}': {found.name} holds {instead_of_numbers(found.dtype)}.")
    return found
