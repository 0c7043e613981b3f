"""The page of an explanation, as text and as a reader meets it in a real browser."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnnmat.pages.explanation import (
    ExplanationData,
    FittedCouplings,
    explanation_page,
    write_explanation,
)
from gnnmat.simulation.layout import relative_layout

Page = Any  # the class of that name in conftest.py
LAYOUT = relative_layout((20.0, 40.0), slices=3, pixels=6)
SHAPE = LAYOUT.image_shape
HOSTILE = '"><img src=x onerror=alert(1)></script><script>alert(2)</script>'


def made(**other: Any) -> ExplanationData:
    """A page with everything on it; the largest contribution is that of Ei 40, second slice."""
    rng = np.random.default_rng(0)
    image = rng.random(SHAPE).astype(np.float32)
    mask = np.zeros(SHAPE, bool)
    mask[:, 0] = True
    found = np.zeros(SHAPE)
    found[8, 8] = 5.0
    fit = FittedCouplings(
        "dimer", [("JFS", -14.25, 0.125)], "It fits.", image.astype(float), rng.normal(size=SHAPE)
    )
    data = ExplanationData(
        title="measured", model="mine", layout=LAYOUT, image=image, mask=mask, map=found,
        sums=LAYOUT.to_tiles(found).sum((-1, -2)), label="dimer",
        scores={"dimer": 0.75, "goodenough": 0.25}, trusted=True, verdict="in distribution",
        method="by hand", cleaned=image, estimates=[("JFS", -13.0, 0.5)], fit=fit,
    )  # fmt: skip
    return replace(data, **other)


@pytest.fixture
def show(open_page: Callable[..., Page], tmp_path: Path) -> Callable[[ExplanationData], Page]:
    return lambda data: open_page(write_explanation(tmp_path / "page.html", data))


def test_axes_carry_names_and_units() -> None:
    page = explanation_page(made())
    for words in ("Ei 20", "Ei 40", "E (meV)", "h +1", "h -1", "reciprocal lattice units"):
        assert words in page
    assert "h from +1.00 (top) to −1.00 (bottom), k from −1.00 (left) to +1.00 (right)" in page
    assert "Ei 40 meV, E 6.4 to 8.8 meV" in page


@pytest.mark.parametrize(
    ("trusted", "kind"), [(True, "verdict"), (False, "verdict no"), (None, "verdict open")]
)
def test_the_verdict_is_marked(trusted: bool | None, kind: str) -> None:
    page = explanation_page(made(trusted=trusted, verdict="said so"))
    assert f'<p class="{kind}" id="verdict">said so</p>' in page


def test_couplings_stand_with_errors_and_units() -> None:
    page = re.sub(r"<[^>]+>", " ", explanation_page(made()))
    assert re.search(r"By the network\s+coupling\s+value \(meV\)\s+standard error", page)
    assert re.search(r"JFS\s+−13\.0\s+0\.50", page)
    assert re.search(r"Fitted by simulation: dimer\s+It fits\.", page)
    assert re.search(r"JFS\s+−14\.25\s+0\.12", page)


def test_without_fit_and_cleaner_there_is_no_such_layer() -> None:
    page = explanation_page(made(fit=None, cleaned=None, estimates=()))
    assert set(re.findall(r'<image[^>]*data-layer="([^"]+)"', page)) == {"spectrum", "map"}
    assert "<h2>Couplings</h2>" not in page


def test_numbers_travel_in_full_and_gaps_as_nan() -> None:
    data = made()
    facts = re.search(r'"image": "([^"]+)"', explanation_page(data))
    assert facts is not None
    values = np.frombuffer(base64.b64decode(facts[1]), "<f4").reshape(SHAPE)
    np.testing.assert_array_equal(np.isnan(values), data.mask)
    np.testing.assert_array_equal(values[~data.mask], data.image[~data.mask])


def test_slices_are_browsed_by_button_key_and_click(
    show: Callable[[ExplanationData], Page],
) -> None:
    page = show(made())
    page.wait_for("document.documentElement.dataset.ready === 'yes'")
    title = "document.getElementById('slice-title').textContent"
    assert page.ask(title) == "Ei 40 meV, energy transfer 6.4 to 8.8 meV"
    page.ask("document.getElementById('next').click()")
    assert page.ask(title) == "Ei 40 meV, energy transfer 8.8 to 11.2 meV"
    page.ask("document.getElementById('next').click()")
    assert page.ask(title) == "Ei 20 meV, energy transfer 2 to 3.2 meV"
    page.ask("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft'}))")
    assert page.ask(title).startswith("Ei 40 meV, energy transfer 8.8")
    click = "document.querySelectorAll('#picture rect[data-place]')[1]"
    page.ask(f"{click}.dispatchEvent(new MouseEvent('click', {{bubbles: true}}))")
    assert page.ask(title) == "Ei 20 meV, energy transfer 3.2 to 4.4 meV"
    assert page.count("#picture rect.chosen") == 1
    assert page.console() == []
    # The browser's own first page may still be loading.
    own = ("file:", "data:", "chrome:")
    elsewhere = [url for url in page.requests() if not url.startswith(own)]
    assert elsewhere == []


def test_a_layer_is_shown_and_the_map_fades(show: Callable[[ExplanationData], Page]) -> None:
    page = show(made())
    seen = "document.querySelector(`#picture image[data-layer='${arguments[0]}']`).style.opacity"
    assert page.count("input[name=layer]") == 4
    assert [page.ask(seen, one) for one in ("spectrum", "residual", "map")] == ["1", "0", "0.8"]
    page.ask("document.querySelector('input[value=residual]').click()")
    assert [page.ask(seen, one) for one in ("spectrum", "residual")] == ["0", "1"]
    page.ask(
        "(() => { const o = document.getElementById('opacity'); o.value = 0;"
        " o.dispatchEvent(new Event('input')); })()"
    )
    assert page.ask(seen, "map") == "0"
    assert page.console() == []


def test_the_pixel_under_the_pointer_is_read_out(show: Callable[[ExplanationData], Page]) -> None:
    data = made()
    page = show(data)
    text = "document.getElementById('readout').textContent"
    hint = page.ask(text)
    move = """(() => {
      const svg = document.getElementById('picture');
      const at = new DOMPoint(arguments[0], arguments[1]).matrixTransform(svg.getScreenCTM());
      svg.dispatchEvent(new PointerEvent('pointermove', {clientX: at.x, clientY: at.y}));
    }).apply(null, arguments)"""
    left, top, side = 62.0, 20.0, 40.0
    # Pixel [8, 8]: Ei 40, second slice, third of six pixels both ways.
    page.ask(move, left + side + 2.5 * side / 6, top + side + 2.5 * side / 6)
    h, k = LAYOUT.h[2], LAYOUT.k[2]
    assert page.ask(text) == (
        f"Ei 40 meV, E 6.4 to 8.8 meV, h {h:.3g}, k −{abs(k):.3g}: "
        f"intensity {data.image[8, 8]:.3g}, map 5"
    )
    page.ask(move, left + 1, top + 1)
    assert page.ask(text).endswith(": no detector")
    page.ask(move, left - 5, top)
    assert page.ask(text) == hint
    assert page.console() == []


@pytest.mark.parametrize("width", [1280, 700])
def test_the_page_is_never_wider_than_the_window(
    show: Callable[[ExplanationData], Page], width: int
) -> None:
    page = show(made())
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert page.ask("document.documentElement.scrollWidth") <= width
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_hostile_names_do_not_run_even_without_the_policy(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    data = made(
        title=HOSTILE, model=HOSTILE, label=HOSTILE, scores={HOSTILE: 1.0}, verdict=HOSTILE,
        method=HOSTILE, estimates=[(HOSTILE, 1.0, 1.0)], facts=[(HOSTILE, HOSTILE)],
        fit=replace(made().fit, hypothesis=HOSTILE, verdict=HOSTILE, rows=[(HOSTILE, 1.0, 1.0)]),
    )  # fmt: skip
    # Escaping alone has to hold; the policy is a second lock.
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", explanation_page(data))
    (tmp_path / "page.html").write_text(bare, "utf-8")
    page = open_page(tmp_path / "page.html")
    page.wait_for("document.documentElement.dataset.ready === 'yes'")
    assert page.count("img") == 0
    assert page.count("script") == 2
    assert page.ask("document.querySelector('h1').textContent") == HOSTILE
    assert page.errors() == []
