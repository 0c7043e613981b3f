"""How far predictions move when crystals are strained or their atoms displaced a little.

Shipped models, on crystals of the Materials Project that their thresholds were fixed on; beside
every change the mean error of the model, and how many predictions leave their interval.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
from results import row, shared_data, write

from gnnmat.sources.crystal import Crystal
from gnnmat.sources.table import TableSource
from gnnmat.workflows.sensitivity import sensitivity

TOLD = {
    "of_half_width": "of the half-width of the interval",
    "beyond": "leave their interval",
    "in_domain": "in domain",
}


def crystals(count: int) -> list[Crystal]:
    """Validation rows of the 10,000 ids, drawn at random."""
    folder = shared_data() / "materials_project"
    ids = pd.read_csv(folder / "e_form_10k.csv").query("split == 'val'")["id"]
    records = TableSource(path=str(folder / "structures.parquet")).open()
    place = {name: item for item, name in enumerate(records.ids)}
    return [records.read(records.raws[place[one]]) for one in ids.sample(count, random_state=0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("-n", type=int, default=100, help="crystals")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: list[dict[str, Any]] = []
    for name in options.models:
        found = sensitivity(name, crystals(options.n)).summary
        for one in found.to_dict("records"):
            amount = f"{one['amount']:+.0%}" if one["kind"] == "strain" else f"{one['amount']:g} Å"
            told = [f"{one[key]:.0%} {words}" for key, words in TOLD.items() if key in one]
            rows.append(
                row(
                    f"{name}, {one['target']}: {one['kind']} of {amount}, mean change",
                    one["mean_change"], one["unit"], note="; ".join(told),
                )
            )  # fmt: skip
    write("unrelaxed", f"{options.n} crystals of materials_project", rows, options.json)


if __name__ == "__main__":
    main()
