"""The folder of a simulated set while it is written: whose it is, room on the disk, one writer."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.simulation.hypotheses import Simulation
from gnnmat.sources.simulated_set import (
    DRAWS,
    MANIFEST,
    SHARDS,
    SIMULATION,
    Manifest,
    read_manifest,
)

LOCK = ".lock"
ANOTHER = "Choose another folder with --output."


def simulation_text(simulation: Simulation) -> str:
    """The simulation as YAML that reads back to the same simulation."""
    plain = simulation.model_dump(mode="json", by_alias=True)
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


@contextmanager
def claimed(folder: Path, simulation: Simulation, begin: Manifest) -> Iterator[str]:
    """The text of the simulation, while the folder belongs to it and to this process.

    Raises:
        GnnmatError: it holds something else, or another process writes, or there is no room.
    """
    from filelock import FileLock, Timeout

    text = simulation_text(simulation)
    try:
        if folder.is_dir() and not (folder / SIMULATION).is_file():
            _check_free(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / LOCK, timeout=0):
            if _has_images(folder):
                _check_same(folder, text, begin)
            else:
                # There is nothing to lose: a mistake in the simulation can be mended without
                # another folder.
                for path in (folder / MANIFEST, folder / DRAWS, *folder.glob(f"{SHARDS}/*")):
                    path.unlink(missing_ok=True)
            _check_room(folder, simulation, begin)
            write_atomically(folder / SIMULATION, text)
            yield text
    except Timeout as error:
        raise GnnmatError(f"Another process writes to {folder}.", fix=ANOTHER) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise GnnmatError(
                f"The disk is full: the set in {folder} is not finished.",
                fix="Free some space and give the same command again; it goes on.",
            ) from error
        why = str(error.strerror or error)
        raise GnnmatError(f"{folder} cannot be written.", why=why, fix=ANOTHER) from error


def _has_images(folder: Path) -> bool:
    """Whether a set was begun and any of its images may show something."""
    if not (folder / SIMULATION).is_file() or not any(folder.glob(f"{SHARDS}/*")):
        return False
    if not (folder / MANIFEST).is_file():
        return True
    shards = read_manifest(folder).shards.values()
    return not shards or any(shard.empty < shard.rows for shard in shards)


def _check_free(folder: Path) -> None:
    if any(path.name != LOCK for path in folder.iterdir()):
        raise GnnmatError(
            f"{folder} is not empty and holds no simulated set.",
            why="Its files would mix with what lies there.",
            fix=ANOTHER,
        )


def _check_same(folder: Path, text: str, begin: Manifest) -> None:
    """Refuse to go on with another simulation."""
    try:
        before, now = (yaml.safe_load(t) for t in ((folder / SIMULATION).read_text(), text))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GnnmatError(f"{folder / SIMULATION} is damaged.", why=str(error)) from error
    if before != now:
        place, old, new = difference(before, now)
        raise GnnmatError(
            f"{folder} holds another simulation.",
            why=f"{place} is {_short(old)} there and {_short(new)} here.",
            fix=ANOTHER,
        )
    if not (folder / MANIFEST).is_file():
        return
    manifest = read_manifest(folder)
    for name in ("seed", "keep_unstable", "shard_size"):
        old, new = getattr(manifest, name), getattr(begin, name)
        if old != new:
            raise GnnmatError(f"{folder} was begun with {name} {old}, not {new}.", fix=ANOTHER)
    if begin.images < manifest.images:
        raise GnnmatError(
            f"{folder} was begun for {manifest.images:,} images of each hypothesis, "
            f"not {begin.images:,}.",
            fix=ANOTHER,
        )


def difference(before: Any, now: Any, place: str = "") -> tuple[str, Any, Any]:
    """Dotted path of the first option that differs, and both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in [*before, *(key for key in now if key not in before)]:
            if before.get(name) != now.get(name):
                return difference(before.get(name), now.get(name), f"{place}.{name}".lstrip("."))
    return place, before, now


def _short(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _check_room(folder: Path, simulation: Simulation, begin: Manifest) -> None:
    rows, columns = begin.image_shape
    there = sum(path.stat().st_size for path in folder.glob("shards/*"))
    needed = begin.images * len(simulation.names) * rows * columns * 4 - there
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise GnnmatError(
            f"The set needs {needed / 1e9:.1f} GB more, but only {free / 1e9:.1f} GB are free "
            f"in {folder}.",
            fix="Free some space, ask for fewer images, or choose a folder on another disk.",
        )
