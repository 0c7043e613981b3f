"""One shard through the stages that look at every candidate alone; in any process."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from gnnmat.errors import GnnmatError
from gnnmat.workflows.screening.config import ScreenConfig, parse_screen
from gnnmat.workflows.screening.folder import (
    StageFiles,
    after,
    read_answer,
    read_table,
    write_answer,
)
from gnnmat.workflows.screening.stage import Judged, Opened, Stage

FAILED = "failed"


@dataclass(frozen=True)
class Leg:
    """Stages in a row that every shard goes through by itself.

    Args:
        base: files that hold the candidates before it.
        stages: with their files.
        sliced: whether the base is one table that shards are slices of.
        shard: rows of a slice.
        recipe: the screen as YAML, from which a process reads the stages.
        first: place of the first stage among all.
        folder: of the screen.
    """

    base: StageFiles
    files: tuple[StageFiles, ...]
    first: int
    recipe: str
    folder: Path
    sliced: bool = False
    shard: int = 0

    def count(self) -> int:
        """Shards, or zero where nothing is left."""
        if not self.sliced:
            return len(list(self.base.folder.glob("part-*.parquet")))
        rows = len(read_table(self.base.table, arrays=False))
        return -(-rows // self.shard)

    def start(self, shard: int, *, arrays: bool = True) -> pd.DataFrame:
        """The candidates of a shard before the first of these stages."""
        if not self.sliced:
            return read_table(self.base.part(shard), arrays=arrays)
        table = read_table(self.base.table, arrays=arrays)
        return table.iloc[shard * self.shard : (shard + 1) * self.shard].reset_index(drop=True)

    def is_done(self, shard: int) -> bool:
        """Whether the last stage has answered."""
        return self.files[-1].part(shard).is_file()


def work(leg: Leg, shard: int) -> int:
    """Bring one shard through all stages of a leg; how many candidates are left."""
    return len(finish_shard(leg, shard))


def finish_shard(leg: Leg, shard: int) -> pd.DataFrame:
    """The candidates of a shard after the last stage of a leg; answers that are there are kept."""
    one_thread()
    table = leg.start(shard)
    for place, files in enumerate(leg.files):
        path = files.part(shard)
        if not path.is_file():
            opened = open_stage(leg.recipe, leg.first + place, str(leg.folder))
            began = time.perf_counter()
            judged = judge(opened, table)
            write_answer(path, table, judged, time.perf_counter() - began)
        table = after(table, read_answer(path))
    return table


def judge_together(opened: Opened, table: pd.DataFrame, title: str) -> Judged:
    """What a stage says that looks at all candidates at once.

    Raises:
        GnnmatError: it breaks; one by one would be another question.
    """
    if not len(table):
        return Judged.of(table)
    try:
        return opened(table)
    except (GnnmatError, OSError, MemoryError):
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        raise GnnmatError(
            f"Stage '{title}' failed.", why=f"{type(error).__name__}: {text}"
        ) from error


def judge(opened: Opened, table: pd.DataFrame) -> Judged:
    """What a stage says; where it breaks, candidates are shown to it one by one.

    A candidate on which it breaks even alone is dropped, with the error as the reason.

    Raises:
        GnnmatError: it refuses every candidate, which is not about one of them.
        OSError: a disk, a network.
        MemoryError: too little memory.
    """
    if not len(table):
        return Judged.of(table)
    try:
        return opened(table)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        found = [_alone(opened, table.iloc[[row]]) for row in range(len(table))]
        failed = [str(one.reasons[0]).startswith(FAILED) for one in found]
        if isinstance(error, GnnmatError) and all(failed):
            raise
    units = {name: unit for one in found for name, unit in one.units.items()}
    notes = list(dict.fromkeys(note for one in found for note in one.notes))
    columns = pd.concat([one.columns for one in found])
    reasons = np.concatenate([one.reasons for one in found])
    return Judged(columns, reasons, units, notes=notes)


def _alone(opened: Opened, row: pd.DataFrame) -> Judged:
    try:
        return opened(row)
    except (OSError, MemoryError):
        raise
    except GnnmatError as error:
        return Judged.of(row, reasons=[f"{FAILED}: {' '.join(error.sentence.split())}"])
    except Exception as error:
        text = " ".join(str(error).split())[:120]
        return Judged.of(row, reasons=[f"{FAILED}: {type(error).__name__}: {text}"])


@lru_cache(maxsize=4)
def _config(recipe: str) -> ScreenConfig:
    import yaml

    return parse_screen(yaml.safe_load(recipe))


@lru_cache(maxsize=32)
def _opened(recipe: str, place: int, folder: str, digest: str) -> Opened:
    stage: Stage = _config(recipe).stages[place]
    return stage.open(Path(folder))


def open_stage(recipe: str, place: int, folder: str) -> Opened:
    """A stage of a screen at work, opened once a process; again if what it reads has changed."""
    return _opened(recipe, place, folder, _config(recipe).stages[place].fingerprint())


def one_thread() -> None:
    """Let this process compute with one thread: several share the cores, and sums do not differ.

    On a GPU it makes no difference.
    """
    import torch

    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)
