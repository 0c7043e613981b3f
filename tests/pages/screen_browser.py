"""What tests do with the page of a screen in a browser."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gnnmat.pages.screen import ScreenPage, write_screen_page

Page = Any  # the class of that name in conftest.py
PLOT = "document.getElementById('diagram')"
PATIENCE = 120.0  # s
ROOT = "document.documentElement.dataset"


def wait(page: Page, expression: str) -> None:
    """Patiently, for machines that have other work."""
    page.wait_for(expression, PATIENCE)


def ready(open_page: Callable[..., Page], path: Path, page: ScreenPage) -> Page:
    opened = open_page(write_screen_page(path, page))
    wait(opened, f"{ROOT}.ready")
    assert opened.ask(f"{ROOT}.ready") == "true", opened.errors()
    return opened


def click_at(page: Page, x: float, y: float) -> None:
    """The mouse goes to a value of the diagram and clicks."""
    page.ask(f"{PLOT}.scrollIntoView({{block: 'center'}})")
    left, top = page.ask(
        f"(([x, y]) => {{ const f = {PLOT}.getBoundingClientRect(), l = {PLOT}._fullLayout;"
        "return [f.left + l.xaxis._offset + l.xaxis.l2p(x),"
        "f.top + l.yaxis._offset + l.yaxis.l2p(y)]; })(arguments[0])",
        [float(x), float(y)],
    )
    for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
        if kind == "mousePressed":
            wait(page, "!document.getElementById('tip').hidden")
        event = {"type": kind, "x": left, "y": top, "button": "left", "clickCount": 1}
        if kind == "mouseMoved":
            event |= {"button": "none", "clickCount": 0}
        page.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)


def colours(page: Page, selector: str) -> int:
    """Different colours in what an element shows."""
    from PIL import Image
    from selenium.webdriver.common.by import By

    taken = page.driver.find_element(By.CSS_SELECTOR, selector).screenshot_as_png
    image = Image.open(io.BytesIO(taken)).convert("RGB")
    return len(np.unique(np.asarray(image).reshape(-1, 3), axis=0))


def put(page: Page, name: str, value: str) -> None:
    page.ask(
        "(([e, v]) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); })"
        "([document.querySelector(arguments[0]), arguments[1]])",
        name,
        value,
    )


def visible_ids(page: Page) -> list[str]:
    rows = "[...document.querySelectorAll('#listed-rows tbody tr')].filter(r => !r.hidden)"
    return list(page.ask(f"{rows}.map(r => r.querySelector('.id').textContent)"))


def has_element(formulas: pd.Series, symbol: str) -> pd.Series:
    return formulas.str.contains(rf"{symbol}(?![a-z])")
