"""The measured films of `film_classes.py`: their classes, their series, and what a fold learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gnnmat.augment.augmentation import stream
from gnnmat.augment.powder_instrument import PowderInstrument
from gnnmat.simulation.diffraction.angles import WAVELENGTHS
from gnnmat.sources.halide_set import HalidesSource
from gnnmat.sources.pattern_objects import records_from_patterns
from gnnmat.sources.patterns import PatternsSource
from gnnmat.sources.powder_pattern import PowderPattern, powder_pattern
from gnnmat.sources.records import Records
from gnnmat.train.checkpoint import Trained

Names = NDArray[np.str_]
Rows = NDArray[np.int64]

# As docs/datasets.md has them, written down before anything was learned from these films.
RENAME = {
    "P3m1": "P-3m1", "P61mmc": "P6_3/mmc", "I4Imcm": "I4/mcm", "pm-3m": "Pm-3m", "P21a": "P2_1/c",
}  # fmt: skip
SERIES = {
    "CsAgBiBr": "^CsAgBiBr", "Sn-Pb": "% ?Sn", "MAPI": "MAPI", "MASnI3": "^MASnI3",
    "Cs3Sb2Br9": "^(Cs3Sb2Br9|CsSbBr)", "Rb3Sb2Br9": "^(Rb3Sb2Br9|RbSbBr)",
    "Cs3Sb2I9": "^(Cs3Sb2I9|CsSbI)", "numbered": r"^\d+_2-Theta", "dark": r"\(Dark\)",
    "FAI-MABr": "^FAI_", "FAPbI3-MAPbBr3": r"^FAPbI3\d_MAPbBr",
}  # fmt: skip
LEAST = 3  # films of a class
COLUMN = "space_group"


@dataclass(frozen=True)
class Films:
    """Measured films.

    Args:
        names: (n,) of the files, without folder and ending.
        patterns: as measured.
        groups: (n,) space group that the authors give.
        series: (n,) which films were made together.
    """

    names: Names
    patterns: tuple[PowderPattern, ...]
    groups: Names
    series: Names

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Films:
        """Some of them."""
        places = np.arange(len(self))[rows]
        chosen = tuple(self.patterns[place] for place in places)
        return Films(self.names[places], chosen, self.groups[places], self.series[places])

    @property
    def judgeable(self) -> NDArray[np.bool_]:
        """(n,) whether other series have films of the same class."""
        return np.array([
            len(set(self.series[self.groups == group])) > 1 for group in self.groups
        ])  # fmt: skip


def open_films(path: Path) -> Films:
    """All films of an archive or folder that can be read."""
    records = PatternsSource(
        path=str(path), label="folder", column=COLUMN, wavelength="CuKa", series=SERIES
    ).open()
    groups = [RENAME.get(name, name) for name in records.table[COLUMN]]
    return Films(
        np.array([Path(str(name)).name for name in records.ids]),
        tuple(records.read(raw) for raw in records.raws),
        np.array(groups),
        records.table["series"].to_numpy(dtype=str),
    )


def frequent(films: Films) -> Films:
    """The films of classes with at least `LEAST` films."""
    names, counts = np.unique(films.groups, return_counts=True)
    return films.take(np.isin(films.groups, names[counts >= LEAST]))


def copies(groups: Names, series: Names, total: int) -> Rows:
    """(n,) how often each film is shown, so that classes, and series of a class, count alike.

    Args:
        groups: (n,) classes.
        series: (n,) series.
        total: of all films together, about.
    """
    found = np.zeros(len(groups), dtype=np.int64)
    for group in set(groups):
        inside = groups == group
        each = total / len(set(groups)) / len(set(series[inside]))
        for one in set(series[inside]):
            rows = inside & (series == one)
            found[rows] = max(1, round(each / rows.sum()))
    return found


def drawn_patterns(
    trained: Trained, classes: Sequence[str], samples: int, seed: int
) -> tuple[list[PowderPattern], Names]:
    """Simulated patterns of the parents, measured once by the instrument of a run, in counts.

    Args:
        trained: whose input and instrument are used.
        classes: space groups.
        samples: of each.
        seed: of crystals and measurements, another one than that of the run.
    """
    records = HalidesSource(samples=samples, seed=seed, classes=tuple(classes)).open()
    instrument = trained.augment
    assert isinstance(instrument, PowderInstrument)
    input = trained.config.input
    peaks = [input.sample(records.read(raw))["peaks"] for raw in records.raws]  # type: ignore[union-attr]
    generators = [stream("train", seed, 0, row) for row in range(len(peaks))]
    with torch.no_grad():
        counts = instrument.measured(torch.from_numpy(np.concatenate(peaks)).float(), generators)
    angles = instrument.grid.angles.numpy()
    made = [
        powder_pattern(name, angles, one.numpy(), wavelength=WAVELENGTHS["CuKa1"])
        for name, one in zip(records.ids, counts.double(), strict=True)
    ]
    return made, records.table[COLUMN].to_numpy(dtype=str)


def fold_records(
    films: Films, test: NDArray[np.bool_], drawn: Sequence[PowderPattern], classes: Names
) -> Records:
    """Films of a fold beside simulated patterns, as many of one as of the other.

    The column ``split`` says ``test`` for the films of the fold and ``train`` for everything else.
    Films are repeated, see `copies`; each copy is disturbed in its own way in training.

    Args:
        films: of all folds.
        test: (n,) those that are held out.
        drawn: simulated patterns.
        classes: of these.
    """
    shown = np.ones(len(films), dtype=np.int64)
    shown[~test] = copies(films.groups[~test], films.series[~test], len(drawn))
    rows = np.repeat(np.arange(len(films)), shown)
    items = [replace(films.patterns[row], id=str(films.names[row])) for row in rows]
    ids = [f"{row}-{place}" for row, count in enumerate(shown) for place in range(count)]
    records = records_from_patterns(
        [*items, *drawn], [*ids, *(f"drawn-{one}" for one in range(len(drawn)))]
    )
    table = pd.DataFrame({
        COLUMN: np.concatenate([films.groups[rows], classes]).astype(object),
        "split": [*np.where(test[rows], "test", "train"), *["train"] * len(drawn)],
        "film": [*rows, *[-1] * len(drawn)],
    })  # fmt: skip
    return replace(records, table=table)
