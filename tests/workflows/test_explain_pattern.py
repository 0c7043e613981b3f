"""Explanations of diffraction patterns by small networks that were trained a little."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gnnmat
from gnnmat.errors import GnnmatError
from gnnmat.sources.powder_pattern import PowderPattern, powder_pattern
from gnnmat.train.attribution import METHODS
from gnnmat.train.config import parse_config
from gnnmat.workflows.explain_pattern import PatternExplanation, explain_pattern, judgement
from gnnmat.workflows.explain_pattern_files import contributions, peak_sums, write_pattern
from gnnmat.workflows.spots import peaks_of_image
from gnnmat.workflows.training import train

from ..contracts import crystals
from .test_diffraction_training import COMMON, KINDS, records, unjudged


@cache
def run_of(kind: str) -> Path:
    """A run of two epochs; its head is one linear layer."""
    folder = Path(tempfile.mkdtemp()) / kind
    task = {"kind": "classification", "head": {"hidden": []}}
    config = parse_config(COMMON | KINDS[kind] | {"task": task})
    train(config, folder, records=records(), judge=unjudged)
    return folder


def film(wavelength: float | None = 1.5406) -> PowderPattern:
    angles = np.linspace(9, 81, 1800)
    counts = 10 + 900 * np.exp(-(((angles - 44.7) / 0.3) ** 2))
    counts += 400 * np.exp(-(((angles - 65.0) / 0.3) ** 2))
    return powder_pattern("film", angles, counts, wavelength=wavelength)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_method_maps_every_kind_of_pattern(kind: str, method: Any) -> None:
    found = explain_pattern(run_of(kind), crystals.copper(), method=method)
    shape = (1, 96) if kind == "powder" else (3, 8, 8)
    assert found.seen.shape == found.map.shape == found.spots.where.shape == shape
    assert np.isfinite(found.map).all()
    assert np.abs(found.map).max() > 0
    assert 0 <= found.share <= 1
    assert found.label == max(found.scores, key=lambda name: found.scores[name])
    assert sum(found.scores.values()) == pytest.approx(1, abs=1e-6)


def test_bragg_peaks_are_those_of_the_crystal() -> None:
    """Copper, a 3.6 Å, in the grid from 10 to 80 degrees: 111, 200 and 220 by Bragg's law."""
    crystal = crystals.copper(3.6)
    found = explain_pattern(run_of("powder"), crystal)
    squares = np.array([3, 4, 8])
    wavelength = 1.54184  # CuKa, mean of the doublet
    expected = 2 * np.degrees(np.arcsin(wavelength * np.sqrt(squares) / (2 * 3.6)))
    np.testing.assert_allclose(found.spots.at, expected, atol=2e-3)
    counts = [words.split(", ")[-1] for words in found.spots.words]
    assert counts == ["8 reflections", "6 reflections", "12 reflections"]
    assert found.at is not None
    near = np.abs(found.at[:, None] - expected).min(axis=1) <= 0.3
    assert np.array_equal(found.spots.where[0], near)


def test_peaks_of_a_measured_pattern_are_found_in_it() -> None:
    found = explain_pattern(run_of("powder"), film())
    step = 70 / 95
    assert found.spots.at == pytest.approx([44.7, 65.0], abs=step)
    assert not found.spots.words


def test_spots_of_an_image_are_its_bright_places() -> None:
    image = np.zeros((1, 9, 9))
    image[0, 2, 3], image[0, 6, 6], image[0, 8, 0] = 1.0, 0.5, 0.3
    spots = peaks_of_image(image)
    assert spots.at.tolist() == [[0, 2, 3], [0, 6, 6]]
    assert spots.where.sum() == 18
    assert spots.area == pytest.approx(18 / 81)


def test_a_linear_head_on_a_mean_is_explained_exactly() -> None:
    """Of two classes: the map adds up to the log-odds less the difference of the biases."""
    from gnnmat.train.checkpoint import load_trained

    found = explain_pattern(run_of("powder"), film(), method="cam")
    trained = load_trained(run_of("powder"))
    biases = trained.task.head.layers[0].bias.detach()
    place = trained.task.targets[0].classes.index(found.label)
    difference = float(biases[place] - biases[1 - place])
    assert found.map.sum() == pytest.approx(found.log_odds - difference, abs=1e-4)


def test_a_class_can_be_chosen_and_a_wrong_one_is_refused() -> None:
    both = {
        name: explain_pattern(run_of("powder"), film(), label=name, draws=1)
        for name in ("bcc", "fcc")
    }
    np.testing.assert_allclose(both["bcc"].map, -both["fcc"].map, atol=1e-6)
    with pytest.raises(GnnmatError, match="no class 'fccc'") as caught:
        explain_pattern(run_of("powder"), film(), label="fccc")
    assert "fcc" in caught.value.fix


def test_a_pattern_without_a_wavelength_needs_one() -> None:
    with pytest.raises(GnnmatError, match="nobody said at which wavelength") as caught:
        explain_pattern(run_of("powder"), film(None))
    assert "--wavelength CuKa" in str(caught.value)
    told = explain_pattern(run_of("powder"), film(None), wavelength="CuKa1", draws=1)
    known = explain_pattern(run_of("powder"), film(), draws=1)
    np.testing.assert_allclose(told.map, known.map, atol=1e-4)
    with pytest.raises(GnnmatError, match="none of the samples is a measured"):
        explain_pattern(run_of("powder"), crystals.copper(), wavelength="CuKa")


def test_layers_answer_with_maps_of_the_pattern() -> None:
    (layer,) = explain_pattern(run_of("fingerprint"), crystals.iron()).responses
    assert layer.name == "layer 1 of 1, 4 filters"
    assert layer.together.shape == (3, 8, 8)
    assert sorted(number for number, _ in layer.filters) == [0, 1, 2, 3]
    whole = sum(values for _, values in layer.filters)
    np.testing.assert_allclose(whole, layer.together, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_page_picture_and_table_are_written(kind: str, tmp_path: Path) -> None:
    sample = film() if kind == "powder" else crystals.copper()
    found = gnnmat.explain(run_of(kind), sample, output=tmp_path / "x.html")
    assert isinstance(found, PatternExplanation)
    assert (tmp_path / "x.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    table = pd.read_csv(tmp_path / "x.csv")
    assert table["contribution"].sum() == pytest.approx(found.map.sum(), abs=1e-3)
    assert len(table) == found.map.size == len(contributions(found))
    page = (tmp_path / "x.html").read_text("utf-8")
    assert "attentive response maps" in page
    assert f"The answer is {found.label}." in page
    assert ("channel 3" in page) == (kind == "fingerprint")


def test_verdicts_are_those_of_thresholds_alone() -> None:
    elements = pd.DataFrame({"in_domain": [True], "verdict": ["in domain"]})
    assert judgement(elements) == (None, "Not judged: no thresholds are set.")
    judged = elements.assign(trust_score=0.2, in_domain=False, verdict="unlike all")
    assert judgement(judged) == (False, "unlike all")
    pattern = judged.rename(columns={"in_domain": "in_distribution"})
    assert judgement(pattern) == (False, "unlike all")


def test_names_are_escaped(tmp_path: Path) -> None:
    pattern = powder_pattern("<b>x</b>", film().two_theta, film().counts, wavelength=1.5406)
    found = explain_pattern(run_of("powder"), pattern, draws=1)
    write_pattern(found, tmp_path / "x.html", model="<i>m</i>")
    page = (tmp_path / "x.html").read_text("utf-8")
    assert "<b>x</b>" not in page
    assert "<i>m</i>" not in page


def test_peaks_are_listed_with_what_they_add() -> None:
    found = explain_pattern(run_of("powder"), crystals.copper(3.6))
    sums = dict(peak_sums(found))
    assert len(sums) == 3
    total = float(found.map[found.spots.where].sum())
    assert sum(sums.values()) == pytest.approx(total, abs=1e-9)


def test_what_belongs_to_others_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="chosen for crystals"):
        gnnmat.explain(run_of("powder"), film(), atom=1)
    with pytest.raises(GnnmatError, match="no method 'exact' for patterns"):
        gnnmat.explain(run_of("powder"), film(), method="exact")
    with pytest.raises(GnnmatError, match="none of|Not one|nothing"):
        gnnmat.explain(run_of("powder"), tmp_path / "absent.xy")
