"""What the card of a shipped PU model says: how it was made, and what its scores are worth."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import yaml

from gnnmat.train.checkpoint import PU_RECIPE
from gnnmat.workflows.card_facts import differing, trust_command
from gnnmat.workflows.pu.options import load_pu
from gnnmat.workflows.run_folder import SUMMARY
from gnnmat.zoo.card import Score

SHARE = 0.221


def pu_commands(folder: Path, recipe: str) -> tuple[str, ...]:
    """What makes a PU run again: learning with all that differs from its recipe, and thresholds."""
    here = yaml.safe_load((folder / PU_RECIPE).read_text())
    there = yaml.safe_load(load_pu(recipe).to_yaml())
    words = ["gnnmat", "pu", recipe]
    words += [f"--set={name}={value}" for name, value in differing(here, there)]
    return (f"{shlex.join(words)} -o runs/{recipe}", *trust_command(folder, recipe))


def pu_scores(folder: Path) -> tuple[Score, ...]:
    """Recall at a share of flagged rows, ranking, and the same of rivals as baselines."""
    summary = json.loads((folder / SUMMARY).read_text())
    own, *others = summary["models"]
    rivals = [one for one in others if not one["name"].startswith("this model")]
    on = (
        f"{own['positives']:,} positive and {own['unlabelled']:,} unlabelled crystals, each scored "
        "by fits of other formulas"
    )

    def recall(one: dict[str, Any]) -> dict[str, float]:
        found: dict[str, float] = next(r for r in one["recall_at"] if r["share"] == SHARE)
        return found

    return (
        Score(
            metric=f"positives found where {SHARE:.1%} of the unlabelled are flagged",
            on=on,
            baselines={one["name"]: recall(one)["value"] for one in rivals},
            **{key: recall(own)[key] for key in ("value", "low", "high")},
        ),
        Score(
            metric="a positive ranks above an unlabelled crystal",
            on=on,
            baselines={one["name"]: one["ranking"]["value"] for one in rivals},
            **own["ranking"],
        ),
    )
