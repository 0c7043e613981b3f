"""Simulated spectra as a source: images read from their shards without loading them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.simulation.layout import SliceLayout
from gnnmat.sources.paths import expand_path
from gnnmat.sources.records import Records
from gnnmat.sources.simulated_set import (
    check_complete,
    coupling_columns,
    digest,
    image_file,
    read_layout,
    read_manifest,
    read_table,
)

if TYPE_CHECKING:
    from gnnmat.sources.spectrum import Spectrum


class SimulatedSource(BaseModel):
    """A folder written by ``gnnmat simulate``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["simulated"] = "simulated"
    path: str = Field(description="the folder; $VARIABLES are filled in")
    hypotheses: tuple[str, ...] = Field(
        (), description="use the images of these hypotheses only; empty: all"
    )

    def open(self) -> Records:
        """All images, with the hypothesis, its couplings (meV) and whether the draw is stable.

        Raises:
            GnnmatError: no such folder, an interrupted or damaged set, an unknown hypothesis.
        """
        folder = expand_path(self.path)
        if not folder.is_dir():
            raise GnnmatError(
                f"The simulated set '{folder}' does not exist.", fix="Make it with gnnmat simulate."
            )
        manifest = read_manifest(folder)
        check_complete(folder, manifest)
        for name in self.hypotheses:
            if name not in manifest.hypotheses:
                raise GnnmatError(
                    f"'{folder}' has no hypothesis '{name}'.",
                    fix=did_you_mean(name, manifest.hypotheses),
                )
        table = read_table(folder, manifest)
        ids = table.pop("id").tolist()
        shards = sorted(manifest.shards.items())
        places = [(number, row) for number, shard in shards for row in range(shard.rows)]
        layout = read_layout(folder)
        records = Records(
            ids=ids,
            raws=places,
            read=ShardReader(folder, layout),
            fingerprint=digest(folder, manifest),
            table=table,
            units=dict.fromkeys(coupling_columns(manifest), "meV"),
            origins=[f"{image_file(folder, n)}, image {row}" for n, row in places],
            layout=layout.to_dict(),
        )
        return _chosen(records, self.hypotheses) if self.hypotheses else records


def _chosen(records: Records, hypotheses: tuple[str, ...]) -> Records:
    """The records of these hypotheses, with the columns that mean something to them."""
    rows = np.flatnonzero(records.table["hypothesis"].isin(hypotheses))
    taken = records.take(rows.tolist())
    foreign = [name for name in records.units if name.partition(".")[0] not in hypotheses]
    return replace(
        taken,
        table=taken.table.drop(columns=foreign),
        units={name: unit for name, unit in taken.units.items() if name not in foreign},
    )


@dataclass(frozen=True)
class ShardReader:
    """(shard, row) -> `Spectrum` with a detector everywhere.

    Args:
        folder: of the set.
        layout: axes of its images.
    """

    folder: Path
    layout: SliceLayout

    def __call__(self, place: tuple[int, int]) -> Spectrum:
        from gnnmat.sources.spectrum import Spectrum

        number, row = place
        path = image_file(self.folder, number)
        image = np.array(_mapped(path, path.stat().st_mtime_ns)[row])
        if image.shape != self.layout.image_shape or not np.isfinite(image).all():
            raise GnnmatError(f"'{path}', image {row}, is not finite or not of the set's shape.")
        return Spectrum(
            image=image,
            mask=np.zeros(image.shape, dtype=bool),
            layout=self.layout,
            name=f"{path.name}[{row}]",
        )


@lru_cache(maxsize=2)  # images are read in order; pages of a map count as memory of the process
def _mapped(path: Path, mtime: int) -> NDArray[Any]:
    """A shard, not read yet; ``mtime`` tells a replaced file from the one it replaced."""
    try:
        images: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise GnnmatError(f"'{path}' is not an array of numbers: {error}.") from error
    if images.dtype != np.float32 or images.ndim != 3:
        raise GnnmatError(
            f"'{path}' holds {images.dtype} {images.shape}, expected float32 (n, R, C)."
        )
    return images
