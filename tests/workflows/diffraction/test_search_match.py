"""The search puts the true crystal first, for noisy and strained patterns too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.sources.crystal import Crystal, as_crystal
from gnnmat.sources.powder_pattern import PowderPattern, powder_pattern
from gnnmat.workflows.diffraction.background import clipped_background, gain, take_apart
from gnnmat.workflows.diffraction.library import open_library
from gnnmat.workflows.diffraction.match import Match, match_pattern
from gnnmat.workflows.diffraction.match_files import page_data, with_error, write_match
from gnnmat.workflows.diffraction.phases import Phase, read_phases
from gnnmat.workflows.diffraction.search_match import Scan, cosine, rank

from ...contracts import crystals
from .powders import beam, measured, strained

TRUE = "true <b>"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def twenty() -> list[Phase]:
    """Rock salt among nineteen others: same elements, other places; other sizes; other kinds."""
    others = [crystals.copper(), crystals.iron(), crystals.diamond(), crystals.magnesium()]
    others += [crystals.perovskite(), crystals.low_symmetry()]
    others += [crystals.rock_salt(a) for a in (5.0, 5.2, 5.35, 5.95, 6.2, 6.5)]
    others += [crystals.perovskite(a) for a in (4.0, 4.2, 4.4)]
    others += [as_crystal(np.eye(3) * a, [11, 17], [[0, 0, 0], [0.5] * 3]) for a in (3.3, 3.9, 4.1)]
    others.append(crystals.low_symmetry(7))
    named = [Phase(f"other-{place}", one) for place, one in enumerate(others)]
    return [*named, Phase(TRUE, crystals.rock_salt())]


def salt(seed: int | None = 0) -> Crystal:
    return strained(crystals.rock_salt(), (1.01, 1.01, 1.01))


def test_the_cosine_of_a_pattern_with_itself_is_one() -> None:
    pattern = measured(salt(), seed=None).counts
    assert cosine(pattern, pattern) == pytest.approx(1.0, abs=1e-12)
    assert cosine(pattern, 7 * pattern) == pytest.approx(1.0, abs=1e-12)
    assert cosine(pattern, np.zeros_like(pattern)) == 0.0
    assert cosine(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 0.0


def test_the_true_crystal_is_first_of_twenty_with_noise_and_one_percent_strain() -> None:
    pattern = measured(salt())
    phases = twenty()
    assert len(phases) == 20
    signal = take_apart(pattern.two_theta, pattern.counts)
    library, rows, refused = open_library(phases, beam(), 0.9)
    assert not refused
    found = rank(signal, beam(), library, rows)
    best = int(np.argmax(found.score))
    assert phases[rows[best]].id == TRUE
    assert found.score[best] > 0.95
    assert np.sort(found.score)[-2] < found.score[best] - 0.02
    assert found.strain[best] == pytest.approx(0.01, abs=0.0025)


def test_without_the_scan_of_strains_the_score_falls() -> None:
    pattern = measured(salt())
    signal = take_apart(pattern.two_theta, pattern.counts)
    library, rows, _ = open_library([Phase(TRUE, crystals.rock_salt())], beam(), 0.9)
    free = rank(signal, beam(), library, rows).score[0]
    fixed = rank(signal, beam(), library, rows, Scan(strain=0.0, zero=0.0)).score[0]
    assert fixed < free - 0.1


@pytest.fixture(scope="module")
def found() -> Match:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GNNMAT_CACHE", "/dev/null/none")
        patch.setattr("gnnmat.workflows.diffraction.library._write", lambda *_: None)
        phases = [one for one in twenty() if one.id in (TRUE, "other-0", "other-11")]
        return match_pattern(measured(salt()), beam(), phases, top=2, texture=False)


def test_a_match_is_refined_and_written(found: Match, tmp_path: Path) -> None:
    best = found.candidates[0]
    assert best.phase.id == TRUE
    assert best.similarity > 0.97
    assert abs(best.refined["a"].value - 5.64 * 1.01) < 3 * best.refined["a"].error
    assert found.table["a"][0] == pytest.approx(5.64 * 1.01, abs=2e-3)
    assert found.table["space_group"][0] == "Fm-3m"
    page, table, picture = write_match(found, tmp_path / "made.html")
    text = page.read_text()
    assert "true &lt;b&gt;" in text
    assert "<b>true" not in text
    assert "true <b>" not in text
    assert "Content-Security-Policy" in text
    assert "similarity" in table.read_text().splitlines()[0]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_ticks_of_the_page_stand_at_the_peaks(found: Match) -> None:
    data = page_data(found)
    ticks = [one.at for one in data.candidates[0].ticks]
    strongest = data.at[np.argmax(data.measured)]
    assert min(abs(at - strongest) for at in ticks) < 0.05
    assert any("(2 0 0), d 2.848 Å, 6 reflections" in one.words for one in data.candidates[0].ticks)


def test_the_library_is_read_again_and_mended(cache: Path) -> None:
    phases = twenty()[:3]
    made, rows, _ = open_library(phases, beam(), 0.9)
    (file,) = (cache / "diffraction").iterdir()
    before = file.stat().st_mtime_ns
    again, _, _ = open_library(phases, beam(), 0.9)
    assert file.stat().st_mtime_ns == before
    np.testing.assert_allclose(again.inverse, made.inverse, rtol=1e-6)
    file.write_bytes(b"PK broken")
    open_library(phases, beam(), 0.9)
    assert file.stat().st_size > 100
    assert rows == [0, 1, 2]


def test_a_crystal_without_factors_is_refused_and_the_rest_goes_on() -> None:
    odd = Phase("odd", as_crystal(np.eye(3) * 4, [118], [[0, 0, 0]]))
    _, rows, refused = open_library([*twenty()[:2], odd], beam(), 0.9)
    assert rows == [0, 1]
    assert [one.id for one in refused] == ["odd"]
    assert "no xray scattering factor for Og" in refused[0].reason


def test_a_background_is_followed_and_peaks_are_left() -> None:
    x = np.linspace(10, 80, 1401)
    ground = 200 + 300 * np.exp(-(((x - 25) / 8) ** 2))
    peak = 500 * np.exp(-0.5 * ((x - 40) / 0.1) ** 2)
    found = clipped_background(ground + peak, 30)
    assert np.abs(found - ground)[50:-50].max() < 15
    assert (found + peak - (ground + peak))[np.argmax(peak)] < 15


def test_the_gain_of_counts_is_one_and_grows_with_their_unit() -> None:
    counts = np.random.default_rng(0).poisson(100 + np.linspace(0, 300, 4000)).astype(float)
    assert gain(counts) == pytest.approx(1.0, rel=0.1)
    assert gain(5 * counts) == pytest.approx(5.0, rel=0.1)


def flat(points: int, last: float) -> PowderPattern:
    return powder_pattern("short", np.linspace(20, last, points), np.full(points, 100.0))


def test_patterns_that_cannot_be_searched_say_why() -> None:
    phases = twenty()[:1]
    with pytest.raises(GnnmatError, match="shorter than 5 degrees or 50 points"):
        match_pattern(flat(200, 23.0), beam(), phases)
    with pytest.raises(GnnmatError, match="shorter than 5 degrees or 50 points"):
        match_pattern(flat(40, 60.0), beam(), phases)
    with pytest.raises(GnnmatError, match="no peak stands above background"):
        match_pattern(flat(500, 60.0), beam(), phases)
    with pytest.raises(GnnmatError, match="Patterns of electrons cannot be searched"):
        match_pattern(flat(500, 60.0), replace(beam(), radiation="electron"), phases)
    with pytest.raises(GnnmatError, match="out of range"):
        Scan(strain=0.5)


def test_elements_choose_the_crystals(tmp_path: Path) -> None:
    objects = [crystals.rock_salt(), crystals.copper()]
    phases, _ = read_phases(objects, elements=["Na", "Cl", "Br"])
    assert [one.formula for one in phases] == ["NaCl"]
    with pytest.raises(GnnmatError, match=r"'Xx' is no element"):
        read_phases(objects, elements=["Xx"])
    with pytest.raises(GnnmatError, match="None of 2 crystals is made of He alone"):
        read_phases(objects, elements=["He"])
    with pytest.raises(GnnmatError, match="No crystal was given"):
        read_phases([])


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [(5.64031, 0.00117, "5.6403(12)"), (5.64031, 0.0043, "5.640(4)"), (90.2, 0.31, "90.2(3)")],
)
def test_errors_are_those_of_the_last_digits(value: float, error: float, words: str) -> None:
    assert with_error(value, error) == words
