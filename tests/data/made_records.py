"""Small data sets for the tests of this folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.inputs.crystal_graph import CrystalGraph
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.records import Records

from ..contracts import crystals

GRAPH = CrystalGraph(cutoff=5.0, neighbours=8)


def five_crystals() -> list[Crystal]:
    """Cells of 8, 5, 1, 4 and 1 atoms; the third meets nobody."""
    return [
        crystals.rock_salt(),
        crystals.perovskite(),
        crystals.lonely_argon(),
        crystals.low_symmetry(),
        crystals.copper(),
    ]


def as_it_is(raw: Any) -> Any:
    """A reader with nothing to do."""
    return raw


class CountedReader:
    """A reader that counts its calls and refuses what is not a crystal or an array."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, raw: Any) -> Any:
        self.calls += 1
        if isinstance(raw, str):
            raise GnnmatError(f"'{raw}' is no crystal.", why="It is a word.")
        return raw


def crystal_records(
    raws: Sequence[Any], read: Callable[[Any], Any] = as_it_is, **columns: Any
) -> Records:
    """Records ``c0``, ``c1``, ... with these columns of targets."""
    sha = hashlib.sha256()
    for raw in raws:
        sha.update(raw.digest() if isinstance(raw, Crystal) else repr(raw).encode())
    return Records(
        ids=[f"c{item}" for item in range(len(raws))],
        raws=list(raws),
        read=read,
        fingerprint=sha.hexdigest(),
        table=pd.DataFrame(columns, index=range(len(raws))),
        origins=[f"list, item {item + 1}" for item in range(len(raws))],
    )


def image_records(images: Sequence[NDArray[Any]], **columns: Any) -> Records:
    """Records of images, each (C, *S)."""
    sha = hashlib.sha256(b"".join(np.ascontiguousarray(image).tobytes() for image in images))
    return Records(
        ids=[f"i{item}" for item in range(len(images))],
        raws=list(images),
        read=as_it_is,
        fingerprint=sha.hexdigest(),
        table=pd.DataFrame(columns, index=range(len(images))),
    )
