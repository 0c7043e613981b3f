"""A spectrum put together from parts that a YAML file lists: exported slices, or volumes.

Slices, as MSlice and Horace write them (``.slc``)::

    kind: slices
    columns: k                # what the x axis of the files is
    slices:
      - {file: ei70_28.slc, incident_energy: 70, energy: [28, 32.2]}

Volumes (h, k, l, E), one an incident energy, larger than memory if need be::

    kind: volumes
    layout: {incident_energies: [35, 70], slices: 10, pixels: 40}
    volumes:
      - {file: ei35.nxs, incident_energy: 35, l: [-0.5, 0.5]}
      - {file: ei70.npy, incident_energy: 70,
         grid: {energy: [0, 63, 126], l: [-2, 2, 40], k: [-1, 1, 80], h: [-1, 1, 80]}}
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout
from gnnmat.sources.slice_file import Slice, read_slice
from gnnmat.sources.spectrum_checks import Parts
from gnnmat.sources.volume import open_volume
from gnnmat.sources.volume_slices import cut_slices


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SliceFile(_Part):
    """A slice of constant energy in a file of its own."""

    file: str = Field(description="the .slc file, beside the list or with its folder")
    incident_energy: float = Field(gt=0, description="meV")
    energy: tuple[float, float] = Field(description="energy transfer from, to, meV")


class SliceList(_Part):
    """Slices of several energies."""

    kind: Literal["slices"]
    columns: Literal["h", "k"] = Field("k", description="what the x axis of the files is")
    slices: tuple[SliceFile, ...] = Field(min_length=1, description="in any order")


class VolumeFile(_Part):
    """A volume measured with one incident energy."""

    file: str = Field(description=".npy, HDF5 or NeXus, beside the list or with its folder")
    incident_energy: float = Field(gt=0, description="meV")
    l: tuple[float, float] | None = Field(  # noqa: E741
        None, description="range to average over, r.l.u.; null: all of it"
    )
    grid: dict[str, tuple[float, float, int]] | None = Field(
        None, description="first edge, last edge, cells by axis, in the order of the array"
    )
    axes: tuple[str, ...] = Field((), description="h, k, l, energy in the order of the array")
    signal: str | None = Field(None, description="dataset in the file; null: it is looked for")
    weights: str | None = Field(None, description="dataset with what was counted in a cell")
    summed: bool = Field(False, description="the signal is a sum, to be divided by weights")


class VolumeList(_Part):
    """Volumes of several incident energies."""

    kind: Literal["volumes"]
    layout: dict[str, Any] | None = Field(
        None, description="slices to cut; null: those of the trained run"
    )
    volumes: tuple[VolumeFile, ...] = Field(min_length=1, description="one an incident energy")


Stack = Annotated[SliceList | VolumeList, Field(discriminator="kind")]


def read_list(path: Path) -> SliceList | VolumeList:
    """What a YAML file lists.

    Raises:
        GnnmatError: it is not such a list.
    """
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
        found: SliceList | VolumeList = TypeAdapter(Stack).validate_python(plain)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GnnmatError(f"'{path}' is not readable YAML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise GnnmatError(
            f"'{path}' does not list the parts of a spectrum.",
            why=f"{place}: {first['msg']}." if place else f"{first['msg']}.",
            fix="kind: slices, with slices:, or kind: volumes, with volumes:",
        ) from error
    return found


def part_files(path: Path) -> list[Path]:
    """The files that a list names."""
    found = read_list(path)
    parts = found.slices if isinstance(found, SliceList) else found.volumes
    return [path.parent / part.file for part in parts]


def read_stack(path: Path, layout: SliceLayout | None = None) -> Parts:
    """The image of all parts, NaN where nothing was measured.

    Args:
        path: the list.
        layout: slices to cut from volumes, unless the list says it.

    Raises:
        GnnmatError: a part is missing, damaged, or does not fit the others.
    """
    found = read_list(path)
    if isinstance(found, SliceList):
        return _from_slices(found, path)
    return _from_volumes(found, path, layout)


def _from_volumes(found: VolumeList, path: Path, layout: SliceLayout | None) -> Parts:
    axes = _layout(found.layout, path) if found.layout is not None else layout
    if axes is None:
        raise GnnmatError(f"'{path.stem}': axes missing.", fix="Say which slices to cut: layout:")
    given = [part.incident_energy for part in found.volumes]
    tiles = np.full((len(axes.incident_energies), axes.slices, *axes.tile_shape), np.nan)
    for row, energy in enumerate(axes.incident_energies):
        parts = [
            part for part in found.volumes if abs(part.incident_energy - energy) < 1e-3 * energy
        ]
        if len(parts) != 1:
            raise GnnmatError(
                f"'{path.stem}': {len(parts) or 'no'} volumes for an incident energy of "
                f"{energy:g} meV, expected one.",
                why=f"It lists {', '.join(f'{one:g}' for one in given)} meV.",
            )
        part = parts[0]
        with open_volume(
            path.parent / part.file,
            grid=part.grid,
            axes=part.axes,
            signal=part.signal,
            weights=part.weights,
            summed=part.summed,
        ) as volume:
            tiles[row] = cut_slices(volume, axes, row, l=part.l)
    return Parts(path.stem, axes.to_image(tiles), None, axes)


def _layout(plain: dict[str, Any], path: Path) -> SliceLayout:
    from gnnmat.simulation.hypotheses import Layout

    try:
        if "h" in plain:
            return SliceLayout.from_dict(plain)
        return Layout.model_validate(plain).build()
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        raise GnnmatError(f"'{path.stem}': layout is not one of slices: {error}.") from error


def _from_slices(found: SliceList, path: Path) -> Parts:
    read = {part: read_slice(path.parent / part.file) for part in found.slices}
    first = found.slices[0]
    one = read[first]
    for part, other in read.items():
        if not (_same(one.x, other.x) and _same(one.y, other.y)):
            raise GnnmatError(
                f"'{path.stem}': {part.file} and {first.file} do not have the same pixels.",
                fix="Cut all slices with the same steps.",
            )
    energies = sorted({part.incident_energy for part in found.slices})
    rows = [
        sorted((p for p in found.slices if p.incident_energy == energy), key=lambda p: p.energy)
        for energy in energies
    ]
    for energy, row in zip(energies, rows, strict=True):
        if len(row) != len(rows[0]) or len({part.energy for part in row}) != len(row):
            raise GnnmatError(
                f"'{path.stem}': {len(row)} slices at {energy:g} meV, {len(rows[0])} at "
                f"{energies[0]:g} meV; every incident energy needs the same number, each once."
            )
    across = found.columns == "k"
    h, k = (one.y, one.x) if across else (one.x, one.y)
    layout = SliceLayout(
        tuple(energies),
        tuple(tuple(part.energy for part in row) for row in rows),
        tuple(h.tolist()),
        tuple(k.tolist()),
    )
    tiles = np.array([[_tile(read[part], across) for part in row] for row in rows])
    return Parts(path.stem, layout.to_image(tiles), None, layout)


def _tile(one: Slice, across: bool) -> NDArray[np.float64]:
    """(h, k) intensities of a slice."""
    return one.intensity if across else one.intensity.T


def _same(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return a.shape == b.shape and bool(
        np.allclose(a, b, rtol=0, atol=1e-6 + 1e-3 * abs(a[1] - a[0]))
    )
