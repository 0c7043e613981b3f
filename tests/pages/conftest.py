"""Small runs to report on, made up but shaped like real ones, and a browser to read them in."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gnnmat.pages.report import ReportData

FORMULAS = ("NaCl", "Li2O", "SrTiO3", "LaMnO3", "Ce2(SO4)3", "GaAs", "U3O8", "Fe2O3", "D2O")
SYSTEMS = ("cubic", "hexagonal", "monoclinic")

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # WebGL without a graphics card.
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--window-size=1280,1000",
)


@pytest.fixture(scope="session")
def predictions() -> Callable[..., pd.DataFrame]:
    """A maker of long prediction tables with ``rows`` rows of one target."""

    def make(rows: int, target: str = "e_form", unit: str = "eV/atom", seed: int = 0) -> Any:
        random = np.random.default_rng(seed)
        truth = random.normal(size=rows)
        return pd.DataFrame(
            {
                "id": [f"mp-{i}" for i in range(rows)],
                "formula": [FORMULAS[i % len(FORMULAS)] for i in range(rows)],
                "split": [("train", "train", "val", "test")[i % 4] for i in range(rows)],
                "target": target,
                "unit": unit,
                "truth": truth,
                "prediction": truth + 0.1 * random.standard_t(3, size=rows),
                "crystal_system": [SYSTEMS[i % 3] for i in range(rows)],
            }
        )

    return make


@pytest.fixture(scope="session")
def class_predictions() -> Callable[..., pd.DataFrame]:
    """A maker of tables with class names and the probability of the predicted class."""

    def make(rows: int, names: tuple[str, ...] = ("insulator", "metal"), seed: int = 0) -> Any:
        random = np.random.default_rng(seed)
        truth = random.integers(0, len(names), rows)
        probability = 1 - random.random(rows) * (1 - 1 / len(names))
        is_right = random.random(rows) < probability
        predicted = np.where(is_right, truth, (truth + 1) % len(names))
        return pd.DataFrame(
            {
                "id": [f"mp-{i}" for i in range(rows)],
                "formula": [FORMULAS[i % len(FORMULAS)] for i in range(rows)],
                "split": "test",
                "target": "is_metal",
                "unit": "",
                "truth": np.array(names)[truth],
                "prediction": np.array(names)[predicted],
                "probability": probability,
            }
        )

    return make


@pytest.fixture(scope="session")
def score() -> Callable[..., dict[str, Any]]:
    """A maker of rows of ``metrics`` and ``baselines``."""

    def make(value: float, low: float = np.nan, high: float = np.nan, **other: Any) -> Any:
        row = {"target": "e_form", "split": "test", "metric": "mae", "unit": "eV/atom", "n": 10}
        return {**row, "value": value, "low": low, "high": high, **other}

    return make


@pytest.fixture(scope="session")
def history() -> pd.DataFrame:
    """Six epochs; validation loss is lowest in epoch 4 and was not measured in epoch 0."""
    return pd.DataFrame(
        {
            "epoch": range(6),
            "train_loss": [1.0, 0.5, 0.3, 0.2, 0.12, 0.1],
            "val_loss": [np.nan, 0.6, 0.4, 0.3, 0.2, 0.25],
            "val_mae": [np.nan, 0.5, 0.4, 0.3, 0.2, 0.2],
            "lr": [1e-3, 2e-3, 3e-3, 2e-3, 1e-3, 1e-4],
        }
    )


@pytest.fixture(scope="session")
def report_data(
    predictions: Callable[..., pd.DataFrame],
    score: Callable[..., dict[str, Any]],
    history: pd.DataFrame,
) -> ReportData:
    """A report on two targets with everything filled in."""
    table = pd.concat([predictions(80), predictions(60, "band_gap", "eV", seed=1)])
    return ReportData(
        title="formation energy",
        summary=[("model", "cgcnn"), ("data set", "known_crystals"), ("seed", "0")],
        history=history,
        predictions=table,
        metrics=[score(0.1, 0.08, 0.12), score(0.3, 0.2, 0.4, target="band_gap", unit="eV")],
        baselines=[score(0.9, 0.8, 1.0, baseline="mean predictor")],
        audit=[{"what": "formula", "count": 2, "total": 20, "text": "Same composition in train."}],
        refused=pd.DataFrame(
            {"id": [f"bad_{i}" for i in range(60)], "origin": "bad.cif", "reason": "Empty cell."}
        ),
        config_yaml="name: demo\n",
        predict_command="gnnmat predict runs/demo *.cif",
    )


class Page:
    """A report opened in the browser."""

    def __init__(self, driver: Any, path: Path | None) -> None:
        self.driver = driver
        if path is not None:
            driver.get_log("browser")
            driver.get_log("performance")
            driver.get(path.as_uri())

    def ask(self, expression: str, *values: object) -> Any:
        """The value of a JavaScript expression."""
        return self.driver.execute_script(f"return {expression}", *values)

    def count(self, selector: str) -> int:
        return self.ask("document.querySelectorAll(arguments[0]).length", selector)

    def wait_for(self, expression: str, seconds: float = 5.0) -> None:
        end = time.monotonic() + seconds
        while not self.ask(expression):
            assert time.monotonic() < end, f"never came true: {expression}"
            time.sleep(0.02)

    def console(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def errors(self) -> list[str]:
        log = self.driver.get_log("browser")
        return [entry["message"] for entry in log if entry["level"] == "SEVERE"]

    def requests(self) -> list[str]:
        events = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        sent = [e for e in events if e["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless browser that keeps its console and its requests."""
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip("Chromium absent")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = chromium
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(chromedriver))
    yield opened
    opened.quit()


@pytest.fixture(scope="session")
def open_page(driver: Any) -> Callable[[Path | None], Page]:
    """A file opened in the browser; None stands for the one that is open."""
    return lambda path: Page(driver, path)
