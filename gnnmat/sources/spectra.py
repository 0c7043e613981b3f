"""Measured spectra as records: files and `Spectrum` objects, checked against one layout."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout
from gnnmat.sources.paths import expand_path
from gnnmat.sources.records import Records, Refusal
from gnnmat.sources.spectrum import Spectrum
from gnnmat.sources.spectrum_files import HDF5, read_spectrum

SUFFIXES = {".npz", ".npy", *HDF5}


class SpectraSource(BaseModel):
    """A spectrum file, or a folder of them; all have the axes of the first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["spectra"] = "spectra"
    path: str = Field(description="file or folder; $VARIABLES are filled in")

    def open(self) -> Records:
        """One record a spectrum.

        Raises:
            GnnmatError: nothing there, or not one file can be read.
        """
        path = Path(expand_path(self.path))
        files = _files(path)
        reasons = []
        for file in files:
            try:
                layout = read_spectrum(file).layout
            except GnnmatError as error:
                reasons.append(error.sentence)
                continue
            if layout is not None:
                return records_from_spectra(files, layout)
        raise GnnmatError(f"No spectrum in '{path}' can be read.", why=reasons[0])


@dataclass(frozen=True)
class SpectrumReader:
    """A file or a `Spectrum` -> `Spectrum` with the axes that are expected."""

    layout: SliceLayout

    def __call__(self, raw: Any) -> Spectrum:
        if not isinstance(raw, Spectrum):
            return read_spectrum(raw, layout=self.layout)
        if raw.image.shape != self.layout.image_shape:
            raise GnnmatError(
                f"The image has shape {raw.image.shape}, expected {self.layout.image_shape}."
            )
        return raw


def records_from_spectra(
    items: Sequence[Any], layout: SliceLayout, ids: Sequence[str] | None = None
) -> Records:
    """Records of files, folders of them and `Spectrum` objects; what cannot be read is refused.

    Args:
        items: paths or spectra.
        layout: axes that are expected.
        ids: names, one an item; default file names, or the names of the spectra.
    """
    raws: list[Any] = []
    names: list[str] = []
    refused: list[Refusal] = []
    sha = hashlib.sha256()
    read = SpectrumReader(layout)
    for place, item in enumerate(items):
        several = [item] if isinstance(item, Spectrum) else _files(Path(item))
        for one in several:
            default = one.name if isinstance(one, Spectrum) else Path(one).stem
            name = ids[place] if ids is not None and len(several) == 1 else default
            try:
                spectrum = read(one)
            except GnnmatError as error:
                refused.append(Refusal(name, str(getattr(one, "name", one)), error.sentence))
                continue
            raws.append(spectrum)
            names.append(name if name not in names else f"{name}-{len(names) + 1}")
            sha.update(spectrum.image.tobytes() + spectrum.mask.tobytes())
    return Records(
        ids=names,
        raws=raws,
        read=read,
        fingerprint=sha.hexdigest(),
        table=pd.DataFrame(index=range(len(raws))),
        refused=refused,
        layout=layout.to_dict(),
    )


def _files(path: Path) -> list[Path]:
    """The file itself, or the spectra in a folder by name."""
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    if not files:
        raise GnnmatError(f"There is no spectrum in the folder '{path}'.")
    return files
