"""The folder of a screen: shards of each stage as parquet files, whole or not there.

A stage has a folder whose name ends in a digest of everything that its answers depend on: the
candidates, the stages before it, its own options, the weights of its models. A changed recipe
thus keeps what is still true and makes the rest anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.workflows.screening.legs import shard_sizes
from gnnmat.workflows.screening.stage import KEPT, Judged, Stage
from gnnmat.workflows.screening.table import ARRAYS

STAGES = "stages"
# What stands beside a number.
ENDS = ("low", "high", "members", "spread", "error", "probability")
REASON, POSITION = "dropped_because", "position"
META = b"gnnmat"
LAYOUT = "1"  # change it when the files change: older ones are then made anew


@dataclass(frozen=True)
class StageFiles:
    """Where the answers of one stage lie.

    Args:
        folder: of the stage.
    """

    folder: Path

    def part(self, shard: int) -> Path:
        """The file of one shard."""
        return self.folder / f"part-{shard:05d}.parquet"

    @property
    def table(self) -> Path:
        """Of a stage that looks at all candidates at once: what is left, in its order."""
        return self.folder / "table.parquet"

    @property
    def judged(self) -> Path:
        """Of such a stage: what it said of all it was shown."""
        return self.folder / "judged.parquet"


@dataclass(frozen=True)
class Answer:
    """What one file says.

    Args:
        table: ``id``, the new columns, and why a candidate was dropped.
        units: by column.
        notes: sentences.
        seconds: by part of the work; ``all`` for everything.
    """

    table: pd.DataFrame
    units: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def stage_files(folder: Path, source: str, stages: Sequence[Stage], shard: int) -> list[StageFiles]:
    """The files of the candidates and of every stage, in order.

    Args:
        folder: of the screen.
        source: digest of the candidates.
        stages: in order.
        shard: candidates a shard.
    """
    sha = hashlib.sha256(f"{LAYOUT} {source} {shard}".encode())
    found = [StageFiles(folder / STAGES / f"00-candidates-{sha.hexdigest()[:10]}")]
    sizes = shard_sizes(stages, shard)
    for place, stage in enumerate(stages, start=1):
        plain = stage.model_dump(mode="json", exclude=set() if stage.named else {"name"})
        sha.update(json.dumps([plain, sizes[place - 1]], sort_keys=True).encode())
        sha.update(stage.fingerprint().encode())
        found.append(
            StageFiles(folder / STAGES / f"{place:02d}-{stage.kind}-{sha.hexdigest()[:10]}")
        )
    return found


def write_table(path: Path, table: pd.DataFrame, about: dict[str, Any] | None = None) -> None:
    """Write a table whole or not at all; a full disk is said in words.

    Raises:
        GnnmatError: it cannot be written.
    """
    try:
        arrow = pa.Table.from_pandas(table, preserve_index=False)
    except pa.ArrowException as error:
        raise GnnmatError(
            "A column holds numbers and words, and no file can.", why=" ".join(str(error).split())
        ) from error
    meta = {**(arrow.schema.metadata or {}), META: json.dumps(about or {}).encode()}
    buffer = BytesIO()
    pq.write_table(arrow.replace_schema_metadata(meta), buffer, compression="zstd")
    try:
        write_atomically(path, buffer.getvalue())
    except OSError as error:
        raise GnnmatError(
            f"{path} cannot be written.",
            why=error.strerror or str(error),
            fix="Make room, then give the same command: it goes on where it stopped.",
        ) from error


def write_answer(path: Path, table: pd.DataFrame, judged: Judged, seconds: float) -> None:
    """What a stage said of the candidates of ``table``."""
    own = judged.columns.assign(**{REASON: judged.reasons.astype(str)})
    if judged.order is not None:
        position = np.full(len(table), -1, dtype=np.int64)
        position[list(judged.order)] = np.arange(len(judged.order))
        own[POSITION] = position
    own = own.drop(columns="id", errors="ignore")
    own.insert(0, "id", table["id"].to_numpy())
    about = {
        "units": dict(judged.units),
        "notes": list(judged.notes),
        "seconds": {**judged.seconds, "all": seconds},
    }
    write_table(path, own, about)


def read_answer(path: Path, columns: Sequence[str] | None = None) -> Answer:
    """What `write_answer` wrote.

    Raises:
        GnnmatError: it is damaged.
    """
    try:
        arrow = pq.read_table(BytesIO(path.read_bytes()), columns=columns)
        about = json.loads((arrow.schema.metadata or {}).get(META, b"{}"))
    except (OSError, pa.ArrowException, ValueError) as error:
        raise GnnmatError(
            f"{path} is damaged.", why=str(error), fix="Delete it: it will be made anew."
        ) from error
    found = {name: about.get(name, {}) for name in ("units", "seconds")}
    return Answer(arrow.to_pandas(), found["units"], about.get("notes", []), found["seconds"])


def read_table(path: Path, *, arrays: bool = True) -> pd.DataFrame:
    """Candidates that were written, with their crystals or without."""
    if arrays:
        return read_answer(path).table
    names = [one for one in pq.read_schema(path).names if one not in ARRAYS]
    return read_answer(path, names).table


def read_about(path: Path) -> dict[str, Any]:
    """What a file says beside its table."""
    meta = pq.read_schema(path).metadata or {}
    found: dict[str, Any] = json.loads(meta.get(META, b"{}"))
    return found


def without_stale(table: pd.DataFrame, fresh: Sequence[str]) -> pd.DataFrame:
    """A table without intervals and members of columns that are about to be given anew."""
    stale = [f"{name}_{end}" for name in fresh for end in ENDS]
    return table.drop(columns=[one for one in stale if one in table and one not in fresh])


def after(table: pd.DataFrame, answer: Answer) -> pd.DataFrame:
    """The candidates that a stage left, with what it said, in its order."""
    said = answer.table
    fresh = said.drop(columns=["id", REASON, POSITION], errors="ignore")
    fresh.index = table.index
    kept = without_stale(table, list(fresh.columns))
    joined = kept.drop(columns=list(fresh.columns), errors="ignore").join(fresh)
    left = np.flatnonzero(said[REASON].to_numpy(dtype=str) == KEPT)
    if POSITION in said:
        left = left[np.argsort(said[POSITION].to_numpy()[left], kind="stable")]
    return joined.iloc[left].reset_index(drop=True)
