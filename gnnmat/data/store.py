"""A folder of memory-mapped arrays: any number of samples, read batch by batch.

Every field is one flat file; two pointer arrays say where the atoms and the edges of each
sample begin. Edges are stored as neighbour index plus the number of neighbours of each atom,
so that a graph costs 11 bytes an edge.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gnnmat.data.store_meta import read_meta
from gnnmat.errors import GnnmatError
from gnnmat.sample import FIELDS, Batch, Sample
from gnnmat.sources.crystal import Crystal, as_crystal

# field -> (type on disk, level). `edge_index` is split into `source` and `degree`.
DISK: dict[str, tuple[str, str]] = {
    "z": ("u1", "atom"),
    "pos": ("<f4", "atom"),
    "lattice": ("<f4", "sample"),
    "degree": ("<u2", "atom"),
    "source": ("<i4", "edge"),
    "edge_length": ("<f4", "edge"),
    "edge_offset": ("i1", "edge"),
    "orbit_index": ("<i4", "atom"),
    "edge_count": ("<u2", "edge"),
    "edge_angle": ("<f4", "edge"),
    "peaks": ("<f4", "sample"),
    "image": ("<f4", "sample"),
    "mask": ("?", "sample"),
}

# Pages of the map count as memory of the process although the system can drop them at any
# time; stores larger than this are handed back after every batch.
RESIDENT = 32 * 2**20  # bytes


def pack(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The fields of one sample in the types they have on disk."""
    packed: dict[str, NDArray[Any]] = {}
    for name, array in arrays.items():
        if name == "edge_index":
            degree = np.bincount(array[1], minlength=len(arrays["z"]))
            packed["degree"] = _cast("degree", degree)
            packed["source"] = _cast("source", array[0])
        else:
            packed[name] = _cast(name, array)
    return packed


def _cast(name: str, array: NDArray[Any]) -> NDArray[Any]:
    kind = np.dtype(DISK[name][0])
    if kind.kind in "iu" and array.size:
        limits = np.iinfo(kind)
        if array.min() < limits.min or array.max() > limits.max:
            worst = max(array.min(), array.max(), key=abs)
            raise GnnmatError(
                f"Field '{name}' holds {worst:.0f}, outside the {limits.min} to {limits.max} that "
                "the store can hold."
            )
    return np.ascontiguousarray(array, dtype=kind)


class Store:
    """Samples on disk, opened without reading them.

    Args:
        folder: written by `gnnmat.data.cache.build_store`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.meta: dict[str, Any] = read_meta(self.folder)
        self.size: int = self.meta["samples"]
        self.fields: tuple[str, ...] = tuple(self.meta["fields"])
        self.bytes = sum(entry["bytes"] for entry in self.meta["files"].values())
        self._open()

    def _open(self) -> None:
        self.kept = np.load(self.folder / "kept.npy", allow_pickle=False)
        self.atom_start = np.load(self.folder / "atom_start.npy", allow_pickle=False)
        self.edge_start = np.load(self.folder / "edge_start.npy", allow_pickle=False)
        self._arrays: dict[str, NDArray[Any]] = {}
        for name, entry in self.meta["arrays"].items():
            shape = tuple(entry["shape"])
            path = self.folder / f"{name}.bin"
            if 0 in shape:
                self._arrays[name] = np.empty(shape, dtype=entry["dtype"])
            else:
                self._arrays[name] = np.memmap(path, dtype=entry["dtype"], mode="r", shape=shape)

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["folder"])  # type: ignore[misc]

    def __len__(self) -> int:
        return self.size

    @property
    def atoms(self) -> NDArray[np.int64]:
        """(samples,) number of atoms of each sample; zeros for images."""
        return np.diff(self.atom_start)

    @property
    def edges(self) -> NDArray[np.int64]:
        """(samples,) number of edges of each sample; zeros for images."""
        return np.diff(self.edge_start)

    @property
    def moments(self) -> int:
        """Angle moments an edge carries; 0 without."""
        return self._arrays["edge_angle"].shape[1] if "edge_angle" in self._arrays else 0

    def bonds_an_atom(self, rows: NDArray[np.int64]) -> float:
        """Mean number of neighbours of the atoms of these samples, folded or not."""
        if "degree" not in self._arrays:
            return 0.0
        atoms, edges = self.rows_of(rows, "atom"), self.rows_of(rows, "edge")
        degree = self._arrays["degree"][atoms].astype(np.int64)
        if "edge_count" not in self._arrays:
            return len(edges) / max(len(atoms), 1)
        centre = np.repeat(np.arange(len(atoms)), degree)
        bonds = np.bincount(centre, self._arrays["edge_count"][edges], minlength=len(atoms))
        counts = self.atoms[rows]
        first = np.repeat(np.cumsum(counts) - counts, counts)
        # An atom has as many as the one that stands for it.
        of_atoms = bonds[self._arrays["orbit_index"][atoms] + first]
        return float(of_atoms.sum() / max(len(atoms), 1))

    def array(self, name: str) -> NDArray[Any]:
        """One field of all samples, as it lies on disk; not for writing."""
        return self._arrays[name]

    def rows_of(self, rows: NDArray[np.int64], level: str) -> NDArray[np.int64]:
        """Where the atoms or edges of these samples lie, in their order."""
        if level == "sample":
            return rows
        start = self.atom_start if level == "atom" else self.edge_start
        counts = start[rows + 1] - start[rows]
        ends = np.cumsum(counts)
        shift = np.repeat(start[rows] - (ends - counts), counts)
        return np.arange(int(ends[-1]) if len(ends) else 0) + shift

    def batch(self, rows: Sequence[int] | NDArray[np.int64]) -> Batch:
        """The samples at ``rows`` as one batch, in that order."""
        rows = np.asarray(rows, dtype=np.int64)
        fields = self._read(rows)
        if "image" in fields:
            tensors = {name: torch.from_numpy(array) for name, array in fields.items()}
            nodes = np.ones(len(rows), dtype=np.int64)
        else:
            tensors, nodes = _graph(fields), self.atoms[rows]
        self._hand_back()
        tensors["row"] = torch.from_numpy(rows)
        ptr = np.concatenate([[0], np.cumsum(nodes)])
        batch = Batch(_base_cls=Sample, **tensors)
        batch.num_nodes = int(ptr[-1])
        batch.batch = torch.from_numpy(np.repeat(np.arange(len(rows)), nodes))
        batch.ptr = torch.from_numpy(ptr)
        batch._num_graphs = len(rows)
        if "edge_index" in tensors:
            first = torch.from_numpy(np.repeat(ptr[:-1], self.edges[rows]))
            batch.edge_index[0] += first
        if "orbit_index" in tensors:
            batch.orbit_index += torch.from_numpy(np.repeat(ptr[:-1], nodes))
        return batch

    def sample(self, row: int) -> Sample:
        """One sample."""
        batch = self.batch([row])
        fields = {name: batch[name] for name in batch.keys() if name in FIELDS}  # noqa: SIM118
        return Sample(**fields, num_nodes=batch.num_nodes)

    def crystal(self, row: int) -> Crystal:
        """The crystal of one sample, to float32 precision."""
        start, end = self.atom_start[row], self.atom_start[row + 1]
        lattice = np.asarray(self.array("lattice")[row], dtype=np.float64)
        pos = np.asarray(self.array("pos")[start:end], dtype=np.float64)
        return as_crystal(lattice, self.array("z")[start:end], pos @ np.linalg.inv(lattice))

    def _read(self, rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        places: dict[str, NDArray[np.int64]] = {}
        fields = {}
        for name, array in self._arrays.items():
            level = DISK[name][1]
            if level not in places:
                places[level] = self.rows_of(rows, level)
            fields[name] = np.asarray(array[places[level]])
        return fields

    def _hand_back(self) -> None:
        if self.bytes <= RESIDENT or not hasattr(mmap, "MADV_DONTNEED"):
            return
        for array in self._arrays.values():
            if isinstance(array, np.memmap):
                array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]


def _graph(fields: dict[str, NDArray[Any]]) -> dict[str, torch.Tensor]:
    """Fields as tensors in the types of the contract; neighbour indices still local."""
    tensors = {}
    if "source" in fields:  # clusters, and crystals of which peaks are wanted, have no edges
        centre = np.repeat(np.arange(len(fields["degree"])), fields.pop("degree"))
        edge_index = np.stack([fields.pop("source").astype(np.int64), centre])
        tensors["edge_index"] = torch.from_numpy(edge_index)
    for name, array in fields.items():
        tensors[name] = torch.from_numpy(array).to(FIELDS[name].dtype)
    return tensors
