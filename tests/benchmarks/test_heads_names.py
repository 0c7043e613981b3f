"""Rows of the benchmarks are called what their model is."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from gnnmat.train.config import load_config

DATA = ["trainer.batch_size=8", "data.targets=[gap]"]


@pytest.fixture(params=["heads.py", "glass.py"])
def made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    here = Path(__file__).parent
    monkeypatch.syspath_prepend(str(here))
    return runpy.run_path(str(here / request.param))


def test_the_name_decides_the_model(made: dict[str, Any]) -> None:
    for name in ("cgcnn", "gated"):
        options = made["of_model"](name, "crystals", [], DATA)
        chosen = load_config("crystals", options)
        assert chosen.model.kind == name
        assert chosen.trainer.batch_size == 8


def test_options_given_come_last(made: dict[str, Any]) -> None:
    given = ["model.width=7", "trainer.batch_size=9"]
    chosen = load_config("crystals", made["of_model"]("cgcnn", "crystals", given, DATA))
    assert (chosen.model.width, chosen.trainer.batch_size) == (7, 9)  # type: ignore[union-attr]


@pytest.mark.parametrize("given", ["model.kind=gated", "model={kind: gated}"])
def test_a_name_of_another_model_is_refused(made: dict[str, Any], given: str) -> None:
    with pytest.raises(SystemExit, match="--name cgcnn, but the model is gated"):
        made["of_model"]("cgcnn", "crystals", [given], DATA)
