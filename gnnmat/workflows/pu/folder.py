"""The folder of a PU run: what lies in it, whose data it is, and how it is read."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.sources.records import Records
from gnnmat.train.checkpoint import PU_RECIPE
from gnnmat.train.committee import Committee, load_committee
from gnnmat.workflows.pu.labels import POSITIVE, UNLABELLED
from gnnmat.workflows.pu.options import PuConfig, load_pu
from gnnmat.workflows.run_folder import FAMILIES, SCORES, SUMMARY, is_finished

NAN = float("nan")


@dataclass(frozen=True)
class PuRun:
    """A finished PU run.

    Args:
        folder: everything it wrote; a committee of all fits for new crystals.
        scores: a row a labelled crystal: ``id``, ``formula``, ``label``, ``score``,
            ``standard_error``, ``fits``, ``spy``, and what it is compared with.
        summary: what the scores are worth, as in ``pu.json``.
    """

    folder: Path
    scores: pd.DataFrame
    summary: dict[str, Any]

    def load(self) -> Committee:
        """All fits, ready to score new crystals together.

        Raises:
            GnnmatError: the method was ``heads``, which keeps scores and no networks.
        """
        return load_committee(self.folder)


def open_pu(folder: Path) -> PuRun:
    """A finished PU run by its folder.

    Raises:
        GnnmatError: it is none.
    """
    if not (folder / SUMMARY).is_file() or not is_finished(folder):
        raise GnnmatError(f"{folder} is not a finished PU run.")
    words = dict.fromkeys(("id", "formula", "label", "prototype"), str)
    numbers = set(pd.read_csv(folder / SCORES, nrows=0).columns) - set(words)
    scores = pd.read_csv(
        folder / SCORES,
        dtype=words,
        keep_default_na=False,
        na_values={name: [""] for name in numbers},
    )
    return PuRun(folder, scores, _with_nan(json.loads((folder / SUMMARY).read_text())))


def write_found(folder: Path, scores: pd.DataFrame, summary: dict[str, Any]) -> None:
    """Scores and summary on disk."""
    write_atomically(folder / SCORES, scores.to_csv(index=False))
    write_atomically(folder / FAMILIES, families(scores).to_csv(index=False))
    write_atomically(folder / SUMMARY, json.dumps(_without_nan(summary), indent=1))


def families(scores: pd.DataFrame) -> pd.DataFrame:
    """A row a prototype with unlabelled crystals, the largest first.

    Columns ``prototype``, ``positives``, ``unlabelled`` (with a score), ``mean_score`` and
    ``highest`` of these, ``best`` (its id).
    """
    rows = []
    for name, group in scores[scores["prototype"].astype(str) != ""].groupby("prototype"):
        unlabelled = group[(group["label"] == UNLABELLED) & group["score"].notna()]
        if len(unlabelled):
            best = unlabelled.loc[unlabelled["score"].idxmax()]
            rows.append(
                {
                    "prototype": name,
                    "positives": int((group["label"] == POSITIVE).sum()),
                    "unlabelled": len(unlabelled),
                    "mean_score": float(unlabelled["score"].mean()),
                    "highest": float(best["score"]),
                    "best": best["id"],
                }
            )
    columns = ["prototype", "positives", "unlabelled", "mean_score", "highest", "best"]
    found = pd.DataFrame(rows, columns=columns)
    return found.sort_values(["unlabelled", "prototype"], ascending=[False, True])


def _without_nan(tree: Any) -> Any:
    """Nothing in place of numbers that are none: JSON has no word for them."""
    if isinstance(tree, dict):
        return {name: _without_nan(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_without_nan(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree


def _with_nan(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _with_nan(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_with_nan(value) for value in tree]
    return NAN if tree is None else tree


def fingerprints(records: Records, column: str) -> dict[str, str]:
    """Digests of structures and labels, by which a run knows its data again."""
    values = records.column(column)
    labels = hashlib.sha256(repr([str(value) for value in values]).encode()).hexdigest()
    return {"structures": records.fingerprint, "labels": labels}


def check_begun(config: PuConfig, folder: Path) -> None:
    """Refuse to go on with another recipe.

    More fits, other trees and other columns to compare are welcome.

    Raises:
        GnnmatError: the recipe differs, or has fewer fits than there are.
    """
    old, new = load_pu(folder / PU_RECIPE), config.options
    free = {name: getattr(new, name) for name in ("fits", "compare", "trees")}
    same = old.options.model_copy(update=free)
    if old.run != config.run or same != new:
        raise GnnmatError(
            f"{folder} holds a PU run of another recipe.",
            fix="Choose another --output, or --overwrite it.",
        )
    if old.options.fits > new.fits:
        raise GnnmatError(
            f"{folder} was begun with {old.options.fits} fits, more than {new.fits}.",
            fix=f"pu.fits={old.options.fits}, another --output, or --overwrite it.",
        )
