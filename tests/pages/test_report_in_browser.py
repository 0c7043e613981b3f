"""The report as a reader meets it: opened from disk in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gnnmat.pages.report import ReportData, write_report

Maker = Callable[..., pd.DataFrame]

Page = Any  # the class of that name in conftest.py

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    '<a href="javascript:alert(1)">x</a>',
)


@pytest.fixture
def show(open_page: Callable[..., Page], tmp_path: Path) -> Callable[[ReportData], Page]:
    """Write and open a report."""

    def open_report(data: ReportData) -> Page:
        return open_page(write_report(tmp_path / "report.html", data))

    return open_report


@pytest.fixture(scope="module")
def full_path(tmp_path_factory: pytest.TempPathFactory, report_data: ReportData) -> Path:
    return write_report(tmp_path_factory.mktemp("report") / "report.html", report_data)


@pytest.fixture
def full_page(driver: Any, open_page: Callable[..., Page], full_path: Path) -> Page:
    """The report on two targets, the first one chosen; loaded anew only after another page."""
    page = open_page(None if driver.current_url == full_path.as_uri() else full_path)
    page.ask("document.querySelector('.choice button').click()")
    return page


def local(urls: list[str]) -> bool:
    return all(url.startswith(("file:", "data:", "blob:")) for url in urls)


def test_the_watch_sees_a_request_and_an_error(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    path = tmp_path / "leaky.html"
    path.write_text('<img src="http://127.0.0.1:9/leak.png"><script>missing()</script>')
    page = open_page(path)
    page.wait_for("document.readyState === 'complete'")
    assert not local(page.requests())
    assert any("missing is not defined" in message for message in page.errors())


def test_points_drawn_are_the_rows_of_the_table(
    open_page: Callable[..., Page], full_path: Path, report_data: ReportData
) -> None:
    page = open_page(full_path)
    table = report_data.predictions
    for i, target in enumerate(["e_form", "band_gap"]):
        rows = table[table["target"] == target]
        sizes = rows["split"].value_counts()
        page.ask(f"document.querySelector('.choice [data-panel=target-{i}]').click()")
        parity = f"[data-figure='target-{i}-parity']"
        assert page.count(f"{parity} .scatterlayer path.point") == sizes["test"]
        drawn = page.ask(
            "Object.fromEntries(document.querySelector(arguments[0])._fullData"
            ".filter(t => t.meta).map(t => [t.meta, t.x.length]))",
            parity,
        )
        assert drawn == sizes.to_dict()
        heights = "document.querySelector(arguments[0])._fullData[0].y.reduce((a, b) => a + b)"
        assert page.ask(heights, f"[data-figure='target-{i}-residuals']") == sizes["test"]
        worst = rows[rows["split"] == "test"].copy()
        worst["size"] = (worst["prediction"] - worst["truth"]).abs()
        expected = worst.sort_values("size", ascending=False)["id"].head(10).tolist()
        shown = (
            f"[...document.querySelectorAll('#target-{i} .worst [data-id]')].map(e => e.innerText)"
        )
        assert page.ask(shown) == expected
        assert page.count(f"#target-{i} [data-element='Na']") == 1
    assert page.console() == []
    requests = page.requests()
    assert requests
    assert local(requests)


def test_a_click_in_the_legend_shows_another_split(
    full_page: Page, report_data: ReportData
) -> None:
    from selenium.webdriver.common.by import By

    page = full_page
    sizes = report_data.predictions.query("target == 'e_form'")["split"].value_counts()
    parity = page.driver.find_element(By.CSS_SELECTOR, "[data-figure='target-0-parity']")
    page.ask("arguments[0].scrollIntoView({block: 'center'})", parity)
    names = page.ask(
        "[...arguments[0].querySelectorAll('.legendtext')].map(e => e.textContent)", parity
    )
    assert names == [f"{split} ({sizes[split]})" for split in ("test", "val", "train")]
    parity.find_elements(By.CSS_SELECTOR, ".legendtoggle")[1].click()
    points = "document.querySelectorAll('[data-figure=target-0-parity] path.point').length"
    page.wait_for(f"{points} === {sizes['test'] + sizes['val']}")
    both = report_data.predictions.query("target == 'e_form' and split != 'train'")
    values = both[["truth", "prediction"]]
    for axis in ("xaxis", "yaxis"):
        low, high = page.ask(f"arguments[0]._fullLayout.{axis}.range", parity)
        assert low < values.min().min() < values.max().max() < high
        assert high - low < 1.2 * (values.max().max() - values.min().min())


def test_no_figure_offers_to_send_data_away(full_page: Page) -> None:
    titles = full_page.ask(
        "[...document.querySelectorAll('.modebar-btn')].map(e => e.dataset.title)"
    )
    assert titles
    assert not [t for t in titles if re.search("share|cloud|edit|plotly", str(t), re.I)]


def test_figures_follow_a_change_from_light_to_dark(full_page: Page) -> None:
    page = full_page
    paper = "getComputedStyle(document.body).backgroundColor"
    tick = "document.querySelector('#target-0 .xtick text').style.fill"
    light = page.ask(f"[{paper}, {tick}]")
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": dark})
    page.wait_for(f"{paper} !== '{light[0]}' && {tick} !== '{light[1]}'")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    page.wait_for(f"{paper} === '{light[0]}' && {tick} === '{light[1]}'")


def test_on_paper_every_target_is_drawn_in_light(full_page: Page) -> None:
    page = full_page
    page.ask("dispatchEvent(new Event('beforeprint'))")
    for i, target in enumerate(["e_form", "band_gap"]):
        assert page.count(f"[data-figure='target-{i}-parity'] path.point") > 0
        assert page.ask(f"document.querySelector('#target-{i} .panel-name').textContent") == target
    page.ask("dispatchEvent(new Event('afterprint'))")
    assert page.count(".panel[hidden]") == 1
    assert page.count("[data-figure='target-1-parity'] path.point") == 0


@pytest.mark.parametrize("width", [1280, 800])
def test_the_page_is_never_wider_than_the_window(full_page: Page, width: int) -> None:
    page = full_page
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert page.ask("innerWidth") == width
    assert page.ask("document.documentElement.scrollWidth") <= width
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_hostile_names_do_not_run_even_without_the_policy(
    open_page: Callable[..., Page], tmp_path: Path, report_data: ReportData, predictions: Maker
) -> None:
    from selenium.webdriver.support import expected_conditions

    names = list(HOSTILE) * 2
    table = predictions(8).assign(id=names, formula=names, split="test", target=HOSTILE[0])
    path = write_report(
        tmp_path / "report.html",
        ReportData(
            title=HOSTILE[1],
            summary=[("model", HOSTILE[0])],
            history=report_data.history.assign(**{f"val_{HOSTILE[0]}": 1.0}),
            predictions=table.assign(unit=HOSTILE[0], crystal_system=names),
            refused=pd.DataFrame({"id": names, "origin": names, "reason": names}),
            config_yaml=HOSTILE[1],
            predict_command=HOSTILE[2],
        ),
    )
    # Escaping alone has to hold; the policy is a second lock.
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", path.read_text("utf-8"))
    path.write_text(bare, "utf-8")
    page = open_page(path)
    parity = "document.querySelector('[data-figure=target-0-parity]')"
    for point in range(4):
        page.ask(f"Plotly.Fx.hover({parity}, [{{curveNumber: 1, pointNumber: {point}}}])")
        page.wait_for(
            f"{parity}.querySelector('.hovertext')?.textContent.includes({names[point]!r})"
        )
    assert not expected_conditions.alert_is_present()(page.driver)
    assert page.count("img") == 0
    assert page.count("script") == 4
    assert page.count("[onload], [onerror], a[href^=javascript]") == 0
    assert page.errors() == []
    assert local(page.requests())


def test_classes_are_drawn_in_full(
    show: Callable[[ReportData], Page], class_predictions: Maker
) -> None:
    table = class_predictions(200)
    page = show(ReportData(title="classes", predictions=table))
    confusion = "document.querySelector('[data-figure=target-0-confusion]')"
    cells = f"[...{confusion}.querySelectorAll('.heatmaplayer text')].map(e => +e.textContent)"
    assert sum(page.ask(cells)) == 200
    bars = "document.querySelector('[data-figure=target-0-probabilities]')._fullData"
    assert page.ask(f"{bars}.flatMap(t => [...t.y]).reduce((a, b) => a + b)") == 200
    assert page.console() == []
    assert local(page.requests())


def test_a_large_set_is_drawn_by_webgl(
    show: Callable[[ReportData], Page], predictions: Maker
) -> None:
    page = show(ReportData(title="large", predictions=predictions(8_000)))
    parity = "document.querySelector('[data-figure=target-0-parity]')"
    assert page.ask(f"{parity}._fullData.filter(t => t.visible === true).at(-1).x.length") == 2_000
    blue = page.driver.execute_async_script(
        f"""const done = arguments[0];
        Plotly.toImage({parity}, {{format: "png", width: 500, height: 500}}).then((url) => {{
          const image = new Image();
          image.onload = () => {{
            const canvas = document.createElement("canvas");
            canvas.width = canvas.height = 500;
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            const p = context.getImageData(0, 0, 500, 500).data;
            let blue = 0;
            for (let i = 0; i < p.length; i += 4) if (p[i + 3] > 60 && p[i + 2] > p[i] + 60) blue++;
            done(blue);
          }};
          image.src = url;
        }});"""
    )
    # 2,000 points of 4 pixels across overlap; a legend entry alone is some 100 pixels.
    assert blue > 2_000
    assert page.errors() == []
    assert local(page.requests())
