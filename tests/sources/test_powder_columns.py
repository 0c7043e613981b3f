"""Columns of angles and counts: decimal commas, headers, repeated angles, columns run together."""

from __future__ import annotations

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.sources.powder_files import parse_powder
from gnnmat.sources.powder_pattern import PowderPattern, powder_pattern

ANGLES = np.round(np.arange(10, 12, 0.02), 2)
COUNTS = 120.5 + np.arange(len(ANGLES))


def text(between: str, *, comma: bool, counts: str = ".1f", more: str = "") -> str:
    """Lines of angle and count; ``comma`` writes decimal commas."""
    lines = []
    for angle, count in zip(ANGLES, COUNTS, strict=True):
        cells = [f"{angle:.2f}", f"{count:{counts}}", *([more] if more else [])]
        lines.append(between.join(one.replace(".", ",") if comma else one for one in cells))
    return "\n".join(lines)


def read(content: str, name: str = "film.txt") -> PowderPattern:
    return parse_powder(name, content.encode())


@pytest.mark.parametrize("between", [";", "\t", " ", " ; ", ";\t"])
@pytest.mark.parametrize("more", ["", "10.5"])
def test_beside_other_separators_a_comma_is_a_decimal_point(between: str, more: str) -> None:
    found = read(text(between, comma=True, more=more))
    np.testing.assert_allclose(found.two_theta, ANGLES)
    np.testing.assert_allclose(found.counts, COUNTS)
    assert found.notes == ()


def test_whole_counts_and_words_above_do_not_matter() -> None:
    head = "2Theta, in degrees; counts, per second\n# 0,02 degrees a step\n"
    found = read(head + text(";", comma=True, counts=".0f"))
    np.testing.assert_allclose(found.two_theta, ANGLES)
    np.testing.assert_allclose(found.counts, np.round(COUNTS))
    powers = read("\n".join(f"{angle:.5e};1,2e+02".replace(".", ",") for angle in ANGLES))
    np.testing.assert_allclose(powers.two_theta, ANGLES)
    np.testing.assert_allclose(powers.counts, 120)


@pytest.mark.parametrize("between", [",", ", ", " , ", ";", "\t", ",\t", ";;"])
def test_decimal_points_are_read_whatever_separates(between: str) -> None:
    for more in ("", "10.5", "2026-01-01 12:30"):
        found = read(text(between, comma=False, more=more))
        np.testing.assert_allclose(found.two_theta, ANGLES)
        np.testing.assert_allclose(found.counts, COUNTS)


def test_whole_numbers_separated_by_commas_are_two_columns() -> None:
    found = read("\n".join(f"{n},{n + 100}" for n in range(10, 30)), "film.csv")
    np.testing.assert_array_equal(found.two_theta, np.arange(10, 30))
    np.testing.assert_array_equal(found.counts, np.arange(110, 130))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (text(",", comma=True), "cannot tell which of its commas are decimal points"),
        (text(",", comma=True, counts=".0f"), "cannot tell which of its commas are decimal"),
        (text("\t", comma=False).replace("\t1", "\t1,2"), "both decimal points and commas"),
        (text(" ", comma=False).replace(".", ",", 30), "both decimal points and commas"),
    ],
)
def test_commas_that_mean_nobody_knows_what_are_refused(content: str, words: str) -> None:
    with pytest.raises(GnnmatError, match=words) as caught:
        read(content)
    assert "line 1" in str(caught.value)
    assert "decimal points" in caught.value.fix


def test_angles_that_come_again_and_again_are_refused() -> None:
    whole = np.floor(ANGLES * 2) / 2  # 25 angles became one
    with pytest.raises(GnnmatError, match="96 of 100 angles repeat the one before"):
        powder_pattern("film", whole, COUNTS)
    twice = powder_pattern("film", np.repeat(ANGLES, 2), np.repeat(COUNTS, 2))
    np.testing.assert_allclose(twice.two_theta, ANGLES)


@pytest.mark.parametrize(
    "line",
    [
        "; Kalpha2/Kalpha1 = 0.5",
        "# K-Alpha2 / K-Alpha1 = 0.5",
        "# K-Alpha1 ratio 0.50000",
        "# Ratio K-Alpha2:K-Alpha1 0.5",
        "' ratio of Kalpha2 to Kalpha1: 0.497",
        "# Kalpha2 over Kalpha1 0.5",
        "# intensity ratio, second wavelength to first: 0.5",
        "# Kalpha1 intensity 1.00",
    ],
)
def test_a_ratio_of_lines_is_no_wavelength(line: str) -> None:
    bare = text(" ", comma=False)
    assert read(f"{line}\n{bare}").wavelength is None
    assert read(f"{line}\n# Wavelength = 1.5406\n{bare}").wavelength == 1.5406


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("# wavelength = 1.5406", 1.5406),
        ("# Wavelength (A): 1.54056", 1.54056),
        ("; lambda/Å 0.7093", 0.7093),
        ("' K-Alpha1 = 1.540598", 1.540598),
        ('"Kalpha1","1.5406"', 1.5406),
        ("# Kalpha1: 1.5406, Kalpha2: 1.5444, ratio 0.5", 1.5406),
        ("# ratio 0.5, wavelength 1.5406", 1.5406),
        ("# step 0.02, K-Alpha2/K-Alpha1 0.5, lambda 1.5406", 1.5406),
        ("# wavelengths of Kalpha: 1.5406 1.5444", 1.5406),
        ("# used lambda (laboratory calibration): 1.5418", None),  # too far from its name
        ("wavelength = 1.5406", 1.5406),  # above the numbers
        ("# wavelength = 0.15406 nm", 1.5406),
        ("# wavelength (nm): 0.15406", 1.5406),
        ("# Lambda 154.06 pm", 1.5406),
        ("K-Alpha1 wavelength,1.540598", 1.540598),
    ],
)
def test_wavelengths_that_a_comment_names_are_found(line: str, expected: float | None) -> None:
    assert read(f"{line}\n{text(' ', comma=False)}").wavelength == expected


def test_the_cut_of_columns_run_together_follows_the_digits_as_written() -> None:
    lines = ["13.0000  56", "13.0500  57", "13.10021260", "13.1500  58", "13.200099999"]
    lines += [f"{13.25 + 0.05 * n:.4f}  60" for n in range(8)]
    found = read("\n".join(lines))
    np.testing.assert_allclose(found.two_theta[:5], [13, 13.05, 13.1002, 13.15, 13.2])
    assert found.counts[:5].tolist() == [56, 57, 1260, 58, 99999]
    german = read("\n".join(lines).replace(".", ","))
    np.testing.assert_allclose(german.two_theta, found.two_theta)
    np.testing.assert_allclose(german.counts, found.counts)
