"""How well a run refuses what it was not trained for: families of foreign spectra, and AUROC."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.sample import Batch, DataSpec, Sample, collate
from gnnmat.simulation.hypotheses import Simulation
from gnnmat.simulation.layout import SliceLayout
from gnnmat.sources.records import Records
from gnnmat.train.checkpoint import load_run_config
from gnnmat.train.judge import Judge, load_judge
from gnnmat.workflows.foreign_images import (
    IMAGE_FAMILIES,
    Foreign,
    Images,
    calculated,
    franken,
)
from gnnmat.workflows.foreign_magnets import other_magnets, simulated_families
from gnnmat.workflows.preparation import prepare

VERDICT = "verdict"  # name of the largest surprise among the scores
LARGEST_BATCH = 64


def measure_foreign(
    run: Path,
    simulation: Simulation,
    folder: Path,
    *,
    count: int = 100,
    seed: int = 0,
    records: Records | None = None,
    others: Simulation | None = None,
    on_family: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """AUROC and refused share of every family and score; images and table are kept.

    Args:
        run: folder of a run or an ensemble with thresholds.
        simulation: that it was trained on.
        folder: for ``<family>.npz`` and ``foreign.csv``; images that are there are used again.
        count: images a family.
        seed: of the images.
        records: what the run was trained on, if that was given in Python.
        others: other magnets; default those that are shipped.
        on_family: told of every family that was made, for progress.

    Returns:
        Rows of family, score, auroc, refused (share beyond the threshold), n. The score
        ``verdict`` is all of them together; the family ``test rows`` is not foreign.
    """
    judge = load_judge(run)
    prepared = prepare(load_run_config(run), records, quiet=True)
    rows = prepared.rows("test")
    if not len(rows):
        raise GnnmatError("There are no test rows to compare with.", fix="split.test=0.1")
    own = judge.scores(judge.observe(prepared.dataset, rows, draw="fixed"))
    base = np.asarray(prepared.dataset.store.array("image")[rows[:count]])[:, 0]
    layout = simulation.layout.build()
    scores: dict[str, dict[str, NDArray[np.float64]]] = {}
    for name, foreign in all_families(simulation, others, base, layout, folder, count, seed):
        scores[name] = foreign_scores(judge, foreign, seed=seed)
        if on_family is not None:
            on_family(name)
    table = separation(judge, own, scores)
    write_atomically(folder / "foreign.csv", table.to_csv(index=False))
    return table


def all_families(
    simulation: Simulation,
    others: Simulation | None,
    base: Images,
    layout: SliceLayout,
    folder: Path,
    count: int,
    seed: int,
) -> Iterator[tuple[str, Foreign]]:
    """Every family in turn, so that few images are held at a time."""
    for number, (name, family) in enumerate(IMAGE_FAMILIES.items()):
        yield name, family.make(base, layout, np.random.default_rng([seed, number]))
    others = other_magnets(simulation, others)
    materials: dict[str, Images] = {}
    for name, make in simulated_families(simulation, others).items():
        images = _kept(folder / f"{name}.npz", make, count, seed)
        if name in others.names and others.hypothesis(name).lattice is not None:
            materials[name] = images
        yield name, calculated(images)
    if len(materials) > 1:
        rng = np.random.default_rng([seed, len(IMAGE_FAMILIES)])
        yield "franken", franken(materials, layout, rng)


def _kept(path: Path, make: Callable[[int, int], Images], count: int, seed: int) -> Images:
    """The images in a file, or new ones that are written there."""
    import io

    if path.is_file():
        with np.load(path, allow_pickle=False) as archive:
            if len(archive["image"]) >= count and int(archive["seed"]) == seed:
                kept: Images = archive["image"][:count]
                return kept
    images = make(count, seed)
    buffer = io.BytesIO()
    np.savez(buffer, image=images, seed=np.array(seed))
    write_atomically(path, buffer.getvalue())
    return images


def foreign_scores(
    judge: Judge, foreign: Foreign, *, seed: int = 0
) -> dict[str, NDArray[np.float64]]:
    """By score (n,) how strange the samples of a family are to a run."""
    batches = foreign_batches(foreign, judge.trained.spec)
    return judge.batch_scores(batches, draw=foreign.draw, seed=seed)


def foreign_batches(foreign: Foreign, spec: DataSpec) -> Iterator[Batch]:
    """Batches of the samples as they would be stored.

    Raises:
        GnnmatError: their shape is not that of the run.
    """
    if foreign.images.shape[1:] != tuple(spec.image_shape):
        raise GnnmatError(
            f"The foreign images have {foreign.images.shape[1:]} pixels, the run was trained on "
            f"{tuple(spec.image_shape)}."
        )
    for start in range(0, len(foreign.images), LARGEST_BATCH):
        stop = min(start + LARGEST_BATCH, len(foreign.images))
        samples = []
        for row in range(start, stop):
            fields = {
                "image": torch.from_numpy(np.ascontiguousarray(foreign.images[row])),
                "mask": torch.from_numpy(np.ascontiguousarray(foreign.masks[row])),
            }
            fields = {name: fields[name][None, None] for name in fields if name in spec.fields}
            samples.append(Sample(**fields, row=torch.tensor([row]), num_nodes=1))
        yield collate(samples)


def separation(
    judge: Judge,
    own: Mapping[str, NDArray[np.float64]],
    families: Mapping[str, Mapping[str, NDArray[np.float64]]],
) -> pd.DataFrame:
    """Rows of family, score, auroc, refused, n; the worst family of each score first.

    Args:
        judge: with thresholds.
        own: scores of samples like the training data.
        families: scores of the samples of each family.
    """
    from sklearn.metrics import roc_auc_score

    trust = judge.trust
    limits = {name: trust.threshold(name) for name in own} | {VERDICT: trust.limit}

    def with_verdict(
        scores: Mapping[str, NDArray[np.float64]],
    ) -> dict[str, NDArray[np.float64]]:
        return {VERDICT: trust.surprise(scores), **scores}

    known = with_verdict(own)
    rows: list[dict[str, Any]] = []
    for family, scores in {"test rows": own, **families}.items():
        for name, values in with_verdict(scores).items():
            usual = known[name]
            foreign = np.repeat([0, 1], [len(usual), len(values)])
            both = np.nan_to_num(np.concatenate([usual, values]), nan=np.inf, posinf=1e300)
            rows.append(
                {
                    "family": family,
                    "score": name,
                    "auroc": float(roc_auc_score(foreign, both)),
                    "refused": float((~(values <= limits[name])).mean()),
                    "n": len(values),
                }
            )
    return pd.DataFrame(rows).sort_values(["score", "auroc"], ignore_index=True)
