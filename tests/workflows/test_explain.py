"""One spectrum explained by a trained ensemble, from file to page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.simulation.inference.fit import Fit
from gnnmat.simulation.layout import SliceLayout, relative_layout
from gnnmat.sources.spectrum import Spectrum
from gnnmat.train.attribution import attribute
from gnnmat.train.committee import load_committee
from gnnmat.workflows.explain import Explanation, batch_of, explain, write_page
from gnnmat.workflows.fit_result import SpectrumFit

from ..train.tiny import graph_cache, trained  # noqa: F401
from .explained import behind_cleaner, ensemble, one_spectrum, spectrum_file


@pytest.fixture(scope="module")
def found() -> Explanation:
    return explain(ensemble(), spectrum_file())


def fit_of(spectrum: Spectrum) -> SpectrumFit:
    """A made-up fit of one hypothesis."""
    assert spectrum.layout is not None
    shape = spectrum.image.shape
    one = Fit(
        "heisenberg", ("J1",), np.array([2.125]), np.array([0.05]), np.eye(1), 1.0, 10, 0.5,
        np.ones(shape), np.zeros(shape), 0.0,
    )  # fmt: skip
    return SpectrumFit("made", "square", (one,), (), {}, pd.DataFrame(), spectrum.layout)


def test_the_explained_class_is_the_predicted_one(found: Explanation) -> None:
    row = load_committee(ensemble()).predict([one_spectrum()]).iloc[0]
    assert found.label == row["prediction"]
    assert found.scores[found.label] == pytest.approx(row["probability"], abs=1e-6)
    assert sum(found.scores.values()) == pytest.approx(1.0)


def test_the_map_is_that_of_all_members_in_boxes(found: Explanation) -> None:
    members = load_committee(ensemble()).members
    label = members[0].task.targets[0].classes.index(found.label)
    raw = attribute(members, batch_of(one_spectrum()), label=label)
    assert found.map.shape == found.layout.image_shape
    assert found.map[:2, :2] == pytest.approx(np.full((2, 2), raw.map[:2, :2].mean()))
    assert found.sums.shape == (2, 2)
    assert found.sums.sum() == pytest.approx(raw.map.sum())


def test_a_run_without_thresholds_says_so(found: Explanation) -> None:
    assert found.trusted is None
    assert found.verdict == "Not judged: no thresholds are set."
    assert found.cleaned is None


def test_every_method_that_the_network_allows_gives_a_page(tmp_path: Path) -> None:
    for method in ("integrated_gradients", "grad_cam", "cam"):
        one = explain(ensemble(), one_spectrum(), method=method)  # type: ignore[arg-type]
        assert one.map.any()
        page = write_page(one, tmp_path / f"{method}.html", model="mine").read_text("utf-8")
        assert one.label in page


def test_the_cleaned_spectrum_is_shown_where_there_is_one(tmp_path: Path) -> None:
    one = explain(behind_cleaner(), one_spectrum())
    assert one.cleaned is not None
    assert one.cleaned.shape == one.spectrum.image.shape
    assert (one.cleaned >= 0).all()
    page = write_page(one, tmp_path / "page.html", model="mine").read_text("utf-8")
    assert 'data-layer="cleaned"' in page


def test_a_fit_stands_on_the_page(tmp_path: Path) -> None:
    one = explain(ensemble(), one_spectrum(), fit=fit_of(one_spectrum()))
    page = write_page(one, tmp_path / "page.html", model="mine").read_text("utf-8")
    for words in ("Fitted by simulation: heisenberg", "2.125", 'data-layer="residual"'):
        assert words in page


def turned(layout: SliceLayout) -> SliceLayout:
    return replace(layout, incident_energies=(21.0, 41.0))


def bad_file(folder: Path, kind: str) -> Any:
    """A file or a spectrum that cannot be explained."""
    good = one_spectrum()
    assert good.layout is not None
    path = folder / "bad.npy"
    if kind == "shape":
        other = relative_layout((20.0, 40.0), slices=3, pixels=6)
        return Spectrum(np.ones((12, 18), np.float32), np.zeros((12, 18), bool), other)
    if kind == "axes":
        return replace(good, layout=turned(good.layout))
    if kind == "pickled":
        np.save(path, np.array([{"image": 1}], dtype=object), allow_pickle=True)
    if kind == "nan":
        image = good.image.copy()
        image[0, 0] = np.nan
        return replace(good, image=image)
    if kind == "negative":
        return replace(good, image=good.image - 100)
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("shape", "slices"),
        ("axes", "incident energ"),
        ("pickled", "pickle|object"),
        ("nan", "NaN|finite"),
        ("negative", "negative"),
        ("absent", "bad.npy"),
    ],
)
def test_a_spectrum_that_does_not_fit_is_refused_in_words(
    kind: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(GnnmatError, match=words):
        explain(ensemble(), bad_file(tmp_path, kind))


def test_a_run_on_crystals_is_refused(graph_cache: Callable[..., Any]) -> None:  # noqa: F811
    with pytest.raises(GnnmatError, match="not trained on spectra"):
        explain(trained().folder, one_spectrum())
