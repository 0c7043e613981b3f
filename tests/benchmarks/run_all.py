"""Runs the benchmarks one after another and renders ``docs/benchmarks.md``.

``make bench`` runs the short ones, a quarter of an hour on two cores; ``--long`` adds the
trainings, which are taken up again where they were interrupted.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PARTS = ("perov_5", "phonons", "formation_energy", "learning_curve")
MODELS = ("perov_5", "formation_energy", "formation_energy_by_formula", "band_gap", "elastic")
BOTH = ("gated", "cgcnn")
MODEL, START = ("--run", "pcsmo-exchange"), ("--start", "pcsmo-exchange")
SET = ("--set", "pcsmo-all")  # made once: gnnmat simulate configs/pcsmo.yaml -n 4600 -o pcsmo-all
SHORT = [
    *([f"{name}.py"] for name in ("graphs", "step", "memory", "check_known_crystals")),
    ["speed.py"],
    ["diffraction.py"],
    *([f"{name}.py"] for name in ("spin_waves", "spectra", "networks")),
]
LONG = [
    *(["accuracy.py", part] for part in PARTS),
    ["models.py", "phonons", "--seeds", "5"],
    *(["models.py", part] for part in MODELS),
    *(["ablation.py", part] for part in ("phonons", "formation_energy", "elastic")),
    *(["heads.py", part, "--name", one] for part in ("dos", "vacancies") for one in BOTH),
    ["unrelaxed.py", "mp-formation-energy", "elastic-moduli"],
    ["glass.py"],
    *([script, "moduli"] for script in ("transfer.py", "pseudo_labels.py", "audit.py")),
    *([script, "superconductors"] for script in ("transfer.py", "audit.py")),
    *(["synthesizability.py", part] for part in ("control", "jang", "icsd")),
    ["films.py"],
    ["fingerprints.py"],
    *(["powder.py", "--by", one] for one in ("formula", "prototype")),
    *(["film_classes.py", "--by", one] for one in ("series", "film")),
    ["response_maps.py"],  # of the networks of fingerprints.py and powder.py
    ["denoising.py", *SET],
    ["comparison.py", *SET],
    ["exchange.py", *MODEL, *SET],
    ["foreign.py", *MODEL, *SET],
    ["attribution.py", *MODEL, *SET],
    ["refinement.py", *START, "-n", "4"],
    ["misfit.py", *START, "-n", "2"],
    # intervals.py looks at ensembles that were trained before, see there.
    # headline.py needs two trainings of its own, see there.
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="train, too")
    options = parser.parse_args()
    failed = []
    for script, *arguments in [*SHORT, *(LONG if options.long else [])]:
        print(f"\n== {script} {' '.join(arguments)}", flush=True)
        if subprocess.run([sys.executable, str(HERE / script), *arguments]).returncode:
            failed.append(script)
    subprocess.run([sys.executable, str(HERE / "render.py")], check=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
