"""Scores of answers on measured films, with intervals over series of films."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from film_records import Films
from numpy.typing import NDArray
from results import row

Floats = NDArray[np.float64]

DRAWS = 2000


@dataclass(frozen=True)
class Scored:
    """Answers on films.

    Args:
        films: that were asked about.
        answers: (n,) classes.
    """

    films: Films
    answers: NDArray[np.str_]

    @property
    def right(self) -> NDArray[np.bool_]:
        """(n,)"""
        return np.asarray(self.answers == self.films.groups)

    def part(self, rows: NDArray[np.bool_]) -> Scored:
        """Of some of the films."""
        return Scored(self.films.take(rows), self.answers[rows])

    def score(self, rows: NDArray[np.int64]) -> tuple[float, float]:
        """Accuracy, and its mean over the classes that are there, of these films, in %."""
        right, groups = self.right[rows], self.films.groups[rows]
        return 100 * float(right.mean()), 100 * float(
            np.mean([right[groups == group].mean() for group in set(groups)])
        )


def resampled(films: Films, seed: int = 0) -> list[NDArray[np.int64]]:
    """Draws of whole series with replacement: films of one series are right or wrong together."""
    random = np.random.default_rng(seed)
    names = np.array(sorted(set(films.series)))
    members = {name: np.flatnonzero(films.series == name) for name in names}
    return [
        np.concatenate([members[name] for name in random.choice(names, len(names))])
        for _ in range(DRAWS)
    ]


def parted(scored: Scored) -> dict[str, Scored]:
    """All films, and those of classes that have several series if there are others."""
    judgeable = scored.films.judgeable
    if judgeable.all() or not judgeable.any():
        return {"all films": scored}
    return {"all films": scored, "classes of several series": scored.part(judgeable)}


def score_rows(name: str, scored: Scored, anchors: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of all films, and of those of classes that have several series."""
    rows = []
    for part, one in parted(scored).items():
        every = one.score(np.arange(len(one.films)))
        drawn = np.array([one.score(rows) for rows in resampled(one.films)])
        low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
        for place, metric in enumerate(("accuracy", "balanced accuracy")):
            anchor = anchors.get(metric, "") if part == "all films" else ""
            reach = {"accuracy": ">= 89"}.get(metric, "above neighbour") if anchor else ""
            note = f"{int(one.right.sum())} of {len(one.films)} films right" if not place else ""
            rows.append(
                row(
                    f"{part}, {metric}: {name}", every[place], "%", low=float(low[place]),
                    high=float(high[place]), against=anchor, reach=reach, note=note,
                )
            )  # fmt: skip
    return rows


def compared(chosen: Scored, rivals: Mapping[str, Scored]) -> list[dict[str, Any]]:
    """How much better than the best rival, over the same draws of series."""
    others = {name: parted(one) for name, one in rivals.items()}
    return [
        _gain(part, one, {name: each[part] for name, each in others.items()}, place, metric)
        for part, one in parted(chosen).items()
        for place, metric in enumerate(("accuracy", "balanced accuracy"))
    ]


def _gain(
    part: str, chosen: Scored, rivals: Mapping[str, Scored], place: int, metric: str
) -> dict[str, Any]:
    every = np.arange(len(chosen.films))
    name = max(rivals, key=lambda one: rivals[one].score(every)[place])
    drawn = [
        chosen.score(rows)[place] - rivals[name].score(rows)[place]
        for rows in resampled(chosen.films)
    ]
    gain = chosen.score(every)[place] - rivals[name].score(every)[place]
    low, high = np.percentile(drawn, [2.5, 97.5])
    title = f"{part}, {metric}: chosen less best rival"
    return row(title, gain, "points", low=float(low), high=float(high), note=name)
