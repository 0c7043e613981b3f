"""The rate beside a progress bar."""

from __future__ import annotations

import pytest

from gnnmat.progress import rate


@pytest.mark.parametrize(
    ("speed", "words"),
    [(1234.0, "1,234/s"), (34.4, "34/s"), (2.5, "2.5/s"), (0.4, "2.5 s each"), (0.05, "20 s each")],
)
def test_slow_items_are_told_in_seconds_each(speed: float, words: str) -> None:
    assert rate(speed) == words
