"""Tables of candidates for stages that look at formulas and columns, not at structures."""

from __future__ import annotations

from typing import Any

import pandas as pd


def candidates(*formulas: Any, **columns: Any) -> pd.DataFrame:
    """A candidate for each formula, with ids a, b, c, ... and 4 atoms."""
    ids = [chr(97 + row) for row in range(len(formulas))]
    return pd.DataFrame({"id": ids, "formula": list(formulas), "atoms": 4, **columns})
