"""All that the stages of a screen said, put together: one table, and the funnel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from gnnmat.properties.derived import DERIVED
from gnnmat.train.learned import KNOWN, OUT_OF_FOLD
from gnnmat.workflows.screening.config import ScreenConfig
from gnnmat.workflows.screening.folder import (
    POSITION,
    REASON,
    Answer,
    StageFiles,
    read_about,
    read_answer,
    read_table,
    without_stale,
)
from gnnmat.workflows.screening.stage import KEPT
from gnnmat.workflows.screening.stages.best import Best
from gnnmat.workflows.screening.stages.derive import Derive
from gnnmat.workflows.screening.stages.pareto import Pareto
from gnnmat.workflows.screening.stages.predict import Predict
from gnnmat.workflows.screening.table import ARRAYS

DROPPED_BY = "dropped_by"
MARK, DOMAIN = "_learned", "_in_domain"


@dataclass
class Gathered:
    """What was said of all candidates.

    Args:
        table: a row a candidate that could be read, which stage dropped it and why.
        funnel: a row a stage.
        units: by column.
        notes: sentences.
        unread: candidates that could not be read, and why.
    """

    table: pd.DataFrame
    funnel: list[dict[str, Any]]
    units: dict[str, str]
    notes: list[str]
    unread: list[dict[str, str]]


def gather(config: ScreenConfig, files: Sequence[StageFiles]) -> Gathered:
    """All candidates with the answers of all stages, and the funnel."""
    parts = sorted(files[0].folder.glob("part-*.parquet"))
    table = pd.concat([read_table(one, arrays=False) for one in parts], ignore_index=True)
    unread = [one for path in parts for one in read_about(path).get("refused", [])]
    table = table.set_index("id", drop=False).assign(**{DROPPED_BY: "", REASON: ""})
    found = Gathered(table, [], {}, [], unread)
    for stage, own in zip(config.stages, files[1:], strict=True):
        answer = _answer_of(own)
        _add(found, stage.title, answer)
        found.units |= answer.units
        found.notes += [one for one in answer.notes if one not in found.notes]
    found.table = found.table.reset_index(drop=True)
    found.notes += lessons(found.table)
    return found


def lessons(table: pd.DataFrame) -> list[str]:
    """A sentence a model on candidates that it has learned from."""
    said = []
    for column in table.columns:
        if not str(column).endswith(MARK):
            continue
        marks = table[column].astype(str)
        apart, own = int((marks == OUT_OF_FOLD).sum()), int((marks == KNOWN).sum())
        name = str(column).removesuffix(MARK)
        if apart:
            said.append(
                f"{name} has learned from {apart:,} of the candidates that are answered here by "
                "fits that had not (out of fold)."
            )
        if own:
            said.append(
                f"{name} has learned from {own:,} of the candidates itself: its answers for them "
                "are better than for new ones (learned)."
            )
    return said


def _add(found: Gathered, title: str, answer: Answer) -> None:
    """Join what one stage said to the table, and a line to the funnel."""
    said = answer.table.set_index("id", drop=True)
    reasons = said[REASON].astype(str)
    fresh = said.drop(columns=[REASON, POSITION], errors="ignore")
    found.table = without_stale(found.table, list(fresh.columns))
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
            "dropped": counted(list(dropped)),
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


def counted(reasons: Sequence[str]) -> dict[str, int]:
    """How often each reason was given, the most frequent first."""
    counted = pd.Series(list(reasons), dtype=object).value_counts()
    return {str(name): int(count) for name, count in counted.items()}


def lesson_columns(config: ScreenConfig, name: str) -> list[str]:
    """Where it is marked what the models behind a column have learned from.

    Args:
        config: of the screen.
        name: of the column, predicted or derived.
    """
    found: list[str] = []
    for stage in config.stages[::-1]:
        if isinstance(stage, Derive) and name in stage.properties:
            for need in DERIVED[name].needs:
                found += [one for one in lesson_columns(config, need) if one not in found]
        elif isinstance(stage, Predict) and name in stage.gives():
            found.append(f"{stage.called}{MARK}")
        if found:
            break
    return found


def ranked_by(config: ScreenConfig) -> tuple[str, bool]:
    """The column that candidates are put in order by, and whether larger is better."""
    for stage in config.stages[::-1]:
        if isinstance(stage, Best):
            return stage.by, stage.up
        if isinstance(stage, Pareto):
            name, wanted = next(iter(stage.objectives.items()))
            return name, wanted == "max"
    return "", True


def strangers(final: pd.DataFrame) -> list[str]:
    """A sentence a model on what it does not know on the shortlist."""
    said = []
    for column in final.columns:
        if str(column).endswith(DOMAIN):
            outside = int((~final[column].astype(bool)).sum())
            if outside:
                said.append(
                    f"{outside:,} of the {len(final):,} on the shortlist are outside what "
                    f"{str(column).removesuffix(DOMAIN)} knows (in_domain): look at them twice."
                )
    return said
