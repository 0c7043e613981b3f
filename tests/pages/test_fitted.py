"""The page of a fit: what it says, what it draws, and that nothing in a name runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnnmat.pages.fitted import FittedData, fitted_page
from gnnmat.simulation.inference.evidence import Odds
from gnnmat.simulation.inference.fit import Fit
from gnnmat.simulation.layout import relative_layout

LAYOUT = relative_layout((10.0, 20.0), slices=3, pixels=4)
HOSTILE = "<img src=x onerror=alert(1)>"


def fit(name: str, evidence: float) -> Fit:
    rng = np.random.default_rng(0)
    return Fit(
        hypothesis=name,
        couplings=("J1", "J2"),
        values=np.array([1.25, -0.5]),
        errors=np.array([0.01, 0.002]),
        covariance=np.diag([1e-4, 4e-6]),
        chi2=90.0,
        dof=90,
        p_value=0.4,
        image=rng.random(LAYOUT.image_shape),
        residual=rng.standard_normal(LAYOUT.image_shape),
        log_evidence=evidence,
        ranges=np.array([[0.0, 2.0], [-1.0, 0.0]]),
        at_bound=(False, True),
        blind=("J1 + J2",),
    )


def odds(name: str, log10: float) -> Odds:
    return Odds(name, 0.0, float(log10 > 0), log10, 0.0, 0.0, 0.0)


@pytest.fixture
def data() -> FittedData:
    return FittedData(
        title="made-up",
        conclusion="second, with odds of 100 to 1.",
        trusted=True,
        layout=LAYOUT,
        image=np.random.default_rng(1).random(LAYOUT.image_shape),
        fits=[fit("first", 0.0), fit("second", 5.0)],
        odds=[odds("first", -2.0), odds("second", 2.0)],
        advice=[("Ei 20 meV, all slices", 12.0)],
    )


def facts(page: str, name: str) -> Any:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.S)
    assert found is not None
    return json.loads(found[1])


def test_page_says_what_was_found(data: FittedData) -> None:
    page = fitted_page(data)
    for words in ("with odds of 100 to 1", "stopped at the end of its range", "nothing of J1 + J2"):
        assert words in page
    assert "Ei 20 meV, all slices" in page
    assert facts(page, "report-data")["fits"]["first"] == {"J1": 1.25, "J2": -0.5}


def test_better_hypothesis_comes_first(data: FittedData) -> None:
    page = fitted_page(data)
    assert page.index('data-panel="fit-1"') < page.index('data-panel="fit-0"')
    assert list(facts(page, "report-figures")) == ["corner-1", "corner-0"]


def test_single_hypothesis_needs_no_choice(data: FittedData) -> None:
    one = replace(data, fits=data.fits[:1], odds=data.odds[:1])
    assert "data-panel" not in fitted_page(one).split("<main>")[1].split("<script")[0]


def test_fit_that_is_not_trusted_is_marked(data: FittedData) -> None:
    assert 'class="verdict"' in fitted_page(data)
    assert 'class="verdict no"' in fitted_page(replace(data, trusted=False))


def test_hostile_names_are_escaped(data: FittedData) -> None:
    page = fitted_page(
        replace(
            data,
            title=HOSTILE,
            conclusion=HOSTILE,
            advice=[(HOSTILE, 1.0)],
            fits=[replace(data.fits[0], couplings=(HOSTILE, "J2"), hypothesis=HOSTILE)],
            odds=data.odds[:1],
        )
    )
    assert "<img" not in page.split("<body>")[1].split("<script")[0]


def test_page_draws_offline_and_switches_between_hypotheses(
    data: FittedData, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "fit.html"
    path.write_text(fitted_page(data))
    page = open_page(path)
    page.wait_for("document.documentElement.dataset.ready === 'true'")
    for shown, other in (("fit-1", "fit-0"), ("fit-0", "fit-1")):
        page.ask(f"document.querySelector('[data-panel={shown}]').click()")
        assert page.count(f"#{shown} .plot .main-svg") > 0
        assert page.ask(f"document.getElementById('{other}').hidden")
    assert page.console() == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in page.requests())
