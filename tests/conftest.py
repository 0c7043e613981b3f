"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data, absent on a user's machine."""
    folder = os.environ.get("GNNMAT_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("shared data absent (set GNNMAT_DATA)")
    return Path(folder)
