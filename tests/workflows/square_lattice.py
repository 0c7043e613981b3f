"""A simulation small enough for tests: a square-lattice antiferromagnet, with and without J2."""

from __future__ import annotations

from typing import Any

from gnnmat.simulation.hypotheses import Simulation, parse_simulation

NEAR = [[0.5, 0.5, 0], [0.5, -0.5, 0], [-0.5, 0.5, 0], [-0.5, -0.5, 0]]
NEXT = [[1, 0, 0], [0, 1, 0]]


def square(**options: Any) -> Simulation:
    """Two hypotheses on the cell of two spins; images of 12 x 12 pixels in milliseconds.

    Linear spin-wave theory has the Néel order as a minimum for J2 < J1 / 2 only.
    """
    first = {"coupling": "J1", "from": ["up"], "to": ["down"], "vectors": NEAR}
    second = {"coupling": "J2", "from": ["*"], "to": ["*"], "spin": "same", "vectors": NEXT}
    j1 = {"range": [1.0, 4.0], "reference": 2.0}
    plain: dict[str, Any] = {
        "name": "square",
        "layout": {"incident_energies": [20, 40], "slices": 2, "pixels": 6, "width": 0.3},
        "rendering": {"grid": 8, "samples": 2, "stability_grid": 8},
        "magnet": {
            "lattice": [5.0, 5.0, 12.0],
            "sites": [
                {"name": "up", "ion": "Cu2+", "spin": 0.5, "position": [0, 0, 0]},
                {"name": "down", "ion": "Cu2+", "spin": 0.5, "position": [0.5, 0.5, 0]},
            ],
        },
        "hypotheses": {
            "heisenberg": {"couplings": {"J1": j1}, "bonds": [first]},
            "frustrated": {
                "couplings": {"J1": j1, "J2": {"range": [0.0, 2.0], "reference": 0.3}},
                "bonds": [first, second],
            },
        },
    }
    plain["magnet"]["sites"][0]["direction"] = [0, 0, 1]
    plain["magnet"]["sites"][1]["direction"] = [0, 0, -1]
    for path, value in options.items():
        *parents, last = path.split("__")
        tree = plain
        for key in parents:
            tree = tree.setdefault(key, {})
        tree[last] = value
    return parse_simulation(plain)


def stripes(twins: bool = True, **hypothesis: Any) -> Simulation:
    """A ferromagnet with bonds X along a and Y along b, and a further coupling Z along both.

    All have the same range. A twin with a and b exchanged makes X and Y exchangeable.

    Args:
        twins: whether there is one.
        hypothesis: what else is declared of it.
    """
    exchanged = {"axes": [[0, 1, 0], [1, 0, 0], [0, 0, 1]]}
    bonds = {"X": [[1, 0, 0]], "Y": [[0, 1, 0]], "Z": [[2, 0, 0], [0, 2, 0]]}
    site = {"name": "up", "ion": "Cu2+", "spin": 0.5, "position": [0, 0, 0]}
    return square(
        magnet={"lattice": [5.0, 5.0, 12.0], "sites": [{**site, "direction": [0, 0, 1]}]},
        instrument={"twins": [{}, exchanged] if twins else [{}]},
        hypotheses={
            "stripes": {
                "couplings": {name: {"range": [-8.0, -2.0]} for name in bonds},
                "bonds": [{"coupling": name, "vectors": ways} for name, ways in bonds.items()],
                **hypothesis,
            }
        },
    )
