"""Ranking known crystals by what a network sees in them and in a measured pattern."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.simulation.diffraction.profile import Grid
from gnnmat.train.config import parse_config
from gnnmat.workflows.diffraction.embedding import embedding_scores
from gnnmat.workflows.diffraction.match import match_pattern
from gnnmat.workflows.diffraction.phases import Phase
from gnnmat.workflows.training import train

from ...contracts import crystals
from ..test_diffraction_training import COMMON, KINDS, records, unjudged
from ..test_explain_pattern import run_of
from .powders import beam, measured

PHASES = [
    Phase("copper", crystals.copper(3.61)),
    Phase("iron", crystals.iron(2.87)),
    Phase("salt", crystals.rock_salt()),
    Phase("silver", crystals.copper(4.09)),
]


@cache
def network() -> Path:
    """A run of two epochs whose features know where lines are."""
    folder = Path(tempfile.mkdtemp()) / "run"
    model = {"kind": "cnn", "widths": [8, 16], "kernel": 9, "stride": 4, "pool": "dense"}
    own = {"model": model, "input": {"kind": "powder", "points": 700, "reflections": 64}}
    config = parse_config(COMMON | KINDS["powder"] | own)
    train(config, folder, records=records(), judge=unjudged)
    return folder


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_crystal_of_a_pattern_looks_most_like_it(place: int) -> None:
    pattern = measured(PHASES[place].crystal, zero=0.0, grid=Grid(9.0, 81.0, 3601))
    found = embedding_scores(network(), pattern, beam(), PHASES)
    assert found.argmax() == place
    assert found[place] > np.sort(found)[-2] + 0.1
    assert (np.abs(found) <= 1 + 1e-9).all()


def test_what_looks_alike_is_refined_as_well() -> None:
    pattern = measured(PHASES[0].crystal, zero=0.0, grid=Grid(9.0, 81.0, 3601))
    alone = match_pattern(pattern, beam(), PHASES, top=1, texture=False)
    asked = match_pattern(pattern, beam(), PHASES, top=2, texture=False, run=network())
    assert [one.phase.id for one in alone.candidates] == ["copper"]
    assert alone.candidates[0].embedding is None
    assert "embedding" not in alone.table
    assert asked.candidates[0].phase.id == "copper"
    assert 2 <= len(asked.candidates) <= 4
    assert asked.table["embedding"].iloc[0] == max(asked.table["embedding"])


def test_a_network_for_something_else_is_refused() -> None:
    pattern = measured(PHASES[0].crystal)
    with pytest.raises(GnnmatError, match="not trained on powder patterns"):
        embedding_scores(run_of("fingerprint"), pattern, beam(), PHASES)
    with pytest.raises(GnnmatError, match="too little was measured"):
        embedding_scores(
            run_of("powder"), measured(PHASES[0].crystal, grid=Grid(30, 60, 900)), beam(), PHASES
        )
