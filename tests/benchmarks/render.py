"""Renders ``docs/benchmarks.md`` from the JSON files the benchmarks wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gnnmat.atomic import write_atomically

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE.parents[1] / "docs" / "benchmarks.md"
ORDER = (
    "graphs", "step", "memory", "accuracy_perov_5", "accuracy_phonons",
    "accuracy_formation_energy", "accuracy_learning_curve", "known_crystals",
    "models_phonons", "models_perov_5", "models_formation_energy",
    "models_formation_energy_by_formula", "models_band_gap", "models_elastic",
    "ablation_phonons", "ablation_formation_energy", "ablation_elastic",
    "speed_training", "speed_prediction", "speed_folding", "speed_ways",
    "intervals", "intervals_dropout", "unrelaxed",
    "heads_dos_gated", "heads_dos_cgcnn", "heads_vacancies_gated", "heads_vacancies_cgcnn",
    "glass_cgcnn", "transfer_moduli", "transfer_superconductors",
    "pseudo_labels_moduli", "pseudo_labels_superconductors", "audit_moduli",
    "audit_superconductors",
    "synthesizability_jang", "synthesizability_icsd", "synthesizability_control",
    "diffraction", "films", "fingerprints", "powder", "powder_by_prototype",
    "film_classes", "film_classes_by_film", "response_maps",
    "screening_whole", "screening_engines", "screening_kills", "hardness", "hard_compounds",
    "active", "discovery",
    "spin_waves", "spectra", "networks", "comparison", "denoising", "exchange", "headline",
    "foreign", "misfit", "attribution", "refinement",
)  # fmt: skip

HEAD = """# Benchmarks

Rendered by `python tests/benchmarks/render.py` from `tests/benchmarks/results/*.json`, which the
commands below write; nothing here is typed by hand. Ratios are measured in turn within one run and
given as median with range; absolute times depend on the machine and are given only as a note. The
data are read from the folder named by `GNNMAT_DATA`.
"""


def page(results: list[dict[str, Any]]) -> str:
    """The whole page."""
    return "\n".join([HEAD, *(_section(result) for result in results)])


def _section(result: dict[str, Any]) -> str:
    lines = [
        f"## {result['name'].replace('_', ' ')}",
        "",
        f"`{result['command']}`, {result['date']}, {result['hardware']}. Data: {result['data']}.",
        "",
        "| what | value | range | runs | against | reach | note |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in result["rows"]:
        value = "not measured" if row["value"] is None else f"{_number(row['value'])} {row['unit']}"
        spread = ""
        if row["low"] is not None and row["high"] is not None:
            spread = f"{_number(row['low'])} to {_number(row['high'])}"
        cells = (
            row["what"], value, spread, str(row["runs"] or ""), row.get("against", ""),
            row.get("reach", ""), row.get("note", ""),
        )  # fmt: skip
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, ""])


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def stored() -> list[dict[str, Any]]:
    """The results on file, in the order of the page."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    names = [name for name in ORDER if name in found] + sorted(set(found) - set(ORDER))
    return [found[name] for name in names]


if __name__ == "__main__":
    write_atomically(PAGE, page(stored()))
