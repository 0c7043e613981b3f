"""What a network is told about an element: a learned vector, tabulated properties, or both."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

LAST = 118
CATEGORIES = {
    "period": [str(number) for number in range(1, 8)],
    "group": [str(number) for number in range(1, 19)],
    "block": ["s", "p", "d", "f"],
}

AtomFeatures = Literal["learned", "properties", "both"]


@cache
def element_table() -> list[dict[str, str]]:
    """The rows of ``elements.csv``, hydrogen first; values as text, empty where unknown.

    Source: written from pymatgen's periodic table and ASE's covalent radii (Cordero et al.,
    Dalton Trans. 2832 (2008)). Electronegativities are Pauling's; radii in Å; ionization
    energy and electron affinity in eV; mass in u; valence in electrons.
    """
    text = (files("gnnmat.models") / "elements.csv").read_text()
    return list(csv.DictReader(text.splitlines()))


def numeric_columns() -> list[str]:
    """Names of the numeric properties, in the order of the table."""
    skip = {"number", "symbol", *CATEGORIES}
    return [name for name in element_table()[0] if name not in skip]


@cache
def element_properties() -> tuple[NDArray[np.float64], list[str]]:
    """Numeric properties by atomic number, (119, p), NaN where unknown, and their names.

    Row 0 is no element and all NaN.
    """
    names = ["period", "group", *numeric_columns()]
    table = np.full((LAST + 1, len(names)), np.nan)
    for row in element_table():
        table[int(row["number"])] = [float(row[name]) if row[name] else np.nan for name in names]
    return table, names


def covalent_radii() -> NDArray[np.float64]:
    """(119,) in Å by atomic number; where none is known, the mean of those known.

    Source: Cordero et al., Dalton Trans. 2832 (2008).
    """
    table, names = element_properties()
    radii = table[:, names.index("covalent_radius")]
    return np.nan_to_num(radii, nan=float(np.nanmean(radii)))


def property_vectors() -> Tensor:
    """(119, p) input vectors: standardised properties, then period, group and block one-hot.

    A missing value is the mean of the known ones.
    """
    table, names = element_properties()
    numbers = table[:, [names.index(name) for name in numeric_columns()]]
    mean, std = np.nanmean(numbers, axis=0), np.nanstd(numbers, axis=0)
    scaled = np.nan_to_num((numbers - mean) / std)
    hot = np.zeros((LAST + 1, sum(map(len, CATEGORIES.values()))))
    for row in element_table():
        place = 0
        for name, options in CATEGORIES.items():
            hot[int(row["number"]), place + options.index(row[name])] = 1.0
            place += len(options)
    return torch.tensor(np.concatenate([scaled, hot], axis=1), dtype=torch.float32)


class ElementEmbedding(nn.Module):
    """(atoms, width) features of each atom from its element alone.

    Args:
        width: features an atom.
        features: ``learned`` vectors know nothing beforehand and suit large data;
            ``properties`` carry over to elements that are rare in training; ``both`` adds them.
        elements: those of the training data; a learned vector of any other element stays zero
            with ``both``, so that its properties alone speak.
    """

    def __init__(self, width: int, features: AtomFeatures, elements: Sequence[int] = ()) -> None:
        super().__init__()
        self.learned = nn.Embedding(LAST + 1, width) if features != "properties" else None
        self.linear = None
        if features != "learned":
            vectors = property_vectors()
            self.register_buffer("vectors", vectors, persistent=False)
            self.linear = nn.Linear(vectors.shape[1], width)
            if self.learned is not None:
                known = torch.zeros(LAST + 1, 1)
                known[list(elements) or slice(None)] = 1.0
                with torch.no_grad():
                    self.learned.weight *= 0.1 * known

    def forward(self, z: Tensor) -> Tensor:
        out = self.learned(z) if self.learned is not None else None
        if self.linear is not None:
            # One product an element, then a look-up an atom.
            told = self.linear(self.vectors)[z]
            out = told if out is None else out + told
        assert out is not None
        return out
