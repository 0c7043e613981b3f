"""What the words around columns say: wavelengths, their units, radiation, Q for 2 theta."""

from __future__ import annotations

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.sources.powder_files import parse_powder
from gnnmat.sources.powder_header import Header, read_header

ANGLES = np.linspace(10, 60, 51)
ROWS = [f"{angle:.4f},{100 + angle:.1f}" for angle in ANGLES]
PANALYTICAL = """[Measurement conditions]
Comment,"Configuration=Stage, 2024"
Anode material,Cu
K-Alpha1 wavelength,1.540598
K-Alpha2 wavelength,1.544426
Ratio K-Alpha2/K-Alpha1,0.50000
[Scan points]
Angle,Intensity
"""


def test_the_text_of_a_diffractometer_names_both_lines() -> None:
    found = parse_powder("film.csv", (PANALYTICAL + "\n".join(ROWS)).encode())
    assert (found.wavelength, found.second) == (1.540598, 1.544426)
    np.testing.assert_allclose(found.two_theta, ANGLES)


def test_cells_in_quotation_marks_are_numbers() -> None:
    quoted = "\n".join('"' + '","'.join(row.split(",")) + '"' for row in ROWS)
    found = parse_powder("film.csv", f'"2theta","counts"\n{quoted}'.encode())
    np.testing.assert_allclose(found.two_theta, ANGLES)
    np.testing.assert_allclose(found.counts, 100 + ANGLES)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("# Q (1/Å), intensity", Header(q_unit=1.0)),
        ("q [nm^-1]  I", Header(q_unit=0.1)),
        ("# Q_A^-1, counts", Header(q_unit=1.0)),
        ("Q, Å⁻¹", Header(q_unit=1.0)),
        ("# q = 4 pi sin(theta) / lambda", Header()),
        ("# 2theta (degrees), of Q (1/Å)", Header()),
        ("# d (Å), counts", Header(is_spacing=True)),
        ("d-spacing [nm]  I", Header(is_spacing=True)),
        ("d,intensity", Header(is_spacing=True)),
        ("# d_A I", Header(is_spacing=True)),
        ("# date: 3 May", Header()),
        ("# 2theta (deg), counts, d (Å)", Header()),
        ("# d(A), Iobs, sigma", Header(is_spacing=True)),
        ("# detector, counts", Header()),
        ("# D. A. Smith, 12 May 2021", Header()),
        ("# D I Ivanov", Header()),
        ("# D:\\A1\\scan.xy", Header()),
        ("# DA-12 annealed", Header()),
        ("# d-spacing of monochromator = 3.3550", Header()),
        ("# d = a/sqrt(h2+k2+l2)", Header()),
        ("# 2 theta (degrees), intensity", Header()),
        ("# FAQ (1/a)", Header()),
        ("# q [nm^-1], wavelength=0.2", Header(0.2, q_unit=0.1)),
        ("# Q (nm^-1), wavelength 1.5406", Header(1.5406, q_unit=0.1)),
        ("# q (1/nm), lambda (A) = 0.2", Header(0.2, q_unit=0.1)),
        ("# q (1/nm), lambda (nm) = 0.02", Header(0.2, q_unit=0.1)),
        ("# Wavelength: 2.0664e-11", Header(0.20664)),
        ("# Wavelength: 1.0e-10 m", Header(1.0)),
        ("# q_nm^-1 I", Header(q_unit=0.1)),
        ("# integrated from Q (1/nm)", Header()),
        ("# I, Q (1/nm)", Header()),
        ("# neutron, wavelength = 1.540000 Å", Header(1.54, radiation="neutron")),
        ("# radiation: X-rays", Header(radiation="xray")),
        ("# electron, wavelength = 2.508 pm", Header(0.02508, radiation="electron")),
        ("# electron beam heater off", Header()),
        ("# K-Alpha2: 1.5444", Header()),  # of what
        ("# Kalpha1: 0.15406 nm, Kalpha2: 0.15444 nm", Header(1.5406, 1.5444)),
    ],
)
def test_words_are_understood_or_passed_over(line: str, expected: Header) -> None:
    found = read_header([line])
    assert (found.radiation, found.q_unit) == (expected.radiation, expected.q_unit)
    assert found.is_spacing == expected.is_spacing
    assert found.first == pytest.approx(expected.first)
    assert found.second == pytest.approx(expected.second)


def test_a_column_of_angles_is_none_of_q_whatever_else_is_said() -> None:
    lines = ["# Q (1/Å) range 0.5 to 8", "# wavelength 1.5406", "# 2th(deg) counts"]
    assert read_header(lines) == Header(1.5406)


def test_a_first_column_of_lattice_spacings_is_refused() -> None:
    rows = "\n".join(f"{8.84 - 0.01 * place:.2f} 5" for place in range(700))
    with pytest.raises(GnnmatError, match="first column is d, the lattice spacing"):
        parse_powder("film.xy", f"# d (Å), counts\n{rows}".encode())


@pytest.mark.parametrize(("unit", "factor"), [("1/Å", 1.0), ("1/nm", 10.0)])
def test_a_first_column_of_q_becomes_angles(unit: str, factor: float) -> None:
    q = 4 * np.pi * np.sin(np.radians(ANGLES / 2)) / 1.5406 * factor
    rows = "\n".join(f"{x:.9f} 5" for x in q)
    text = f"# Q ({unit}), intensity\n{rows}"
    known = parse_powder("film.xy", f"# wavelength = 1.5406\n{text}".encode())
    np.testing.assert_allclose(known.two_theta, ANGLES, atol=1e-6)
    given = parse_powder("film.xy", text.encode(), wavelength=1.5406)
    np.testing.assert_allclose(given.two_theta, ANGLES, atol=1e-6)
    other = parse_powder("film.xy", text.encode(), otherwise=1.5406)
    np.testing.assert_allclose(other.two_theta, ANGLES, atol=1e-6)
    assert other.wavelength == 1.5406
    assert parse_powder("film.csv", "\n".join(ROWS).encode(), otherwise=1.5).wavelength is None
    with pytest.raises(GnnmatError, match="gives Q, and does not say its wavelength"):
        parse_powder("film.xy", text.encode())
    with pytest.raises(GnnmatError, match="cannot be reached"):
        parse_powder("film.xy", text.encode(), wavelength=5.0)


def test_the_third_column_of_xye_holds_standard_deviations() -> None:
    rows = "\n".join(f"{angle:.3f} 100 {2 + angle / 10:.3f}" for angle in ANGLES[::-1])
    found = parse_powder("film.xye", rows.encode())
    assert found.sigma is not None
    np.testing.assert_allclose(found.sigma, 2 + ANGLES / 10)
    assert parse_powder("film.xy", rows.encode()).sigma is None
    zero = parse_powder("film.xye", rows.replace("100 3.000", "100 0").encode())
    assert zero.sigma is None
    assert "standard deviations were passed over" in zero.notes[0]


def test_averaged_angles_have_smaller_deviations() -> None:
    rows = "\n".join(f"{angle:.3f} 100 3\n{angle:.3f} 102 4" for angle in ANGLES)
    found = parse_powder("film.xye", rows.encode())
    assert found.sigma is not None
    np.testing.assert_allclose(found.sigma, np.hypot(3, 4) / 2)


def test_patterns_of_electrons_end_at_small_angles() -> None:
    rows = "\n".join(f"{angle:.4f} 5" for angle in np.linspace(0.2, 2.5, 40))
    found = parse_powder("film.xy", f"# electron, wavelength = 0.02508 Å\n{rows}".encode())
    assert found.wavelength == 0.02508
    with pytest.raises(GnnmatError, match="radians"):
        parse_powder("film.xy", rows.encode())
