"""Where the mask of a measured spectrum comes from."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnnmat.errors import GnnmatError, GnnmatWarning
from gnnmat.simulation.hypotheses import Simulation
from gnnmat.sources.spectrum import Spectrum, write_spectrum
from gnnmat.workflows.measured_spectrum import measured_spectrum

from .square_lattice import square


@pytest.fixture
def gaps(tmp_path: Path) -> Path:
    """A mask that is not its own mirror image: the first column of every slice."""
    mask = np.zeros((12, 12), dtype=bool)
    mask[:, [0, 6]] = True
    np.savez(tmp_path / "gaps.npz", mask=mask)
    return tmp_path / "gaps.npz"


def simulation(gaps: Path | str) -> Simulation:
    return square(instrument__mask=str(gaps))


def bare(zero_columns: Any) -> Spectrum:
    """A spectrum without a mask, zero in these columns."""
    image = np.random.default_rng(0).uniform(1, 2, (12, 12)).astype(np.float32)
    image[:, zero_columns] = 0
    return Spectrum(image, np.zeros_like(image, dtype=bool), square().layout.build(), "bare")


def test_the_mask_of_the_simulation_is_used_in_the_orientation_that_fits(gaps: Path) -> None:
    found = measured_spectrum(bare([0, 6]), simulation(gaps))
    assert found.mask[:, [0, 6]].all()
    assert found.mask.sum() == 24
    mirrored = measured_spectrum(bare([5, 11]), simulation(gaps))
    assert mirrored.mask[:, [5, 11]].all()
    assert mirrored.mask.sum() == 24


def test_a_file_and_a_spectrum_are_read_alike(gaps: Path, tmp_path: Path) -> None:
    path = write_spectrum(
        tmp_path / "one.npz", replace(bare([0, 6]), mask=np.zeros((12, 12), bool))
    )
    with np.load(path) as archive:
        np.savez(path, **{name: archive[name] for name in archive.files if name != "mask"})
    found = measured_spectrum(path, simulation(gaps))
    assert np.array_equal(found.mask, measured_spectrum(bare([0, 6]), simulation(gaps)).mask)


def test_a_spectrum_that_sees_where_the_instrument_does_not_stays_whole(gaps: Path) -> None:
    with pytest.warns(GnnmatWarning, match="'bare' comes without a mask, and is not zero where"):
        assert not measured_spectrum(bare([]), simulation(gaps)).mask.any()


def test_a_mask_that_is_not_at_hand_is_missed_in_words() -> None:
    with pytest.warns(GnnmatWarning, match="none is at hand: every pixel counts"):
        measured_spectrum(bare([]), simulation("$NOWHERE/gaps.npz"))


def test_a_simulation_without_a_mask_says_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not measured_spectrum(bare([0, 6]), square()).mask.any()


def test_a_mask_that_is_named_covers_what_the_spectrum_has_not(gaps: Path) -> None:
    own = np.zeros((12, 12), dtype=bool)
    own[0] = True
    found = measured_spectrum(replace(bare([]), mask=own), square(), mask=gaps)
    assert found.mask.sum() == 12 + 24 - 2
    assert not found.image[found.mask].any()


def test_masks_that_leave_nothing_or_are_no_masks_are_refused(gaps: Path, tmp_path: Path) -> None:
    own = np.ones((12, 12), dtype=bool)
    own[:, 0] = False
    with pytest.raises(GnnmatError, match="covers every pixel that is left"):
        measured_spectrum(replace(bare([]), mask=own), square(), mask=gaps)
    with pytest.raises(GnnmatError, match="absent"):
        measured_spectrum(bare([]), square(), mask=tmp_path / "absent.npz")


def test_a_spectrum_whose_h_rises_is_turned_with_its_mask() -> None:
    wanted = square().layout.build()
    upside = replace(wanted, h=wanted.h[::-1])
    made = bare([0, 6])
    turned = Spectrum(wanted.mirror_h(made.image), made.mask, upside, "turned")
    assert np.array_equal(measured_spectrum(turned, square()).image, made.image)
