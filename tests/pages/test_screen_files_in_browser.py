"""Downloads, hostile strings and the size of a database: the page of a screen in a browser."""

from __future__ import annotations

import re
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gnnmat.pages.screen import write_screen_page

from .drawn_screen import crystal, screen
from .screen_browser import PLOT, ROOT, click_at, colours, has_element, put, ready, wait

Page = Any  # the class of that name in conftest.py
HOSTILE = ("<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "__proto__")


def test_downloads_are_what_is_shown(open_page: Callable[..., Page], tmp_path: Path) -> None:
    from pymatgen.core import Structure

    given = screen(400)
    page = ready(open_page, tmp_path / "screen.html", given)
    where = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.driver.execute_cdp_cmd("Browser.setDownloadBehavior", where)
    left = given.shortlist[given.shortlist["hardness"] > given.shortlist["hardness"].median()]
    put(page, "[data-column='0'][data-end='low']", str(given.shortlist["hardness"].median()))
    wait(page, f"document.getElementById('listed').textContent === '{len(left)} of 12 rows'")
    for name in ("get-csv", "get-cifs"):
        page.ask(f"document.getElementById('{name}').click()")
    paths = [tmp_path / "superhard.csv", tmp_path / "superhard-cifs.zip"]
    end = time.monotonic() + 20
    while not all(path.exists() for path in paths):
        assert time.monotonic() < end, list(tmp_path.iterdir())
        time.sleep(0.05)
    pd.testing.assert_frame_equal(
        pd.read_csv(paths[0], keep_default_na=False), left.reset_index(drop=True)
    )
    with zipfile.ZipFile(paths[1]) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert [name.split("-", 2)[2] for name in names] == [f"{name}.cif" for name in left["id"]]
        for name, place in zip(names, left.index, strict=True):
            assert name.startswith(f"{place + 1:02d}-")
            found = Structure.from_str(archive.read(name).decode(), fmt="cif")
            row = int(left["id"][place].removeprefix("mp-"))
            assert found.volume == pytest.approx(crystal(row).volume, rel=1e-6)


def test_hostile_strings_do_nothing_even_without_the_policy(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    from selenium.webdriver.support import expected_conditions

    good = screen(30, 3)
    bad = dict(zip(good.shortlist["id"], HOSTILE, strict=True))
    rename = {**{name: name for name in good.table["id"]}, **bad}
    page = replace(
        good,
        name=HOSTILE[1],
        table=good.table.assign(id=good.table["id"].map(rename), formula=HOSTILE[0]),
        x=replace(good.x, label=HOSTILE[0], unit=HOSTILE[1]),
        shortlist=good.shortlist.assign(id=good.shortlist["id"].map(bad)),
        crystals={rename[name]: one for name, one in good.crystals.items()},
    )
    path = write_screen_page(tmp_path / "x.html", page)
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", path.read_text("utf-8"))
    path.write_text(bare, "utf-8")
    opened = open_page(path)
    wait(opened, f"{ROOT}.ready === 'true'")
    for place, name in enumerate(HOSTILE):
        opened.ask(f"document.querySelectorAll('.pick')[{place}].click()")
        wait(opened, f"{ROOT}.chosen === arguments[0]".replace("arguments[0]", repr(name)))
        wait(opened, "!document.getElementById('crystal').hidden")
    row = page.table[page.table["id"] == HOSTILE[0]].iloc[0]
    click_at(opened, row["hardness"], row["toughness"])
    assert HOSTILE[0] in opened.ask("document.getElementById('tip').innerText")
    assert not expected_conditions.alert_is_present()(opened.driver)
    assert opened.count("#diagram img, #tip img, #facts img, table img, h1 img") == 0
    assert opened.count("[onerror], [onload]") == 0


@pytest.mark.slow
def test_all_crystals_of_a_database_stay_at_hand(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    big = screen(110_184, 50)
    big.table.loc[7, "hardness"] = np.nan
    page = ready(open_page, tmp_path / "big.html", big)
    assert page.ask(f"{ROOT}.rows") == "110184"
    drawn = page.ask(f"{PLOT}.data.filter(t => t.mode === 'markers').map(t => t.x.length)")
    assert sum(drawn) == 110_183
    assert page.ask("document.getElementById('undrawn').textContent").endswith("not drawn: 1.")
    put(page, "#elements", "B")
    expected = has_element(big.table["formula"], "B").sum()
    wait(page, f"{ROOT}.passed === '{expected}'")
    assert colours(page, "#diagram") > 200
