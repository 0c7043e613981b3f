"""An explained pattern as a page, a picture and a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.atomic import write_atomically
from gnnmat.pages.diffraction_figures import Tick
from gnnmat.pages.markup import number
from gnnmat.pages.pattern_explanation import Layer, PatternPage, pattern_page
from gnnmat.workflows.diffraction.picture import contribution_png, views_png
from gnnmat.workflows.explain import WORDS
from gnnmat.workflows.explain_pattern import PatternExplanation
from gnnmat.workflows.spots import NEAR

Floats = NDArray[np.float64]


def write_pattern(found: PatternExplanation, page: Path, *, model: str) -> list[Path]:
    """The page, and beside it a picture and a table of the same name.

    Args:
        found: what to show.
        page: of the HTML file.
        model: name of the run, to show.

    Returns:
        The files, the page first. The table of a powder pattern has a row an angle
        (``two_theta``, ``intensity``, ``contribution``), that of a fingerprint a row a pixel.
    """
    picture, table = page.with_suffix(".png"), page.with_suffix(".csv")
    write_atomically(table, contributions(found).to_csv(index=False, float_format="%.6g"))
    title = f"{found.id}: {found.label}"
    if found.at is None:
        write_atomically(picture, views_png(title, found.seen, found.map))
    else:
        content = contribution_png(title, found.at, found.seen[0], found.map[0], found.spots.at)
        write_atomically(picture, content)
    write_atomically(page, pattern_page(_page(found, model)))
    return [page, picture, table]


def contributions(found: PatternExplanation) -> pd.DataFrame:
    """The pattern and its map as a table."""
    values = {"intensity": found.seen.ravel(), "contribution": found.map.ravel()}
    if found.at is not None:
        return pd.DataFrame({"two_theta": found.at, **values})
    names = ("channel", "row", "column")
    places = np.indices(found.seen.shape).reshape(len(names), -1)
    return pd.DataFrame({**dict(zip(names, places, strict=True)), **values})


def peak_sums(found: PatternExplanation) -> list[tuple[str, float]]:
    """Each Bragg peak in words, and the sum of the map around it."""
    if found.at is None:
        rows = []
        for channel, row, column in found.spots.at.astype(int):
            near = found.map[channel, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            words = f"channel {channel + 1}, row {row}, column {column}"
            rows.append((words, float(near.sum())))
        return rows
    names = found.spots.words or [""] * len(found.spots.at)
    return [
        (
            f"{number(angle, 5)} degrees" + (f", {words}" if words else ""),
            float(found.map[0][np.abs(found.at - angle) <= NEAR].sum()),
        )
        for angle, words in zip(found.spots.at, names, strict=True)
    ]


def _page(found: PatternExplanation, model: str) -> PatternPage:
    predicted = max(found.scores, key=lambda name: found.scores[name])
    answer = f"The answer is {predicted}."
    if found.label != predicted:
        answer += f" What is explained is {found.label}."
    powder = found.at is not None
    return PatternPage(
        title=found.id,
        model=model,
        answer=answer,
        scores=found.scores,
        verdict=found.verdict,
        trusted=found.trusted,
        seen=found.seen,
        map=found.map,
        at=found.at,
        ticks=_ticks(found.spots.at, found.spots.words) if powder else [],
        spots=np.empty((0, 3)) if powder else found.spots.at,
        marked=found.spots.kind,
        peaks=peak_sums(found),
        share=found.share,
        area=found.spots.area,
        method=WORDS[found.method],
        layers=[Layer(one.name, one.together, one.filters) for one in found.responses],
    )


def _ticks(angles: Floats, words: Sequence[str]) -> list[Tick]:
    names = words or ["found in the pattern"] * len(angles)
    return [Tick(float(at), text) for at, text in zip(angles, names, strict=True)]
