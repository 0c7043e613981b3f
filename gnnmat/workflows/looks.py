"""What a committee says about the rows it was trained with: the material of trust."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnmat.data.dataset import SampleDataset
from gnnmat.errors import GnnmatError
from gnnmat.train.committee import Committee
from gnnmat.train.config import RunConfig
from gnnmat.train.strangeness import FEATURES, STATISTICS, all_scores, member_distances
from gnnmat.train.trust_scores import Density, fit_density
from gnnmat.train.voices import Observed, joined
from gnnmat.workflows.calibration import class_labels
from gnnmat.workflows.intervals import exchangeable_groups
from gnnmat.workflows.preparation import Prepared, prepare

# Rows from which densities are learned; more make no difference to means and covariances.
TRAIN_ROWS = 5000

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Look:
    """Rows that were looked at, each once a draw.

    Args:
        rows: (looks,) of the data set.
        seen: what the members said.
        scores: by name (looks,) how strange each is.
        groups: (looks,) what is kept together.
    """

    rows: NDArray[np.int64]
    seen: Observed
    scores: dict[str, Floats]
    groups: NDArray[Any]


class Looking:
    """A committee and its rows, with the densities of the training rows.

    Args:
        committee: to look with.
        config: of its run.
        prepared: rows of the run.
        draws: times that every validation row is looked at, with other noise each time.
        seed: of the draws.

    Raises:
        GnnmatError: values on atoms, or no validation rows.
    """

    def __init__(
        self,
        committee: Committee,
        config: RunConfig,
        prepared: Prepared,
        *,
        draws: int = 1,
        seed: int = 0,
    ) -> None:
        if committee.trained.task.level != "sample":
            raise GnnmatError("Trust is judged for values of whole samples, not of atoms.")
        if not len(prepared.rows("val")):
            raise GnnmatError(
                "There are no validation rows to fix thresholds on.", fix="split.val=0.1"
            )
        self.committee, self.config, self.prepared = committee, config, prepared
        self.draws, self.seed = max(draws, 1), seed
        self.labels = class_labels(committee, prepared.dataset)
        train = np.random.default_rng(seed).permutation(prepared.rows("train"))[:TRAIN_ROWS]
        self.train_rows = len(train)
        known = None if self.labels is None else self.labels[train]
        self.densities = _densities(
            committee.observe(prepared.dataset, train, draw="fixed"), known, seed
        )
        self.scales: dict[str, Floats] = {}
        self.val = self._validation()

    def _validation(self) -> Look:
        """The validation rows; they also tell what a usual distance is."""
        seen = _looked_at(
            self.committee, self.prepared.dataset, self.prepared.rows("val"), self.draws, self.seed
        )
        self.scales = {
            name: np.maximum(np.median(values, axis=1), 1e-12)
            for name, values in member_distances(self.densities, seen).items()
        }
        return self._look(np.tile(self.prepared.rows("val"), self.draws), seen)

    def test(self) -> Look | None:
        """The test rows, looked at once; None where there are none."""
        rows = self.prepared.rows("test")
        if not len(rows):
            return None
        dataset = self.prepared.dataset
        return self._look(rows, self.committee.observe(dataset, rows, draw="fixed", seed=self.seed))

    def _look(self, rows: NDArray[np.int64], seen: Observed) -> Look:
        scores = all_scores(self.committee.trained.task, self.densities, self.scales, seen)
        return Look(rows, seen, scores, exchangeable_groups(self.config, self.prepared, rows))


def look(
    committee: Committee, config: RunConfig, *, draws: int = 1, seed: int = 0, quiet: bool = True
) -> Looking:
    """A committee and the rows of its run's own data."""
    return Looking(committee, config, prepare(config, quiet=quiet), draws=draws, seed=seed)


def _looked_at(
    committee: Committee,
    dataset: SampleDataset,
    rows: NDArray[np.int64],
    draws: int,
    seed: int,
) -> Observed:
    """The rows, once a draw."""
    return joined(
        [
            committee.observe(dataset, rows, draw="fixed", seed=seed + number)
            for number in range(draws)
        ]
    )


def _densities(
    seen: Observed, labels: NDArray[np.int64] | None, seed: int
) -> dict[str, tuple[Density, ...]]:
    found = {FEATURES: tuple(fit_density(rows.numpy(), labels, seed=seed) for rows in seen.pooled)}
    if seen.statistics is not None:
        found[STATISTICS] = (fit_density(seen.statistics.numpy(), labels, seed=seed),)
    return found
