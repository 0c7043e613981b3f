"""Why a trained network answers as it does for one spectrum, as arrays and as a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gnnmat.augment.robust_scale import Scaled
from gnnmat.errors import GnnmatError
from gnnmat.inputs.ins_map import InsMap
from gnnmat.sample import Batch, Sample, Target, collate
from gnnmat.simulation.layout import SliceLayout
from gnnmat.sources.spectrum import Spectrum
from gnnmat.train.attribution import Method, attribute, box_means, slice_sums
from gnnmat.train.checkpoint import Trained
from gnnmat.train.committee import Committee
from gnnmat.train.front import Cleaned
from gnnmat.train.judge import load_model
from gnnmat.train.predictor import Predictor

if TYPE_CHECKING:
    from gnnmat.workflows.fit_result import SpectrumFit

BOX = 2  # pixels on a side over which the map is averaged
WORDS = {
    "gradient_x_input": "gradient times intensity, averaged over noisy copies and members",
    "integrated_gradients": "integrated gradients from an empty image, averaged over members",
    "grad_cam": "class activation map by gradients, averaged over members",
    "cam": "exact class activation map of the last layer, averaged over members",
    "guided_backprop": "guided backpropagation: parts of the image, no contributions",
    "deconvolution": "deconvolution: parts of the image, no contributions",
}


@dataclass(frozen=True)
class Explanation:
    """What was found out about one spectrum.

    Args:
        spectrum: as it was read.
        layout: its axes.
        table: predictions, one row a target, as `Predictor.predict` gives them.
        map: (R, C) contribution of each pixel to the log-odds of the predicted class.
        sums: (Ei, slices) sum over each slice.
        label: the predicted class.
        scores: by class.
        trusted: whether it is in distribution; None if the run has no thresholds.
        verdict: in words.
        method: of the map.
        fit: couplings fitted by simulation, if that was asked for.
        cleaned: (R, C) intensities as an autoencoder before the network cleans them, in units
            of the scale of the image; None if there is none.
    """

    spectrum: Spectrum
    layout: SliceLayout
    table: pd.DataFrame
    map: NDArray[np.float64]
    sums: NDArray[np.float64]
    label: str
    scores: dict[str, float]
    trusted: bool | None
    verdict: str
    method: Method
    fit: SpectrumFit | None = None
    cleaned: NDArray[np.float32] | None = None


def explain(
    run: str | Path,
    spectrum: Spectrum | str | Path,
    *,
    method: Method = "gradient_x_input",
    draws: int = 8,
    fit: SpectrumFit | None = None,
) -> Explanation:
    """The explanation of one spectrum by a trained run, an ensemble or a shipped model.

    Args:
        run: folder, or name of a shipped model.
        spectrum: file or `Spectrum`.
        method: how the map is made, see `attribute`.
        draws: noisy copies of the image.
        fit: couplings fitted to the same spectrum.

    Raises:
        GnnmatError: the run was not trained on spectra, or the spectrum does not fit it.
    """
    from gnnmat.zoo import find_model

    predictor = load_model(find_model(run))
    trained = predictor.trained
    if not isinstance(trained.config.input, InsMap) or not trained.spec.layout:
        raise GnnmatError(f"{run} was not trained on spectra, so there are no slices to explain.")
    layout = SliceLayout.from_dict(trained.spec.layout)
    records = predictor.records([spectrum])
    if records.refused:
        raise GnnmatError(records.refused[0].reason)
    if len(records) != 1:
        raise GnnmatError(
            f"'{spectrum}' holds {len(records)} spectra.", fix="Explain one spectrum at a time."
        )
    read = records.raws[0]
    assert isinstance(read, Spectrum)
    # A run without classes is refused before it predicts.
    target = target_of_classes(trained)
    table = predictor.predict(records)
    label, scores = predicted_classes(target, table)
    members, batch = _members(predictor), batch_of(read)
    found = attribute(members, batch, label=target.classes.index(label), method=method, draws=draws)
    smooth = box_means(found.map, layout, BOX, read.mask)
    judged = "in_distribution" in table
    return Explanation(
        spectrum=read,
        layout=layout,
        table=table,
        map=smooth,
        sums=slice_sums(smooth, layout),
        label=label,
        scores=scores,
        trusted=bool(table["in_distribution"].iloc[0]) if judged else None,
        verdict=str(table["verdict"].iloc[0]) if judged else "Not judged: no thresholds are set.",
        method=method,
        fit=fit,
        cleaned=_cleaned(members, batch),
    )


def batch_of(spectrum: Spectrum) -> Batch:
    """A batch of one spectrum, as it would be stored."""
    fields = {
        name: torch.from_numpy(np.array(array)) for name, array in InsMap().sample(spectrum).items()
    }
    fields["image"] = fields["image"].float()
    return collate([Sample(**fields, row=torch.zeros(1, dtype=torch.int64), num_nodes=1)])


def write_page(found: Explanation, path: Path, *, model: str) -> Path:
    """``explanation.html`` on disk.

    Args:
        found: what to show.
        path: of the file.
        model: name of the run, to show.
    """
    from gnnmat.pages.explanation import ExplanationData, write_explanation

    data = ExplanationData(
        title=found.spectrum.name,
        model=model,
        layout=found.layout,
        image=found.spectrum.image,
        mask=found.spectrum.mask,
        map=found.map,
        sums=found.sums,
        label=found.label,
        scores=found.scores,
        trusted=found.trusted,
        verdict=found.verdict,
        method=WORDS[found.method],
        cleaned=found.cleaned,
        estimates=_estimates(found),
        fit=_fitted(found),
    )
    return write_explanation(path, data)


def _members(predictor: Predictor) -> tuple[Trained, ...]:
    return predictor.members if isinstance(predictor, Committee) else (predictor.trained,)


def target_of_classes(trained: Trained) -> Target:
    """The first target with classes.

    Raises:
        GnnmatError: there is none.
    """
    for target in trained.task.targets:
        if target.classes:
            return target
    raise GnnmatError("This run predicts no classes, so there is none to explain.")


def predicted_classes(target: Target, table: pd.DataFrame) -> tuple[str, dict[str, float]]:
    """The predicted class, and by class what the run gives it."""
    row = table[table["target"] == target.name].iloc[0]
    scores = {name: float(row[f"probability_{name}"]) for name in target.classes}
    return str(row["prediction"]), scores


def _cleaned(members: tuple[Trained, ...], batch: Batch) -> NDArray[np.float32] | None:
    """(R, C) the image as the members' autoencoders clean it, as intensity; None without any."""
    images = []
    for one in members:
        if isinstance(one.encoder, Cleaned):
            with torch.no_grad():
                images.append(one.encoder.clean(one.augment(batch, "none")).image[0, 0])
    if not images:
        return None
    mean: NDArray[np.float32] = torch.stack(images).mean(0).clamp(min=0).numpy()
    augment = members[0].augment
    rooted = isinstance(augment, Scaled) and augment.options.transform == "sqrt"
    return mean**2 if rooted else mean


def _estimates(found: Explanation) -> list[tuple[str, float, float]]:
    """Couplings of the predicted hypothesis by the network, where it predicts them."""
    if "error" not in found.table:
        return []
    start = f"{found.label}."
    rows = found.table[found.table["target"].str.startswith(start)]
    return [
        (str(name).removeprefix(start), float(value), float(error))
        for name, value, error in zip(
            rows["target"], rows["prediction"], rows["error"], strict=True
        )
    ]


def _fitted(found: Explanation) -> Any:
    from gnnmat.pages.explanation import FittedCouplings

    if found.fit is None:
        return None
    best = found.fit.best
    rows = list(zip(best.couplings, best.values.tolist(), best.errors.tolist(), strict=True))
    return FittedCouplings(best.hypothesis, rows, found.fit.conclusion, best.image, best.residual)
