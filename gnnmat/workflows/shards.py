"""Shards of a simulated set: images and their table, written whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.atomic import write_atomically
from gnnmat.sources.simulated_set import Manifest, Shard, coupling_columns, image_file, table_file
from gnnmat.workflows.rendering import Draw


def write_shard(
    folder: Path,
    number: int,
    images: NDArray[np.float32],
    rows: Sequence[Draw],
    manifest: Manifest,
) -> Shard:
    """What the manifest notes of a shard that is now on disk.

    Args:
        folder: of the set.
        number: of the shard.
        images: (n, R, C).
        rows: (n,) what each shows.
        manifest: names of the couplings.
    """
    header = BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(images))
    content = b"".join([header.getvalue(), images.data.cast("B")])
    write_atomically(table_file(folder, number), table_text(rows, manifest))
    write_atomically(image_file(folder, number), content)
    return Shard(
        rows=len(rows),
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        empty=int((~images.any(axis=(1, 2))).sum()),
    )


def table_text(rows: Sequence[Draw], manifest: Manifest) -> str:
    """CSV text: id, hypothesis, stable, and each coupling, empty where it is another's."""
    columns = ["id", "hypothesis", "stable", *coupling_columns(manifest)]
    lines = []
    for row in rows:
        names = manifest.hypotheses[row.hypothesis].couplings
        values = {
            f"{row.hypothesis}.{name}": value
            for name, value in zip(names, row.values.tolist(), strict=True)
        }
        lines.append({"id": row.id, "hypothesis": row.hypothesis, "stable": row.stable, **values})
    # Shortest text that reads back to the same number: what was rendered is what is written.
    return pd.DataFrame(lines, columns=columns).to_csv(index=False)
