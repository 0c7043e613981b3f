"""What goes wrong beside a diffractometer, and what a search says then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gnnmat
from gnnmat.errors import GnnmatError
from gnnmat.simulation.diffraction.profile import Grid
from gnnmat.sources.crystal import as_crystal
from gnnmat.sources.powder_pattern import PowderPattern, powder_pattern
from gnnmat.sources.records import Refusal
from gnnmat.workflows.beside import check_beside
from gnnmat.workflows.diffraction.beam import beam_of
from gnnmat.workflows.diffraction.match import match_pattern
from gnnmat.workflows.diffraction.mixture import parse_mixture
from gnnmat.workflows.diffraction.phases import Phase

from ...contracts import crystals
from .powders import beam, measured

SALT = [Phase("salt", crystals.rock_salt()), Phase("copper", crystals.copper())]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))


def bare(made: PowderPattern) -> PowderPattern:
    return powder_pattern(made.id, made.two_theta, made.counts)


def test_a_measured_file_is_never_written_over(tmp_path: Path) -> None:
    pattern = measured(SALT[0].crystal)
    file = tmp_path / "scan.csv"
    np.savetxt(file, np.column_stack([pattern.two_theta, pattern.counts]), delimiter=",")
    before = file.read_bytes()
    with pytest.raises(GnnmatError, match="would be written over"):
        gnnmat.match_pattern(
            file, [crystals.rock_salt()], wavelength="CuKa", output=tmp_path / "scan.html"
        )
    assert file.read_bytes() == before
    (tmp_path / "page.png").mkdir()
    with pytest.raises(GnnmatError, match="is a folder"):
        check_beside(tmp_path / "page.html", [file])


def test_falling_angles_are_searched_like_rising_ones() -> None:
    made = measured(SALT[0].crystal)
    turned = powder_pattern(
        "turned", made.two_theta[::-1], made.counts[::-1], wavelength=made.wavelength
    )
    found = [match_pattern(one, beam(), SALT, top=1, texture=False) for one in (made, turned)]
    one, other = (match.candidates[0].similarity for match in found)
    assert one == pytest.approx(other, abs=1e-9)


def test_without_crystals_the_first_reason_is_told() -> None:
    lost = [Refusal("half", "half.cif", "The crystal is disordered.")]
    with pytest.raises(GnnmatError, match="no crystal to search") as caught:
        match_pattern(measured(SALT[0].crystal), beam(), [], refused=lost)
    assert "half: The crystal is disordered" in caught.value.why


def test_a_wavelength_that_contradicts_the_file_is_refused() -> None:
    pattern = measured(SALT[0].crystal)
    with pytest.raises(GnnmatError, match="1.5406 Å, and 0.7"):
        beam_of(pattern, "xray", "MoKa")
    with pytest.raises(GnnmatError, match="no line 'nonsense'"):
        beam_of(pattern, "xray", "nonsense")
    assert beam_of(pattern).second == 1.0
    # A tube has a second line, of which the file knows nothing: 1.544426 over 1.540598 Å.
    assert beam_of(pattern, "xray", "CuKa").second == pytest.approx(1.002485, abs=1e-5)


def test_a_crystal_without_peaks_in_the_range_does_not_stop_the_others() -> None:
    """Simple cubic, a = 3.05 Å: (1 0 0) is at 29.3 degrees, (1 1 0) at 41.8."""
    small = Phase("small", as_crystal(3.05 * np.eye(3), np.array([84]), np.zeros((1, 3))))
    pattern = measured(SALT[0].crystal, grid=Grid(31.0, 37.0, 601))
    found = match_pattern(pattern, beam(), [SALT[0], small], texture=False)
    assert [one.phase.id for one in found.candidates] == ["salt"]
    assert [one.id for one in found.refused] == ["small"]
    with pytest.raises(GnnmatError, match="Not one crystal could be refined") as caught:
        match_pattern(pattern, beam(), [small], texture=False)
    with pytest.raises(GnnmatError, match="top=0"):
        match_pattern(pattern, beam(), SALT, top=0)
    assert "no reflection within the range" in caught.value.why


def test_a_poor_match_is_said_in_the_notes() -> None:
    wrong = powder_pattern(
        "wrong", *(getattr(measured(SALT[0].crystal), name) for name in ("two_theta", "counts")),
        wavelength=0.7093,
    )  # fmt: skip
    found = match_pattern(wrong, beam_of(wrong), SALT, top=2, texture=False)
    assert any("wavelength is another one" in one for one in found.notes)
    good = match_pattern(measured(SALT[0].crystal), beam(), SALT, top=2, texture=False)
    assert not any("poorly" in one for one in good.notes)


def test_a_pattern_without_noise_and_background_is_refined() -> None:
    made = measured(SALT[0].crystal, seed=None, zero=0.0, grid=Grid(20.0, 80.0, 3001))
    clean = powder_pattern(
        "clean", made.two_theta, np.round(made.counts - made.counts.min(), 6), wavelength=1.540598
    )
    zeros = powder_pattern(
        "zeros", made.two_theta, np.where(clean.counts > 40, clean.counts, 0.0), wavelength=1.540598
    )
    for pattern in (clean, zeros):
        found = match_pattern(pattern, beam(), SALT, top=2, texture=False).candidates[0]
        assert found.phase.id == "salt"
        assert found.refined.r_wp < 0.3
        a = found.refined["a"]
        assert a.value == pytest.approx(crystals.rock_salt().lattice[0, 0], rel=2e-3)
        assert a.error > 1e-7


def test_mixtures_name_a_crystal_once_and_tell_why_one_is_missing() -> None:
    with pytest.raises(GnnmatError, match="names 'NaCl' twice"):
        parse_mixture("NaCl=0.7,NaCl=0.1,Si=0.2", ["NaCl", "Si"])
    with pytest.raises(GnnmatError, match="'half' cannot be mixed") as caught:
        parse_mixture("NaCl=0.7,half=0.3", ["NaCl"], {"half": "The crystal is disordered."})
    assert "disordered" in caught.value.why
