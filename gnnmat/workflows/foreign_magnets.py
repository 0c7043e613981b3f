"""Spectra of other magnets, and of the right one calculated wrongly: the families by name.

Names and recipes were fixed before any of them was judged; none chooses a threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from gnnmat.errors import GnnmatError
from gnnmat.simulation.hypotheses import Simulation, load_simulation
from gnnmat.workflows.foreign_images import Images

OTHER_MAGNETS = "pcsmo_foreign"  # recipe whose hypotheses are families
TRIES = 50  # rounds of draws before a family counts as impossible


def sharpened(simulation: Simulation, factor: float) -> Simulation:
    """The simulation with every width of the instrument divided by a factor."""
    resolution = simulation.resolution
    if resolution.kind == "table":
        changes = {"sharpen": resolution.sharpen * factor}
    else:
        changes = {"q": resolution.q / factor, "energy": resolution.energy / factor}
    return simulation.model_copy(update={"resolution": resolution.model_copy(update=changes)})


def rotated(simulation: Simulation) -> Simulation:
    """The simulation with the next incident energy in each row of tiles, after the last the first.

    With a single one it is half as large again.
    """
    first, *rest = simulation.layout.incident_energies
    energies = (*rest, first) if rest else (1.5 * first,)
    layout = simulation.layout.model_copy(update={"incident_energies": energies})
    return simulation.model_copy(update={"layout": layout})


@dataclass(frozen=True)
class Setting:
    """The right magnet, calculated wrongly.

    Args:
        meaning: in words.
        change: the simulation that is used instead.
        stable: whether the order is a minimum of the energy.
    """

    meaning: str
    change: Callable[[Simulation], Simulation]
    stable: bool = True


SETTINGS: dict[str, Setting] = {
    "too_sharp": Setting("a resolution four times too sharp", partial(sharpened, factor=4.0)),
    "too_blurred": Setting("a resolution twice too wide", partial(sharpened, factor=0.5)),
    "other_energies": Setting("other incident energies than the axes say", rotated),
    "unstable": Setting(
        "an order that is no minimum of the energy", lambda simulation: simulation, stable=False
    ),
}


def draw_images(
    simulation: Simulation, name: str, count: int, *, seed: int = 0, stable: bool = True
) -> Images:
    """(count, R, C) images of one hypothesis, for couplings drawn from their ranges.

    Args:
        simulation: of the instrument.
        name: of the hypothesis.
        count: images.
        seed: of the draws.
        stable: draws whose order is a minimum of the energy; otherwise those where it is none.

    Raises:
        GnnmatError: no such draw among many.
    """
    rng = np.random.default_rng([seed, simulation.names.index(name)])
    simulator = simulation.simulator(name)
    at_once = max(count, 16)
    images: list[Images] = []
    for _ in range(TRIES):
        values = torch.from_numpy(np.stack([simulation.draw(name, rng) for _ in range(at_once)]))
        fits = simulator.stable(values).cpu() == stable
        for one in values[fits][: count - len(images)]:
            image = simulator.images(one[None])[0].cpu().numpy()
            if np.isfinite(image).all() and image.any():
                images.append(image)
        if len(images) >= count:
            return np.stack(images)
    kind = "stable" if stable else "unstable"
    raise GnnmatError(f"Hardly any draw of '{name}' is {kind}.", fix="Change its ranges.")


def other_magnets(simulation: Simulation, others: Simulation | None = None) -> Simulation:
    """The other magnets as the instrument of a simulation sees them.

    Args:
        simulation: whose layout, resolution and rendering are taken.
        others: whose hypotheses are other magnets; default those that are shipped.
    """
    others = others or load_simulation(OTHER_MAGNETS)
    names = ("layout", "resolution", "rendering")
    return others.model_copy(update={name: getattr(simulation, name) for name in names})


def simulated_families(
    simulation: Simulation, others: Simulation | None = None
) -> dict[str, Callable[[int, int], Images]]:
    """By name a function (count, seed) -> images: other magnets, and the right one done wrongly.

    Args:
        simulation: that a run was trained on.
        others: whose hypotheses are other magnets; default those that are shipped.
    """
    others = other_magnets(simulation, others)

    def other(name: str) -> Callable[[int, int], Images]:
        return lambda count, seed: draw_images(others, name, count, seed=seed)

    def wrong(setting: Setting) -> Callable[[int, int], Images]:
        def make(count: int, seed: int) -> Images:
            different = setting.change(simulation)
            names = different.names
            shares = np.bincount(np.arange(count) % len(names), minlength=len(names))
            parts = [
                draw_images(different, name, int(share), seed=seed, stable=setting.stable)
                for name, share in zip(names, shares, strict=True)
                if share
            ]
            return np.concatenate(parts)

        return make

    return {name: other(name) for name in others.names} | {
        name: wrong(setting) for name, setting in SETTINGS.items()
    }
