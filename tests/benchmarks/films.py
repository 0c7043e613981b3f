"""Measured films of inorganic halides, searched among the crystals made of their elements alone.

The fifteen films of Oviedo et al., npj Computational Materials 5, 60 (2019), without an organic
part: what was deposited is read from the file's name, the space group from its folder.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import torch
from results import row, shared_data, write
from rich.console import Console

from gnnmat.sources.patterns import PatternsSource
from gnnmat.sources.powder_pattern import PowderPattern
from gnnmat.sources.symmetry_labels import space_group, symbol
from gnnmat.workflows.diffraction.beam import beam_of
from gnnmat.workflows.diffraction.match import Match, match_pattern
from gnnmat.workflows.diffraction.phases import Phase, read_phases

# Beginning of the file's name -> elements.
FILMS = {
    "CsAgBiBr": "Cs Ag Bi Br", "RbBiBr": "Rb Bi Br", "Cs3Sb2Br9": "Cs Sb Br", "CsBiBr": "Cs Bi Br",
    "CsSbBr": "Cs Sb Br", "K3Bi2I9": "K Bi I", "K3Sb2I9": "K Sb I", "Rb3Sb2Br9": "Rb Sb Br",
    "RbSbBr": "Rb Sb Br", "RbSbI": "Rb Sb I", "Cs3Sb2I9": "Cs Sb I", "CsSbI": "Cs Sb I",
}  # fmt: skip
GROUPS = {"P3m1": "P-3m1", "P61mmc": "P6_3/mmc", "P21a": "P2_1/c"}
TOP = 5


def films() -> list[tuple[PowderPattern, str, str]]:
    """The pattern, the beginning of its name, and the space group that the authors give it."""
    archive = shared_data() / "powder_xrd_halides" / "patterns.zip"
    records = PatternsSource(path=str(archive), label="folder", wavelength="CuKa").open()
    found = []
    for item, name in enumerate(records.ids):
        stem = Path(str(name)).name
        start = next((one for one in FILMS if stem.startswith((f"{one}_", f"{one}-"))), None)
        if start is not None:
            folder = str(records.table["label"].iloc[item])
            found.append((records.read(records.raws[item]), start, GROUPS.get(folder, folder)))
    return found


def told(match: Match, group: str) -> tuple[bool, str]:
    """Whether the first candidate has this space group, and a sentence on it."""
    first = match.candidates[0]
    named = symbol(space_group(first.phase.crystal, 0.01))
    a, _, c = first.lattice[:3]
    texture = "" if first.refined.texture is None else f", texture {first.refined.texture}"
    return named == group, (
        f"folder {group}; of {match.searched} crystals the first is {first.phase.formula} "
        f"({first.phase.id}), {named}, a {a:.3f}, c {c:.3f} Å{texture}; search {first.score:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    structures = shared_data() / "materials_project" / "structures.parquet"
    phases: dict[str, list[Phase]] = {}
    rows: list[dict[str, Any]] = []
    right = 0
    console = Console(stderr=True)
    for pattern, start, group in films():
        elements = FILMS[start]
        if elements not in phases:
            phases[elements] = list(
                read_phases([structures], elements=elements.split(), quiet=True)[0]
            )
        match = match_pattern(
            pattern, beam_of(pattern, "xray", None), phases[elements], top=TOP, quiet=True
        )
        same, sentence = told(match, group)
        right += same
        console.print(Path(pattern.id).name, sentence, highlight=False)
        rows.append(
            row(
                f"similarity after refinement, film {Path(pattern.id).stem}",
                match.candidates[0].similarity, "", note=sentence,
            )
        )  # fmt: skip
    rows.insert(
        0,
        row(
            "measured inorganic films whose first match has the space group of their folder",
            right, f"of {len(rows)}",
            note="crystals of the Materials Project made of the elements of the name alone",
        ),
    )  # fmt: skip
    write("films", "powder_xrd_halides/patterns.zip", rows, options.json)


if __name__ == "__main__":
    main()
