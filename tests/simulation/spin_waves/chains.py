"""Textbook magnets for tests: one or two spins a cell, lattice constant 4 Å along a."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnnmat.simulation.spin_waves.model import SpinModel
from gnnmat.simulation.spin_waves.system import SpinSystem


def site(
    position: list[float], direction: Any, spin: float = 1.0, name: str = "s"
) -> dict[str, Any]:
    return {
        "name": name,
        "ion": "Mn2+",
        "spin": spin,
        "position": position,
        "direction": list(direction),
    }


def magnet(sites: list[dict[str, Any]], **parts: Any) -> SpinSystem:
    return SpinModel.model_validate({"lattice": [4.0, 20.0, 20.0], "sites": sites, **parts}).build()


def ferromagnetic_chain(**parts: Any) -> SpinSystem:
    """Spin 3/2 along z; couplings J, easy axis D and a DM vector d along z."""
    direction = parts.pop("direction", (0, 0, 1))
    options = {
        "couplings": {"J": {}, "D": {}, "d": {}},
        "bonds": [
            {"coupling": "J", "vectors": [[1, 0, 0]]},
            {"coupling": "d", "vectors": [[1, 0, 0]], "exchange": {"dm": [0, 0, 1]}},
        ],
        "onsite": [{"coupling": "D"}],
        **parts,
    }
    return magnet([site([0, 0, 0], direction, 1.5)], **options)


def antiferromagnetic_chain() -> SpinSystem:
    """Spin 5/2 along +-z in a cell of two; couplings J and easy axis D."""
    return magnet(
        [site([0, 0, 0], (0, 0, 1), 2.5), site([0.5, 0, 0], (0, 0, -1), 2.5)],
        lattice=[8.0, 20.0, 20.0],
        couplings={"J": {}, "D": {}},
        bonds=[{"coupling": "J", "distance": 4.0}],
        onsite=[{"coupling": "D"}],
    )


def triangular(spin: float = 0.5) -> SpinSystem:
    """The 120 degree order on the triangular lattice, three spins a cell; coupling J."""
    angles = (0, 2 * np.pi / 3, 4 * np.pi / 3)
    places = ([0.0, 0.0, 0.0], [1 / 3, 2 / 3, 0.0], [2 / 3, 1 / 3, 0.0])
    return magnet(
        [
            site(place, (np.cos(angle), np.sin(angle), 0), spin)
            for place, angle in zip(places, angles, strict=True)
        ],
        lattice=[4 * np.sqrt(3), 4 * np.sqrt(3), 20.0, 90.0, 90.0, 120.0],
        couplings={"J": {}},
        bonds=[{"coupling": "J", "distance": 4.0}],
    )
