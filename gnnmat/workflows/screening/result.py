"""What a screen found: the shortlist, all candidates with what was said of them, the funnel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.workflows.screening.config import ScreenConfig
from gnnmat.workflows.screening.folder import (
    POSITION,
    REASON,
    STAGES,
    Answer,
    StageFiles,
    read_answer,
    read_table,
    write_table,
)
from gnnmat.workflows.screening.paging import PAGE, plain_columns, write_crystals, write_page
from gnnmat.workflows.screening.stage import KEPT
from gnnmat.workflows.screening.stages.best import Best
from gnnmat.workflows.screening.table import ARRAYS

SHORTLIST, SUMMARY, EVERYTHING = "shortlist.csv", "screen.json", "candidates.parquet"
DROPPED_BY = "dropped_by"


@dataclass(frozen=True)
class ScreenRun:
    """A finished screen.

    Args:
        folder: where it lies.
        summary: stages with what went in, what came out and why the rest was dropped; units;
            notes; seconds.
    """

    folder: Path
    summary: dict[str, Any]

    @cached_property
    def shortlist(self) -> pd.DataFrame:
        """What came through all stages, the best first."""
        return pd.read_csv(self.folder / SHORTLIST)

    @cached_property
    def candidates(self) -> pd.DataFrame:
        """Every candidate with all that was said of it, and which stage dropped it and why."""
        return pd.read_parquet(self.folder / EVERYTHING)

    def propose(
        self,
        n: int = 20,
        *,
        objective: str | None = None,
        method: str = "expected_improvement",
        maximise: bool = True,
        seed: int = 0,
    ) -> pd.DataFrame:
        """The next candidates to compute, the most promising first: ``id``, ``formula``, why.

        Args:
            n: how many.
            objective: column of a predicted number; default what the screen ranked by.
            method: see `gnnmat.workflows.screening.propose.propose`.
            maximise: whether larger is better.
            seed: of ties.

        Raises:
            GnnmatError: the screen ranked by nothing, or no such column.
        """
        from gnnmat.workflows.screening.propose import propose

        name = objective or self.summary["ranked_by"]
        if not name:
            raise GnnmatError("The screen ranks by nothing.", fix='objective="hardness"')
        table = self.candidates.merge(self._crystals(), on="id", how="left")
        found = propose(table, name, n, method, seed, maximise=maximise)
        return found.merge(table[["id", "formula", name]], on="id", how="left")

    def _crystals(self) -> pd.DataFrame:
        """``id`` and the arrays of every candidate."""
        parts = sorted((self.folder / STAGES).glob("00-candidates-*/part-*.parquet"))
        names = ["id", *ARRAYS]
        return pd.concat([read_answer(one, names).table for one in parts], ignore_index=True)

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / PAGE


def open_screen(folder: Path) -> ScreenRun:
    """A screen that was finished before.

    Raises:
        GnnmatError: there is none.
    """
    path = folder / SUMMARY
    if not path.is_file():
        raise GnnmatError(f"{folder} holds no finished screen.", why=f"It has no {SUMMARY}.")
    return ScreenRun(folder, json.loads(path.read_text()))


def conclude(
    config: ScreenConfig,
    folder: Path,
    files: Sequence[StageFiles],
    final: pd.DataFrame,
    refused: pd.DataFrame,
    seconds: float,
) -> ScreenRun:
    """Write the shortlist, its crystals, the table of all candidates, the summary and the page.

    Args:
        config: of the screen.
        folder: likewise.
        files: of the candidates and of each stage.
        final: what came through, with crystals, the best first.
        refused: what the source left out: ``id`` and why.
        seconds: since the command was given.
    """
    gathered = _gather(config, files)
    write_atomically(folder / SHORTLIST, plain_columns(final).to_csv(index=False))
    everything = gathered.table
    write_table(folder / EVERYTHING, everything)
    unread = [*gathered.unread, *refused.to_dict("records")]
    summary = {
        "name": config.name,
        "candidates": len(gathered.table),
        "unread": len(unread),
        "unread_because": _counts([str(one[REASON]) for one in unread]),
        "shortlist": len(final),
        "ranked_by": next((one.by for one in config.stages[::-1] if isinstance(one, Best)), ""),
        "units": gathered.units,
        "notes": gathered.notes,
        "stages": gathered.funnel,
        "seconds": round(seconds, 1),
    }
    write_crystals(folder, final)
    write_page(config, folder, plain_columns(everything), final, summary)
    # Last of all: with it the folder is a finished screen.
    write_atomically(folder / SUMMARY, json.dumps(summary, indent=1))
    return ScreenRun(folder, summary)


@dataclass
class _Gathered:
    table: pd.DataFrame
    funnel: list[dict[str, Any]]
    units: dict[str, str]
    notes: list[str]
    unread: list[dict[str, str]]


def _gather(config: ScreenConfig, files: Sequence[StageFiles]) -> _Gathered:
    """All candidates with the answers of all stages, and the funnel."""
    parts = sorted(files[0].folder.glob("part-*.parquet"))
    table = pd.concat([read_table(one, arrays=False) for one in parts], ignore_index=True)
    unread = [one for path in parts for one in _about(path).get("refused", [])]
    table = table.set_index("id", drop=False).assign(**{DROPPED_BY: "", REASON: ""})
    found = _Gathered(table, [], {}, [], unread)
    for stage, own in zip(config.stages, files[1:], strict=True):
        answer = _answer_of(own)
        _add(found, stage.title, answer)
        found.units |= answer.units
        found.notes += [one for one in answer.notes if one not in found.notes]
    found.table = found.table.reset_index(drop=True)
    return found


def _add(found: _Gathered, title: str, answer: Answer) -> None:
    """Join what one stage said to the table, and a line to the funnel."""
    said = answer.table.set_index("id", drop=True)
    reasons = said[REASON].astype(str)
    fresh = said.drop(columns=[REASON, POSITION], errors="ignore")
    for name in fresh.columns.difference(list(ARRAYS), sort=False):
        if len(said) == len(found.table):
            found.table[name] = fresh[name].reindex(found.table.index)
        else:
            column = (
                found.table[name].astype(object)
                if name in found.table
                else pd.Series(None, index=found.table.index, dtype=object)
            )
            column.loc[fresh.index] = fresh[name].astype(object)
            found.table[name] = column.infer_objects()
    dropped = reasons[reasons != KEPT]
    found.table.loc[dropped.index, DROPPED_BY] = title
    found.table.loc[dropped.index, REASON] = dropped
    left = said[reasons == KEPT]
    found.funnel.append(
        {
            "stage": title,
            "into": len(said),
            "out": len(left),
            "dropped": _counts(list(dropped)),
            "seconds": {name: round(value, 2) for name, value in answer.seconds.items()},
        }
    )


def _answer_of(files: StageFiles) -> Answer:
    """What a stage said of all candidates it was shown."""
    if files.judged.is_file():
        return read_answer(files.judged)
    parts = [read_answer(one) for one in sorted(files.folder.glob("part-*.parquet"))]
    if not parts:  # nothing was left to show it
        return Answer(pd.DataFrame({"id": [], REASON: []}))
    seconds: dict[str, float] = {}
    for part in parts:
        for name, value in part.seconds.items():
            seconds[name] = seconds.get(name, 0.0) + value
    full = [part.table for part in parts if len(part.table)]
    table = pd.concat(full or [parts[0].table], ignore_index=True)
    units = {name: unit for part in parts for name, unit in part.units.items()}
    notes = list(dict.fromkeys(note for part in parts for note in part.notes))
    return Answer(table, units, notes, seconds)


def _about(path: Path) -> dict[str, Any]:
    import pyarrow.parquet as pq

    meta = pq.read_schema(path).metadata or {}
    found: dict[str, Any] = json.loads(meta.get(b"gnnmat", b"{}"))
    return found


def _counts(reasons: Sequence[str]) -> dict[str, int]:
    """How often each reason was given, the most frequent first."""
    counted = pd.Series(list(reasons), dtype=object).value_counts()
    return {str(name): int(count) for name, count in counted.items()}
