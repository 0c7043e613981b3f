"""What a trained model says of the candidates."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from gnnmat.data.likeness import likeness
from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.train.learned import KNOWN, NEW, OUT_OF_FOLD
from gnnmat.workflows.screening.stage import KEPT, Judged, Opened, Stage
from gnnmat.workflows.screening.table import crystals_of


class Predict(Stage):
    """Ask a run, an ensemble or a shipped model; with intervals, and whether it may be trusted.

    A candidate that the model has learned from gets what a model said that has not, if such
    answers were kept beside it, and is marked either way (column ``<model>_learned``).
    """

    kind: Literal["predict"] = "predict"
    run: str = Field(description="Folder of a run or an ensemble, or a shipped model's name.")
    columns: dict[str, str] = Field(
        {}, description="Name of the column by target; default the name of the target."
    )
    model: str = Field("", description="What the model is called in columns; default: its name.")
    batch_size: int = Field(256, gt=0, description="Crystals at a time.")

    @classmethod
    def example(cls) -> Predict:
        """A small instance for contract tests."""
        return cls(run="elastic-moduli")

    @property
    def called(self) -> str:
        """What the model is called in columns."""
        return self.model or Path(self.run).name.replace("-", "_")

    @property
    def title(self) -> str:
        return self.name or f"{self.kind} {Path(self.run).name}"

    def fingerprint(self) -> str:
        """Digest of the weights, by which answers of an older model are known."""
        from gnnmat.zoo import find_model

        sha = hashlib.sha256()
        folder = find_model(self.run)
        for pattern in ("**/*.safetensors", "*.json", "*.parquet"):
            for path in sorted(folder.glob(pattern)):
                if "checkpoints" not in path.parts:
                    sha.update(path.name.encode() + path.read_bytes())
        return sha.hexdigest()

    def gives(self) -> Sequence[str]:
        from gnnmat.workflows.screening.scoring import open_scorer

        scorer = open_scorer(self.run, self.fingerprint())
        names = [self.columns.get(one, one) for one in scorer.targets]
        ends = ("", "_low", "_high", "_members", "_spread", "_error", "_probability")
        flags = ("learned", "in_domain", "trust_score")
        return [f"{one}{end}" for one in names for end in ends] + [
            f"{self.called}_{one}" for one in flags
        ]

    def open(self, folder: Path) -> Opened:
        from gnnmat.workflows.screening.scoring import open_scorer

        scorer = open_scorer(self.run, self.fingerprint())
        unknown = [one for one in self.columns if one not in scorer.targets]
        if unknown:
            raise GnnmatError(
                f"{self.run} does not predict '{unknown[0]}'.",
                why=f"It predicts {', '.join(scorer.targets)}.",
                fix=did_you_mean(unknown[0], scorer.targets),
            )
        return _Asked(self, scorer)


class _Asked:
    def __init__(self, stage: Predict, scorer: Any) -> None:
        self.stage, self.scorer = stage, scorer

    def __call__(self, table: pd.DataFrame) -> Judged:
        stage, scorer = self.stage, self.scorer
        scored = scorer.score(table, stage.batch_size)
        ids = pd.Index(table["id"].astype(str))
        at = ids.get_indexer(scored.ids)
        columns: dict[str, Any] = {}
        units = {}
        place = -np.ones(len(table), dtype=np.int64)
        if scorer.learned is not None:
            crystals = crystals_of(table)
            found, same = scorer.learned.find(
                list(table["formula"]),
                table["volume"].to_numpy(float),
                lambda row: likeness(crystals[row]),
            )
            columns[f"{stage.called}_learned"] = np.where(found >= 0, KNOWN, NEW).astype(object)
            place = np.where(same, found, -1)
        for target, part in scored.table.groupby("target", sort=False):
            name = stage.columns.get(str(target), str(target))
            part = part.reset_index(drop=True)
            columns |= _columns(name, part, scored.members.get(str(target)), at, len(table))
            units[name] = scorer.units()[str(target)]
            self._out_of_fold(str(target), name, place, columns)
        first = scored.table.drop_duplicates("id").reset_index(drop=True)
        for flag in ("in_domain", "trust_score"):
            if flag in first:
                columns[f"{stage.called}_{flag}"] = _spread_out(first[flag], at, len(table))
        reasons = [scored.refused.get(name, KEPT) for name in ids]
        judged = Judged.of(table, reasons=reasons, units=units, **columns)
        return Judged(judged.columns, judged.reasons, units, seconds=scored.seconds)

    def _out_of_fold(self, target: str, name: str, place: Any, columns: dict[str, Any]) -> None:
        """Put answers of models that have not learned from a row in place of those that have."""
        learned = self.scorer.learned
        said = None if learned is None else learned.said(target)
        if said is None:
            return
        there = place >= 0
        values = np.where(there, said[place], np.nan)
        fine = there & np.isfinite(values)
        if not fine.any():
            return
        before = np.asarray(columns[name], dtype=float)
        columns[name] = np.where(fine, values, before)
        # The interval keeps its width, relative to the value where that is positive.
        for end in ("low", "high"):
            ends = columns.get(f"{name}_{end}")
            if ends is not None:
                columns[f"{name}_{end}"] = np.where(fine, _moved(ends, before, values), ends)
        members = columns.get(f"{name}_members")
        if members is not None:
            columns[f"{name}_members"] = [
                _moved(one, *pair).tolist() if one is not None and there else one
                for one, there, *pair in zip(members, fine, before, values, strict=True)
            ]
        mark = columns[f"{self.stage.called}_learned"]
        columns[f"{self.stage.called}_learned"] = np.where(fine, OUT_OF_FOLD, mark)


def _moved(ends: Any, before: Any, after: Any) -> Any:
    """Numbers around one value, around another: by the ratio of positive values, else by the
    difference."""
    ends, before, after = (np.asarray(one, dtype=float) for one in (ends, before, after))
    positive = (before > 0) & (after > 0)
    ratio = np.where(positive, after, 1.0) / np.where(positive, before, 1.0)
    return np.where(positive, ends * ratio, ends + after - before)


def _columns(name: str, part: pd.DataFrame, members: Any, at: Any, count: int) -> Mapping[str, Any]:
    """The columns of one target, with gaps where a crystal could not be read."""
    value = "score" if "standard_error" in part else "prediction"
    found = {name: _spread_out(part[value], at, count)}
    for theirs, ours in (
        ("interval_low", "low"),
        ("interval_high", "high"),
        ("probability", "probability"),
        ("standard_error", "error"),
        ("disagreement", "spread"),
    ):
        if theirs in part and not (theirs == "probability" and value == "score"):
            found[f"{name}_{ours}"] = _spread_out(part[theirs], at, count)
    if members is not None and len(members) > 1:
        lists = [[float(one) for one in column] for column in members.T]
        filled: list[Any] = [None] * count
        for row, said in zip(at, lists, strict=True):
            filled[row] = said
        found[f"{name}_members"] = filled
    return found


def _spread_out(values: pd.Series, at: Any, count: int) -> Any:
    """(count,) the values in the rows they belong to."""
    if pd.api.types.is_bool_dtype(values):
        flags = np.zeros(count, dtype=bool)
        flags[at] = values.to_numpy(dtype=bool)
        return flags
    if pd.api.types.is_numeric_dtype(values):
        numbers = np.full(count, np.nan)
        numbers[at] = values.to_numpy(dtype=float)
        return numbers
    try:
        numbers = np.full(count, np.nan)
        numbers[at] = np.array(values, dtype=float)
        return numbers
    except (TypeError, ValueError):
        words = np.full(count, None, dtype=object)
        words[at] = values.to_numpy(dtype=object)
        return words
