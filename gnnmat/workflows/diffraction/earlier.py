"""What an earlier simulation left in a folder."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import pandas as pd

SUMMARY = "summary.csv"
ENDINGS = (".csv", ".xy", ".png")
FINGERPRINT = "-fingerprint.png"
TOGETHER = ("mixture.xy", "mixture.png", "fingerprints.npz", "refused.csv")


def earlier_files(folder: Path) -> set[str]:
    """Names of the files that an earlier simulation wrote here.

    Args:
        folder: with the ``summary.csv`` of that simulation, or without.
    """
    try:
        table = pd.read_csv(folder / SUMMARY, dtype=str, keep_default_na=False)
    except (OSError, ValueError):
        return set()
    if "files" not in table.columns:
        return set()
    named = {f"{name}{end}" for name in table["files"] for end in (*ENDINGS, FINGERPRINT)}
    return {name for name in named | set(TOGETHER) if re.fullmatch(r"[\w.-]+", name)}


def remove_others(folder: Path, earlier: set[str], names: Collection[str], extra: set[str]) -> None:
    """Remove what an earlier simulation wrote and this one did not.

    Whoever trains on the folder would have them among the new ones.

    Args:
        folder: of both.
        earlier: from `earlier_files`.
        names: of the files of each crystal, without their endings.
        extra: all else that was written.
    """
    written = {f"{name}{end}" for name in names for end in ENDINGS} | extra
    for name in earlier - written:
        if (folder / name).is_file():
            (folder / name).unlink()
