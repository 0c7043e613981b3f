"""Known crystals in the space of a network's features: what a new crystal is most like."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save as save_arrays
from torch import Tensor

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.models.encoder import Encoder
from gnnmat.sample import Batch

FILE = "landmarks.safetensors"
AXES = 24  # kept of the features: enough to rank neighbours, at 48 bytes a crystal

ASKED = 1000  # crystals whose nearest neighbour tells the usual distance

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Neighbour:
    """A known crystal that a new one is like.

    Args:
        id: of the known crystal.
        formula: reduced.
        distance: between the features, as a multiple of the median distance between known
            crystals and their nearest neighbours.
    """

    id: str
    formula: str
    distance: float


@dataclass(frozen=True)
class Landmarks:
    """Features of known crystals, on their principal axes.

    Args:
        ids: (n,) names.
        formulas: (n,) reduced formulas.
        places: (n, k) float16.
        centre: (width,) mean of the features.
        axes: (width, k) principal axes, each divided by ``usual``.
        usual: median distance between neighbours, before the division.
    """

    ids: list[str]
    formulas: list[str]
    places: NDArray[np.float16]
    centre: Floats
    axes: Floats
    usual: float

    @classmethod
    def of(
        cls, features: NDArray[np.floating], ids: list[str], formulas: list[str]
    ) -> Landmarks | None:
        """The landmarks of features (n, width); None where no two crystals differ."""
        if len(ids) < 2:
            return None
        rows = np.asarray(features, dtype=np.float64)
        centre = rows.mean(axis=0)
        kept = min(AXES, rows.shape[1])
        values, vectors = np.linalg.eigh(np.cov(rows, rowvar=False).reshape(rows.shape[1], -1))
        axes = vectors[:, np.argsort(-values)[:kept]]
        places = (rows - centre) @ axes
        usual = _usual(places)
        if usual is None:
            return None
        return cls(ids, formulas, (places / usual).astype(np.float16), centre, axes / usual, usual)

    def nearest(self, features: NDArray[np.floating], count: int = 5) -> list[list[Neighbour]]:
        """The nearest known crystals of each row of features (m, width), nearest first."""
        found = []
        for row in (np.asarray(features, dtype=np.float64) - self.centre) @ self.axes:
            apart = np.sqrt(((self.places.astype(np.float64) - row) ** 2).sum(axis=1))
            order = np.argsort(apart, kind="stable")[:count]
            found.append(
                [Neighbour(self.ids[one], self.formulas[one], float(apart[one])) for one in order]
            )
        return found

    def near(self, encoder: Encoder, batch: Batch) -> tuple[Neighbour, ...]:
        """The nearest known crystals of the one crystal in a batch, in the eyes of its encoder."""
        with torch.inference_mode():
            pooled = encoder(batch.clone().apply(_single)).pooled
        return tuple(self.nearest(pooled.numpy())[0])

    def thinned(self, count: int) -> Landmarks:
        """So many of them at most, drawn at random, in their order."""
        if len(self.ids) <= count:
            return self
        kept = np.sort(np.random.default_rng(0).permutation(len(self.ids))[:count])
        ids, formulas = ([names[one] for one in kept] for names in (self.ids, self.formulas))
        return replace(self, ids=ids, formulas=formulas, places=self.places[kept])

    def save(self, folder: Path) -> Path:
        """The landmarks in a run's folder."""
        return write_atomically(folder / FILE, self.content())

    def content(self) -> bytes:
        """What the file holds."""
        # safetensors writes memory as it lies, whatever the strides.
        arrays = {
            "places": np.ascontiguousarray(self.places),
            "centre": np.ascontiguousarray(self.centre, dtype=np.float32),
            "axes": np.ascontiguousarray(self.axes, dtype=np.float32),
        }
        words = {
            "ids": json.dumps(self.ids),
            "formulas": json.dumps(self.formulas),
            "usual": repr(self.usual),
        }
        content: bytes = save_arrays(arrays, metadata=words)
        return content


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def load_landmarks(folder: Path) -> Landmarks | None:
    """The landmarks of a run; None where it has none.

    Raises:
        GnnmatError: the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, "np") as file:
            words = file.metadata()
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return Landmarks(
            json.loads(words["ids"]),
            json.loads(words["formulas"]),
            arrays["places"],
            arrays["centre"].astype(np.float64),
            arrays["axes"].astype(np.float64),
            float(words["usual"]),
        )
    except Exception as error:  # safetensors has an error class of its own for damaged files
        raise GnnmatError(f"{path} is damaged.", why=str(error)) from error


def _usual(places: Floats) -> float | None:
    """Median distance of some places to the nearest one elsewhere; None if all are one."""
    from sklearn.neighbors import NearestNeighbors

    some = places[np.random.default_rng(0).permutation(len(places))[:ASKED]]
    distinct = np.unique(places, axis=0)
    if len(distinct) < 2:
        return None
    apart = NearestNeighbors(n_neighbors=2).fit(distinct).kneighbors(some)[0]
    return float(np.median(np.where(apart[:, 0] > 0, apart[:, 0], apart[:, 1])))
