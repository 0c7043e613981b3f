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
from gnnmat.workflows.screening.config import ScreenConfig, load_screen
from gnnmat.workflows.screening.folder import (
    REASON,
    STAGES,
    StageFiles,
    read_answer,
    write_table,
)
from gnnmat.workflows.screening.gathering import (
    counted,
    gather,
    lesson_columns,
    ranked_by,
    strangers,
)
from gnnmat.workflows.screening.paging import (
    PAGE,
    csv_text,
    dropped,
    plain_columns,
    write_crystals,
    write_page,
)
from gnnmat.workflows.screening.table import ARRAYS

SHORTLIST, SUMMARY, EVERYTHING = "shortlist.csv", "screen.json", "candidates.parquet"
RECIPE, REFUSED = "screen.yaml", "refused.csv"


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
        # The formula of sodium nitride is NaN.
        words = {"id": str, "formula": str}
        path = self.folder / SHORTLIST
        return pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=words)

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
        maximise: bool | None = None,
        seed: int = 0,
    ) -> pd.DataFrame:
        """The next candidates to compute, the most promising first: ``id``, ``formula``, why.

        Crystals that the models behind the objective have learned from are not proposed, because
        they were computed already, nor those that a stage has dropped for another reason than
        their rank.

        Args:
            n: how many.
            objective: column of a predicted number; default what the screen ranked by.
            method: see `gnnmat.workflows.screening.propose.propose`.
            maximise: whether larger is better; default as the screen ranked.
            seed: of ties.

        Raises:
            GnnmatError: the screen ranked by nothing, or no such column.
        """
        from gnnmat.workflows.screening.propose import propose

        name = objective or self.summary["ranked_by"]
        if not name:
            raise GnnmatError("The screen ranks by nothing.", fix='objective="hardness"')
        table = self.candidates.merge(self._crystals(), on="id", how="left")
        marks = [one for one in lesson_columns(self._config(), name) if one in table]
        known = (table[marks].fillna("").astype(str) != "").any(axis=1).to_numpy(dtype=bool)
        if maximise is None:
            maximise = bool(self.summary["ranked_up"]) if not objective else True
        table, known = table[~dropped(table)], known[~dropped(table)]
        found = propose(table, name, n, method, seed, maximise=maximise, known=known)
        return found.merge(table[["id", "formula", name]], on="id", how="left")

    def _config(self) -> ScreenConfig:
        return load_screen(self.folder / RECIPE)

    def _crystals(self) -> pd.DataFrame:
        """``id`` and the arrays of every candidate."""
        place = self.folder / STAGES / self.summary["read_into"]
        parts = sorted(place.glob("part-*.parquet"))
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
    gathered = gather(config, files)
    write_atomically(folder / SHORTLIST, csv_text(plain_columns(final)))
    everything = gathered.table
    write_table(folder / EVERYTHING, everything)
    unread = [*gathered.unread, *refused.to_dict("records")]
    ranked = ranked_by(config)
    summary = {
        "name": config.name,
        "candidates": len(gathered.table),
        "unread": len(unread),
        "unread_because": counted([str(one[REASON]) for one in unread]),
        "shortlist": len(final),
        "read_into": files[0].folder.name,
        "ranked_by": ranked[0],
        "ranked_up": ranked[1],
        "units": gathered.units,
        "notes": [*gathered.notes, *strangers(final)],
        "stages": gathered.funnel,
        "seconds": round(seconds, 1),
    }
    refusals = pd.DataFrame(unread, columns=["id", REASON])
    write_atomically(folder / REFUSED, csv_text(refusals))
    write_crystals(folder, final)
    write_page(config, folder, plain_columns(everything), final, summary)
    # Last of all: with it the folder is a finished screen.
    write_atomically(folder / SUMMARY, json.dumps(summary, indent=1))
    return ScreenRun(folder, summary)
