"""The page about intervals: what it says, and that names from outside stay text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gnnmat.pages.uncertainty import SHOWN, curve_figure, fifths_figure, uncertainty_page
from gnnmat.train.interval_quality import Judged, error_curve, quality


def part(rows: int = 50) -> dict[str, Any]:
    draw = np.random.default_rng(0)
    spread = draw.random(rows)
    truth, zero = spread * draw.normal(size=rows), np.zeros(rows)
    scaled = Judged(truth, zero, -1.6 * spread, 1.6 * spread, spread, np.arange(rows))
    constant = Judged(truth, zero, zero - 1, zero + 1, spread, np.arange(rows))
    inside = {"rows": rows, "coverage": 0.9, "se": 0.04, "mean_error": 0.4}
    empty = {"rows": 0, "coverage": None, "se": None, "mean_error": None}
    return {
        "scaled": quality(scaled),
        "constant": quality(constant),
        "curve": error_curve(np.abs(truth), spread),
        "domain": {"in": inside, "out": empty},
    }


def target(name: str = "gap", **more: Any) -> dict[str, Any]:
    plain = {
        "target": name,
        "unit": "eV",
        "spread": "disagreement",
        "spread_means": "standard deviation over the members",
        "logarithm": False,
        "floor": 0.25,
        "quantiles": [1.5, 2.5],
        "rows": 120,
        "groups": 100,
        "calibration_se": 0.03,
        "parts": {"halves": part(), "test": part()},
    }
    return {**plain, **more}


def report(*targets: dict[str, Any]) -> dict[str, Any]:
    return {
        "coverage": 0.9,
        "members": 3,
        "samples": 0,
        "groups": "formula",
        "note": "The validation rows also chose the epoch.",
        "targets": list(targets),
    }


def test_page_says_what_was_calibrated_and_how_it_went() -> None:
    page = uncertainty_page(report(target()), "run")
    for words in (
        "90% intervals of 3 members; groups: formula",
        "120 validation rows of 100 groups",
        "1.50 / 2.50 times (0.250 + spread)",
        "The validation rows also chose the epoch.",
        "equally wide",
    ):
        assert words in page
    assert f"{part()['scaled']['coverage']:.1%} ±" in page


def test_target_without_enough_groups_says_so() -> None:
    page = uncertainty_page(report(target(parts={}, logarithm=True)), "run")
    assert "Too few groups" in page
    assert "logarithmic scale" in page


def test_names_from_outside_stay_text() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    page = uncertainty_page(report(target(hostile, unit=hostile)), hostile)
    assert "<img" not in page


def test_many_targets_are_cut_with_a_sentence() -> None:
    page = uncertainty_page(report(*(target(f"t{n}", parts={}) for n in range(SHOWN + 2))), "run")
    assert "2 targets more in uncertainty.json" in page


def test_figures_hold_the_numbers() -> None:
    found = part()
    figure = fifths_figure(found, 0.9, "test rows")
    assert list(figure["data"][0]["y"]) == [one["coverage"] for one in found["scaled"]["fifths"]]
    assert figure["layout"]["shapes"][0]["y0"] == 0.9
    curve = curve_figure(found["curve"], "mean error / eV", "test rows")
    assert {one["name"] for one in curve["data"]} == {
        "at random",
        "by true error",
        "by interval width",
    }


def test_figures_of_the_chosen_target_are_drawn_in_a_browser(
    open_page: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "uncertainty.html"
    path.write_text(uncertainty_page(report(target("gap"), target("e_form")), "run"))
    page = open_page(path)
    assert page.count("#target-0 .main-svg") > 0
    assert page.count("#target-1 .main-svg") == 0
    page.ask("document.querySelectorAll('.choice button')[1].click()")
    assert page.count("#target-1 .main-svg") > 0
    assert page.errors() == []
