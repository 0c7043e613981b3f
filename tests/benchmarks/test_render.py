"""The benchmark page says what the result files say."""

from __future__ import annotations

import runpy
from pathlib import Path

RENDER = Path(__file__).parent / "render.py"


def test_page_is_rendered_from_the_stored_results() -> None:
    render = runpy.run_path(str(RENDER))
    assert render["PAGE"].read_text() == render["page"](render["stored"]())


def test_missing_value_is_said_and_bars_are_escaped() -> None:
    render = runpy.run_path(str(RENDER))
    row = {"what": "a|b", "value": None, "unit": "s", "low": None, "high": None, "runs": 0}
    result = {
        "name": "x", "command": "c", "date": "d", "hardware": "h", "data": "e", "rows": [row]
    }  # fmt: skip
    text = render["page"]([result])
    assert "not measured" in text
    assert "a\\|b" in text
