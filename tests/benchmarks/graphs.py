"""Structure -> graph and CIF -> graph, against the route of the original CGCNN.

The original route: ``Structure.get_all_neighbors`` within 8 Å, sorted in Python, the nearest 12
of each atom; for files, pymatgen's CIF parser before it.
"""

from __future__ import annotations

import argparse
import warnings
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from results import paired, ratios, row, shared_data, write

from gnnmat.engine import Failure, run_items
from gnnmat.inputs.crystal_graph import CrystalGraph
from gnnmat.sources.read import CifText, read_crystal


def original_graph(structure: Any) -> list[list[Any]]:
    """The nearest 12 neighbours of each atom, as the authors' code finds them."""
    neighbours = structure.get_all_neighbors(8.0, include_index=True)
    return [sorted(around, key=lambda one: one[1])[:12] for around in neighbours]


def original_files(texts: list[str]) -> int:
    """Graphs of CIF texts by the original route; how many could be made."""
    from pymatgen.core import Structure

    made = 0
    for text in texts:
        try:
            original_graph(Structure.from_str(text, fmt="cif"))
            made += 1
        except Exception:  # the original stops here; counting goes on
            continue
    return made


def _read_and_build(text: str, graph: CrystalGraph) -> Any:
    return graph.sample(read_crystal(CifText(text)))


def from_structures(folder: Path, count: int, runs: int) -> list[dict[str, Any]]:
    """Ratio of the two routes on parsed structures, one process."""
    from pymatgen.core import Structure

    texts = pd.read_parquet(folder / "carbon_24.parquet", columns=["cif"])["cif"][:count]
    structures = [Structure.from_str(text, fmt="cif") for text in texts]
    crystals = [read_crystal(structure) for structure in structures]
    graph = CrystalGraph()
    slow, fast = paired(
        lambda: [original_graph(structure) for structure in structures],
        lambda: [graph.sample(crystal) for crystal in crystals],
        runs=runs,
    )
    return [
        row(
            f"structure -> graph, 8 Å, 12 neighbours, one process, {count} crystals",
            ratios(slow, fast),
            "times faster",
            against="the original route",
            reach=">= 30",
            note=f"{sorted(fast)[len(fast) // 2] / count * 1e3:.3f} ms a crystal",
        )
    ]


def from_files(folder: Path, runs: int) -> list[dict[str, Any]]:
    """Ratio of the two routes from CIF text, ours in two processes, and what bounds it."""
    with zipfile.ZipFile(folder / "materials_project" / "raw_cifs_1000.zip") as archive:
        texts = [archive.read(name).decode() for name in archive.namelist() if name.endswith("cif")]
    work = partial(_read_and_build, graph=CrystalGraph())
    slow, fast = paired(
        lambda: original_files(texts),
        lambda: run_items(work, texts, workers=2, quiet=True),
        runs=runs,
        warm=0,
    )
    results = run_items(work, texts, workers=2, quiet=True)
    refused = [result.reason for result in results if isinstance(result, Failure)]
    crystals = [read_crystal(CifText(text)) for text in texts[:300] if _reads(text)]
    graph = CrystalGraph()
    parse, build = paired(
        lambda: [read_crystal(CifText(text)) for text in texts[:300] if _reads(text)],
        lambda: [graph.sample(crystal) for crystal in crystals],
        runs=3,
        warm=0,
    )
    share = sum(parse) / (sum(parse) + sum(build))
    return [
        row(
            f"CIF text -> graph, whole path, 2 processes, {len(texts)} files",
            ratios(slow, fast),
            "times faster",
            against="the original route in one process",
            reach="report",
            note=f"{len(refused)} files refused; includes starting the processes",
        ),
        row(
            "share of parsing in CIF text -> graph, one process",
            100 * share,
            "%",
            note="the CIF parser bounds the whole path",
        ),
    ]


def _reads(text: str) -> bool:
    try:
        read_crystal(CifText(text))
    except Exception:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="carbon_24 crystals")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    folder = shared_data()
    rows = from_structures(folder, options.count, options.runs)
    rows += from_files(folder, min(options.runs, 3))
    write("graphs", "carbon_24, raw_cifs_1000", rows, options.json)


if __name__ == "__main__":
    main()
