"""The overview page of a simulated set: its first images, read back from the shards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from gnnmat.atomic import write_atomically
from gnnmat.pages.markup import number
from gnnmat.pages.overview import Overview, Picture, overview_page
from gnnmat.sources.simulated_set import OVERVIEW, Manifest, image_file, read_layout, read_table

SHOWN = 4  # images of each hypothesis


def write_overview(folder: Path, title: str, manifest: Manifest) -> Path:
    """The page, written anew from what is in the folder."""
    rows = read_table(folder, manifest)
    pictures = {}
    for name, counts in manifest.hypotheses.items():
        places = np.flatnonzero(rows["hypothesis"] == name)[:SHOWN]
        pictures[name] = [
            Picture(
                str(rows["id"].iloc[place]),
                _caption(rows.iloc[place], name, counts.couplings),
                _image(folder, int(place), manifest.shard_size),
            )
            for place in places.tolist()
        ]
    page = overview_page(
        Overview(
            title=title,
            layout=read_layout(folder),
            counts=[
                (name, one.drawn, one.stable, one.kept) for name, one in manifest.hypotheses.items()
            ],
            pictures=pictures,
            warnings=manifest.warnings,
        )
    )
    return write_atomically(folder / OVERVIEW, page)


def _image(folder: Path, place: int, size: int) -> np.ndarray:
    images = np.load(image_file(folder, place // size), mmap_mode="r", allow_pickle=False)
    return np.array(images[place % size])


def _caption(row: pd.Series, name: str, couplings: tuple[str, ...]) -> str:
    values = [f"{one} {number(row[f'{name}.{one}'])}" for one in couplings]
    words = ", ".join(values) + " meV"
    return words if row["stable"] else f"{words}; unstable"
