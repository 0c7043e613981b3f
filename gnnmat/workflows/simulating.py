"""A simulated set: draws, images, shards on disk; goes on where it was interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.progress import with_progress
from gnnmat.simulation.hypotheses import Simulation
from gnnmat.sources.records import Records
from gnnmat.sources.simulated import SimulatedSource
from gnnmat.sources.simulated_set import (
    DRAWS,
    LAYOUT,
    MANIFEST,
    OVERVIEW,
    Counts,
    Manifest,
    is_written,
    read_manifest,
    read_table,
)
from gnnmat.workflows.coverage import check_not_empty, dark_energies
from gnnmat.workflows.draws import Draws, draw_values, find_draws, read_draws, write_draws
from gnnmat.workflows.rendering import Draw, choose_device, forget_simulators, render
from gnnmat.workflows.set_folder import claimed
from gnnmat.workflows.set_overview import write_overview
from gnnmat.workflows.shards import write_shard
from gnnmat.workflows.symmetries import undeclared_exchanges

SHARD = 256  # images
Warn = Callable[[str], None]


@dataclass(frozen=True)
class SimulatedSet:
    """A finished set.

    Args:
        folder: everything it wrote.
        manifest: counts of draws, files, warnings.
    """

    folder: Path
    manifest: Manifest

    @property
    def overview(self) -> Path:
        """The page with the first images."""
        return self.folder / OVERVIEW

    @property
    def table(self) -> pd.DataFrame:
        """One row an image: id, hypothesis, stable, couplings in meV."""
        return read_table(self.folder, self.manifest)

    @property
    def empty(self) -> int:
        """Images without any intensity."""
        return sum(shard.empty for shard in self.manifest.shards.values())

    def open(self) -> Records:
        """The records that a recipe gets by ``data.source.kind=simulated``."""
        return SimulatedSource(path=str(self.folder)).open()


def simulate(
    simulation: Simulation,
    folder: Path,
    *,
    images: int = 1000,
    seed: int = 0,
    keep_unstable: bool = False,
    shard_size: int = SHARD,
    workers: int | None = None,
    device: str = "auto",
    quiet: bool = True,
    warn: Warn = lambda text: None,
) -> SimulatedSet:
    """The simulated set in ``folder``; finished files of the same simulation are kept.

    A larger ``images`` extends a set: its first images stay the same.

    Args:
        simulation: instrument and hypotheses.
        folder: where it is written.
        images: of each hypothesis.
        seed: decides every draw.
        keep_unstable: keep draws whose assumed order is no minimum of the energy.
        shard_size: images in a file.
        workers: processes; None: one a core, or this one alone for a device.
        device: 'auto', 'cpu', 'cuda', 'cuda:1'.
        quiet: no progress bars.
        warn: told at once what the first images show, and which couplings none tells apart.

    Raises:
        GnnmatError: the folder is in use or holds something else, hardly a draw is stable, nothing
            lies in the slices, the disk is full.
    """
    given = {"images": images, "workers": workers, "shard_size": shard_size, "seed": seed}
    for name, number in given.items():
        if number is not None and number < (name != "seed"):
            raise GnnmatError(f"{name} is {number}, expected {int(name != 'seed')} or more.")
    chosen = choose_device(device)
    begin = Manifest(
        seed=seed,
        images=images,
        keep_unstable=keep_unstable,
        shard_size=shard_size,
        image_shape=simulation.layout.build().image_shape,
        versions={name: version(name) for name in ("gnnmat", "numpy", "torch")},
        hypotheses={},
    )
    with claimed(folder, simulation, begin) as text:
        draws = _draws(simulation, folder, begin, quiet)
        manifest = _begin(simulation, folder, begin, draws, warn)
        missing = {
            number: rows
            for number, rows in enumerate(_rows(simulation, manifest, draws))
            if number not in manifest.shards
        }
        stream = render(text, list(missing.values()), workers=workers, device=chosen)
        with closing(stream):
            bar = with_progress(stream, sum(map(len, missing.values())), "Rendering", quiet)
            manifest = _fill(simulation, folder, manifest, missing, bar, warn)
        write_overview(folder, simulation.name, manifest)
        return SimulatedSet(folder, manifest)


def _draws(simulation: Simulation, folder: Path, begin: Manifest, quiet: bool) -> dict[str, Draws]:
    """The draws that become images; found once and kept in a file."""
    path = folder / DRAWS
    # Without a manifest nothing says for which seed the file was written.
    if path.is_file() and (folder / MANIFEST).is_file():
        try:
            return read_draws(path.read_text(), simulation.names, begin.images)
        except (ValueError, KeyError):
            pass  # the set grows, or the file is damaged: the same draws are found again
    draws = find_draws(
        simulation, begin.images, begin.seed, keep_unstable=begin.keep_unstable, quiet=quiet
    )
    write_atomically(path, write_draws(draws))
    return draws


def _begin(
    simulation: Simulation, folder: Path, begin: Manifest, draws: dict[str, Draws], warn: Warn
) -> Manifest:
    """The manifest with which work begins: with the files that are there already."""
    counts = {
        name: Counts(
            drawn=one.drawn,
            stable=one.stable_count,
            rejected=one.drawn - one.stable_count,
            kept=len(one.kept),
            couplings=simulation.couplings(name),
        )
        for name, one in draws.items()
    }
    manifest = begin.model_copy(update={"hypotheses": counts})
    if (folder / MANIFEST).is_file():
        earlier = read_manifest(folder)
        if earlier.versions != begin.versions:
            was = ", ".join(f"{name} {number}" for name, number in earlier.versions.items())
            warn(f"This set was begun with {was}; its last images may differ in rounding.")
        rows = [len(part) for part in _slices(manifest)]
        shards = {
            number: shard
            for number, shard in earlier.shards.items()
            if shard.rows == rows[number] and is_written(folder, number, shard)
        }
        kept = {"versions": earlier.versions, "shards": shards, "warnings": earlier.warnings}
        manifest = manifest.model_copy(update=kept)
    if 0 not in manifest.shards:
        for sentence in (sentences := undeclared_exchanges(simulation)):
            warn(sentence)
        manifest = manifest.model_copy(update={"warnings": tuple(sentences)})
    write_atomically(folder / LAYOUT, json.dumps(simulation.layout.build().to_dict()) + "\n")
    write_atomically(folder / MANIFEST, manifest.to_json())
    return manifest


def _slices(manifest: Manifest) -> list[range]:
    total, size = manifest.total, manifest.shard_size
    return [range(start, min(start + size, total)) for start in range(0, total, size)]


def _rows(
    simulation: Simulation, manifest: Manifest, draws: dict[str, Draws]
) -> Iterator[list[Draw]]:
    """The rows of every shard; hypotheses take turns, so that a larger set begins like this one."""
    names = simulation.names
    for part in _slices(manifest):
        rows = []
        for number in part:
            name, place = names[number % len(names)], number // len(names)
            draw = int(draws[name].kept[place])
            values = draw_values(simulation, name, manifest.seed, draw)
            rows.append(Draw(f"{name}-{draw:06d}", name, values, bool(draws[name].stable[place])))
        yield rows


def _fill(
    simulation: Simulation,
    folder: Path,
    manifest: Manifest,
    missing: dict[int, list[Draw]],
    stream: Iterator[NDArray[np.float32]],
    warn: Warn,
) -> Manifest:
    """The manifest of the finished set, whose missing shards are written as images come."""
    layout = simulation.layout.build()
    fresh = not manifest.shards
    filled: dict[str, list[bool]] = {name: [] for name in simulation.names}
    try:
        for number, rows in missing.items():
            images = np.zeros((len(rows), *manifest.image_shape), dtype=np.float32)
            for place, row in enumerate(rows):
                images[place] = next(stream)
                seen = filled[row.hypothesis]
                seen.append(bool(images[place].any()))
                if fresh:
                    check_not_empty(layout, row.hypothesis, seen, len(seen) == manifest.images)
            shard = write_shard(folder, number, images, rows, manifest)
            shards = dict(sorted({**manifest.shards, number: shard}.items()))
            update: dict[str, object] = {"shards": shards}
            if number == 0:
                sentences = dark_energies(layout, images, [row.hypothesis for row in rows])
                update["warnings"] = (*manifest.warnings, *sentences)
                for sentence in sentences:
                    warn(sentence)
            manifest = manifest.model_copy(update=update)
            write_atomically(folder / MANIFEST, manifest.to_json())
    except KeyboardInterrupt:
        told = f"{manifest.done:,} of {manifest.total:,} images are kept; the same command goes on."
        raise KeyboardInterrupt(told) from None
    finally:
        forget_simulators()
    return manifest
