"""The page of a screen as a reader meets it: opened from disk in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gnnmat.pages.screen import ScreenPage

from .drawn_screen import screen
from .screen_browser import (
    PLOT,
    ROOT,
    click_at,
    colours,
    has_element,
    put,
    ready,
    visible_ids,
    wait,
)

Page = Any  # the class of that name in conftest.py
# Software WebGL is slow to hand pixels back, and says so.
HARMLESS = ("GL Driver Message", "willReadFrequently")

FRAME = f"(a => [a.x, a.y])({PLOT}.layout.annotations[0])"
# Where the frame around the point chosen is, and where that point is, on the screen.
CENTRES = (
    "['#diagram .annotation .bg', '#diagram .scatterlayer .trace:last-child .point']"
    ".map(s => document.querySelector(s).getBoundingClientRect())"
    ".map(b => [b.x + b.width / 2, b.y + b.height / 2])"
)


@pytest.fixture(scope="module")
def given() -> ScreenPage:
    return screen(400)


@pytest.fixture(scope="module")
def opened(
    open_page: Callable[..., Page], tmp_path_factory: pytest.TempPathFactory, given: ScreenPage
) -> Page:
    return ready(open_page, tmp_path_factory.mktemp("screen") / "screen.html", given)


@pytest.fixture
def page(opened: Page) -> Page:
    """The page with all filters cleared."""
    opened.ask("document.getElementById('clear').click()")
    wait(opened, f"{ROOT}.passed === '400'")
    return opened


def test_every_row_of_the_table_is_counted_and_drawn(page: Page, given: ScreenPage) -> None:
    assert page.ask(f"{ROOT}.rows") == "400"
    assert page.ask("document.getElementById('count').textContent") == (
        "400 of 400 candidates pass"
    )
    drawn = page.ask(f"{PLOT}.data.filter(t => t.mode === 'markers').map(t => t.x.length)")
    assert sum(drawn) == 400
    xs = page.ask(
        f"{PLOT}.data.filter(t => t.mode === 'markers')"
        ".flatMap(t => t.rows.map((r, i) => [r, t.x[i]]))"
    )
    expected = given.table["hardness"].to_numpy()
    np.testing.assert_allclose([x for _, x in sorted(xs)], expected, rtol=1e-4)
    short = page.ask(f"{PLOT}.data.find(t => t.name.startsWith('shortlist')).error_x.array.length")
    assert short == 12
    line = page.ask(f"{PLOT}.data.find(t => t.mode === 'lines').rows")
    front = given.table[given.table["front"]].sort_values("hardness")
    assert line == front.index.tolist()
    assert colours(page, "#diagram") > 200
    assert colours(page, "#crystal") > 200


def test_a_click_on_a_point_shows_its_crystal(page: Page, given: ScreenPage) -> None:
    best = given.shortlist
    row = best.iloc[best["hardness"].argmax()]
    click_at(page, row["hardness"], row["toughness"])
    wait(page, f"{ROOT}.chosen === '{row['id']}'")
    words = page.ask("document.getElementById('facts').innerText")
    assert row["id"] in words
    now = page.ask("document.querySelector('#listed-rows tr.now .id').textContent")
    assert now == row["id"]
    wait(page, "document.getElementById('crystal').getAttribute('aria-label').includes"
                  f"('{row['id']}')")  # fmt: skip
    atoms = page.ask("document.getElementById('crystal').data[0].x.length")
    assert atoms == 27 * 15 * 28
    assert colours(page, "#crystal") > 200
    frame = page.ask(FRAME)
    assert frame == pytest.approx([row["hardness"], row["toughness"]], rel=1e-4)


def test_a_point_whose_crystal_is_not_here_says_so(page: Page, given: ScreenPage) -> None:
    table = given.table
    others = table[~table["id"].isin(given.crystals)]
    # One that stands apart, so that the mouse cannot hit its neighbour.
    at = table[["hardness", "toughness"]] / table[["hardness", "toughness"]].max()
    apart = [np.sort(np.hypot(*(at - at.loc[i]).to_numpy().T))[1] for i in others.index]
    row = others.iloc[int(np.argmax(apart))]
    click_at(page, row["hardness"], row["toughness"])
    wait(page, f"{ROOT}.chosen === '{row['id']}'")
    assert "not in this page" in page.ask("document.getElementById('crystal-absent').innerText")
    assert page.ask("document.getElementById('crystal').hidden")
    assert page.count("#listed-rows tr.now") == 0


def test_a_row_of_the_table_is_chosen_by_keyboard(page: Page, given: ScreenPage) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    page.driver.find_elements(By.CSS_SELECTOR, ".pick")[4].send_keys(Keys.ENTER)
    wait(page, f"{ROOT}.chosen === '{given.shortlist['id'][4]}'")
    assert page.ask("document.querySelector('tr.now').ariaCurrent") == "true"
    head = page.driver.find_element(By.CSS_SELECTOR, "[data-key='1']")
    head.send_keys(Keys.ENTER)
    falling = given.shortlist.sort_values("toughness", ascending=False)["id"].tolist()
    assert visible_ids(page) == falling
    assert page.ask("arguments[0].closest('th').ariaSort", head) == "descending"
    head.send_keys(Keys.ENTER)
    assert visible_ids(page) == falling[::-1]
    page.ask("document.querySelector('[data-key=rank]').click()")
    assert visible_ids(page) == given.shortlist["id"].tolist()


@pytest.mark.parametrize(
    ("how", "wanted", "without", "symbols"),
    [
        ("all", "c, si", "", lambda f: has_element(f, "C") & has_element(f, "Si")),
        ("any", "C O", "", lambda f: has_element(f, "C") | has_element(f, "O")),
        ("only", "B N C", "", lambda f: f.isin(["BN", "C"])),
        ("all", "", "Pb w Xy", lambda f: ~has_element(f, "Pb") & ~has_element(f, "W")),
        ("any", "W", "", lambda f: has_element(f, "W")),
    ],
)
def test_elements_filter_diagram_and_table(
    page: Page, given: ScreenPage, how: str, wanted: str, without: str, symbols: Any
) -> None:
    put(page, "#how", how)
    put(page, "#elements", wanted)
    put(page, "#without", without)
    passing = given.table[symbols(given.table["formula"])]
    assert 0 < len(passing) < 400
    wait(page, f"{ROOT}.passed === '{len(passing)}'")
    drawn = f"{PLOT}.data.filter(t => t.mode === 'markers' && !t.name.startsWith('filtered'))"
    rows = page.ask(f"{drawn}.flatMap(t => t.rows)")
    assert sorted(rows) == passing.index.tolist()
    short = given.shortlist
    assert visible_ids(page) == short[short["id"].isin(passing["id"])]["id"].tolist()
    unknown = page.ask("document.getElementById('unknown').textContent")
    assert unknown == ("No element: Xy." if "Xy" in without else "")


def test_ranges_and_trust_filter(page: Page, given: ScreenPage) -> None:
    table = given.table
    put(page, "[data-column='0'][data-end='low']", "20")
    put(page, "[data-column='2'][data-end='high']", "8.5")
    left = (table["hardness"] >= 20) & (table["price"] <= 8.5)
    wait(page, f"{ROOT}.passed === '{left.sum()}'")
    page.ask("document.getElementById('in-domain').click()")
    left &= table["moduli_in_domain"]
    wait(page, f"{ROOT}.passed === '{left.sum()}'")
    page.ask("document.getElementById('not-learned').click()")
    left &= table["moduli_learned"] != "learned"
    wait(page, f"{ROOT}.passed === '{left.sum()}'")
    put(page, "#shown", "short")
    left &= table["shortlisted"]
    wait(page, f"{ROOT}.passed === '{left.sum()}'")
    assert 0 < left.sum() < 12


def test_log_scales_keep_the_points_and_the_frame(page: Page) -> None:
    page.ask("document.querySelector('.pick').click()")
    first = page.ask("document.querySelector('#listed-rows .id').textContent")
    wait(page, f"{ROOT}.chosen === '{first}'")
    for scale in ("log", "linear"):
        page.ask("document.getElementById('log').click()")
        wait(page, f"{PLOT}._fullLayout.xaxis.type === '{scale}'")
        assert page.ask(f"{ROOT}.passed") == "400"
        frame, point = page.ask(CENTRES)
        assert frame == pytest.approx(point, abs=1.5)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_never_wider_than_the_window(page: Page, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert page.ask("document.documentElement.scrollWidth") <= width
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_no_error_and_no_request(page: Page) -> None:
    log = [words for words in page.console() if not any(known in words for known in HARMLESS)]
    assert log == []
    requests = page.requests()
    assert requests
    outside = [
        url for url in requests if not url.startswith(("file:", "data:", "blob:", "chrome:"))
    ]
    assert outside == []
