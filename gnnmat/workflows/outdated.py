"""What was said of an ensemble before it gets more members."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

from gnnmat.errors import GnnmatWarning
from gnnmat.train.committee import ENSEMBLE
from gnnmat.workflows.run_folder import METRICS, TRUST, UNCERTAINTY


def forget_verdicts(folder: Path) -> None:
    """Take away what was said of fewer members; thresholds and intervals not without a word."""
    if any((folder / name).is_file() for name in TRUST):
        try:
            many = f"{int(json.loads((folder / ENSEMBLE).read_text())['members'])} members"
        except (OSError, ValueError, KeyError, TypeError):
            many = "fewer members"
        warnings.warn(
            f"The thresholds and intervals were for {many}; when this is done, run "
            f"`gnnmat trust {folder}` again.",
            GnnmatWarning,
            stacklevel=3,
        )
    for name in (METRICS, *TRUST, *UNCERTAINTY):
        (folder / name).unlink(missing_ok=True)
