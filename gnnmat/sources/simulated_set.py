"""A folder of simulated images: what lies in it, and what its manifest says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout

SIMULATION, LAYOUT, MANIFEST = "simulation.yaml", "layout.json", "manifest.json"
DRAWS, OVERVIEW, SHARDS = "draws.csv", "overview.html", "shards"
FORMAT = 1  # raise it when files change their meaning


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Counts(_Part):
    """What became of the draws of one hypothesis."""

    drawn: int = Field(description="Draws looked at, up to the last one kept.")
    stable: int = Field(description="Of these, with the assumed order as a minimum of the energy.")
    rejected: int = Field(description="Of these, without.")
    kept: int = Field(description="Images in the set.")
    couplings: tuple[str, ...] = Field(description="Names, in order; meV.")


class Shard(_Part):
    """One file of images."""

    rows: int = Field(description="Images in it.")
    bytes: int = Field(description="Length of the .npy file.")
    sha256: str = Field(description="Of the .npy file.")
    empty: int = Field(description="Images without any intensity.")


class Manifest(_Part):
    """What is in the folder, and how far it has come."""

    format: int = FORMAT
    seed: int = Field(description="Decides every draw.")
    images: int = Field(description="Images of each hypothesis in the finished set.")
    keep_unstable: bool = Field(description="Whether unstable draws are in it.")
    shard_size: int = Field(description="Images in a file.")
    image_shape: tuple[int, int] = Field(description="Rows and columns.")
    versions: dict[str, str] = Field(description="Of the packages that began it.")
    hypotheses: dict[str, Counts] = Field(description="By name, in the order of the rows.")
    warnings: tuple[str, ...] = Field((), description="What to know before learning from it.")
    shards: dict[int, Shard] = Field({}, description="Finished files by number.")

    @property
    def total(self) -> int:
        """Images in the finished set."""
        return self.images * len(self.hypotheses)

    @property
    def done(self) -> int:
        """Images in finished files."""
        return sum(shard.rows for shard in self.shards.values())

    @property
    def is_complete(self) -> bool:
        """Whether every image is there."""
        return self.done == self.total

    def to_json(self) -> str:
        """Text that `read_manifest` reads."""
        return json.dumps(self.model_dump(mode="json"), indent=1) + "\n"


def image_file(folder: Path, number: int) -> Path:
    """Images (n, R, C) float32 of one shard."""
    return folder / SHARDS / f"{number:05d}.npy"


def table_file(folder: Path, number: int) -> Path:
    """One row an image of the same shard."""
    return folder / SHARDS / f"{number:05d}.csv"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a simulated set.

    Raises:
        GnnmatError: the folder is none, or another version wrote it, or it is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        begun = (folder / SIMULATION).is_file()
        raise GnnmatError(
            f"'{folder}' is not a simulated set: it has no {MANIFEST}.",
            fix=_again(folder) if begun else "Make one with gnnmat simulate.",
        )
    try:
        plain = json.loads(path.read_text())
        if plain.get("format") != FORMAT:
            raise GnnmatError(
                f"'{folder}' has format {plain.get('format')}, this version reads {FORMAT}.",
                fix="Simulate it again, or use the version of gnnmat that wrote it.",
            )
        return Manifest.model_validate(plain)
    except (ValueError, AttributeError, ValidationError) as error:
        raise GnnmatError(f"'{path}' is damaged.", why=str(error)) from error


def check_complete(folder: Path, manifest: Manifest) -> None:
    """Refuse a set that was interrupted, or whose files are not as they were written.

    Lengths are compared, contents are not: that would read gigabytes at every opening.

    Raises:
        GnnmatError: naming the file.
    """
    if not manifest.is_complete:
        raise GnnmatError(
            f"'{folder}' holds {manifest.done:,} of {manifest.total:,} images.",
            why="Its simulation was interrupted, or is still running.",
            fix=_again(folder),
        )
    for number, shard in sorted(manifest.shards.items()):
        if not is_written(folder, number, shard):
            raise GnnmatError(
                f"'{image_file(folder, number)}' is missing or not as it was written.",
                fix=_again(folder),
            )


def is_written(folder: Path, number: int, shard: Shard) -> bool:
    """Whether both files of a shard are there, the images in their full length."""
    images = image_file(folder, number)
    whole = images.is_file() and images.stat().st_size == shard.bytes
    return whole and table_file(folder, number).is_file()


def _again(folder: Path) -> str:
    return f"Run gnnmat simulate again with the same options and -o {folder}; it goes on."


def read_layout(folder: Path) -> SliceLayout:
    """Axes of the images.

    Raises:
        GnnmatError: the file is missing or damaged.
    """
    path = folder / LAYOUT
    try:
        return SliceLayout.from_dict(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GnnmatError(f"'{path}' is missing or damaged.", why=str(error)) from error


def read_table(folder: Path, manifest: Manifest) -> pd.DataFrame:
    """One row an image: id, hypothesis, stable, and ``<hypothesis>.<coupling>`` in meV.

    Raises:
        GnnmatError: a table is damaged.
    """
    values = coupling_columns(manifest)
    parts = []
    for number, shard in sorted(manifest.shards.items()):
        path = table_file(folder, number)
        try:
            # As text first: a hypothesis may be called "nan", and pandas rounds the last digit.
            part = pd.read_csv(path, dtype=str, keep_default_na=False)
            if list(part) != ["id", "hypothesis", "stable", *values] or len(part) != shard.rows:
                raise ValueError("rows or columns are not as they were written")
            part["stable"] = part["stable"] == "True"
            for name in values:
                part[name] = [float(text) if text else np.nan for text in part[name]]
        except (ValueError, pd.errors.ParserError) as error:
            raise GnnmatError(f"'{path}' is damaged.", why=str(error)) from error
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def coupling_columns(manifest: Manifest) -> list[str]:
    """``<hypothesis>.<coupling>``, in order."""
    return [
        f"{name}.{coupling}"
        for name, counts in manifest.hypotheses.items()
        for coupling in counts.couplings
    ]


def digest(folder: Path, manifest: Manifest) -> str:
    """Hex digest of images and axes, from what was noted when they were written."""
    sha = hashlib.sha256(json.dumps(read_layout(folder).to_dict()).encode())
    for _, shard in sorted(manifest.shards.items()):
        sha.update(f"{shard.rows} {shard.sha256}\n".encode())
    return sha.hexdigest()
