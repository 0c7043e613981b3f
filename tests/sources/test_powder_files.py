"""Powder patterns from small files of every format, and what is wrong with others."""

from __future__ import annotations

import contextlib
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnnmat.errors import GnnmatError
from gnnmat.sources.powder_files import READERS, read_powder
from gnnmat.sources.powder_pattern import powder_pattern

ANGLES = np.linspace(10, 12, 21)
COUNTS = np.round(100 + 50 * np.exp(-((ANGLES - 11) ** 2) / 0.01))
XRDML = """<?xml version="1.0"?>
<xrdMeasurements xmlns="http://www.xrdml.com/XRDMeasurement/1.5"><xrdMeasurement>
<usedWavelength><kAlpha1 unit="Angstrom">1.5405980</kAlpha1><kAlpha2>1.5444260</kAlpha2>
</usedWavelength><scan><dataPoints><positions axis="2Theta" unit="deg"><startPosition>10.0
</startPosition><endPosition>12.0</endPosition></positions><positions axis="Omega"><startPosition>5
</startPosition></positions><intensities unit="counts">{counts}</intensities></dataPoints></scan>
</xrdMeasurement></xrdMeasurements>"""
RAS = """*RAS_DATA_START
*HW_XG_WAVE_LENGTH_ALPHA1 "1.540593"
*HW_XG_WAVE_LENGTH_ALPHA2 "1.544414"
*RAS_INT_START
{lines}
*RAS_INT_END
"""
BRML = (
    '<RawData><WaveLengthAlpha1 Value="1.5406"/><WaveLengthAlpha2 Value="1.54439"/>{data}</RawData>'
)


def write(folder: Path, suffix: str) -> Path:
    """The pattern in the format of this suffix."""
    path = folder / f"film{suffix}"
    pairs = list(zip(ANGLES, COUNTS, strict=True))
    if suffix == ".xrdml":
        path.write_text(XRDML.format(counts=" ".join(f"{one:.0f}" for one in COUNTS)))
    elif suffix == ".ras":
        path.write_text(RAS.format(lines="\n".join(f"{x:.4f} {y / 2:.1f} 2.0" for x, y in pairs)))
    elif suffix == ".brml":
        data = "".join(f"<Datum>0.5,1,{x:.4f},{x / 2:.4f},{y:.0f}</Datum>" for x, y in pairs)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("Experiment0/RawData0.xml", BRML.format(data=data))
    else:
        between = ", " if suffix == ".csv" else " "
        head = "2theta,counts\n" if suffix == ".csv" else "# wavelength = 1.5406\n"
        more = " 10.0" if suffix == ".xye" else ""
        path.write_text(head + "\n".join(f"{x:.4f}{between}{y:.1f}{more}" for x, y in pairs))
    return path


@pytest.mark.parametrize("suffix", list(READERS))
def test_every_format_gives_the_same_pattern(suffix: str, tmp_path: Path) -> None:
    found = read_powder(write(tmp_path, suffix), wavelength=1.5406)
    assert found.id == "film"
    np.testing.assert_allclose(found.two_theta, ANGLES, atol=1e-6)
    np.testing.assert_allclose(found.counts, COUNTS)
    assert found.wavelength == pytest.approx(1.5406, abs=1e-4)
    if suffix in {".xrdml", ".ras", ".brml"}:
        assert found.second == pytest.approx(1.5444, abs=1e-4)


def test_measured_films_can_be_read(shared_data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared_data / "powder_xrd_halides" / "patterns.zip") as archive:
        archive.extractall(tmp_path)
    files = sorted(tmp_path.rglob("*.xy"))
    assert len(files) == 52
    assert all(len(read_powder(one)) > 100 for one in files)


def test_columns_of_fixed_width_that_run_together_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "film.xy"
    lines = [f"{13 + 0.0496 * n:7.4f}{56 + n:4d}" for n in range(12)]
    lines[9] = f"{13 + 0.0496 * 9:7.4f}1260"
    path.write_text("\n".join(lines))
    found = read_powder(path)
    assert found.two_theta[9] == pytest.approx(13.4464)
    assert found.counts[9] == 1260


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda x, y: (x, -y), "counts cannot be negative"),
        (lambda x, y: (x, y * np.nan), "point 1 has nan as its count"),
        (lambda x, y: (np.deg2rad(x), y), "look like radians"),
        (lambda x, y: (x * 20, y), "expected 2 theta"),
        (lambda x, y: (np.r_[x[5:], x[:5]], y), "out of order"),
        (lambda x, y: (x[:3], y[:3]), "3 points are no pattern"),
        (lambda x, y: (x[:-1], y), "do not fit"),
        (lambda x, y: (x, y * 0), "all counts are zero"),
    ],
)
def test_what_is_no_pattern_is_told(
    spoil: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]], words: str
) -> None:
    with pytest.raises(GnnmatError, match=words):
        powder_pattern("film", *spoil(ANGLES, COUNTS))


def test_wavelengths_must_be_in_angstrom_and_agree(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="out of range"):
        powder_pattern("film", ANGLES, COUNTS, wavelength=15.4)
    with pytest.raises(GnnmatError, match=r"says 1\.5406 Å, and 0\.7093"):
        read_powder(write(tmp_path, ".xy"), wavelength=0.7093)


def test_falling_and_repeated_angles_are_mended_and_noted() -> None:
    fallen = powder_pattern("film", ANGLES[::-1], COUNTS[::-1])
    np.testing.assert_allclose(fallen.counts, COUNTS)
    assert "turned around" in fallen.notes[0]
    twice = powder_pattern("film", np.repeat(ANGLES, 2), np.repeat(COUNTS, 2))
    np.testing.assert_allclose(twice.counts, COUNTS)
    assert "averaged" in twice.notes[0]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.raw", "x", "is not a file of a powder pattern"),
        ("a.xy", "nothing but words\n", "holds no line"),
        ("a.xy", "10 1\n10.1 1\nend of scan\n", "line 3: 'end of scan'"),
        ("a.xrdml", "<broken", "is damaged"),
        ("a.xrdml", "<xrdMeasurements/>", "holds no scan"),
        ("a.brml", "no archive", "is damaged"),
        ("a.ras", "*RAS_DATA_START\n", "holds no scan"),
    ],
)
def test_files_that_hold_no_pattern_are_told(
    name: str, text: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(GnnmatError, match=words):
        read_powder(tmp_path / name)


@given(st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_pattern_or_a_plain_error(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".xy", ".ras"):
            path = Path(folder) / f"any{suffix}"
            path.write_text(text, encoding="utf-8", errors="replace")
            with contextlib.suppress(GnnmatError):
                read_powder(path)
