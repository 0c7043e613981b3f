"""What an array holds, in words, where numbers were expected."""

from __future__ import annotations

import numpy as np

KINDS = {
    "U": "text",
    "S": "text",
    "O": "Python objects",
    "V": "records of several fields",
    "c": "complex numbers",
    "M": "dates",
    "m": "durations",
    "b": "true and false",
}


def instead_of_numbers(dtype: np.dtype) -> str:
    """``text instead of numbers`` and the like."""
    return f"{KINDS.get(dtype.kind, str(dtype))} instead of numbers"
