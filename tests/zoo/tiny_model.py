"""A crystal model as it is shipped: two tiny members with thresholds and intervals."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

from gnnmat.workflows.card_facts import commands, elements_of, run_scores, split_words
from gnnmat.workflows.ensemble import train_ensemble
from gnnmat.workflows.shipping import ship
from gnnmat.workflows.trust import fit_trust
from gnnmat.zoo.card import ModelCard

from ..train.tiny import config, records

CRYSTALS = Path(__file__).parents[1] / "crystals"
GOLDEN = tuple(CRYSTALS / name for name in ("NaCl.cif", "Si.vasp", "CsCl.extxyz"))
NAME = "tiny-volume"


@lru_cache(maxsize=1)
def tiny_run() -> Path:
    """An ensemble on folded graphs that knows its intervals."""
    folder = Path(tempfile.mkdtemp(prefix="gnnmat-zoo-")) / "run"
    made = records(60)
    options = {
        "input": "{cutoff: 5.0, neighbours: 6, fold: true}",
        "model": "{kind: gated, width: 8, layers: 1, gaussians: 9, gaussian_cutoff: 6.0}",
        "trainer__epochs": 3,
        "split": "{kind: random, val: 0.4, test: 0.2}",
    }
    train_ensemble(config(**options), folder, members=2, records=made)
    fit_trust(folder, records=made, false_refusal=0.3, coverage=0.5)
    return folder


def tiny_card(run: Path) -> ModelCard:
    """A card whose numbers are those of the run."""
    return ModelCard(
        title="volume an atom",
        input="crystals",
        output="volume in cubic ångström an atom",
        training_data="60 made-up crystals",
        split=split_words(run),
        elements=elements_of(run),
        made_by=commands(run, "known_crystals"),
        scores=run_scores(run),
        limits=("Crystals that matter.",),
        cite=("Nobody.",),
    )


@lru_cache(maxsize=1)
def tiny_shelf() -> Path:
    """A zoo with this model alone."""
    run = tiny_run()
    shelf = Path(tempfile.mkdtemp(prefix="gnnmat-shelf-"))
    ship(run, shelf / NAME, tiny_card(run), crystals=GOLDEN)
    return shelf
