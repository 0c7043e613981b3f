"""Predictions of a trained run for anything that can be read, without targets or side files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.augment.augmentation import Augmentation, Draw
from gnnmat.augment.measured import Measured
from gnnmat.data.dataset import SampleDataset, open_dataset
from gnnmat.data.loading import EpochBatches, loader
from gnnmat.data.symmetry import formulas
from gnnmat.errors import GnnmatError
from gnnmat.inputs.ins_map import InsMap
from gnnmat.inputs.powder import Powder
from gnnmat.models.encoder import Encoder
from gnnmat.simulation.layout import SliceLayout
from gnnmat.sources.objects import records_from_objects
from gnnmat.sources.pattern_objects import is_pattern, records_from_patterns
from gnnmat.sources.records import Records
from gnnmat.sources.spectra import on_axes, records_from_spectra
from gnnmat.sources.unmasked import name_unmasked
from gnnmat.tasks.task import Task
from gnnmat.train.checkpoint import Trained, load_trained
from gnnmat.train.domain import unseen_elements, with_elements
from gnnmat.train.joined_tables import predict_apart, with_notes, with_refused
from gnnmat.train.prediction_table import prediction_table


def predict_rows(
    encoder: Encoder,
    task: Task,
    dataset: SampleDataset,
    rows: NDArray[np.int64],
    *,
    augment: Augmentation | None = None,
    draw: Draw = "none",
    seed: int = 0,
    batch_size: int = 256,
) -> Tensor:
    """(samples or atoms, d) decoded predictions of these rows, in their order, on the CPU.

    Args:
        encoder: trained.
        task: trained.
        dataset: of the rows.
        rows: to predict.
        augment: what is done to a batch before the encoder sees it; default nothing.
        draw: 'fixed' for simulated rows that are scored, 'none' for measurements.
        seed: of the draws; the same seed shows every member of an ensemble the same samples.
        batch_size: samples at a time.
    """
    device = next(task.parameters()).device
    encoder.eval()
    task.eval()
    batches = loader(dataset, EpochBatches(rows, batch_size, shuffle=False))
    out = []
    with torch.inference_mode():
        for batch in batches:
            on_device = batch.to(device)
            if augment is not None:
                on_device = augment(on_device, draw, seed)
            out.append(task.decode(task(encoder(on_device), on_device)).cpu())
    return torch.cat(out) if out else torch.empty(0, 0)


class Predictor:
    """A trained run, ready to predict.

    Args:
        trained: from `load_trained`.
    """

    def __init__(self, trained: Trained) -> None:
        self.trained = trained

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of what it predicts."""
        return tuple(target.name for target in self.trained.task.targets)

    def predict(
        self,
        structures: Sequence[Any] | Records | Any,
        *,
        ids: Sequence[str] | None = None,
        state: Mapping[str, Any] | None = None,
        wavelength: str | float | None = None,
        batch_size: int = 256,
        quiet: bool = True,
    ) -> pd.DataFrame:
        """A table of predictions, with what could not be read and why.

        Args:
            structures: paths (files or folders), pymatgen ``Structure``, ASE ``Atoms``,
                ``Crystal``, in any mixture; one of them alone; or records of a source. A run on
                powder patterns also takes measured ones: files, folders, .zip, `PowderPattern`.
            ids: names, one a structure; default file stems and positions.
            state: what a model with a state must know beside the structures, by name: one value
                for all, or one each; columns of records need not be repeated.
            wavelength: of measured patterns that do not say theirs: ``CuKa``, ``CuKa1`` or Å.
            batch_size: samples at a time.
            quiet: no progress bar.

        Returns:
            Columns ``id``, ``formula``, ``target``, ``prediction``, ``unit`` and ``refused``:
            empty, or the reason why there is no prediction. Classes add ``probability`` and one
            ``probability_<class>`` each; targets on atoms add ``atom``
            (its place, from 0) and ``element``; predictions of curves are `Curve`. Crystals add
            ``in_domain``, false where an element was never seen in training, and ``verdict``,
            the same in words. Measured patterns add ``notes``: what was mended while reading.

        Raises:
            GnnmatError: not one structure could be used, with the first reason.
        """
        if isinstance(structures, Records):
            layout = self._layout()
            records = structures if layout is None else on_axes(structures, layout)
        else:
            several = structures if isinstance(structures, (list, tuple)) else [structures]
            measured = self._measured(several)
            if len(set(measured)) > 1:
                each = partial(self.predict, state=state, batch_size=batch_size, quiet=quiet)
                return predict_apart(each, several, measured, ids, state, wavelength)
            records = self.records(several, ids, wavelength)
        if not len(records):
            first = records.refused[0] if records.refused else None
            raise GnnmatError(
                "There is nothing to predict.",
                why=f"{first.id}: {first.reason}" if first else "No structure was given.",
            )
        with tempfile.TemporaryDirectory(prefix="gnnmat-") as folder:
            known = self.trained.spec.state
            dataset = open_dataset(
                records,
                self.trained.config.input,
                state=known.names,
                known_state=known,
                given_state=state,
                folder=Path(folder),
                quiet=quiet,
            )
            rows = np.arange(len(dataset))
            table = self.rows_table(dataset, rows, batch_size=batch_size)
            if dataset.is_crystal and "in_domain" not in table:
                table = with_elements(table, self.unseen(dataset))
        table = table.drop(columns="row").assign(refused="")
        if dataset.refused:
            table = with_refused(table, dataset.refused, records.ids)
        if not isinstance(structures, Records) and all(measured):
            table = with_notes(table, records)
        return table

    def records(
        self,
        items: Sequence[Any],
        ids: Sequence[str] | None = None,
        wavelength: str | float | None = None,
    ) -> Records:
        """Records of what the run was trained on: crystals, powder patterns or spectra.

        A spectrum without a mask gets that of the run's instrument if it is zero under it; a
        warning names those that have none then.
        """
        measured = self._measured(items)
        if len(set(measured)) > 1:
            raise GnnmatError("Crystals and measured powder patterns were given together.")
        if any(measured):
            return records_from_patterns(items, ids, wavelength=wavelength)
        if wavelength is not None:
            raise GnnmatError(
                "A wavelength was given, and none of the samples is a measured powder pattern for "
                "a run that knows them."
            )
        layout, augment = self._layout(), self.trained.augment
        if layout is None:
            return records_from_objects(items, ids)
        if not isinstance(augment, Measured):
            return records_from_spectra(items, layout, ids)
        records = records_from_spectra(items, layout, ids, masks=augment.known_masks())
        if augment.options.mask:
            name_unmasked(records)
        return records

    def _measured(self, items: Sequence[Any]) -> list[bool]:
        """Whether each is a measured pattern, or files of some, for a run that knows them."""
        knows = isinstance(self.trained.config.input, Powder)
        return [knows and is_pattern(item) for item in items]

    def unseen(self, dataset: SampleDataset) -> list[tuple[str, ...]]:
        """The elements of each crystal that the training data do not have."""
        return unseen_elements(dataset.numbers, self.trained.spec.elements)

    def _layout(self) -> SliceLayout | None:
        """The axes of the spectra it was trained on; None for anything else."""
        trained = self.trained
        if isinstance(trained.config.input, InsMap) and trained.spec.layout:
            return SliceLayout.from_dict(trained.spec.layout)
        return None

    def rows_table(
        self,
        dataset: SampleDataset,
        rows: NDArray[np.int64],
        *,
        draw: Draw = "none",
        batch_size: int = 256,
    ) -> pd.DataFrame:
        """The table of these rows of a data set, see `prediction_table`.

        Args:
            dataset: of the rows.
            rows: to predict.
            draw: 'fixed' for simulated rows that are scored, 'none' for measurements.
            batch_size: samples at a time.
        """
        trained = self.trained
        decoded = predict_rows(
            trained.encoder,
            trained.task,
            dataset,
            rows,
            augment=trained.augment,
            draw=draw,
            batch_size=batch_size,
        )
        return prediction_table(trained.task, dataset, rows, decoded, formulas(dataset))


def load(run: str | Path, *, model: Encoder | None = None) -> Predictor:
    """A trained run, ready to predict.

    Args:
        run: folder written by a training.
        model: the user's own encoder, if it was trained with one.

    Raises:
        GnnmatError: not a finished run, or its files are damaged.
    """
    return Predictor(load_trained(run, model))
