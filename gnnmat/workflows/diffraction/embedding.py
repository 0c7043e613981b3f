"""How alike a measured pattern and those of known crystals look to a trained network."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gnnmat.data.dataset import open_dataset
from gnnmat.data.loading import EpochBatches, loader
from gnnmat.errors import GnnmatError
from gnnmat.inputs.powder import Powder
from gnnmat.sources.objects import records_from_objects
from gnnmat.sources.pattern_objects import records_from_patterns
from gnnmat.sources.powder_pattern import PowderPattern
from gnnmat.sources.records import Records
from gnnmat.train.checkpoint import Trained
from gnnmat.train.committee import Committee
from gnnmat.train.judge import load_model
from gnnmat.train.voices import observe
from gnnmat.workflows.diffraction.beam import Beam
from gnnmat.workflows.diffraction.phases import Phase

Floats = NDArray[np.float64]

BATCH = 256


def embedding_scores(
    run: str | Path,
    pattern: PowderPattern,
    beam: Beam,
    phases: list[Phase],
    *,
    quiet: bool = True,
) -> Floats:
    """(phases,) cosine of the features of the pattern and of each crystal, mean over members.

    The features are those before the head; the mean of the crystals' is taken off first, as what
    all patterns have in common tells none from another. -1 where a crystal has no pattern.

    Args:
        run: trained on powder patterns of crystals; folder, or name of a shipped model.
        pattern: measured.
        beam: it was measured with.
        phases: the crystals, two at least.
        quiet: no progress bar.

    Raises:
        GnnmatError: the run knows no powder patterns, or the pattern does not fit it.
    """
    from gnnmat.zoo import find_model

    predictor = load_model(find_model(run))
    if not isinstance(predictor.trained.config.input, Powder):
        raise GnnmatError(
            f"{run} was not trained on powder patterns.",
            fix="gnnmat train powder_crystal_system, or leave --run out.",
        )
    members = predictor.members if isinstance(predictor, Committee) else (predictor.trained,)
    told = records_from_patterns([pattern], wavelength=beam.wavelength)
    known = records_from_objects(
        [one.crystal for one in phases], ids=[str(place) for place in range(len(phases))]
    )
    measured, _ = _features(members, told, quiet=True)
    crystals, places = _features(members, known, quiet=quiet)
    total = np.zeros(len(places))
    for asked, every in zip(measured, crystals, strict=True):
        middle = every.mean(axis=0)
        total += _unit(every - middle) @ _unit(asked - middle)[0]
    scores = np.full(len(phases), -1.0)
    scores[places] = total / len(members)
    return scores


def _features(
    members: tuple[Trained, ...], records: Records, *, quiet: bool
) -> tuple[list[Floats], list[int]]:
    """(samples, width) of each member, and the places of the samples among the records."""
    with tempfile.TemporaryDirectory(prefix="gnnmat-") as folder:
        data = open_dataset(records, members[0].config.input, folder=Path(folder), quiet=quiet)
        if not len(data):
            raise GnnmatError(data.refused[0].reason)
        order = {str(name): place for place, name in enumerate(records.ids)}
        places = [order[str(name)] for name in data.ids]
        batches = loader(data, EpochBatches(np.arange(len(data)), BATCH, shuffle=False))
        found = observe(members, batches)
    return [one.double().numpy() for one in found.pooled], places


def _unit(rows: Floats) -> Floats:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = rows / np.maximum(length, 1e-12)
    return unit
