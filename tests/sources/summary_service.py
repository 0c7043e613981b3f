"""A service on this machine that speaks the summary part of the Materials Project's interface."""

from __future__ import annotations

from typing import Any

import numpy as np

from .scripted_service import Asked, Said

KEY = "abcdEFGH1234567890abcdEFGH123456"


def structure(symbols: list[str], a: float, frac: list[list[float]]) -> dict[str, Any]:
    """A cubic crystal as pymatgen writes it down."""
    return {
        "@module": "pymatgen.core.structure",
        "@class": "Structure",
        "charge": 0,
        "lattice": {"matrix": (np.eye(3) * a).tolist(), "pbc": [True, True, True]},
        "sites": [
            {"species": [{"element": one, "occu": 1}], "abc": place, "label": one, "properties": {}}
            for one, place in zip(symbols, frac, strict=True)
        ],
    }


def row(name: str, symbols: list[str], hull: float, **more: Any) -> dict[str, Any]:
    frac = [[place / len(symbols)] * 3 for place in range(len(symbols))]
    return {
        "material_id": name,
        "structure": structure(symbols, 4.0, frac),
        "energy_above_hull": hull,
        "band_gap": 1.0,
        "bulk_modulus": {"vrh": 100.0, "voigt": 101.0},
        "theoretical": False,
        "builder_meta": {"license": "BY-C"},
        "nsites": len(symbols),
        **more,
    }


ROWS = [
    row("mp-1", ["Cs", "Cl"], 0.0),
    row("mp-2", ["Na", "Cl"], 0.1),
    row("mp-3", ["Fe"], 0.2, bulk_modulus=None),
    row("mp-2000000", ["K", "Cl"], 0.0),
    row("mp-ejupc", ["Rb", "Cl"], 0.0),
    row("mp-1999999", ["Li", "Cl"], 0.0, builder_meta={"license": "BY-NC"}),
]


def answer(asked: Asked) -> Said:
    """The summary endpoint, as far as it is asked here."""
    if asked.headers.get("X-API-KEY") != KEY:
        return Said({"detail": f"Invalid key {asked.headers.get('X-API-KEY')}"}, 401)
    if not asked.url.startswith("/materials/summary/?"):
        return Said({"detail": "Not found"}, 404)
    params = asked.params
    found = []
    for one in sorted(ROWS, key=lambda one: str(one[params["_sort_fields"]])):
        symbols = {site["label"] for site in one["structure"]["sites"]}
        wanted = set(filter(None, params.get("elements", "").split(",")))
        banned = set(filter(None, params.get("exclude_elements", "").split(",")))
        low, high = params.get("energy_above_hull_min", 0), params.get("energy_above_hull_max", 9)
        if wanted <= symbols and not banned & symbols:
            most = int(params.get("nsites_max", 99))
            if float(low) <= one["energy_above_hull"] <= float(high) and one["nsites"] <= most:
                found.append(one)
    skip, limit = int(params["_skip"]), int(params["_limit"])
    fields = params["_fields"].split(",")
    data = [{name: one.get(name) for name in fields} for one in found[skip : skip + limit]]
    return Said({"data": data, "meta": {"total_doc": len(found), "api_version": "0.86"}})
