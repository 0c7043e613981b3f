"""What a user is told of a run that begins with another: what was taken, and what may mislead."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gnnmat.data.prototype import SYMBOLS
from gnnmat.data.symmetry import formulas
from gnnmat.errors import GnnmatWarning
from gnnmat.train.config import RunConfig, StartConfig
from gnnmat.train.start import Learned, Taken
from gnnmat.workflows.preparation import Prepared
from gnnmat.workflows.run_folder import PREDICTIONS, read_predictions


def describe_start(taken: Mapping[str, Any], config: StartConfig) -> list[str]:
    """What a new run has taken, in sentences for the user."""
    how = ""
    if config.freeze:
        how = "frozen"
    elif config.body_lr != 1.0:
        how = f"learning at {config.body_lr:g} of the rate"
    if taken["weights"] == "all":
        parts = "all weights" + (f", the encoder {how}" if how else "")
        parts += "" if taken["scale"] else "; the scale is that of the new labels"
    else:
        parts = "the encoder" + (f", {how}" if how else "") + "; the head is drawn anew"
    lines = [f"Begins with {taken['run']}: {parts}."]
    if taken["new_elements"]:
        names = ", ".join(SYMBOLS[z - 1] for z in taken["new_elements"])
        lines.append(
            f"New elements, which it has not seen: {names}. They begin as their tabulated "
            "properties, or as the mean of the known elements where the model is told none."
        )
    return lines


def warn_of_start(taken: Taken, learned: Learned, config: RunConfig, prepared: Prepared) -> None:
    """Warn where a score would be too good, or an element stays unknown."""
    if taken.new_elements and config.start.freeze:
        names = ", ".join(SYMBOLS[z - 1] for z in taken.new_elements)
        warnings.warn(
            f"The encoder is frozen and {learned.name} has never seen {names}: what it makes of "
            "them stays a guess.",
            GnnmatWarning,
            stacklevel=2,
        )
    shared = {one.name for one in learned.spec.targets.targets} & {
        one.name for one in prepared.dataset.labels.spec.targets
    }
    known = _seen_by(Path(learned.name)) if shared else set()
    if not known:
        return
    names_of = formulas(prepared.dataset) if prepared.dataset.is_crystal else prepared.dataset.ids
    for part in ("test", "val"):
        rows = prepared.rows(part)
        leaking = int(np.sum([names_of[row] in known for row in rows]))
        if leaking:
            warnings.warn(
                f"{leaking} of {len(rows)} {part} rows have a formula that {learned.name} was "
                f"trained on, with the same target {', '.join(sorted(shared))}: their score will "
                "be too good. Split both alike.",
                GnnmatWarning,
                stacklevel=2,
            )
            return


def _seen_by(run: Path) -> set[str]:
    """Formulas (ids of images) that a run has trained on; empty where its table is not there."""
    path = run / PREDICTIONS
    if not path.is_file():
        return set()
    table = read_predictions(path)
    if "split" not in table:
        return set()
    trained = table[table["split"] == "train"]
    named = trained["formula"] if trained["formula"].astype(bool).any() else trained["id"]
    return set(named.astype(str))


def start_row(start: dict[str, Any] | None) -> list[tuple[str, str]]:
    """The row of a report that says what a run began with; none where weights were drawn."""
    if not start:
        return []
    what = "all weights" if start.get("weights") == "all" else "the encoder"
    return [("begun with", f"{what} of {Path(str(start.get('run'))).name}")]
