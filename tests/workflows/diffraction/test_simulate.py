"""Simulated patterns against pymatgen, and the folder that they make."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Lattice, Structure

import gnnmat
from gnnmat.errors import GnnmatError
from gnnmat.sources.powder_files import read_powder
from gnnmat.sources.records import Refusal
from gnnmat.workflows.diffraction.axis import Axis
from gnnmat.workflows.diffraction.beam import beam_of, make_beam
from gnnmat.workflows.diffraction.mixture import mixed, parse_mixture
from gnnmat.workflows.diffraction.phases import Phase
from gnnmat.workflows.diffraction.simulate import (
    Options,
    Simulated,
    simulate_phases,
)
from gnnmat.workflows.diffraction.simulated_files import write_simulated

from ...contracts import crystals

SALT = Phase("salt", crystals.rock_salt())
COPPER = Phase("copper", crystals.copper())
COARSE = Axis(20, 80, 0.05)


def simulated(phase: Phase, axis: Axis = COARSE, options: Options | None = None) -> Simulated:
    (one,) = simulate_phases([phase], make_beam(), axis, options or Options())
    assert isinstance(one, Simulated)
    return one


def test_the_written_peaks_are_those_of_pymatgen(tmp_path: Path) -> None:
    write_simulated([SALT], make_beam(), Axis(5, 90, 0.05), Options(), tmp_path)
    peaks = pd.read_csv(tmp_path / "salt.csv")
    crystal = SALT.crystal
    structure = Structure(Lattice(crystal.lattice), crystal.numbers, crystal.frac)
    expected = XRDCalculator().get_pattern(structure, two_theta_range=(5, 90))
    np.testing.assert_allclose(peaks["two_theta"], expected.x, rtol=1e-6)
    np.testing.assert_allclose(peaks["d"], expected.d_hkls, rtol=1e-6)
    np.testing.assert_allclose(peaks["intensity"], expected.y, rtol=1e-6)
    many = [sum(family["multiplicity"] for family in peak) for peak in expected.hkls]
    assert peaks["multiplicity"].tolist() == many
    named = [tuple(peak[0]["hkl"]) for peak in expected.hkls]
    assert [tuple(sorted(map(abs, one), reverse=True)) for one in named] == [
        tuple(row) for row in peaks[["h", "k", "l"]].abs().to_numpy()
    ]


def test_the_drawn_pattern_stands_at_the_strongest_peak_and_can_be_read(tmp_path: Path) -> None:
    write_simulated([SALT], make_beam("xray", "CuKa1"), COARSE, Options(), tmp_path)
    pattern = read_powder(tmp_path / "salt.xy")
    assert pattern.wavelength == pytest.approx(1.54056)
    strongest = pattern.two_theta[pattern.counts.argmax()]
    # (2 0 0) of rock salt: d = a / 2.
    assert strongest == pytest.approx(2 * np.degrees(np.arcsin(1.54056 / 5.64)), abs=0.05)
    assert (tmp_path / "salt.png").read_bytes().startswith(b"\x89PNG")


def test_q_and_angles_show_the_same_peaks() -> None:
    by_q = simulated(SALT, Axis(1.5, 5, 0.002, is_q=True))
    at = 1.5 + 0.002 * by_q.pattern.argmax()
    assert at == pytest.approx(4 * np.pi / 5.64, abs=0.004)


def test_small_crystallites_and_doublets_make_peaks_wider() -> None:
    def width(one: Simulated) -> int:
        return int((one.pattern > 30).sum())

    assert width(simulated(SALT, options=Options(size=100))) > width(simulated(SALT))
    (both,) = simulate_phases([SALT], make_beam(doublet=True), Axis(70, 90, 0.01), Options())
    (mean,) = simulate_phases([SALT], make_beam(), Axis(70, 90, 0.01), Options())
    assert isinstance(both, Simulated)
    assert isinstance(mean, Simulated)
    assert width(both) > width(mean)


def test_peaks_outside_the_range_reach_into_the_pattern_and_not_into_the_table() -> None:
    def shown(first: float, last: float, step: float = 0.01, **options: float) -> Simulated:
        beam = make_beam(doublet=step < 0.01)
        (one,) = simulate_phases([SALT], beam, Axis(first, last, step), Options(**options))
        assert isinstance(one, Simulated)
        return one

    def absolute(one: Simulated) -> np.ndarray:
        return one.strength * one.pattern

    # (2 0 0), the strongest, lies at 31.73 degrees, with two lines at 31.70 and 31.78.
    whole = shown(25.0, 60.0, size=60.0)
    above, below = shown(31.74, 60.0, size=60.0), shown(25.0, 31.7, size=60.0)
    for part, same in ((above, slice(674, None)), (below, slice(None, 671))):
        np.testing.assert_allclose(absolute(part), absolute(whole)[same], rtol=1e-2)
    assert above.peaks["two_theta"].min() > 40
    assert below.peaks["two_theta"].max() < 28
    # A peak so narrow that only its second line reaches into the range.
    narrow = {"step": 0.001, "width": 0.002}
    both, second = shown(31.6, 47.0, **narrow), shown(31.76, 47.0, **narrow)
    tail = absolute(both)[160:]
    assert tail[:40].max() > 0.1 * absolute(both).max()
    np.testing.assert_allclose(absolute(second), tail, rtol=1e-2, atol=1e-6 * tail.max())


def test_strains_widen_peaks_and_atoms_that_move_lower_those_at_high_angles() -> None:
    plain = simulated(SALT)
    strained = simulated(SALT, options=Options(microstrain=0.005))
    assert (strained.pattern > 50).sum() > (plain.pattern > 50).sum()
    turned = simulated(SALT, options=Options(u=0.1, v=-0.01))
    assert turned.strength < 0.9 * plain.strength
    moving = simulated(SALT, options=Options(b_factor=2.0))
    sine = np.sin(np.radians(plain.peaks["two_theta"] / 2)) / 1.54184
    expected = plain.peaks["intensity"] * np.exp(-4.0 * sine**2)
    expected *= 100 / expected.max()
    np.testing.assert_allclose(moving.peaks["intensity"], expected, rtol=1e-4)
    bad = [{"microstrain": 0.5}, {"b_factor": -1.0}, {"u": -0.1}, {"v": float("nan")}]
    for wrong in (*bad, {"debye": 8.0, "size": 80.0}, {"debye": 8.0, "b_factor": 1.0}):
        with pytest.raises(GnnmatError):
            Options(**wrong)


def test_a_mixture_weighs_phases_by_mass() -> None:
    parts = [simulated(SALT), simulated(COPPER)]
    half = mixed(parts, parse_mixture("salt=1,copper=1", ["salt", "copper"]))
    most = mixed(parts, parse_mixture("salt=9,copper=1", ["salt", "copper"]))
    at_salt, at_copper = parts[0].pattern.argmax(), parts[1].pattern.argmax()
    # Mass of the cell times its volume, four formula units of NaCl and one atom of Cu.
    strengths = [
        one.strength / mass / one.phase.crystal.volume
        for one, mass in zip(parts, (4 * 58.44, 63.546), strict=True)
    ]
    assert half[at_copper] / half[at_salt] == pytest.approx(strengths[1] / strengths[0], rel=0.01)
    ratio = (most[at_salt] / most[at_copper]) / (half[at_salt] / half[at_copper])
    assert ratio == pytest.approx(9, rel=0.01)


def test_a_particle_scatters_as_its_atoms_do_alone() -> None:
    # A ball that holds one atom: f^2 with the polarisation, whatever the crystal.
    one = simulated(COPPER, Axis(20, 40, 0.5), Options(debye=1.0))
    assert one.atoms == 1
    assert (np.diff(one.pattern) < 0).all()
    with pytest.raises(GnnmatError, match=r"Choose a radius up to \d+ Å"):
        raise_refusal(Options(debye=200.0))


def raise_refusal(options: Options) -> None:
    (one,) = simulate_phases([COPPER], make_beam(), COARSE, options)
    assert isinstance(one, Refusal)
    raise GnnmatError(one.reason)


def test_a_bad_crystal_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    bad = tmp_path / "bad.cif"
    bad.write_text("nonsense")
    made = gnnmat.simulate_diffraction(
        [crystals.rock_salt(), crystals.copper(), bad],
        tmp_path / "out",
        start=40,
        stop=44,
        fingerprint=True,
    )
    # Of rock salt nothing lies between 40 and 44 degrees, of copper (1 1 1):
    # 2 asin(1.54184 sqrt(3) / (2 x 3.61)) = 43.42.
    assert made.summary["formula"].tolist() == ["Cu"]
    assert made.summary["strongest_two_theta"][0] == pytest.approx(43.42, abs=0.01)
    assert len(made.refused) == 2
    reasons = pd.read_csv(tmp_path / "out" / "refused.csv")["reason"]
    assert reasons.str.contains("no peak from 40 to 44 degrees").any()
    with np.load(tmp_path / "out" / "fingerprints.npz") as held:
        assert held["images"].shape == (1, 3, 64, 64)
    assert "2 crystals left out" in made.page.read_text()


def test_a_name_that_is_html_is_text_on_the_page(tmp_path: Path) -> None:
    odd = Phase("<img src=x onerror=alert(1)>", crystals.copper())
    made = write_simulated([odd, SALT], make_beam(), COARSE, Options(), tmp_path)
    text = made.page.read_text()
    assert "<img src=x" not in text
    assert "&lt;img src=x" in text


@pytest.mark.parametrize(
    ("radiation", "wavelength", "doublet", "words"),
    [
        ("xrays", None, False, "There is no radiation 'xrays'"),
        ("xray", "CuK", False, "There is no line 'CuK'"),
        ("xray", "154", False, "wavelength of 154 Å is out of range"),
        ("xray", 1.54, True, "has no doublet"),
        ("neutron", "CuKa", False, "is a line of X-rays"),
    ],
)
def test_beams_that_are_none_are_refused(
    radiation: str, wavelength: str | float | None, doublet: bool, words: str
) -> None:
    with pytest.raises(GnnmatError, match=words):
        make_beam(radiation, wavelength, doublet=doublet)


def test_a_pattern_says_its_wavelength_or_is_asked() -> None:
    from .powders import measured

    pattern = measured(crystals.copper(), seed=None)
    assert beam_of(pattern).wavelength == pattern.wavelength
    silent = type(pattern)(pattern.id, pattern.two_theta, pattern.counts)
    with pytest.raises(GnnmatError, match="does not say its wavelength"):
        beam_of(silent)
    assert beam_of(silent, wavelength="CuKa").second == pytest.approx(1.54439 / 1.54056)
    assert beam_of(silent, wavelength="CuKa1").second == 1.0
    near = beam_of(pattern, wavelength=1.0005 * pattern.wavelength)  # that of the file counts
    assert near.wavelength == pattern.wavelength


def test_a_pattern_says_its_radiation_or_it_is_of_xrays() -> None:
    from .powders import measured

    pattern = measured(crystals.copper(), seed=None)
    assert beam_of(pattern).radiation == "xray"
    of_neutrons = replace(pattern, radiation="neutron")
    assert beam_of(of_neutrons).radiation == "neutron"
    with pytest.raises(GnnmatError, match="radiation is neutron, and xray was given"):
        beam_of(of_neutrons, "xray")


def test_names_of_lines_are_known_in_small_letters_and_misspelled() -> None:
    assert make_beam("xray", "cuka1") == make_beam("xray", "CuKa1")
    assert make_beam("xray", "moka", doublet=True) == make_beam("xray", "MoKa", doublet=True)
    with pytest.raises(GnnmatError, match="no line 'CuKb'") as caught:
        make_beam("xray", "CuKb")
    assert "Did you mean 'CuKa'?" in caught.value.fix


def test_written_columns_of_q_are_read_as_the_angles_they_are(tmp_path: Path) -> None:
    gnnmat.simulate_diffraction(
        [crystals.rock_salt()], tmp_path, radiation="neutron", q=True, start=1.5, stop=5
    )
    (file,) = tmp_path.glob("*.xy")
    found = read_powder(file)
    assert (found.radiation, found.wavelength) == ("neutron", 1.54)
    # (2 2 0) of rock salt is the strongest for neutrons: d = a / sqrt 8.
    strongest = found.two_theta[found.counts.argmax()]
    assert strongest == pytest.approx(2 * np.degrees(np.arcsin(1.54 / 5.64 * 2**0.5)), abs=0.1)


def test_files_of_an_earlier_simulation_do_not_stay(tmp_path: Path) -> None:
    (tmp_path / "mine.xy").write_text("10 1\n")
    write_simulated([SALT, COPPER], make_beam(), COARSE, Options(), tmp_path)
    assert (tmp_path / "salt.xy").exists()
    write_simulated([COPPER], make_beam(), COARSE, Options(), tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.xy")) == ["copper.xy", "mine.xy"]
    assert pd.read_csv(tmp_path / "summary.csv")["files"].tolist() == ["copper"]
    nothing_there = Axis(1, 2, 0.05)
    with pytest.raises(GnnmatError, match="None of 1 crystals"):
        write_simulated([SALT], make_beam(), nothing_there, Options(), tmp_path)
    assert (tmp_path / "copper.xy").exists()


def test_crystallites_without_peaks_are_refused() -> None:
    with pytest.raises(GnnmatError, match="Crystallites of 1 Å have no Bragg peaks"):
        Options(size=1.0)


@pytest.mark.parametrize(
    ("start", "stop", "step", "is_q", "words"),
    [
        (50, 20, 0.02, False, "is no range"),
        (5, 190, 0.02, False, "2 theta ends at 180"),
        (5, 90, 60, False, "expected 10 to"),
        (1, 20, 0.01, True, "reaches Q = 8.15"),
    ],
)
def test_axes_that_are_none_are_refused(
    start: float, stop: float, step: float, is_q: bool, words: str
) -> None:
    with pytest.raises(GnnmatError, match=words):
        Axis(start, stop, step, is_q).degrees(1.54184)


def test_mixtures_that_are_none_are_refused(tmp_path: Path) -> None:
    for text, words in (
        ("salt", "no share of a mixture"),
        ("salt=-1", "no share of a mixture"),
        ("salz=1", "Did you mean 'salt'"),
    ):
        with pytest.raises(GnnmatError, match=words):
            parse_mixture(text, ["salt", "copper"])
    with pytest.raises(GnnmatError, match="it was refused"):
        mixed([simulated(SALT)], {"salt": 0.5, "copper": 0.5})
    with pytest.raises(GnnmatError, match="single particles"):
        write_simulated([SALT], make_beam(), COARSE, Options(debye=5.0), tmp_path, mixture="salt=1")


def test_when_nothing_is_left_it_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="There is no peak from 1 to 2 degrees"):
        write_simulated([SALT], make_beam(), Axis(1, 2, 0.01), Options(), tmp_path)


def test_a_mixture_has_the_peaks_of_its_phases_on_the_page(tmp_path: Path) -> None:
    shares = "salt=0.7,copper=0.3"
    made = write_simulated([SALT, COPPER], make_beam(), COARSE, Options(), tmp_path, mixture=shares)
    page = made.page.read_text(encoding="utf-8")
    # Once in the mixture; in its own panel a peak goes without the name.
    for name in ("salt", "copper"):
        assert f"{name} (1 1 1), d " in page
