"""A committee that says, beside its answers, whether they may be trusted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.augment.augmentation import Draw
from gnnmat.data.dataset import SampleDataset
from gnnmat.errors import GnnmatError
from gnnmat.models.encoder import Encoder
from gnnmat.sample import Batch
from gnnmat.train.committee import (
    Committee,
    class_probabilities,
    is_ensemble,
    load_committee,
)
from gnnmat.train.domain import domain_words
from gnnmat.train.predictor import Predictor, load
from gnnmat.train.spread import number_answers
from gnnmat.train.strangeness import all_scores
from gnnmat.train.trust import Trust, has_trust, load_trust
from gnnmat.train.uncertainty import with_temperature
from gnnmat.train.voices import Observed, observe

Floats = NDArray[np.float64]


class Judge(Committee):
    """A run or an ensemble that knows when not to be trusted.

    The table has the columns of a `Committee`, with calibrated probabilities, and
    ``interval_low`` and ``interval_high`` where intervals were calibrated, ``in_distribution``
    (true or false; ``in_domain`` for crystals, which may also hold elements never seen),
    ``trust_score`` (share of validation samples that are at least as strange), ``verdict`` (in
    words), and ``score_<name>`` for every score.

    Args:
        committee: the members.
        trust: what is usual for them.
    """

    def __init__(self, committee: Committee, trust: Trust) -> None:
        super().__init__(
            committee.members,
            samples=committee.samples,
            seed=committee.seed,
            trees=committee.trees,
        )
        self.trust = trust

    def scores(self, found: Observed) -> dict[str, Floats]:
        """By score (rows,) how strange each sample is."""
        trust = self.trust
        return all_scores(self.trained.task, trust.densities, trust.scales, found)

    def batch_scores(
        self, batches: Iterable[Batch], *, draw: Draw = "none", seed: int = 0
    ) -> dict[str, Floats]:
        """By score (rows,) how strange the samples of these batches are.

        Args:
            batches: as they are stored.
            draw: 'fixed' adds the noise of the augmentation, 'none' does not.
            seed: of the draws.
        """
        found = observe(self.members, batches, draw=draw, seed=seed, samples=self.samples)
        return self.scores(found)

    def rows_table(
        self,
        dataset: SampleDataset,
        rows: NDArray[np.int64],
        *,
        draw: Draw = "none",
        batch_size: int = 256,
    ) -> pd.DataFrame:
        """The table of these rows, with verdicts."""
        found = self.observe(dataset, rows, draw=draw, batch_size=batch_size)
        return self.described(dataset, rows, found)

    def described(
        self, dataset: SampleDataset, rows: NDArray[np.int64], found: Observed
    ) -> pd.DataFrame:
        """The table of these rows with verdicts, from what the members said about them."""
        table = self.observed_table(dataset, rows, found)
        scores = self.scores(found)
        place = {int(row): number for number, row in enumerate(rows)}
        at = table["row"].map(place).to_numpy()
        table = self._with_intervals(self._calibrated(table), found, scores, at)
        return table.assign(
            **self._verdicts(dataset, rows, scores, at),
            **{f"score_{name}": values[at] for name, values in scores.items()},
        )

    def _verdicts(
        self,
        dataset: SampleDataset,
        rows: NDArray[np.int64],
        scores: dict[str, Floats],
        at: NDArray[np.int64],
    ) -> dict[str, Any]:
        """Columns of the verdict, for the lines of a table that are about rows ``rows[at]``."""
        verdicts = self.trust.judge(scores)
        trusted, trust, words = verdicts.in_distribution, verdicts.trust, verdicts.words
        name = "in_distribution"
        if dataset.is_crystal:
            name, everything = "in_domain", self.unseen(dataset)
            unseen = [everything[row] for row in rows]
            new = np.array([bool(one) for one in unseen], dtype=bool)
            trusted, trust = trusted & ~new, np.where(new, 0.0, trust)
            words = [domain_words(*pair) for pair in zip(words, unseen, strict=True)]
        return {
            name: trusted[at],
            "trust_score": trust[at],
            "verdict": [words[number] for number in at],
        }

    def _with_intervals(
        self,
        table: pd.DataFrame,
        found: Observed,
        scores: dict[str, Floats],
        at: NDArray[np.int64],
    ) -> pd.DataFrame:
        """The table with the ends of the intervals behind the predictions."""
        if not self.trust.intervals:
            return table
        ends = np.full((2, len(table)), np.nan)
        said = number_answers(self.trained.task, found, scores, dropout=self.drops)
        for interval in self.trust.intervals:
            own = said[interval.target]
            where = (table["target"] == interval.target).to_numpy()
            low, high = interval.bounds(own.prediction, own.spread)
            ends[:, where] = low[at[where]], high[at[where]]
        place = list(table.columns).index("prediction") + 1
        table = table.copy()
        table.insert(place, "interval_low", ends[0])
        table.insert(place + 1, "interval_high", ends[1])
        return table

    def _calibrated(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with errors as large, and chances as high, as validation rows showed."""
        factors: dict[str, float] = self.trust.facts.get("error_factors", {})
        if factors and "error" in table:
            table = table.assign(
                error=table["error"] * table["target"].map(factors).fillna(1.0).to_numpy(float)
            )
        calibrated = self.trust.facts.get("calibration", {}).get("target")
        target = next((one for one in self.trained.task.targets if one.name == calibrated), None)
        if target is None:
            return table
        columns = [f"probability_{name}" for name in target.classes]
        where = (table["target"] == target.name).to_numpy()
        raw = class_probabilities(
            [{name: table.loc[where, name].tolist() for name in columns}], target.classes
        )[0]
        chances = with_temperature(raw, self.trust.temperature)
        out = table.copy()
        out.loc[where, columns] = chances
        out.loc[where, "probability"] = chances.max(axis=-1)
        return out


def load_judge(run: str | Path, *, model: Encoder | None = None) -> Judge:
    """A run or an ensemble that knows when not to be trusted.

    Args:
        run: its folder.
        model: the user's own encoder, if it has one.

    Raises:
        GnnmatError: not a finished run, or its thresholds were never fixed.
    """
    folder = Path(run)
    trust = load_trust(folder)
    samples = int(trust.facts.get("samples", 0))
    return Judge(load_committee(folder, model=model, samples=samples), trust)


def load_model(
    run: str | Path, *, model: Encoder | None = None, samples: int = 0, seed: int = 0
) -> Predictor:
    """A run or an ensemble, ready to predict, with verdicts where thresholds were fixed.

    Args:
        run: its folder.
        model: the user's own encoder, if it has one.
        samples: draws of the dropout of each member; 0 takes the number that the thresholds
            were fixed with.
        seed: of the dropout.

    Raises:
        GnnmatError: not a finished run, or thresholds were fixed with another number of draws.
    """
    folder = Path(run)
    if has_trust(folder):
        judge = load_judge(folder, model=model)
        if samples not in (0, judge.samples):
            raise GnnmatError(
                f"The thresholds of {folder} were fixed with {judge.samples} draws of dropout, "
                f"not with {samples}.",
                fix=f"gnnmat trust {folder} --dropout-samples {samples}",
            )
        return judge
    if is_ensemble(folder) or samples:
        return load_committee(folder, model=model, samples=samples, seed=seed)
    return load(folder, model=model)
