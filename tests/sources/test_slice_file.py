"""Slices exported as text, put together by a list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from gnnmat.errors import GnnmatError
from gnnmat.sources.slice_file import read_slice
from gnnmat.sources.slice_stack import part_files
from gnnmat.sources.spectrum import read_spectrum

# Three bins in x, two in y; the second has no detector, the others one or two, listed below them.
TEXT = """ 3 2 -0.5 0.25 0.5 0.5
-0.5 0.25 1.5 0.1 2
 17 3.5 0.1 -0.51 0.24 1.4 0.2
 18 3.5 0.1 -0.49 0.26 1.6 0.2
0.0 0.25 -1e30 0.0 0
0.5 0.25 2.5 0.1 1
 19 3.5 0.1 0.5 0.25 2.5 0.1
-0.5 0.75 3.5 0.1 1
 20 3.5 0.1 -0.5 0.75 3.5 0.1
0.0 0.75 4.5 0.1 1
 21 3.5 0.1 0.0 0.75 4.5 0.1
0.5 0.75 5.5 0.1 1
 22 3.5 0.1 0.5 0.75 5.5 0.1
x_label = [ 0, Q_k, 0 ]  in 1.15 A-1
title = made by hand
"""


@pytest.fixture
def slc(tmp_path: Path) -> Path:
    path = tmp_path / "one.slc"
    path.write_text(TEXT)
    return path


def test_bins_without_a_detector_are_nan(slc: Path) -> None:
    found = read_slice(slc)
    np.testing.assert_allclose(found.x, [-0.5, 0.0, 0.5])
    np.testing.assert_allclose(found.y, [0.25, 0.75])
    np.testing.assert_allclose(found.intensity, [[1.5, np.nan, 2.5], [3.5, 4.5, 5.5]])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TEXT[:200], "cut short"),
        ("3 2 0 0\n", "first line is not nx ny x y dx dy"),
        ("3 2 0 0 1 0\n", "a grid of 3 by 2"),
        ("1e9 2 0 0 1 1\n", "a grid of 1e"),
        ("1 1 0 0 1 1\n1 2 3\n", "bin 1 has 3 numbers"),
        ("words\n", "could not convert"),
        ("", "cut short"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bad.slc"
    path.write_text(text)
    with pytest.raises(GnnmatError, match="is not a slice file") as caught:
        read_slice(path)
    assert words in str(caught.value)


def listed(folder: Path, slices: list[dict[str, Any]], **options: Any) -> Path:
    path = folder / "stack.yaml"
    path.write_text(yaml.safe_dump({"kind": "slices", "slices": slices, **options}))
    return path


def part(low: float, energy: float = 20, file: str = "one.slc") -> dict[str, Any]:
    return {"file": file, "incident_energy": energy, "energy": [low, low + 2]}


def test_a_list_of_slices_is_a_spectrum_with_h_falling_and_k_rising(slc: Path) -> None:
    path = listed(slc.parent, [part(6), part(2)])
    spectrum = read_spectrum(path)
    tile = [[3.5, 4.5, 5.5], [1.5, 0.0, 2.5]]
    np.testing.assert_allclose(spectrum.image, np.hstack([tile, tile]))
    assert spectrum.mask.sum() == 2
    assert spectrum.layout is not None
    assert spectrum.layout.energy_edges == (((2.0, 4.0), (6.0, 8.0)),)
    assert spectrum.layout.h == (0.75, 0.25)
    assert part_files(path) == [slc, slc]


def test_the_x_axis_of_the_files_may_be_h(slc: Path) -> None:
    spectrum = read_spectrum(listed(slc.parent, [part(2)], columns="h"))
    assert spectrum.layout is not None
    assert spectrum.layout.k == (0.25, 0.75)
    np.testing.assert_allclose(spectrum.image, [[2.5, 5.5], [0.0, 4.5], [1.5, 3.5]])


def test_slices_that_do_not_belong_together_are_refused(slc: Path) -> None:
    def words(slices: list[dict[str, Any]]) -> str:
        with pytest.raises(GnnmatError) as caught:
            read_spectrum(listed(slc.parent, slices))
        return str(caught.value)

    assert "1 slices at 30 meV, 2 at 20 meV" in words([part(2), part(4), part(4, 30)])
    assert "every incident energy needs the same number" in words([part(2), part(2)])
    (slc.parent / "two.slc").write_text(TEXT.replace("3 2 -0.5 0.25", "3 2 -0.4 0.25", 1))
    assert "do not have the same pixels" in words([part(2), part(4, file="two.slc")])
    assert "does not exist" in words([part(2, file="absent.slc")])
    assert "does not list the parts" in words([])
    assert "does not fit an incident energy" in words([part(19)])
    (slc.parent / "stack.yaml").write_text("a: [")
    with pytest.raises(GnnmatError, match="not readable YAML"):
        read_spectrum(slc.parent / "stack.yaml")
