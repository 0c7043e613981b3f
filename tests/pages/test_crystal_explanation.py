"""The page of an explained crystal, as text and in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gnnmat.pages.crystal_explanation import crystal_page, write_crystal_page
from gnnmat.pages.crystal_index import index_page
from gnnmat.sources.records import Refusal

from .drawn_crystal import drawn, page

Page = Any  # the class of that name in conftest.py
HOSTILE = ("<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>")


def body(text: str) -> str:
    return text[text.index("<main>") : text.index("</main>")]


def test_the_page_says_what_was_computed() -> None:
    text = body(crystal_page(page()))
    for words in (
        "<b>5.1 eV</b>", "predicted gap", "in domain", "Completeness error 1e-16.",
        "contribution of atoms / eV", "contribution of bonds / eV", "all 24", "Wyckoff",
        "Cl–Na", "+0.80", "−0.40", "runs/gap",
    ):  # fmt: skip
        assert words in text, words


def test_a_single_run_shows_no_spread() -> None:
    alone = page()
    alone = replace(alone, atoms=alone.atoms.assign(spread=np.nan))
    assert "spread" not in body(crystal_page(alone))
    assert "spread" in body(crystal_page(page()))


def test_a_network_that_cannot_fade_bonds_says_so() -> None:
    without = page(crystal=replace(drawn(), bond_values=None))
    text = body(crystal_page(without))
    assert "does not know how to fade bonds out" in text
    assert "contribution of bonds" not in text
    none = page(bonds=page().bonds.iloc[:0], crystal=drawn(cutoff=1.0))
    assert "has no bonds" in body(crystal_page(none))


def test_nothing_hostile_becomes_markup() -> None:
    bad = HOSTILE[0]
    table = page().atoms.assign(element=bad, wyckoff=bad)
    bonds = page().bonds.assign(first_element=bad)
    hostile = page(
        title=bad, formula=bad, target=HOSTILE[1], prediction=bad, verdict=bad, unit=bad,
        explained=HOSTILE[1], atoms=table, bonds=bonds, statements=[(bad, bad)], facts=[(bad, bad)],
        kinds=page().kinds.assign(pair=bad), elements=page().elements.assign(element=bad),
    )  # fmt: skip
    text = crystal_page(hostile)
    assert "<img src=x" not in text
    assert "<script>alert" not in text


def test_the_index_links_pages_and_lists_refusals() -> None:
    summary = pd.DataFrame(
        {
            "id": ["a b", "far"], "formula": ["NaCl", "CsCl"], "target": "gap",
            "prediction": [5.0, 6.0], "explained": "gap", "value": [5.0, 6.0], "baseline": 2.0,
            "atoms_error": 1e-16, "bonds_error": np.nan, "unit": "eV",
        }
    )  # fmt: skip
    refused = [Refusal("bad", "bad.cif", HOSTILE[0])]
    text = index_page(summary, {"a b": "a-b.html"}, refused, model="runs/gap")
    assert '<a href="./a-b.html">a b</a>' in text
    assert text.count("<a ") == 1
    assert "Not explained" in text
    assert "<img" not in text


@pytest.fixture(scope="module")
def shown(open_page: Callable[..., Page], tmp_path_factory: pytest.TempPathFactory) -> Page:
    path = write_crystal_page(tmp_path_factory.mktemp("page") / "salt.html", page())
    opened = open_page(path)
    opened.wait_for("document.documentElement.dataset.ready === 'true'", 20)
    return opened


SCENE = "document.querySelector('[data-figure=scene]')"


def test_the_drawing_holds_atoms_cell_and_bonds(shown: Page) -> None:
    kinds = shown.ask(f"{SCENE}.data.map(t => t.type)")
    assert kinds == ["mesh3d", "scatter3d", "mesh3d"]
    # 27 atoms of 15 rings and 28 sectors.
    assert shown.ask(f"{SCENE}.data[0].x.length") == 27 * 15 * 28
    words = shown.ask(f"{SCENE}.data[0].text[0]")
    assert words == "<b>Na</b> atom 0, Wyckoff a<br>+0.200 ± 0.030 eV"
    notes = shown.ask(f"{SCENE}.layout.scene.annotations.map(a => a.text)")
    assert notes[-3:] == ["<i>a</i>", "<i>b</i>", "<i>c</i>"]
    assert 1 <= len(notes) - 3 <= 8
    assert not [m for m in shown.errors() if "GL Driver" not in m]
    requests = shown.requests()
    assert [
        url for url in requests if not url.startswith(("file:", "data:", "blob:", "chrome:"))
    ] == []


def test_bonds_are_chosen_and_names_switched_off(shown: Page) -> None:
    shown.ask("document.querySelector('input[value=none]').click()")
    shown.wait_for(f"{SCENE}.data.length === 2")
    shown.ask("document.querySelector('input[value=strong]').click()")
    shown.wait_for(f"{SCENE}.data.length === 3")
    strong = shown.ask(f"{SCENE}.data[2].x.length")
    shown.ask("document.querySelector('input[value=all]').click()")
    shown.wait_for(f"{SCENE}.data[2].x.length > {strong}")
    shown.ask("document.getElementById('names').click()")
    shown.wait_for(f"{SCENE}.layout.scene.annotations.length === 3")
    shown.ask("document.getElementById('names').click()")
    shown.wait_for(f"{SCENE}.layout.scene.annotations.length > 3")


def test_names_of_hidden_atoms_are_left_out(shown: Page) -> None:
    count = f"{SCENE}.layout.scene.annotations.length"
    shown.ask(f"Plotly.relayout({SCENE}, {{'scene.camera': {{eye: {{x: 0, y: 0, z: 2.2}}}}}})")
    # Seen from above, the four upper atoms of the cell cover the four below them, or images do.
    shown.wait_for(f"{count} <= 3 + 4")


@pytest.mark.parametrize("width", [1280, 600])
def test_the_page_is_never_wider_than_the_window(shown: Page, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    shown.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert shown.ask("document.documentElement.scrollWidth") <= width
    shown.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_hostile_names_do_not_run_even_without_the_policy(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    from selenium.webdriver.support import expected_conditions

    table = page().atoms.assign(element=HOSTILE[0], wyckoff=HOSTILE[1])
    path = write_crystal_page(tmp_path / "x.html", page(title=HOSTILE[0], atoms=table))
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", path.read_text("utf-8"))
    path.write_text(bare, "utf-8")
    opened = open_page(path)
    opened.wait_for("document.documentElement.dataset.ready === 'true'", 20)
    assert not expected_conditions.alert_is_present()(opened.driver)
    assert opened.count("img") == 0
    assert opened.count("[onerror], [onload]") == 0
