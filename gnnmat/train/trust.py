"""What a run needs to know when not to be trusted: scores, thresholds, calibration, as files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.train.intervals import Interval
from gnnmat.train.trust_scores import Density, Usual
from gnnmat.train.verdicts import DO_NOT_TRUST, IN_DISTRIBUTION, Verdicts, reason

__all__ = ["DO_NOT_TRUST", "IN_DISTRIBUTION", "Trust", "Verdicts", "load_trust", "save_trust"]

TRUST_JSON, TRUST_TENSORS = "trust.json", "trust.safetensors"
FORMAT = 1
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trust:
    """Scores that are usual, fixed on validation rows.

    Args:
        usual: by score, what validation rows have.
        used: the scores that count in the verdict.
        together: usual largest surprise over the scores that count.
        limit: the largest surprise that is trusted.
        false_refusal: share of samples like the validation rows that is refused.
        densities: by name of the features, one a member (a single one for what all share).
        scales: by name, the median of each member's distance on validation rows.
        temperature: that the logarithms of probabilities are divided by.
        intervals: of the targets that are numbers.
        facts: for people: rows, calibration, members.
    """

    usual: dict[str, Usual]
    used: tuple[str, ...]
    together: Usual
    limit: float
    false_refusal: float
    densities: dict[str, tuple[Density, ...]] = field(default_factory=dict)
    scales: dict[str, Floats] = field(default_factory=dict)
    temperature: float = 1.0
    intervals: tuple[Interval, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def threshold(self, name: str) -> float:
        """The largest value of one score that is trusted."""
        return self.usual[name].threshold(self.limit)

    def surprise(self, scores: Mapping[str, Floats]) -> Floats:
        """(rows,) the largest surprise over the scores that count."""
        return largest_surprise(self.usual, self.used, scores)

    def judge(self, scores: Mapping[str, Floats]) -> Verdicts:
        """The verdict on samples with these scores, (rows,) each.

        A score that is no number cannot be trusted either.
        """
        surprise = self.surprise(scores)
        trusted = surprise <= self.limit
        trust = np.exp(-self.together.surprise(surprise))
        words = [
            IN_DISTRIBUTION if fine else self._why({name: scores[name][row] for name in self.used})
            for row, fine in enumerate(trusted)
        ]
        return Verdicts(trusted, np.where(np.isnan(trust), 0.0, trust), words)

    def _why(self, scores: Mapping[str, float]) -> str:
        """``do not trust:`` and the reasons, the most surprising first."""
        surprises = {
            name: float(self.usual[name].surprise([value])[0])
            if np.isfinite(value)
            else float("inf")
            for name, value in scores.items()
        }
        reasons = [
            reason(name, scores[name], self.threshold(name))
            for name in sorted(surprises, key=lambda one: -surprises[one])
            if surprises[name] > self.limit
        ]
        return f"{DO_NOT_TRUST}: {'; '.join(reasons)}"


def largest_surprise(
    usual: Mapping[str, Usual], used: Sequence[str], scores: Mapping[str, Floats]
) -> Floats:
    """(rows,) the largest surprise over some scores; infinite where one is no number."""
    each = [
        np.where(np.isfinite(scores[name]), usual[name].surprise(scores[name]), np.inf)
        for name in used
    ]
    found: Floats = np.max(each, axis=0)
    return found


def save_trust(folder: Path, trust: Trust) -> None:
    """Write ``trust.safetensors``, then ``trust.json``."""
    tensors = {f"usual.{name}": one.values for name, one in trust.usual.items()}
    tensors["together"] = trust.together.values
    for name, several in trust.densities.items():
        for number, density in enumerate(several):
            for part, value in asdict(density).items():
                tensors[f"density.{name}.{number}.{part}"] = value
    for name, scale in trust.scales.items():
        tensors[f"scale.{name}"] = scale
    # Half a percent of precision is enough to be near or far.
    halved = {
        name: torch.from_numpy(value).to(
            torch.float16 if name.endswith(".references") else torch.float32
        )
        for name, value in tensors.items()
    }
    plain = {
        "format": FORMAT,
        "false_refusal": trust.false_refusal,
        "limit": trust.limit,
        "used": list(trust.used),
        "thresholds": {name: trust.threshold(name) for name in trust.usual},
        "temperature": trust.temperature,
        "intervals": [asdict(one) for one in trust.intervals],
        **trust.facts,
    }
    write_atomically(folder / TRUST_TENSORS, save_tensors(halved))
    write_atomically(folder / TRUST_JSON, json.dumps(plain, indent=1))


def has_trust(folder: Path) -> bool:
    """Whether thresholds were fixed for this run."""
    return (folder / TRUST_JSON).is_file()


def load_trust(folder: Path) -> Trust:
    """What `save_trust` wrote.

    Raises:
        GnnmatError: it is not there, or damaged.
    """
    if not has_trust(folder):
        raise GnnmatError(
            f"{folder} does not know what is in distribution: it has no {TRUST_JSON}.",
            fix=f"gnnmat trust {folder}",
        )
    try:
        plain = json.loads((folder / TRUST_JSON).read_text())
        if plain.pop("format") != FORMAT:
            raise ValueError("written by another version")
        raw = load_tensors((folder / TRUST_TENSORS).read_bytes())
        tensors = {name: value.double().numpy() for name, value in raw.items()}
        plain.pop("thresholds")
        return Trust(
            usual={
                name.removeprefix("usual."): Usual(value)
                for name, value in tensors.items()
                if name.startswith("usual.")
            },
            used=tuple(plain.pop("used")),
            together=Usual(tensors["together"]),
            limit=float(plain.pop("limit")),
            false_refusal=float(plain.pop("false_refusal")),
            densities=_densities(tensors),
            scales={
                name.removeprefix("scale."): value
                for name, value in tensors.items()
                if name.startswith("scale.")
            },
            temperature=float(plain.pop("temperature")),
            # Files of earlier versions have none.
            intervals=tuple(Interval.from_dict(one) for one in plain.pop("intervals", [])),
            facts=plain,
        )
    except Exception as error:  # safetensors has an error class of its own for damaged files
        raise GnnmatError(
            f"{folder / TRUST_JSON} or {TRUST_TENSORS} is damaged.",
            why=f"{type(error).__name__}: {error}",
            fix=f"gnnmat trust {folder}",
        ) from error


def _densities(tensors: Mapping[str, Floats]) -> dict[str, tuple[Density, ...]]:
    found: dict[str, tuple[Density, ...]] = {}
    names = sorted({key.split(".")[1] for key in tensors if key.startswith("density.")})
    for name in names:
        count = sum(key.startswith(f"density.{name}.") for key in tensors) // len(fields(Density))
        found[name] = tuple(
            Density(
                **{
                    one.name: tensors[f"density.{name}.{number}.{one.name}"]
                    for one in fields(Density)
                }
            )
            for number in range(count)
        )
    return found
