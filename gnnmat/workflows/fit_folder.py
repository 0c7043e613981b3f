"""What a fit of a spectrum leaves in its folder: tables to read, arrays to draw."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError

if TYPE_CHECKING:
    from gnnmat.workflows.fit_result import SpectrumFit

RESULT, COUPLINGS, COMPARISON = "fit.json", "couplings.csv", "comparison.csv"
PAGE = "fit.html"
SLICES, NEXT, IMAGES = "slices.csv", "next_measurement.csv", "images.npz"
WRITTEN = (RESULT, COUPLINGS, COMPARISON, SLICES, NEXT, IMAGES, PAGE)
# Kept as arrays in IMAGES, too large for JSON.
LARGE = ("image", "residual")


def check_folder(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that holds other things than a fit, or a fit that is to be kept.

    Raises:
        GnnmatError: see above.
    """
    if folder.exists() and not folder.is_dir():
        raise GnnmatError(f"{folder} is a file, not a folder.", fix="Choose another --output.")
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if RESULT in there and not overwrite:
        raise GnnmatError(
            f"{folder} already holds a fit.", fix="Choose another --output, or --overwrite it."
        )
    if there - set(WRITTEN) and RESULT not in there:
        raise GnnmatError(
            f"{folder} is not empty and holds no fit.",
            why="The fit's files would mix with what lies there.",
            fix="Choose another folder with --output.",
        )


def coupling_table(result: SpectrumFit) -> pd.DataFrame:
    """One row a hypothesis and coupling: value, error, range, what limits it."""
    rows = []
    for fit in result.fits:
        for place, name in enumerate(fit.couplings):
            low, high = fit.ranges[place]
            rows.append(
                {
                    "hypothesis": fit.hypothesis,
                    "coupling": name,
                    "value": fit.values[place],
                    "error": fit.errors[place],
                    "unit": "meV",
                    "lowest": low,
                    "highest": high,
                    "at_bound": fit.at_bound[place],
                    "widened": fit.widened[place],
                }
            )
    return pd.DataFrame(rows)


def comparison_table(result: SpectrumFit) -> pd.DataFrame:
    """One row a hypothesis: chi^2, p-value, evidence, odds, slices left out."""
    rows = []
    for fit, odds in zip(result.fits, result.odds, strict=True):
        rows.append(
            {
                "hypothesis": fit.hypothesis,
                "probability": odds.probability,
                "log10_odds": odds.log10_odds,
                "log_evidence": odds.log_evidence,
                "left_out": odds.left_out,
                "behind": odds.behind,
                "behind_error": odds.behind_error,
                "chi2_per_dof": fit.chi2_per_dof,
                "structure": fit.structure,
                "p_value": fit.p_value,
                "verdict": fit.verdict,
            }
        )
    return pd.DataFrame(rows)


def slice_table(result: SpectrumFit) -> pd.DataFrame:
    """One row a hypothesis and slice: energies and chi^2 a pixel."""
    rows = []
    layout = result.layout
    for fit in result.fits:
        for i, incident in enumerate(layout.incident_energies):
            for s, (low, high) in enumerate(layout.energy_edges[i]):
                rows.append(
                    {
                        "hypothesis": fit.hypothesis,
                        "incident_energy": incident,
                        "slice": s,
                        "energy_low": low,
                        "energy_high": high,
                        "chi2_per_pixel": fit.by_slice[i, s],
                    }
                )
    return pd.DataFrame(rows)


def write_fit(folder: Path, result: SpectrumFit, image: NDArray[np.floating]) -> None:
    """All files of a fit; ``fit.json`` comes last and says that the others are there.

    Args:
        folder: for the files.
        result: the fit.
        image: (R, C) the spectrum, to be shown beside it.
    """
    tables = {
        COUPLINGS: coupling_table(result),
        COMPARISON: comparison_table(result),
        SLICES: slice_table(result),
        NEXT: result.advice,
    }
    for name, table in tables.items():
        write_atomically(folder / name, table.to_csv(index=False))
    arrays = {
        f"{fit.hypothesis}.{name}": getattr(fit, name).astype(np.float32)
        for fit in result.fits
        for name in LARGE
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_atomically(folder / IMAGES, buffer.getvalue())
    write_atomically(folder / PAGE, _page(result, image))
    plain = {
        "spectrum": result.name,
        "simulation": result.simulation,
        "best": result.best.hypothesis,
        "conclusion": result.conclusion,
        "same_image": {
            name: [list(map(list, e)) for e in found] for name, found in result.exchanges.items()
        },
        "fits": [_plain(asdict(fit)) for fit in result.fits],
        "odds": [_plain(asdict(odds)) for odds in result.odds],
        "layout": result.layout.to_dict(),
    }
    write_atomically(folder / RESULT, json.dumps(plain, indent=1) + "\n")


def _page(result: SpectrumFit, image: NDArray[np.floating]) -> str:
    from gnnmat.pages.fitted import FittedData, fitted_page

    advice = result.advice
    return fitted_page(
        FittedData(
            title=result.name,
            conclusion=result.conclusion,
            trusted=result.best.fits,
            layout=result.layout,
            image=image,
            fits=result.fits,
            odds=result.odds,
            advice=[(str(row["what"]), float(row["separation"])) for _, row in advice.iterrows()],
        )
    )


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """JSON without arrays; what is not a number becomes null."""
    return {name: _bare(value) for name, value in values.items() if name not in LARGE}


def _bare(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _bare(value.tolist())
    if isinstance(value, list | tuple):
        return [_bare(one) for one in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
