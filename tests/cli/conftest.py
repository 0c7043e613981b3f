"""Fixtures of the command line."""

from __future__ import annotations

import importlib

import pytest
from typer.testing import CliRunner, Result

from .invoking import Invoke


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Runs a command in this process; exceptions that escape it fail the test."""
    monkeypatch.setenv("COLUMNS", "200")
    app = importlib.import_module("gnnmat.cli").app

    def run(*words: object) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)

    return run
