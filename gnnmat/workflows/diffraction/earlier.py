"""What an earlier simulation left in a folder."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

SUMMARY = "summary.csv"
ENDINGS = (".csv", ".xy", ".png", "-fingerprint.png")
TOGETHER = ("mixture.xy", "mixture.png", "fingerprints.npz", "refused.csv")


def remove_earlier(folder: Path) -> None:
    """Remove the files that an earlier simulation wrote here, and no others.

    Whoever trains on the folder would have them among the new ones.

    Args:
        folder: with the ``summary.csv`` of that simulation, or without.
    """
    try:
        table = pd.read_csv(folder / SUMMARY, dtype=str, keep_default_na=False)
    except (OSError, ValueError):
        return
    if "files" not in table.columns:
        return
    named = [f"{name}{end}" for name in table["files"] for end in ENDINGS]
    for name in (*named, *TOGETHER):
        if re.fullmatch(r"[\w.-]+", name):  # one of this folder
            (folder / name).unlink(missing_ok=True)
