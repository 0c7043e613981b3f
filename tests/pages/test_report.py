from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.pages import shell
from gnnmat.pages.report import ReportData, report_page, write_report

Maker = Callable[..., pd.DataFrame]


@pytest.fixture(autouse=True)
def small_plotly(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of a few kilobytes: what plotly itself says is not read here."""
    monkeypatch.setattr(shell, "get_plotlyjs", lambda: "/* plotly.js */")


def embedded(page: str, name: str = "report-data") -> Any:
    """The JSON inside the page, as a program would read it."""
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.S)
    assert found is not None
    return json.loads(found[1])


def test_embedded_counts_are_those_of_the_table(report_data: ReportData) -> None:
    found = embedded(report_page(report_data))
    table = report_data.predictions
    assert [target["name"] for target in found["targets"]] == ["e_form", "band_gap"]
    for target in found["targets"]:
        rows = table[table["target"] == target["name"]]
        assert target["rows"] == rows["split"].value_counts().to_dict()
        assert target["drawn"] == target["rows"]
        assert sum(target["crystal_systems"].values()) == target["rows"]["test"]
    assert (found["epochs"], found["refused"]) == (6, 60)


def test_every_section_stands_on_the_page(report_data: ReportData) -> None:
    page = report_page(report_data)
    for heading in (
        "Metrics",
        "Prediction and truth",
        "Error by element",
        "Error by crystal system",
        "Worst ten",
        "Learning curves",
        "Data and split",
        "Leakage audit",
        "Refused inputs",
    ):
        assert heading in page
    assert "gnnmat predict runs/demo *.cif" in page
    assert "2 of 20" in page
    assert "10.0%" in page
    assert "60 inputs could not be used. The first 50 are listed" in page
    assert "bad_49" in page
    assert "bad_50" not in page


def test_plotly_stands_once_and_nothing_is_loaded_from_elsewhere(report_data: ReportData) -> None:
    page = report_page(report_data)
    assert page.count("/* plotly.js */") == 1
    assert not re.search(r'(?:src|href)="', page)
    assert "@import" not in page
    assert "url(" not in page


def test_policy_allows_exactly_the_scripts_of_the_page(report_data: ReportData) -> None:
    page = report_page(report_data)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.S)
    digests = {base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts}
    assert set(re.findall(r"'sha256-([^']+)'", page)) == digests
    assert len(digests) == 2
    assert "default-src 'none'" in page


HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>$title ${x} %{x} \"'&"


def test_no_outside_text_becomes_markup(report_data: ReportData, predictions: Maker) -> None:
    names = ("id", "formula", "target", "unit", "crystal_system")
    table = predictions(8).assign(**dict.fromkeys(names, HOSTILE))
    row = dict.fromkeys(("target", "baseline", "metric", "unit"), HOSTILE)
    scored = {**row, "split": "test", "value": 1.0, "low": 0.5, "high": 2.0, "n": 4}
    page = report_page(
        replace(
            report_data,
            title=HOSTILE,
            summary=[(HOSTILE, HOSTILE), ("model", HOSTILE)],
            predictions=table,
            history=report_data.history.assign(**{f"val_{HOSTILE}": 1.0}),
            metrics=[scored],
            baselines=[scored],
            audit=[{"what": HOSTILE, "count": 1, "total": 2, "text": HOSTILE}],
            refused=pd.DataFrame({"id": [HOSTILE], "origin": HOSTILE, "reason": HOSTILE}),
            config_yaml=HOSTILE,
            predict_command=HOSTILE,
        )
    )
    assert "<img" not in page
    assert len(re.findall(r"<script", page)) == 4
    assert embedded(page)["targets"][0]["worst"] == [HOSTILE] * 2
    assert embedded(page)["title"] == HOSTILE


def test_classes_without_probability_say_so(class_predictions: Maker) -> None:
    table = class_predictions(20).drop(columns="probability")
    page = report_page(ReportData(title="classes", predictions=table))
    assert "No probabilities were recorded" in page
    assert "confusion" in str(embedded(page, "report-figures").keys())


def test_all_right_classes_have_no_worst(class_predictions: Maker) -> None:
    table = class_predictions(20)
    page = report_page(
        ReportData(title="classes", predictions=table.assign(prediction=table["truth"]))
    )
    assert "All 20 test rows were classified right." in page


def test_missing_parts_are_said_plainly(predictions: Maker) -> None:
    table = predictions(3).assign(split="test").drop(columns="crystal_system")
    page = report_page(ReportData(title="bare", predictions=table))
    for words in (
        "No metrics were recorded.",
        "No training history was recorded.",
        "No crystal systems were recorded.",
        "No leakage audit was made.",
        "Every input was read.",
        "Worst 3",
    ):
        assert words in page


def test_a_target_without_a_complete_row_is_said_plainly(predictions: Maker) -> None:
    page = report_page(ReportData(title="empty", predictions=predictions(4).assign(truth=np.nan)))
    assert "No row of this target has both a truth and a prediction." in page
    assert embedded(page)["targets"][0]["incomplete"] == 4


def test_an_empty_table_gives_a_page(predictions: Maker) -> None:
    page = report_page(ReportData(title="empty", predictions=predictions(4).head(0)))
    assert embedded(page)["targets"] == []


def test_a_subsample_is_stated(predictions: Maker) -> None:
    table = predictions(25_000).assign(split="train")
    table.loc[:99, "split"] = "test"
    page = report_page(ReportData(title="large", predictions=table))
    assert "Of 24,900 train rows a random 19,900 are drawn; all other rows are." in page
    assert embedded(page)["targets"][0]["drawn"] == {"test": 100, "train": 19_900}


def test_the_report_replaces_an_older_one_and_leaves_nothing_beside_it(
    report_data: ReportData, tmp_path: Path
) -> None:
    path = tmp_path / "run" / "report.html"
    assert write_report(path, report_data) == path
    write_report(path, replace(report_data, title="second"))
    assert "<title>second</title>" in path.read_text("utf-8")
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_a_full_disk_leaves_the_older_report_as_it_was(
    report_data: ReportData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("older")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(GnnmatError, match="cannot be written") as caught:
        write_report(path, report_data)
    assert "No space left" in caught.value.why
    assert path.read_text() == "older"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_where_the_folder_should_be_is_said(report_data: ReportData, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(GnnmatError, match=r"The report .*run.report\.html cannot be written"):
        write_report(tmp_path / "run" / "report.html", report_data)
