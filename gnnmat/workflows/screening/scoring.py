"""Models at work on candidates: what each member says, with graphs shared among models."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.data.dataset import SampleDataset, open_dataset
from gnnmat.data.symmetry import symmetries
from gnnmat.errors import GnnmatError
from gnnmat.inputs import Input
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.records import Records
from gnnmat.train.committee import Committee
from gnnmat.train.judge import load_model
from gnnmat.train.learned import Learned, load_learned
from gnnmat.workflows.screening.table import crystals_of
from gnnmat.zoo import find_model


@dataclass(frozen=True)
class Scored:
    """What a model says of candidates.

    Args:
        table: one row a crystal that could be read and target, see `Judge`.
        members: by target (members, crystals) what each says; in the order of ``ids``.
        ids: of the crystals.
        refused: reason by id of the others.
        seconds: spent by ``graphs`` and by ``model``.
    """

    table: pd.DataFrame
    members: Mapping[str, NDArray[np.float64]]
    ids: list[str]
    refused: dict[str, str]
    seconds: dict[str, float]


@dataclass
class Scorer:
    """A model, ready to score tables of candidates.

    Args:
        committee: the model, alone or with others.
        learned: what it has learned from, if that is known.
    """

    committee: Committee
    learned: Learned | None

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of what it predicts."""
        return self.committee.targets

    def units(self) -> dict[str, str]:
        """Unit by target."""
        return {one.name: one.unit for one in self.committee.trained.task.targets}

    def score(self, table: pd.DataFrame, batch_size: int = 256) -> Scored:
        """What it says of the crystals of a table."""
        began = time.perf_counter()
        dataset, rows, refused = _GRAPHS.rows(self.committee.trained.config.input, table)
        if dataset is not None and self.committee.trees:
            symmetries(dataset, rows, workers=1, quiet=True)  # this may be one of many processes
        built = time.perf_counter()
        if dataset is None:
            return Scored(pd.DataFrame(columns=["id", "target"]), {}, [], refused, {})
        found = self.committee.observe(dataset, rows, batch_size=batch_size)
        done = time.perf_counter()
        said = self.committee.described(dataset, rows, found)
        ids = [dataset.ids[row] for row in rows]
        seconds = {"graphs": built - began, "model": done - built}
        return Scored(said, self._voices(found.decoded), ids, refused, seconds)

    def _voices(self, decoded: Tensor) -> dict[str, NDArray[np.float64]]:
        task = self.committee.trained.task
        voices = [task.table(one) for one in decoded]
        return {
            one.name: np.array([voice[one.name]["prediction"] for voice in voices], dtype=float)
            for one in task.targets
            if not one.classes and not one.is_curve
        }


@lru_cache(maxsize=8)
def open_scorer(run: str, digest: str = "") -> Scorer:
    """The scorer of a run, an ensemble or a shipped model, loaded once a process.

    Args:
        run: folder or name.
        digest: of its files; another one loads it again.

    Raises:
        GnnmatError: no such model, or one that is not about crystals or about single atoms.
    """
    folder = find_model(run)
    model = load_model(folder)
    committee = model if isinstance(model, Committee) else Committee([model.trained])
    task, known = committee.trained.task, committee.trained.spec
    if "z" not in known.fields or known.state.names:
        raise GnnmatError(
            f"{run} is no model of crystals alone, and a screen has nothing else to show it."
        )
    if task.level != "sample":
        raise GnnmatError(f"{run} predicts values of atoms; a screen needs one value a crystal.")
    return Scorer(committee, load_learned(folder))


@dataclass
class _Graphs:
    """The graphs of the last candidates, so that a second model need not make them again."""

    input: Input | None = None
    places: dict[bytes, int] = field(default_factory=dict)
    dataset: SampleDataset | None = None
    refused: dict[bytes, str] = field(default_factory=dict)
    scratch: tempfile.TemporaryDirectory[str] | None = None

    def rows(
        self, input: Input, table: pd.DataFrame
    ) -> tuple[SampleDataset | None, NDArray[np.int64], dict[str, str]]:
        """A data set, the places in it of the crystals of the table, and reasons by id.

        Without a single crystal that can be used there is no data set.
        """
        crystals = crystals_of(table)
        ids = [str(one) for one in table["id"]]
        keys = [name.encode() + one.digest() for name, one in zip(ids, crystals, strict=True)]
        known = all(key in self.places or key in self.refused for key in keys)
        if not known or input != self.input:
            self._make(input, ids, crystals, keys)
        rows = np.array([self.places[key] for key in keys if key in self.places], dtype=np.int64)
        refused = {
            name: self.refused[key]
            for name, key in zip(ids, keys, strict=True)
            if key in self.refused
        }
        return self.dataset, rows, refused

    def _make(
        self, input: Input, ids: list[str], crystals: list[Crystal], keys: list[bytes]
    ) -> None:
        old, self.scratch = self.scratch, tempfile.TemporaryDirectory(prefix="gnnmat-")
        records = _checked_records(ids, crystals)
        self.input, self.places, self.refused = input, {}, {}
        by_id = dict(zip(ids, keys, strict=True))
        try:
            self.dataset = open_dataset(
                records, input, folder=Path(self.scratch.name), workers=1, quiet=True
            )
        except GnnmatError as error:  # not one can be used, for the same reason or many
            self.dataset = None
            self.refused = dict.fromkeys(keys, error.why or error.what)
        else:
            self.places = {by_id[name]: row for row, name in enumerate(self.dataset.ids)}
            self.refused = {by_id[one.id]: one.reason for one in self.dataset.refused}
        if old is not None:
            old.cleanup()


def _checked_records(ids: list[str], crystals: list[Crystal]) -> Records:
    """Records of crystals that were checked when they were read."""
    sha = hashlib.sha256(b"".join(one.digest() for one in crystals))
    table = pd.DataFrame(index=range(len(ids)))
    return Records(ids, crystals, _itself, sha.hexdigest(), table)


def _itself(crystal: Crystal) -> Crystal:
    return crystal


_GRAPHS = _Graphs()
