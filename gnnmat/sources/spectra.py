"""Measured spectra as records: files and `Spectrum` objects, checked against one layout."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout
from gnnmat.sources.columns import check_ids, check_units, read_columns
from gnnmat.sources.files import match_rows
from gnnmat.sources.listing import Item, numbered, unique_names
from gnnmat.sources.records import Records, Refusal
from gnnmat.sources.spectra_listing import file_digest, find_spectra
from gnnmat.sources.spectrum import Spectrum, read_spectrum
from gnnmat.sources.spectrum_axes import arranged
from gnnmat.sources.spectrum_checks import checked, with_known_mask, with_mask
from gnnmat.sources.spectrum_files import read_mask


class SpectraSource(BaseModel):
    """Files of spectra and, if there is one, the CSV with their values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["spectra"] = "spectra"
    path: str | tuple[str, ...] = Field(
        description="folder, file, pattern such as runs/*/spectrum.npz, or a list of these; "
        ".npz, .npy, HDF5, NeXus, or YAML lists of slices; $VARIABLES are filled in",
    )
    targets: str | None = Field(
        default=None, description="CSV with one row a spectrum; its ids are the files' stems"
    )
    id_column: str | None = Field(
        default=None, description="column of the ids; none: the first one"
    )
    units: dict[str, str] = Field(default={}, description="unit by column")
    clip: bool = Field(
        default=False, description="set negative intensities to zero instead of refusing them"
    )
    mask: str | None = Field(
        default=None,
        description="file with the mask of the instrument, true where there is no detector; "
        "for spectra that come without one",
    )

    def open(self) -> Records:
        """All spectra with their values, on the axes of the first that can be read.

        Raises:
            GnnmatError: nothing found, not one spectrum with axes, or a bad CSV.
        """
        files = find_spectra([self.path] if isinstance(self.path, str) else self.path)
        layout = _first_layout([path for path, _ in files], self.clip)
        ids = unique_names([relative for _, relative in files])
        table, items = pd.DataFrame(index=range(len(files))), files
        refused: list[Refusal] = []
        if self.targets is not None:
            values = read_columns(self.targets, self.id_column)
            known = [
                Item(name, (path.stem, path.name, relative), str(path), str(path), {}, b"")
                for (path, relative), name in zip(files, ids, strict=True)
            ]
            matched, refused = match_rows(known, list(values.index), self.targets)
            items, ids = [files[n] for n, _ in matched], [ids[n] for n, _ in matched]
            table = values.iloc[[row for _, row in matched]].reset_index(drop=True)
        mask = None if self.mask is None else read_mask(self.mask, layout)
        sha = hashlib.sha256(f"{layout.to_dict()} {self.clip}".encode())
        sha.update(b"" if mask is None else mask.tobytes())
        for path, _ in items:
            sha.update(file_digest(path))
        return Records(
            ids=ids,
            raws=[str(path) for path, _ in items],
            read=SpectrumReader(layout, self.clip, mask=mask),
            fingerprint=sha.hexdigest(),
            table=table,
            units=check_units(self.units, table.columns, str(self.targets or self.path)),
            refused=refused,
            layout=layout.to_dict(),
        )


def _first_layout(files: Sequence[Path], clip: bool) -> SliceLayout:
    """The axes of the first spectrum that can be read.

    Raises:
        GnnmatError: none can, with the reason of the first.
    """
    reason: GnnmatError | None = None
    for file in files:
        try:
            layout = read_spectrum(file, clip=clip).layout
        except GnnmatError as error:
            reason = reason or error
            continue
        assert layout is not None
        return layout
    assert reason is not None
    raise reason


@dataclass(frozen=True)
class SpectrumReader:
    """A file or a `Spectrum` -> `Spectrum` with the axes that are expected.

    Args:
        layout: the expected axes.
        clip: set negative intensities to zero.
        masks: (R, C) of known instruments, see `read_spectrum`.
        mask: (R, C) of the instrument that measured these, for spectra without a mask.
    """

    layout: SliceLayout
    clip: bool = False
    masks: tuple[NDArray[np.bool_], ...] = ()
    mask: NDArray[np.bool_] | None = None

    def __call__(self, raw: Any) -> Spectrum:
        if not isinstance(raw, Spectrum):
            found = read_spectrum(raw, layout=self.layout, clip=self.clip, masks=self.masks)
            return found if self.mask is None else with_mask(found, self.mask)
        spectrum = arranged(checked(raw, self.layout, clip=self.clip), self.layout)
        return spectrum if spectrum.mask.any() else with_known_mask(spectrum, self.masks)


def records_from_spectra(
    items: Sequence[Any],
    layout: SliceLayout,
    ids: Sequence[str] | None = None,
    *,
    masks: Sequence[NDArray[np.bool_]] = (),
) -> Records:
    """Records of files, folders, patterns and `Spectrum` objects; the spectra are read at once.

    One that cannot be read is refused, with its reason, and does not stop the others.

    Args:
        items: paths or spectra.
        layout: axes that are expected.
        ids: names, one an item; default the files' stems, or the names of the spectra.
        masks: (R, C) of known instruments, see `read_spectrum`.

    Raises:
        GnnmatError: there is not one id an item, or an id appears twice.
    """
    if ids is not None:
        if len(ids) != len(items):
            raise GnnmatError(f"There are {len(items)} spectra but {len(ids)} ids.")
        check_ids([str(name) for name in ids], "ids")
    read = SpectrumReader(layout, masks=tuple(masks))
    raws: list[Spectrum] = []
    names: list[str] = []
    origins: list[str] = []
    refused: list[Refusal] = []
    sha = hashlib.sha256(repr(layout.to_dict()).encode())
    for place, item in enumerate(items):
        given = None if ids is None else str(ids[place])
        for name, one in _each(item, given):
            origin = one.name if isinstance(one, Spectrum) else str(one)
            try:
                if isinstance(one, GnnmatError):
                    raise one
                spectrum = read(one)
            except GnnmatError as error:
                refused.append(Refusal(name, origin, error.sentence))
                continue
            raws.append(spectrum)
            names.append(name)
            origins.append(origin)
            sha.update(spectrum.image.tobytes() + spectrum.mask.tobytes())
    return Records(
        ids=numbered(names),
        raws=raws,
        read=read,
        fingerprint=sha.hexdigest(),
        table=pd.DataFrame(index=range(len(raws))),
        origins=origins,
        refused=refused,
        layout=layout.to_dict(),
    )


def _each(item: Any, given: str | None) -> list[tuple[str, Any]]:
    """The files or spectra that an item stands for, by name; or the reason why there are none."""
    if isinstance(item, Spectrum):
        return [(given or item.name, item)]
    if not isinstance(item, (str, Path)):
        kind = type(item).__name__
        error = GnnmatError(f"A {kind} is not a spectrum.", why="Expected a path or a Spectrum.")
        return [(given or kind, error)]
    try:
        found = find_spectra([str(item)])
    except GnnmatError as error:
        return [(given or Path(item).stem, error)]
    own = unique_names([relative for _, relative in found])
    if given is not None:
        own = [given] if len(found) == 1 else [f"{given}/{name}" for name in own]
    return [(name, path) for name, (path, _) in zip(own, found, strict=True)]


def on_axes(records: Records, layout: SliceLayout) -> Records:
    """The records of another source, on the axes of a trained run.

    Raises:
        GnnmatError: they were measured or simulated on other axes.
    """
    if not records.layout or not len(records):
        return records
    own = SliceLayout.from_dict(dict(records.layout))
    if own == layout:
        return records
    nothing = np.zeros(own.image_shape, dtype=np.float32)
    arranged(Spectrum(nothing, nothing > 0, own, "these spectra"), layout)
    sha = hashlib.sha256(f"{records.fingerprint} {layout.to_dict()}".encode())
    return replace(
        records,
        read=Turned(records.read, layout),
        fingerprint=sha.hexdigest(),
        layout=layout.to_dict(),
    )


@dataclass(frozen=True)
class Turned:
    """What another source reads, on these axes."""

    read: Any
    layout: SliceLayout

    def __call__(self, raw: Any) -> Spectrum:
        return arranged(self.read(raw), self.layout)
