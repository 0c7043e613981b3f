"""Where labels that are known to be suspect come in an audit, in rank and out of how many.

``--runs`` names finished cross-validations; without it they are trained now, one a seed.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

from results import row, shared_data, write
from rich.console import Console

from gnnmat.train.config import parse_config
from gnnmat.workflows.cross_validation import cross_validate
from gnnmat.workflows.label_audit import Scale, audit_labels

# Suspects as people know them: a shear modulus above that of boron nitride in SiB, several times
# those of its kin in NdO2, a titanium-gallium compound, and a delafossite at 132 K. Formulas
# as in `gnnmat.sources.prototype_label.formula`.
SUSPECTS: dict[str, tuple[str, ...]] = {
    "moduli": ("SiB", "NdO2", "Ti3Ga"),
    "superconductors": ("CrCuO2",),
}
SOURCES: dict[str, dict[str, Any]] = {
    "moduli": {
        "source": {
            "kind": "table",
            "path": "$GNNMAT_DATA/elastic_binaries.parquet",
            "units": {"K_vrh": "GPa", "G_vrh": "GPa"},
        },
        "targets": ["K_vrh", "G_vrh"],
    },
    "superconductors": {
        "source": {
            "kind": "table",
            "path": "$GNNMAT_DATA/superconductors_3dsc.parquet",
            "units": {"tc": "K"},
        },
        "targets": ["tc"],
    },
}


def judged(options: argparse.Namespace) -> list[Path]:
    """Folders of the cross-validations: those named, or one a seed trained now."""
    if options.runs:
        return list(options.runs)
    folders = []
    for seed in range(options.seeds):
        by = "formula" if options.part == "superconductors" else None
        plain: dict[str, Any] = {
            "name": f"audit-{options.part}",
            "data": SOURCES[options.part],
            "split": {"kind": "folds", "k": 5, "val": 0.1, "seed": seed, "by": by},
            "model": {"kind": "cgcnn"},
            "task": {
                "kind": "regression",
                "loss": "mae",
                "scale": "log" if options.part == "moduli" else "standard",
            },
            "optimizer": {"lr": 3e-3, "weight_decay": 1e-3},
            "trainer": {"epochs": options.epochs, "ema": 0.99, "seed": seed, "logs": []},
        }
        folder = options.folder / f"{options.part}-{seed}"
        cross_validate(parse_config(plain, options.set), folder, console=Console(stderr=True))
        folders.append(folder)
    return folders


def ranks(part: str, folders: list[Path], scale: Scale) -> list[dict[str, Any]]:
    """The rank of each known suspect among all labels of its target."""
    out = []
    for target in SOURCES[part]["targets"]:
        found = audit_labels(folders, target=target, scale=scale)
        table = found.table
        said = "as it was trained" if scale == "learned" else f"on a {scale} scale"
        for name in SUSPECTS[part]:
            places = table.index[table["formula"] == name].tolist()
            first = table.loc[places[0]] if places else None
            out.append(
                row(
                    f"{name}, {target}: rank among {len(table):,} labels, {said}",
                    float(places[0] + 1) if places else None,
                    "",
                    note="not in this table" if first is None else first["reason"],
                )
            )
        out.append(
            row(f"{target}: labels called suspect, {said}", float(len(found.suspects)), "labels")
        )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=SUSPECTS)
    parser.add_argument("--runs", type=Path, nargs="*", default=[], help="cross-validations")
    parser.add_argument("--folder", type=Path, default=Path("runs/audit"), help="of new ones")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--quick", action="store_true", help="one seed, five epochs")
    parser.add_argument("--set", action="append", default=[], help="option of every run")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    shared_data()
    if options.quick:
        options.seeds, options.epochs = 1, min(options.epochs, 5)
    folders = judged(options)
    rows = ranks(options.part, folders, "learned")
    if options.part == "moduli":
        rows += ranks(options.part, folders, "linear")
    write(
        f"audit_{options.part}", f"{len(folders)} cross-validations of 5 folds", rows, options.json
    )


if __name__ == "__main__":
    main()
