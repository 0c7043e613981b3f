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
SHORT = [["graphs.py"], ["step.py"], ["memory.py"], ["check_known_crystals.py"]]
LONG = [
    ["accuracy.py", part] for part in ("perov_5", "phonons", "formation_energy", "learning_curve")
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
