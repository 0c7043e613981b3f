"""Why a trained network answers as it does for one diffraction pattern or fingerprint."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gnnmat.data.dataset import open_dataset
from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.inputs.cluster import Cluster
from gnnmat.inputs.powder import Powder
from gnnmat.sample import Batch, collate
from gnnmat.sources.crystal import Crystal
from gnnmat.train.attribution import Method, attribute
from gnnmat.train.checkpoint import Trained
from gnnmat.train.committee import Committee
from gnnmat.train.judge import load_model
from gnnmat.train.predictor import Predictor
from gnnmat.train.relu_rules import response, strongest
from gnnmat.workflows.explain import predicted_classes, target_of_classes
from gnnmat.workflows.spots import Spots, peaks_of_crystal, peaks_of_image, peaks_of_pattern

Floats = NDArray[np.float64]

FILTERS = 6  # strongest filters of a layer that are shown


@dataclass(frozen=True)
class LayerResponse:
    """Attentive response maps of one layer.

    Args:
        name: ``layer 2 of 4, 64 filters``.
        together: (C, *S) of all its filters at once.
        filters: number and (C, *S) of the filters that answered most.
    """

    name: str
    together: Floats
    filters: tuple[tuple[int, Floats], ...]


@dataclass(frozen=True)
class PatternExplanation:
    """What was found out about one pattern.

    Args:
        id: its name.
        seen: (C, *S) the pattern as the network sees it.
        map: (C, *S) contribution to the log-odds of the class, or, of guided backpropagation and
            deconvolution, parts of the image.
        at: (n,) degrees of 2 theta of a powder pattern; None for fingerprints.
        spots: Bragg peaks.
        label: the explained class.
        log_odds: of that class against all others.
        scores: by class.
        verdict: in words, whether to trust the answer.
        trusted: the same; None if the run has no thresholds.
        method: of the map.
        responses: attentive response maps, layer by layer; empty for encoders without a chain of
            convolutions.
    """

    id: str
    seen: Floats
    map: Floats
    at: Floats | None
    spots: Spots
    label: str
    log_odds: float
    scores: dict[str, float]
    verdict: str
    trusted: bool | None
    method: Method
    responses: tuple[LayerResponse, ...]

    @property
    def share(self) -> float:
        """Share of the map, without signs, that lies on the Bragg peaks."""
        size = np.abs(self.map)
        total = float(size.sum())
        return float(size[self.spots.where].sum()) / total if total else 0.0


def explain_pattern(
    run: str | Path,
    sample: Any,
    *,
    label: str | None = None,
    method: Method | None = None,
    wavelength: str | float | None = None,
    draws: int = 8,
) -> PatternExplanation:
    """The explanation of one pattern by a run trained on powder patterns or fingerprints.

    Args:
        run: folder of a run or an ensemble, or name of a shipped model.
        sample: a measured pattern (file or `PowderPattern`), or a crystal, whose pattern is
            simulated without defects and noise.
        label: the class to explain; None takes the predicted one.
        method: how the map is made, see `gnnmat.train.attribution.attribute`; None takes
            gradients times intensity.
        wavelength: of a pattern that does not say its own: ``CuKa``, ``CuKa1`` or Å.
        draws: noisy copies of the pattern.

    Raises:
        GnnmatError: the run was not trained on patterns, it knows no such class, or the pattern
            does not fit it.
    """
    from gnnmat.zoo import find_model

    predictor = load_model(find_model(run))
    trained = predictor.trained
    if not isinstance(trained.config.input, Powder | Cluster):
        raise GnnmatError(f"{run} was not trained on diffraction patterns.")
    target = target_of_classes(trained)
    raw, name, batch, table = _opened(predictor, sample, wavelength)
    answer, scores = predicted_classes(target, table)
    if label is not None and label not in target.classes:
        raise GnnmatError(
            f"This run knows no class '{label}'.", fix=did_you_mean(label, target.classes)
        )
    chosen = label or answer
    members = predictor.members if isinstance(predictor, Committee) else (trained,)
    kind: Method = method or "gradient_x_input"
    place = target.classes.index(chosen)
    found = attribute(members, batch, label=place, method=kind, draws=draws)
    seen = members[0].augment(batch, "none").image
    shown = seen[0].double().numpy()
    at, spots = _spots(trained, raw, shown)
    trusted, verdict = judgement(table)
    return PatternExplanation(
        id=name,
        seen=shown,
        map=found.channels,
        at=at,
        spots=spots,
        label=chosen,
        log_odds=found.log_odds,
        scores=scores,
        verdict=verdict,
        trusted=trusted,
        method=kind,
        responses=layer_responses(members[0], seen),
    )


def judgement(table: pd.DataFrame) -> tuple[bool | None, str]:
    """Whether to trust the answer, None where no thresholds are fixed; and that in words.

    Args:
        table: predictions of one sample, as `Predictor.predict` gives them.
    """
    if "trust_score" not in table:
        return None, "Not judged: no thresholds are set."
    # Crystals have a domain, measured patterns and images a distribution.
    name = "in_domain" if "in_domain" in table else "in_distribution"
    return bool(table[name].iloc[0]), str(table["verdict"].iloc[0])


def layer_responses(trained: Trained, image: Tensor) -> tuple[LayerResponse, ...]:
    """Attentive response maps of every layer of a chain of convolutions, the first one first.

    Args:
        trained: the network; others than such chains have none.
        image: (1, C, *S) as it sees it.
    """
    layers = getattr(trained.encoder, "layers", None)
    if not isinstance(layers, nn.Sequential):
        return ()
    depths = [place + 1 for place, layer in enumerate(layers) if isinstance(layer, nn.ReLU)]
    found = []
    for number, depth in enumerate(depths, 1):
        first = strongest(layers, image, depth, FILTERS)
        maps = response(layers, image, depth, first).double().numpy()
        with torch.no_grad():
            width = layers[:depth](image).shape[1]
        found.append(
            LayerResponse(
                f"layer {number} of {len(depths)}, {width} filters",
                response(layers, image, depth)[0].double().numpy(),
                tuple(zip(first, maps, strict=True)),
            )
        )
    return tuple(found)


def _opened(
    predictor: Predictor, sample: Any, wavelength: str | float | None
) -> tuple[Any, str, Batch, pd.DataFrame]:
    """The sample as it was read, its name, a batch of it, and its predictions.

    Raises:
        GnnmatError: it cannot be used, or there are several.
    """
    records = predictor.records([sample], wavelength=wavelength)
    if len(records) > 1:
        raise GnnmatError(
            f"'{sample}' holds {len(records)} samples.", fix="Explain one pattern at a time."
        )
    table = predictor.predict(records)
    with tempfile.TemporaryDirectory(prefix="gnnmat-") as folder:
        dataset = open_dataset(
            records, predictor.trained.config.input, folder=Path(folder), quiet=True
        )
        batch = collate([dataset[0]])
    return records.read(records.raws[0]), str(records.ids[0]), batch, table


def _spots(trained: Trained, raw: Any, shown: Floats) -> tuple[Floats | None, Spots]:
    """The axis of a powder pattern, and the Bragg peaks of the sample."""
    options = trained.config.input
    if not isinstance(options, Powder):
        return None, peaks_of_image(shown)
    at = np.linspace(*options.two_theta, options.points)
    if isinstance(raw, Crystal):
        return at, peaks_of_crystal(raw, options, at)
    return at, peaks_of_pattern(at, shown[0])
