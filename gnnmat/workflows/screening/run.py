"""A screen from its recipe to a shortlist: stage by stage, taken up wherever it stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout
from rich.console import Console

from gnnmat.atomic import write_atomically
from gnnmat.engine import Failure, available_cores, engine_in_use, iter_items
from gnnmat.errors import GnnmatError
from gnnmat.sources.records import Records
from gnnmat.workflows.screening.candidates import (
    check_columns,
    check_some,
    digest_of,
    kept_columns,
    refused_of,
    write_candidates,
)
from gnnmat.workflows.screening.config import ScreenConfig
from gnnmat.workflows.screening.folder import (
    StageFiles,
    after,
    read_answer,
    read_table,
    stage_files,
    write_answer,
    write_table,
)
from gnnmat.workflows.screening.legs import legs, shard_sizes
from gnnmat.workflows.screening.result import RECIPE, SUMMARY, ScreenRun, conclude, open_screen
from gnnmat.workflows.screening.stage import Stage
from gnnmat.workflows.screening.work import Leg, finish_shard, judge_together, open_stage, work

WORTH_A_PROCESS = 6  # shards; processes load torch and the models before they do anything


def screen(
    config: ScreenConfig,
    folder: Path,
    *,
    records: Records | None = None,
    workers: int | None = None,
    console: Console | None = None,
) -> ScreenRun:
    """A finished screen in ``folder``.

    What was answered before and still holds is kept: the same call after a kill goes on, and one
    with another last stage makes only that anew.

    Args:
        config: from `gnnmat.workflows.screening.config.load_screen`.
        folder: of the screen.
        records: candidates, instead of the config's source.
        workers: processes; None: one a core, or none for few candidates.
        console: for progress; None is silent.

    Raises:
        GnnmatError: everything that can be wrong with the source or a stage, said before the
            first candidate is looked at; a full disk.
    """
    began = time.monotonic()
    quiet = console is None
    recipe = config.to_yaml()
    for place in range(len(config.stages)):
        open_stage(recipe, place, str(folder))
    folder = folder.resolve()
    given = records if records is not None else config.source.open()
    if config.limit is not None and len(given) > config.limit:
        given = given.take(range(config.limit))
    check_some(given)
    columns = kept_columns(given, config.columns, config.stages)
    check_columns(config, list(columns.values()))
    with only_one(folder):
        (folder / SUMMARY).unlink(missing_ok=True)  # until the end this is no finished screen
        write_atomically(folder / RECIPE, recipe)
        files = stage_files(folder, digest_of(given, columns), config.stages, config.shard)
        try:
            count = write_candidates(
                given, files[0], config.shard, columns, workers=workers, quiet=quiet
            )
            final = _Flow(config, folder, recipe, files, count).run(_Spread(workers, quiet))
        except KeyboardInterrupt:
            raise KeyboardInterrupt("The same command goes on.") from None
        seconds = time.monotonic() - began
        return conclude(config, folder, files, final, refused_of(given), seconds)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """The folder of a screen is ours in here.

    Raises:
        GnnmatError: another screen works in it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise GnnmatError(
            f"Another screen works in {folder}.", fix="Wait for it, or choose another --output."
        ) from None
    except (FileExistsError, NotADirectoryError) as error:
        raise GnnmatError(f"{folder} is no folder.", fix="Choose another --output.") from error


@dataclass(frozen=True)
class _Spread:
    """How shards are spread over processes.

    Args:
        asked: processes; None: one a core of this machine, or of the cluster.
        quiet: no progress bar.
    """

    asked: int | None
    quiet: bool

    def workers(self, shards: int) -> int | None:
        """Processes for so many shards."""
        if self.asked is not None or engine_in_use() != "local":
            return self.asked
        return available_cores() if shards >= WORTH_A_PROCESS else 1

    def run(self, leg: Leg, title: str) -> None:
        """Finish all shards of a leg.

        Raises:
            GnnmatError: a shard could not be finished, for a reason that is not one candidate's.
        """
        shards = [one for one in range(leg.count()) if not leg.is_done(one)]
        results = iter_items(
            partial(work, leg),
            shards,
            workers=self.workers(len(shards)),
            label=title,
            quiet=self.quiet,
            chunk=1,
        )
        for result in results:
            if isinstance(result, Failure):
                raise GnnmatError(
                    f"Shard {shards[result.index]} could not be finished: {result.reason}",
                    fix="The same command goes on with what is missing.",
                )


@dataclass(frozen=True)
class _Flow:
    """Candidates on their way through the stages.

    Args:
        config: of the screen.
        folder: likewise.
        recipe: likewise, as YAML.
        files: of the candidates and of each stage.
        count: shards of the candidates.
    """

    config: ScreenConfig
    folder: Path
    recipe: str
    files: Sequence[StageFiles]
    count: int

    def run(self, spread: _Spread) -> pd.DataFrame:
        """Bring all candidates through all stages; those that are left, with their crystals."""
        base, sliced = self.files[0], False
        last: Leg | None = None
        for whole, places in legs(self.config.stages):
            if whole:
                self._whole(places[0], last)
                base, sliced, last = self.files[places[0] + 1], True, None
                continue
            last = self._leg(base, sliced, places)
            spread.run(last, " > ".join(self._stage(one).title for one in places))
        return self._left(len(self.config.stages), last)

    def _left(self, place: int, leg: Leg | None) -> pd.DataFrame:
        """The candidates before the stage at a place; ``leg``: the stages since all were looked
        at at once."""
        if leg is not None:
            parts = [finish_shard(leg, one) for one in range(leg.count())]
        elif place == 0:
            parts = [read_table(self.files[0].part(one)) for one in range(self.count)]
        else:
            return read_table(self.files[place].table)
        some = [one for one in parts if len(one)] or parts[:1]
        return pd.concat(some, ignore_index=True) if some else self._nothing(leg)

    def _nothing(self, leg: Leg | None) -> pd.DataFrame:
        """A table without rows: nothing was left to go through a leg."""
        return read_table(self.files[0].part(0) if leg is None else leg.base.table).iloc[:0]

    def _leg(self, base: StageFiles, sliced: bool, places: Sequence[int]) -> Leg:
        own = tuple(self.files[place + 1] for place in places)
        size = shard_sizes(self.config.stages, self.config.shard)[places[0]]
        return Leg(base, own, places[0], self.recipe, self.folder, sliced, size)

    def _stage(self, place: int) -> Stage:
        return self.config.stages[place]

    def _whole(self, place: int, leg: Leg | None) -> None:
        """Show everything that is left to one stage."""
        files = self.files[place + 1]
        if files.table.is_file():
            return
        table = self._left(place, leg)
        if not files.judged.is_file():
            opened = open_stage(self.recipe, place, str(self.folder))
            began = time.perf_counter()
            judged = judge_together(opened, table, self._stage(place).title)
            write_answer(files.judged, table, judged, time.perf_counter() - began)
        write_table(files.table, after(table, read_answer(files.judged)))


__all__ = ["ScreenRun", "open_screen", "screen"]
