"""Small magnets for tests of the simulation."""

from __future__ import annotations

from typing import Any

from gnnmat.simulation.spin_waves.model import SpinModel


def square_ferromagnet(**options: Any) -> SpinModel:
    """One spin a cell, nearest neighbours, couplings J and D (easy axis for D < 0)."""
    return SpinModel.model_validate(
        {
            "lattice": [4.0, 4.0, 10.0],
            "sites": [
                {"name": "a", "ion": "Mn2+", "spin": 2.5, "position": [0, 0, 0],
                 "direction": [0, 0, 1]},
            ],
            "couplings": {"J": {"range": [-5, -1]}, "D": {"range": [-0.5, 0]}},
            "bonds": [{"coupling": "J", "vectors": [[1, 0, 0], [0, 1, 0]]}],
            "onsite": [{"coupling": "D"}],
            **options,
        }
    )  # fmt: skip


def square_antiferromagnet() -> SpinModel:
    """Two spins a cell of sqrt(2) x sqrt(2), couplings J1 and J2."""
    return SpinModel.model_validate(
        {
            "lattice": [4.0, 4.0, 10.0],
            "sites": [
                {"name": "a", "ion": "Cu2+", "spin": 0.5, "position": [0, 0, 0],
                 "direction": [0, 0, 1]},
                {"name": "b", "ion": "Cu2+", "spin": 0.5, "position": [0.5, 0.5, 0],
                 "direction": [0, 0, -1]},
            ],
            "couplings": {"J1": {"range": [50, 150]}, "J2": {"range": [-30, 30]}},
            "bonds": [
                {"coupling": "J1", "from": ["a"], "to": ["b"],
                 "vectors": [[0.5, 0.5, 0], [0.5, -0.5, 0], [-0.5, 0.5, 0], [-0.5, -0.5, 0]]},
                {"coupling": "J2", "vectors": [[1, 0, 0], [0, 1, 0]]},
            ],
        }
    )  # fmt: skip


def small_simulation(**rendering: Any) -> dict[str, Any]:
    """A simulation of two hypotheses that renders in milliseconds."""
    antiferromagnet = square_antiferromagnet().model_dump(by_alias=True)
    ferromagnet = square_ferromagnet().model_dump(by_alias=True)
    for model in (antiferromagnet, ferromagnet):
        for name in ("field", "g"):
            model.pop(name)
    return {
        "name": "small",
        "layout": {"incident_energies": [60.0, 200.0], "slices": 3, "pixels": 8, "width": 0.15},
        "resolution": {"kind": "widths", "q": 0.03, "energy": 0.03},
        "rendering": {"grid": 16, "samples": 4, "stability_grid": 8, **rendering},
        "hypotheses": {"neel": antiferromagnet, "ferro": ferromagnet},
    }


def triangular_antiferromagnet(digits: int = 9) -> dict[str, Any]:
    """The 120 degree order on the triangular lattice, coupling J, as a hypothesis.

    Args:
        digits: decimals to which the directions are rounded.
    """
    half = round(3**0.5 / 2, digits)
    places = ([0.0, 0.0, 0.1], [1 / 3, 2 / 3, 0.1], [2 / 3, 1 / 3, 0.1])
    spins = ([1.0, 0.0, 0.0], [-0.5, half, 0.0], [-0.5, -half, 0.0])
    return {
        "lattice": [6.0, 6.0, 9.0, 90.0, 90.0, 120.0],
        "sites": [
            {"name": name, "ion": ion, "spin": 1.5, "position": place, "direction": spin}
            for name, ion, place, spin in zip(
                "abc", ("Cr3+", "Cr3+", "Mn4+"), places, spins, strict=True
            )
        ],
        "couplings": {"J": {"range": [2.0, 3.0], "reference": 2.5}},
        "bonds": [{"coupling": "J", "distance": 3.4641}],
    }


def chiral_chain() -> dict[str, Any]:
    """A ferromagnetic chain with a Dzyaloshinskii-Moriya vector along its spins, which lie
    along z, as a hypothesis; couplings J, D (easy axis) and d."""
    return {
        "lattice": [4.0, 9.0, 9.0],
        "sites": [
            {"name": "a", "ion": "Mn2+", "spin": 1.5, "position": [0, 0, 0],
             "direction": [0, 0, 1]},
        ],
        "couplings": {"J": {"range": [-3, -1]}, "D": {"range": [-2, -1]}, "d": {"range": [0, 1]}},
        "bonds": [
            {"coupling": "J", "vectors": [[1, 0, 0]]},
            {"coupling": "d", "vectors": [[1, 0, 0]], "exchange": {"dm": [0, 0, 1]}},
        ],
        "onsite": [{"coupling": "D"}],
    }  # fmt: skip
