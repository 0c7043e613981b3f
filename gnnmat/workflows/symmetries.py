"""Exchanges of couplings that leave images as they are, said before a network learns them."""

from __future__ import annotations

import numpy as np

from gnnmat.errors import GnnmatError
from gnnmat.simulation.hypotheses import SameImage, Simulation
from gnnmat.simulation.inference.identifiability import (
    Exchange,
    candidate_exchanges,
    exchanged,
    find_exchanges,
)
from gnnmat.simulation.inference.space import CouplingSpace
from gnnmat.workflows.rendering import one_thread

MOST = 200  # exchanges that are tried, 0.1 s each
COARSE = {"grid": 16, "samples": 4, "stability_grid": 8}  # symmetries hold at any fineness
PIXELS = 8  # on a side of a slice


def undeclared_exchanges(simulation: Simulation) -> list[str]:
    """A sentence for every hypothesis whose images stay the same when couplings are exchanged.

    Only exchanges that ``same_image`` does not undo: a network would be asked for couplings that
    its image does not tell apart. Hypotheses whose ranges all differ cost nothing.
    """
    sentences = []
    for name in simulation.names:
        found = _undeclared(simulation, name)
        if found:
            sentences.append(_sentence(simulation, name, found))
    return sentences


def image_exchanges(simulation: Simulation, name: str) -> list[Exchange]:
    """Exchanges of couplings of a hypothesis that leave every image the same, declared or not.

    Where couplings can be exchanged in more than 200 ways, those of few pairs are tried.

    Raises:
        GnnmatError: hardly any couplings within the ranges have a stable order.
    """
    ranges = simulation.ranges(name)
    if (ranges[:, 0] == ranges[:, 1]).all():
        return []
    space = CouplingSpace(simulation.couplings(name), ranges)
    if not candidate_exchanges(space, 1):
        return []
    with one_thread():  # so that every machine says the same
        return find_exchanges(_coarse(simulation).simulator(name), space, most=MOST)


def _undeclared(simulation: Simulation, name: str) -> list[Exchange]:
    try:
        every = image_exchanges(simulation, name)
    except GnnmatError:
        return []  # hardly any draw is stable: the draws of the set say it
    if not every:
        return []
    space = CouplingSpace(simulation.couplings(name), simulation.ranges(name))
    values = np.random.default_rng(0).uniform(space.low, space.high, (64, len(space.names)))
    once = simulation.canonical(name, values)
    return [
        one
        for one in every
        if (simulation.canonical(name, exchanged(values, space, one)) != once).any()
    ]


def _coarse(simulation: Simulation) -> Simulation:
    """The same, rendered in a hundredth of the time."""
    own, layout = simulation.rendering, simulation.layout
    fineness = {option: min(getattr(own, option), number) for option, number in COARSE.items()}
    return simulation.model_copy(
        update={
            "rendering": own.model_copy(update=fineness),
            "layout": layout.model_copy(update={"pixels": min(layout.pixels, PIXELS)}),
        }
    )


def _sentence(simulation: Simulation, name: str, found: list[Exchange]) -> str:
    pairs = "; ".join(" and ".join(f"{a} with {b}" for a, b in one) for one in found)
    rules = [*simulation.hypothesis(name).same_image, *(_rule(simulation, name, o) for o in found)]
    lines = ", ".join(_written(rule) for rule in rules)
    return (
        f"Hypothesis '{name}': the image stays the same when couplings are exchanged: {pairs}. "
        "A network cannot learn which is which. To draw one of both only, add under "
        f"hypotheses.{name}:\n    same_image: [{lines}]"
    )


def _rule(simulation: Simulation, name: str, exchange: Exchange) -> SameImage:
    """Folded by the pair of the widest range: it tells both sides apart best."""
    names, ranges = simulation.couplings(name), simulation.ranges(name)
    widest = max(exchange, key=lambda pair: float(np.ptp(ranges[names.index(pair[0])])))
    return SameImage(exchange=exchange, larger=widest[0])


def _written(rule: SameImage) -> str:
    pairs = ", ".join(f"[{a}, {b}]" for a, b in rule.exchange)
    return f"{{exchange: [{pairs}], larger: {rule.larger}}}"
