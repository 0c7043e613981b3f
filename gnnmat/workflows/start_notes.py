"""What a user is told of a run that begins with another: what was taken, and what may mislead."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gnnmat.data.symmetry import formulas
from gnnmat.errors import GnnmatError, GnnmatWarning
from gnnmat.sources.prototype_label import SYMBOLS
from gnnmat.train.checkpoint import load_run_config, read_spec
from gnnmat.train.committee import member_folders
from gnnmat.train.config import RunConfig, StartConfig
from gnnmat.train.start import Learned, Taken
from gnnmat.workflows.preparation import Prepared
from gnnmat.workflows.run_folder import PREDICTIONS, read_predictions
from gnnmat.workflows.transfer import find_start

DEEPEST = 5  # runs that began one with another


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
    units = {one.name: one.unit for one in learned.spec.targets.targets}
    own = {one.name: one.unit for one in prepared.dataset.labels.spec.targets}
    shared = units.keys() & own.keys()
    other = sorted(name for name in shared if units[name] != own[name])
    if other:
        each = ", ".join(f"{name} in {units[name] or 'no unit'}" for name in other)
        warnings.warn(
            f"{learned.name} learned {each}, this run in "
            f"{', '.join(own[name] or 'no unit' for name in other)}: its head is left out.",
            GnnmatWarning,
            stacklevel=2,
        )
    if not shared:
        return
    known = _seen_by(Path(learned.name))
    if known is None:
        warnings.warn(
            f"Which test and validation rows {learned.name} was trained on, with the same target "
            f"{', '.join(sorted(shared))}, cannot be checked: the model does not come with its "
            "training rows. Where it was, their score will be too good.",
            GnnmatWarning,
            stacklevel=2,
        )
        return
    names_of = _names_of(prepared)
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


def _names_of(prepared: Prepared) -> list[str]:
    """By which rows are known again in another run: formulas, ids of images."""
    dataset = prepared.dataset
    return list(formulas(dataset) if dataset.is_crystal else dataset.ids)


def names_in(table: pd.DataFrame) -> pd.Series:
    """By which the rows of a table of predictions are known again in another run."""
    named = table["formula"] if table["formula"].astype(bool).any() else table["id"]
    return named.astype(str)


def _seen_by(run: Path) -> set[str] | None:
    """Formulas (ids of images) that a run has trained on; None where its table is not there."""
    path = run / PREDICTIONS
    if not path.is_file():
        return None
    table = read_predictions(path)
    if "split" not in table:
        return None
    return set(names_in(table[table["split"] == "train"]))


@dataclass(frozen=True)
class Begun:
    """A run that another one began with, and what it knew.

    Args:
        name: by which it was given.
        targets: that it had learned; None where it is gone.
        rows: formulas (ids of images) that it was trained on; None where it does not say.
    """

    name: str
    targets: frozenset[str] | None
    rows: frozenset[str] | None

    def may_know(self, target: str, row: str) -> bool:
        """Whether it may have been trained on this label."""
        asked = self.targets is None or target in self.targets
        return asked and (self.rows is None or row in self.rows)


def begun_with(run: Path, *holders: Path, depth: int = DEEPEST) -> list[Begun]:
    """The run that a run began with, the one that this began with, and so on; none as a rule.

    Args:
        run: folder with a config.
        holders: folders of several runs, this one among them, which may hold a copy.
        depth: of them at most.
    """
    config = load_run_config(run)
    if config.start.run is None or depth == 0:
        return []
    seen = _seen_by(Path(config.start.run))
    rows = None if seen is None else frozenset(seen)
    try:
        place = find_start(config, run, run, *holders)
        assert place is not None
        one = next(iter(member_folders(place)), place)
        targets = frozenset(target.name for target in read_spec(one)[1].targets.targets)
        deeper = begun_with(one, place, depth=depth - 1)
    except (GnnmatError, OSError):
        return [Begun(config.start.run, None, rows)]
    # Of those that are gone nothing is said but of the nearest.
    known = [other for other in deeper if other.targets is not None]
    return [Begun(config.start.run, targets, rows), *known]


def warn_of_known_rows(run: Path, prepared: Prepared) -> None:
    """Warn where intervals rest on labels that a run which this one began with may know."""
    targets = [one.name for one in prepared.dataset.labels.spec.targets]
    names = _names_of(prepared)
    rows = prepared.rows("val")
    for begun in begun_with(run):
        known = sum(any(begun.may_know(one, names[row]) for one in targets) for row in rows)
        if known:
            count = f"{known} of {len(rows)}" if begun.rows is not None else "Some"
            warnings.warn(
                f"{count} validation rows may be training rows of {begun.name}, which this run "
                "began with, for the same target: intervals may be too narrow.",
                GnnmatWarning,
                stacklevel=2,
            )
            return


def start_row(start: dict[str, Any] | None) -> list[tuple[str, str]]:
    """The row of a report that says what a run began with; none where weights were drawn."""
    if not start:
        return []
    what = "all weights" if start.get("weights") == "all" else "the encoder"
    return [("begun with", f"{what} of {Path(str(start.get('run'))).name}")]
