"""Several trained members that answer together: mean predictions, and how far they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.augment.augmentation import Draw
from gnnmat.data.dataset import SampleDataset
from gnnmat.data.loading import EpochBatches, loader
from gnnmat.data.symmetry import formulas
from gnnmat.errors import GnnmatError
from gnnmat.models.encoder import Encoder
from gnnmat.tasks.task import Task
from gnnmat.train.checkpoint import Trained, load_trained
from gnnmat.train.descriptors import crystal_descriptors
from gnnmat.train.prediction_table import prediction_table
from gnnmat.train.predictor import Predictor
from gnnmat.train.trees import Trees, beside_trees, load_trees
from gnnmat.train.uncertainty import mutual_information
from gnnmat.train.voices import Observed, observe

ENSEMBLE, MEMBERS = "ensemble.json", "members"
Floats = NDArray[np.float64]


class Committee(Predictor):
    """Members of an ensemble, ready to predict together; one member alone may use its dropout.

    The table has two columns more than that of a `Predictor`: ``disagreement``, the standard
    deviation over the members of the prediction (of the probability of the predicted class),
    and for classes ``mutual_information`` in nats.

    Args:
        members: trained with the same input and targets.
        samples: draws of the dropout of each member; 0 leaves it out.
        seed: of the dropout.
        trees: which answer beside each member, as those of a PU run do; none by default.
    """

    def __init__(
        self,
        members: Sequence[Trained],
        *,
        samples: int = 0,
        seed: int = 0,
        trees: Sequence[Trees] = (),
    ) -> None:
        _check_alike(members)
        super().__init__(members[0])
        self.members = tuple(members)
        self.samples = samples
        self.seed = seed
        self.trees = tuple(trees)

    @property
    def drops(self) -> bool:
        """Whether its voices are draws of the dropout of one member."""
        return len(self.members) == 1 and self.samples > 0

    def observe(
        self,
        dataset: SampleDataset,
        rows: NDArray[np.int64],
        *,
        draw: Draw = "none",
        seed: int | None = None,
        batch_size: int = 256,
    ) -> Observed:
        """What every member says about these rows.

        Args:
            dataset: of the rows.
            rows: to look at.
            draw: 'fixed' for simulated rows that are scored, 'none' for measurements.
            seed: of the draws; default the committee's.
            batch_size: samples at a time.
        """
        batches = loader(dataset, EpochBatches(rows, batch_size, shuffle=False))
        chosen = self.seed if seed is None else seed
        found = observe(self.members, batches, draw=draw, seed=chosen, samples=self.samples)
        if not self.trees:
            return found
        features = crystal_descriptors(dataset, rows)
        logits = np.stack([one.logits(features) for one in self.trees])
        return replace(found, decoded=beside_trees(self.trained.task, found.decoded, logits))

    def rows_table(
        self,
        dataset: SampleDataset,
        rows: NDArray[np.int64],
        *,
        draw: Draw = "none",
        batch_size: int = 256,
    ) -> pd.DataFrame:
        """The table of these rows, with the disagreement of the members."""
        found = self.observe(dataset, rows, draw=draw, batch_size=batch_size)
        return self.described(dataset, rows, found)

    def described(
        self, dataset: SampleDataset, rows: NDArray[np.int64], found: Observed
    ) -> pd.DataFrame:
        """As `observed_table`, with all else that is known of the members."""
        return self.observed_table(dataset, rows, found)

    def observed_table(
        self, dataset: SampleDataset, rows: NDArray[np.int64], found: Observed
    ) -> pd.DataFrame:
        """The table of these rows, from what the members said about them."""
        task = self.trained.task
        mean = task.combine(found.decoded)
        table = prediction_table(task, dataset, rows, mean, formulas(dataset))
        if len(found.decoded) < 2:
            return table
        columns = disagreements(task, found.decoded)
        return pd.concat([table, columns], axis=1)


def disagreements(task: Task, decoded: Tensor) -> pd.DataFrame:
    """``disagreement`` and, for classes, ``mutual_information``, target by target, row by row.

    Args:
        task: of the members.
        decoded: (voices, rows, d), more than one voice.
    """
    voices = [task.table(one) for one in decoded]
    together = task.table(task.combine(decoded))
    parts = []
    for target in task.targets:
        if target.classes:
            chances = class_probabilities([one[target.name] for one in voices], target.classes)
            said = together[target.name]["prediction"]
            place = np.array([target.classes.index(name) for name in said], dtype=np.int64)
            of_class = chances[:, np.arange(len(place)), place]
            columns = {
                "disagreement": of_class.std(axis=0),
                "mutual_information": mutual_information(chances),
            }
            if not task.labels_are_truth:
                columns = {
                    "standard_error": chances[:, :, 0].std(axis=0, ddof=1) / len(chances) ** 0.5
                }
        else:
            values = np.array([one[target.name]["prediction"] for one in voices], dtype=float)
            spread = values.std(axis=0)
            # Of a curve, the mean over its points.
            columns = {"disagreement": spread.mean(axis=1) if target.is_curve else spread}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def deviation(tables: Sequence[dict[str, list[Any]]]) -> Floats:
    """(rows,) standard deviation of predicted numbers over tables of one target each.

    Of a curve it is the root mean square over its points.
    """
    values = np.array([one["prediction"] for one in tables], dtype=float)
    found: Floats = values.std(axis=0)
    return found if found.ndim == 1 else np.sqrt((found**2).mean(axis=1))


def class_probabilities(tables: Sequence[dict[str, list[Any]]], classes: Sequence[str]) -> Floats:
    """(tables, rows, classes) probabilities that add up to one, from columns of prediction tables.

    Scores that are no probabilities, such as closeness to centroids, are divided by their sum.
    """
    raw = np.array([[one[f"probability_{name}"] for name in classes] for one in tables], float)
    raw = np.clip(raw.transpose(0, 2, 1), 1e-12, None)
    chances: Floats = raw / raw.sum(axis=-1, keepdims=True)
    return chances


def is_ensemble(folder: Path) -> bool:
    """Whether an ensemble was begun in this folder."""
    return (folder / ENSEMBLE).is_file()


def member_folders(folder: Path) -> list[Path]:
    """The run folders of the members of an ensemble, by number; none if it is no ensemble."""
    inside = folder / MEMBERS
    if not is_ensemble(folder) or not inside.is_dir():
        return []
    found = [one for one in inside.iterdir() if one.is_dir() and one.name.isdigit()]
    return sorted(found, key=lambda one: int(one.name))


def load_committee(
    run: str | Path, *, model: Encoder | None = None, samples: int = 0, seed: int = 0
) -> Committee:
    """The members of an ensemble, or a single run, ready to predict together.

    Args:
        run: folder of an ensemble or of a run.
        model: the user's own encoder, if a single run was trained with one.
        samples: draws of the dropout of each member; 0 leaves it out.
        seed: of the dropout.

    Raises:
        GnnmatError: not a finished run, its files are damaged, or the members differ.
    """
    folders = member_folders(Path(run)) or [Path(run)]
    members = [load_trained(folder, model) for folder in folders]
    trees = [found for folder in folders if (found := load_trees(folder)) is not None]
    if trees and len(trees) != len(members):
        raise GnnmatError(
            f"{run} has trees beside {len(trees)} of its {len(members)} members.",
            why="It was interrupted, or files were taken away.",
            fix="The command that made it goes on with it.",
        )
    return Committee(members, samples=samples, seed=seed, trees=trees)


def _check_alike(members: Sequence[Trained]) -> None:
    """Refuse members that do not answer the same question.

    Raises:
        GnnmatError: no member, or they differ in input or targets.
    """
    if not members:
        raise GnnmatError("An ensemble needs at least one member.")
    first = members[0]
    for number, one in enumerate(members[1:], start=1):
        for name, same in (
            ("targets", one.spec.targets == first.spec.targets),
            ("input", one.config.input == first.config.input),
            ("shape of the images", one.spec.image_shape == first.spec.image_shape),
            ("augmentation", one.config.augment == first.config.augment),
        ):
            if not same:
                raise GnnmatError(
                    f"Member {number} of the ensemble has other {name} than member 0.",
                    why="They do not answer the same question.",
                )
