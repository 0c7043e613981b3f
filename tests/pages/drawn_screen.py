"""A screen that is made up but shaped like a real one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from gnnmat.pages.screen import ScreenPage
from gnnmat.pages.screen_data import Quantity
from gnnmat.sources.crystal import Crystal

from .drawn_crystal import ROCK_SALT

FORMULAS = ("NaCl", "TiC", "BN", "SiC", "WC", "MgO", "Al2O3", "CrB4", "PbO", "C", "LaMnO3", "OsB2")
QUANTITIES = (Quantity("price", "price", "USD/kg"), Quantity("score"))
DROPPED = {"contains a toxic element": 60, "charges do not balance": 25, "failed: no cell": 3}


def pareto(x: Any, y: Any) -> Any:
    """(rows,) true where no other row has both numbers larger."""
    order = np.argsort(-np.asarray(x), kind="stable")
    best, on = -np.inf, np.zeros(len(order), dtype=bool)
    for row in order:
        if y[row] > best:
            on[row], best = True, y[row]
    return on


def candidates(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """Hardness and toughness that go together, with intervals; every seventh row was taught."""
    random = np.random.default_rng(seed)
    soft = random.beta(1.3, 5.0, rows)
    hardness = 95 * soft * random.uniform(0.5, 1.1, rows)
    toughness = 6.5 * np.sqrt(soft) * random.uniform(0.3, 1.1, rows)
    table = pd.DataFrame(
        {
            "id": [f"mp-{i}" for i in range(rows)],
            "formula": [FORMULAS[i % len(FORMULAS)] for i in range(rows)],
            "hardness": hardness,
            "hardness_low": hardness * 0.85,
            "hardness_high": hardness * 1.2,
            "toughness": toughness,
            "toughness_low": toughness * 0.9,
            "toughness_high": toughness * 1.15,
            "price": random.lognormal(2, 1.5, rows),
            "score": random.random(rows),
            "moduli_in_domain": random.random(rows) > 0.1,
            "moduli_learned": [("", "out of fold", "learned")[i % 7 % 3] for i in range(rows)],
        }
    )
    return table.assign(front=pareto(hardness, toughness))


def screen(rows: int = 300, shortlisted: int = 12, **changes: Any) -> ScreenPage:
    """A page with everything on it."""
    table = candidates(rows)
    merit = table["hardness"] / table["hardness"].max() + table["toughness"] / 7
    best = merit.sort_values(ascending=False).index[:shortlisted]
    table["shortlisted"] = table.index.isin(best)
    shown = [*best, *table.index[table["front"]]]
    made = ScreenPage(
        name="superhard",
        table=table,
        numbers=QUANTITIES,
        shortlist=table.loc[best].reset_index(drop=True),
        crystals={str(table["id"][row]): crystal(row) for row in shown},
        funnel=funnel(rows, shortlisted),
        facts=[("model", "runs/moduli")],
        notes=["Hardness comes from a closed form, not from a measurement."],
        settings="name: superhard\n",
    )
    return replace(made, **changes)


def funnel(rows: int, shortlisted: int) -> list[dict[str, Any]]:
    """Three stages; 12 of the 100 dropped by the first have no reason."""
    first = rows + 100
    lower = {"ranked lower": rows - shortlisted}
    return [
        {"stage": "filter", "into": first, "out": rows, "dropped": DROPPED, "seconds": 2},
        {"stage": "predict", "into": rows, "out": rows, "dropped": {}, "seconds": 201.0},
        {"stage": "rank", "into": rows, "out": shortlisted, "dropped": lower},
    ]


def crystal(seed: int) -> Crystal:
    """A rock salt of a size of its own."""
    return Crystal(np.eye(3) * (4.2 + seed % 13 / 10), ROCK_SALT.numbers, ROCK_SALT.frac)
