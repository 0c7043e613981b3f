"""Predicted curves as arrays, beside the table of a run."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.atomic import write_atomically
from gnnmat.target import Axis, curve_array
from gnnmat.workflows.run_folder import CURVES


def write_curves(folder: Path, predictions: pd.DataFrame, axes: Mapping[str, Axis]) -> Path | None:
    """``predictions.npz``, where a run has curves: arrays beside the table, ready to plot.

    For each target ``NAME_id`` (n,), ``NAME_split`` (n,), ``NAME_truth`` and ``NAME_prediction``
    (n, points), and ``NAME_axis`` (points,) where the axis is known.
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, axis in axes.items():
        rows = predictions[predictions["target"] == name]
        known = [one for one in rows["prediction"] if isinstance(one, tuple)]
        if not known:
            continue
        for column in ("truth", "prediction"):
            values = curve_array(rows[column], len(known[0]))
            arrays[f"{name}_{column}"] = values.astype(np.float32)
        for column in ("id", "split"):
            arrays[f"{name}_{column}"] = rows[column].to_numpy(dtype=str)
        if axis.points:
            arrays[f"{name}_axis"] = np.asarray(axis.points)
    if not arrays:
        return None
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    write_atomically(folder / CURVES, content.getvalue())
    return folder / CURVES
