"""The contract between data and networks: every field once, with shape, unit and level.

A sample is either a graph or an image; everything that reads or writes samples
learns the field names from `FIELDS` and from nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.state import StateSpec
from gnnmat.target import Axis, Level, Target, TargetSpec

__all__ = [
    "FIELDS",
    "Axis",
    "Batch",
    "DataSpec",
    "Features",
    "Field",
    "Level",
    "Sample",
    "Target",
    "TargetSpec",
    "check_sample",
    "collate",
]

Sample: TypeAlias = Data


@dataclass(frozen=True)
class Field:
    """One field of a sample: what it means, its shape, unit, type and level."""

    shape: str
    dtype: torch.dtype
    level: Level
    unit: str
    meaning: str


FIELDS: dict[str, Field] = {
    "z": Field("(atoms,)", torch.int64, "atom", "", "atomic numbers"),
    "pos": Field("(atoms, 3)", torch.float32, "atom", "Å", "Cartesian positions"),
    "lattice": Field("(1, 3, 3)", torch.float32, "sample", "Å", "lattice vectors, one a row"),
    "edge_index": Field(
        "(2, edges)", torch.int64, "edge", "", "neighbour (source), centre; sorted by centre"
    ),
    "edge_length": Field("(edges,)", torch.float32, "edge", "Å", "distance neighbour to centre"),
    "edge_offset": Field(
        "(edges, 3)",
        torch.float32,
        "edge",
        "lattice vectors",
        "cell of the neighbour: pos[source] + offset @ lattice - pos[centre] is the bond",
    ),
    "orbit_index": Field(
        "(atoms,)", torch.int64, "atom", "", "folded graphs: the atom that stands for this one"
    ),
    "edge_count": Field(
        "(edges,)", torch.float32, "edge", "", "folded graphs: bonds that this edge stands for"
    ),
    "edge_angle": Field(
        "(edges, moments)", torch.float32, "edge", "", "moments of the angles to the other bonds"
    ),
    "peaks": Field(
        "(1, peaks, 4)",
        torch.float32,
        "sample",
        "1/Å, and squared scattering factors",
        "reflections: q vector of length 1/d and intensity of a Friedel pair; zeros behind",
    ),
    "image": Field("(1, C, *S)", torch.float32, "sample", "", "channels and S spatial axes"),
    "mask": Field("(1, C, *S)", torch.bool, "sample", "", "true: no detector there"),
    "state": Field(
        "(1, s)", torch.float32, "sample", "as in StateSpec", "numbers, or places of categories"
    ),
    "row": Field("(1,)", torch.int64, "sample", "", "row in the data set"),
    "group": Field("(1,)", torch.int64, "sample", "", "samples of one group are never split"),
    "y_sample": Field("(1, d)", torch.float32, "sample", "as in TargetSpec", "NaN: no label"),
    "y_atom": Field("(atoms, d)", torch.float32, "atom", "as in TargetSpec", "NaN: no label"),
    "y_edge": Field("(edges, d)", torch.float32, "edge", "as in TargetSpec", "NaN: no label"),
}


@dataclass(frozen=True)
class DataSpec:
    """What only the data know and models need to be built.

    Args:
        fields: names of the fields that every sample carries.
        targets: names, units, levels and classes of the targets.
        elements: atomic numbers met in training, ascending.
        channels: channels of the image, 0 for graphs.
        image_shape: spatial shape of the image, empty for graphs.
        neighbours: mean number of edges an atom, 0 for images.
        moments: angle moments an edge carries, 0 without.
        layout: axes of a stack of slices, from `SliceLayout.to_dict`; empty for others.
        grid: angles, wavelength and radiation of powder patterns; empty for others.
        state: what ``state`` holds, with means of the training rows; empty without.
    """

    fields: tuple[str, ...]
    targets: TargetSpec = field(default_factory=TargetSpec)
    elements: tuple[int, ...] = ()
    channels: int = 0
    image_shape: tuple[int, ...] = ()
    neighbours: float = 0.0
    moments: int = 0
    layout: dict[str, Any] = field(default_factory=dict)
    grid: dict[str, Any] = field(default_factory=dict)
    state: StateSpec = field(default_factory=StateSpec)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dictionaries, for ``spec.json``."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> DataSpec:
        """The spec written by `to_dict`."""
        targets = tuple(Target.from_dict(one) for one in plain["targets"]["targets"])
        return cls(
            fields=tuple(plain["fields"]),
            targets=TargetSpec(targets),
            elements=tuple(plain["elements"]),
            channels=plain["channels"],
            image_shape=tuple(plain["image_shape"]),
            neighbours=plain["neighbours"],
            moments=plain.get("moments", 0),
            layout=plain.get("layout", {}),
            grid=plain.get("grid", {}),
            state=StateSpec.from_dict(plain.get("state", {})),
        )


@dataclass(frozen=True)
class Features:
    """What an encoder hands to a task.

    Args:
        local: (nodes, width), one row an atom or a pixel of the last feature map.
        pooled: (B, width), one row a sample.
    """

    local: Tensor
    pooled: Tensor


def collate(samples: Sequence[Sample]) -> Batch:
    """One batch of several samples; graphs are joined, images are stacked."""
    return Batch.from_data_list([_counted(sample) for sample in samples])


def _counted(sample: Sample) -> Sample:
    """The sample with its number of nodes, which PyG guesses from other fields or not at all."""
    if "num_nodes" in sample:
        return sample
    counted = copy(sample)
    counted.num_nodes = len(sample["z"]) if "z" in sample else 1
    return counted


def check_sample(sample: Sample, fields: Iterable[str] = ()) -> None:
    """Refuse a sample whose fields are unknown, missing, mis-shaped or not finite.

    Args:
        sample: one sample, not a batch.
        fields: names that must be present.

    Raises:
        GnnmatError: naming the field, the expected and the found.
    """
    present = set(sample.keys())
    has = f"It has: {', '.join(sorted(present))}."
    for name in fields:
        if name not in present:
            raise GnnmatError(f"The sample has no field '{name}'.", why=has)
    for name in sorted(present - {"num_nodes", *FIELDS}):
        raise GnnmatError(f"Unknown sample field '{name}'.", fix=did_you_mean(name, FIELDS))
    if ("image" in present) == ("z" in present):
        raise GnnmatError("A sample is either a graph or an image.", why=has)
    sizes = _sizes(sample)
    for name in FIELDS:
        if name in present:
            _check_field(name, sample[name], sizes)
    if "edge_index" in present:
        _check_edges(sample)


def _sizes(sample: Sample) -> dict[Level, int]:
    """Rows of each level."""
    sizes: dict[Level, int] = {"sample": 1}
    named: dict[Level, str] = {"atom": "z", "edge": "edge_index"}
    for level, name in named.items():
        value = sample.get(name, None)
        if isinstance(value, Tensor) and value.dim() > 0:
            sizes[level] = int(value.shape[-1])
    return sizes


def _check_field(name: str, value: Tensor, sizes: dict[Level, int]) -> None:
    expected = FIELDS[name]
    if not isinstance(value, Tensor):
        raise GnnmatError(f"Field '{name}' is {type(value).__name__}, expected a tensor.")
    if value.is_floating_point() != expected.dtype.is_floating_point:
        raise GnnmatError(f"Field '{name}' is {value.dtype}, expected {expected.dtype}.")
    if not _fits(tuple(value.shape), expected, sizes):
        raise GnnmatError(
            f"Field '{name}': expected {expected.shape}, got {tuple(value.shape)}.",
            why=f"There are {sizes.get('atom', 0)} atoms and {sizes.get('edge', 0)} edges.",
        )
    if not name.startswith("y_") and value.is_floating_point() and not value.isfinite().all():
        raise GnnmatError(f"Field '{name}' holds NaN or infinity.")


def _fits(shape: tuple[int, ...], expected: Field, sizes: dict[Level, int]) -> bool:
    """Whether a shape is the one that is written down, with the sizes of this sample."""
    named = {"atoms": sizes.get("atom"), "edges": sizes.get("edge")}
    axes = [axis.strip() for axis in expected.shape.strip("()").split(",") if axis.strip()]
    if axes[-1] == "*S":  # one spatial axis or more, of any size
        axes = axes[:-1] + ["S"] * max(len(shape) - len(axes) + 1, 1)
    if len(shape) != len(axes):
        return False
    wanted = (int(axis) if axis.isdigit() else named.get(axis) for axis in axes)
    return all(size in (None, found) for size, found in zip(wanted, shape, strict=True))


def _check_edges(sample: Sample) -> None:
    edge_index = sample["edge_index"]
    if edge_index.numel() == 0:
        return
    atoms = int(sample["z"].shape[0])
    if int(edge_index.min()) < 0 or int(edge_index.max()) >= atoms:
        raise GnnmatError(f"Field 'edge_index' points outside the {atoms} atoms.")
    if bool((edge_index[1].diff() < 0).any()):
        raise GnnmatError("Field 'edge_index' is not sorted by centre (its second row).")
