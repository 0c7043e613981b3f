"""From prepared rows to what a fit takes: encoder and task, and batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gnnmat.data.loading import DataModule
from gnnmat.models.encoder import Encoder
from gnnmat.sample import DataSpec
from gnnmat.state import StateSpec
from gnnmat.train.checkpoint import build
from gnnmat.train.config import RunConfig
from gnnmat.train.fit import start_seed
from gnnmat.train.hall import Hall
from gnnmat.train.start import Learned, spec_as_begun, take
from gnnmat.workflows.preparation import Prepared
from gnnmat.workflows.start_notes import warn_of_start


def make_hall(
    config: RunConfig,
    prepared: Prepared,
    *,
    model: Encoder | None = None,
    learned: Learned | None = None,
    taken: Mapping[str, Any] | None = None,
) -> tuple[Hall, Mapping[str, Any] | None]:
    """Encoder and task for these data, and what they have taken from another run.

    Args:
        config: of the run.
        prepared: samples and parts.
        model: an encoder of the user's own, instead of ``config.model``.
        learned: by the run to begin with; None where weights are drawn or are in a checkpoint.
        taken: from it, as an interrupted run has written down.
    """
    if learned is not None:
        taken = {"neighbours": learned.spec.neighbours, "state": asdict(learned.spec.state)}
    start_seed(config.trainer.seed)
    spec = spec_of(prepared, taken)
    encoder, task = build(config, spec, model)
    task.prepare(_labels_of(prepared, task.level))
    if learned is not None:
        found = take(learned, encoder, task, config, spec)
        warn_of_start(found, learned, config, prepared)
        taken = found.to_dict()
    augment = config.augment.build(spec)
    augment.prepare()
    hall = Hall(encoder, task, config.optimizer, config.trainer.seed, augment, config.start)
    return hall, taken


def spec_of(prepared: Prepared, taken: Mapping[str, Any] | None) -> DataSpec:
    """The training rows in short; an encoder reckons in the averages of its first run."""
    spec = prepared.dataset.spec(prepared.rows("train"))
    if not taken:
        return spec
    state = StateSpec.from_dict(taken.get("state", {}))
    return spec_as_begun(spec, float(taken["neighbours"]), state)


def make_data(config: RunConfig, prepared: Prepared) -> DataModule:
    """Batches of the training and the validation rows."""
    return DataModule(
        prepared.dataset,
        prepared.rows("train"),
        prepared.rows("val"),
        batch_size=config.trainer.batch_size,
        seed=config.trainer.seed,
        workers=config.trainer.workers,
        batch_edges=config.trainer.batch_edges,
    )


def _labels_of(prepared: Prepared, level: str) -> Any:
    dataset, rows = prepared.dataset, prepared.rows("train")
    if level == "sample":
        assert dataset.labels.sample is not None
        return dataset.labels.sample[rows]
    assert dataset.labels.atom is not None
    return dataset.labels.atom[dataset.store.rows_of(rows, "atom")]
