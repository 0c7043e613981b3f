"""Values of the couplings: drawn by number, tested for stability before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from zlib import crc32

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.progress import with_progress
from gnnmat.simulation.hypotheses import Simulation

TOGETHER = 64  # draws tested at a time
PATIENCE = 10_000  # draws after which a hypothesis with hardly a stable one is given up
RAREST = 1e-3  # stable share


@dataclass(frozen=True)
class Draws:
    """The draws of one hypothesis that become images.

    Args:
        kept: (n,) their numbers, ascending.
        stable: (n,) whether the assumed order is a minimum of the energy.
        drawn: draws looked at, up to the last one kept.
    """

    kept: NDArray[np.int64]
    stable: NDArray[np.bool_]
    drawn: int

    @property
    def stable_count(self) -> int:
        """Stable ones among the draws looked at."""
        return int(self.stable.sum())


def draw_values(simulation: Simulation, name: str, seed: int, number: int) -> NDArray[np.float64]:
    """(p,) couplings in meV of one draw; nothing but seed, name and number decides them."""
    entropy = (seed, crc32(name.encode()), number)
    rng = np.random.default_rng(np.random.SeedSequence(entropy))
    return simulation.canonical(name, simulation.draw(name, rng))


def find_draws(
    simulation: Simulation,
    count: int,
    seed: int,
    *,
    keep_unstable: bool = False,
    quiet: bool = True,
) -> dict[str, Draws]:
    """The first ``count`` stable draws of every hypothesis, or the first ``count`` of all.

    Always on the processor and in double precision, so that every machine keeps the same ones.

    Raises:
        GnnmatError: hardly a draw is stable.
    """
    found = {}
    for name in simulation.names:
        search = _search(simulation, name, seed, count, keep_unstable)
        kept = with_progress(search, count, f"Drawing {name}", quiet)
        numbers, stable = zip(*kept, strict=True)
        found[name] = Draws(np.array(numbers), np.array(stable), numbers[-1] + 1)
    return found


def _search(
    simulation: Simulation, name: str, seed: int, count: int, keep_unstable: bool
) -> Iterator[tuple[int, bool]]:
    """Numbers of the draws that are kept, each with whether it is stable."""
    simulator = simulation.simulator(name, device="cpu")
    found = stable = start = 0
    while found < count:
        numbers = range(start, start + TOGETHER)
        values = np.stack([draw_values(simulation, name, seed, number) for number in numbers])
        for number, good in zip(numbers, simulator.stable(torch.from_numpy(values)), strict=True):
            stable += bool(good)
            if found < count and (good or keep_unstable):
                found += 1
                yield number, bool(good)
        start += TOGETHER
        if not keep_unstable and start >= PATIENCE and stable < RAREST * start:
            raise GnnmatError(
                f"Hypothesis '{name}': only {stable:,} of {start:,} draws are stable.",
                why="The ordered directions are no minimum of the energy for these couplings.",
                fix=f"Narrow hypotheses.{name}.couplings, correct the directions of the sites "
                "(find_ground_state of gnnmat.simulation.spin_waves.ground_state looks for better "
                "ones), or keep unstable draws with --keep-unstable.",
            )


def write_draws(draws: Mapping[str, Draws]) -> str:
    """CSV text that `read_draws` reads."""
    parts = [
        pd.DataFrame({"hypothesis": name, "draw": one.kept, "stable": one.stable})
        for name, one in draws.items()
    ]
    return pd.concat(parts).to_csv(index=False)


def read_draws(text: str, names: Sequence[str], count: int) -> dict[str, Draws]:
    """The first ``count`` kept draws of every hypothesis.

    Raises:
        ValueError: there are fewer, of other hypotheses, or the text is no such table.
    """
    table = pd.read_csv(
        StringIO(text), dtype={"hypothesis": str, "stable": bool}, keep_default_na=False
    )
    found = {}
    for name, part in table.groupby("hypothesis", sort=False):
        kept = part["draw"].to_numpy(np.int64)[:count]
        if len(kept) < count:
            raise ValueError(f"fewer than {count} draws of {name}")
        found[str(name)] = Draws(kept, part["stable"].to_numpy(bool)[:count], int(kept[-1]) + 1)
    if list(found) != list(names):
        raise ValueError("other hypotheses")
    return found
