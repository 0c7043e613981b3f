"""Sets of measured spectra: listed, put on one layout, and refused one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import relative_layout
from gnnmat.sources import Source
from gnnmat.sources.records import Records
from gnnmat.sources.spectra import SpectraSource, on_axes, records_from_spectra
from gnnmat.sources.spectrum import Spectrum
from gnnmat.sources.spectrum_files import read_mask

from .spectra import LAYOUT, gaps, intensities, saved

EXPECTED = np.where(gaps(), 0.0, intensities()).astype(np.float32)
MIRRORED = replace(LAYOUT, k=LAYOUT.k[::-1])
OTHER = relative_layout((30.0, 70.0), slices=3, pixels=8)


def opened(path: Any, **options: Any) -> Records:
    return SpectraSource(path=path if isinstance(path, tuple) else str(path), **options).open()


def test_a_recipe_names_the_source_by_its_kind() -> None:
    source = TypeAdapter(Source).validate_python({"kind": "spectra", "path": "a.npz"})
    assert isinstance(source, SpectraSource)


def test_a_folder_gives_every_spectrum_on_the_axes_of_the_first(tmp_path: Path) -> None:
    saved(tmp_path / "a.npz")
    saved(tmp_path / "b.npz", MIRRORED)
    records = opened(tmp_path)
    assert list(records.ids) == ["a", "b"]
    assert records.layout == LAYOUT.to_dict()
    first, second = (records.read(raw) for raw in records.raws)
    assert first.layout == second.layout == LAYOUT
    assert np.array_equal(first.mask, gaps())
    # The second file writes k the other way, and with it its mask.
    assert np.array_equal(second.mask, LAYOUT.mirror_k(gaps()))


def test_a_pattern_and_a_list_give_the_same_spectra_as_the_folder(tmp_path: Path) -> None:
    for name in ("a", "b"):
        saved(tmp_path / f"{name}.npz")
    pattern = opened(tmp_path / "*.npz")
    listed = opened((str(tmp_path / "a.npz"), str(tmp_path / "b.npz")))
    assert list(pattern.ids) == list(listed.ids) == ["a", "b"]
    assert pattern.fingerprint == listed.fingerprint


def test_a_csv_gives_the_values_and_refuses_what_has_no_partner(tmp_path: Path) -> None:
    for name in ("a", "b"):
        saved(tmp_path / f"{name}.npz")
    values = tmp_path / "values.csv"
    values.write_text("id,J1\na,1.5\nc,2.5\n")
    records = opened(tmp_path, targets=str(values), units={"J1": "meV"})
    assert list(records.ids) == ["a"]
    assert records.table["J1"].tolist() == [1.5]
    assert records.units == {"J1": "meV"}
    assert {one.id for one in records.refused} == {"b", "c"}


def test_the_fingerprint_tells_contents_masks_and_clipping_apart(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", mask=None)
    np.save(tmp_path / "mask.npy", gaps())
    found = {
        opened(path).fingerprint,
        opened(path, clip=True).fingerprint,
        opened(path, mask=str(tmp_path / "mask.npy")).fingerprint,
    }
    saved(path, image=2 * EXPECTED, mask=None)
    assert len(found | {opened(path).fingerprint}) == 4


def test_the_mask_of_the_instrument_is_given_to_spectra_without_one(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", mask=None)
    np.save(tmp_path / "mask.npy", gaps())
    records = opened(path, mask=str(tmp_path / "mask.npy"))
    found = records.read(records.raws[0])
    assert np.array_equal(found.mask, gaps())
    assert np.array_equal(found.image, EXPECTED)


def test_a_spectrum_keeps_its_own_mask(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz")
    np.save(tmp_path / "mask.npy", LAYOUT.mirror_k(gaps()))
    records = opened(path, mask=str(tmp_path / "mask.npy"))
    assert np.array_equal(records.read(records.raws[0]).mask, gaps())


def test_a_mirrored_mask_of_the_instrument_is_refused_with_the_way_it_fits(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", mask=None)
    np.save(tmp_path / "mask.npy", LAYOUT.mirror_k(gaps()))
    records = opened(path, mask=str(tmp_path / "mask.npy"))
    with pytest.raises(GnnmatError, match="mask and the image disagree") as caught:
        records.read(records.raws[0])
    assert "The mask fits when mirrored in k" in caught.value.fix


def test_a_mask_over_all_counts_leaves_nothing_to_see(tmp_path: Path) -> None:
    few = np.zeros(LAYOUT.image_shape)
    few[0, 0] = 1.0
    path = saved(tmp_path / "a.npz", image=few, mask=None)
    hidden = np.ones(LAYOUT.image_shape, bool)
    hidden[5, 5] = False
    np.save(tmp_path / "mask.npy", hidden)
    records = opened(path, mask=str(tmp_path / "mask.npy"))
    with pytest.raises(GnnmatError, match="nothing was counted outside the mask"):
        records.read(records.raws[0])


def test_a_mask_with_axes_of_its_own_is_turned(tmp_path: Path) -> None:
    path = saved(tmp_path / "mask.npz", MIRRORED, mask=LAYOUT.mirror_k(gaps()))
    assert np.array_equal(read_mask(path, LAYOUT), gaps())


@pytest.mark.parametrize(
    ("name", "held", "words"),
    [
        ("m.txt", None, "is neither an .npy nor an .npz file"),
        ("m.npz", {"image": EXPECTED}, "no array called 'mask'.\nIt holds: image."),
        ("m.npy", np.zeros((3, 3), bool), r"the mask has shape \(3, 3\), expected \(16, 24\)"),
        ("m.npy", np.ones(LAYOUT.image_shape, bool), "the mask covers every pixel"),
        ("m.npy", np.full(LAYOUT.image_shape, 7), "other values than 0 and 1"),
        ("m.npy", np.array([{}], dtype=object), "not read because they may run code"),
    ],
)
def test_a_bad_mask_is_refused(tmp_path: Path, name: str, held: Any, words: str) -> None:
    path = tmp_path / name
    if held is None:
        path.write_text("mask")
    elif isinstance(held, dict):
        np.savez(path, **held)
    else:
        np.save(path, held, allow_pickle=True)
    with pytest.raises(GnnmatError, match=words):
        read_mask(path, LAYOUT)


def test_nothing_found_is_said(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="There is no file or folder"):
        opened(tmp_path / "absent")
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(GnnmatError, match="No spectrum in"):
        opened(tmp_path)


def test_a_set_without_one_readable_spectrum_gives_the_first_reason(tmp_path: Path) -> None:
    saved(tmp_path / "a.npz", h=None)
    saved(tmp_path / "b.npz", image=np.full(LAYOUT.image_shape, np.inf))
    with pytest.raises(GnnmatError, match="axes missing: h"):
        opened(tmp_path)


def test_one_bad_spectrum_does_not_stop_the_others(tmp_path: Path) -> None:
    good = saved(tmp_path / "good.npz")
    bad = saved(tmp_path / "bad.npz", OTHER)
    made = Spectrum(EXPECTED, gaps(), LAYOUT, name="made")
    records = records_from_spectra([good, bad, made, "absent.npz", 7], LAYOUT)
    assert list(records.ids) == ["good", "made"]
    reasons = {one.id: one.reason for one in records.refused}
    assert reasons["bad"].startswith("'bad': the incident energies of the spectrum")
    assert "There is no file or folder" in reasons["absent"]
    assert reasons["int"] == "A int is not a spectrum. Expected a path or a Spectrum."


def test_a_spectrum_without_axes_is_accepted_by_its_shape_alone() -> None:
    bare = Spectrum(EXPECTED, gaps(), name="bare")
    small = Spectrum(EXPECTED[:8], gaps()[:8], name="small")
    records = records_from_spectra([bare, small], LAYOUT)
    assert list(records.ids) == ["bare"]
    assert records.read(records.raws[0]).layout == LAYOUT
    assert "has shape (8, 24), expected (16, 24)" in records.refused[0].reason


def test_spectra_made_in_python_are_turned_and_checked() -> None:
    turned = Spectrum(LAYOUT.mirror_k(EXPECTED), LAYOUT.mirror_k(gaps()), MIRRORED, name="turned")
    wrong = Spectrum(EXPECTED, LAYOUT.mirror_k(gaps()), LAYOUT, name="wrong")
    records = records_from_spectra([turned, wrong], LAYOUT)
    assert list(records.ids) == ["turned"]
    assert np.array_equal(records.read(records.raws[0]).image, EXPECTED)
    assert "the mask and the image disagree" in records.refused[0].reason


def test_ids_are_one_an_item_and_each_once() -> None:
    made = Spectrum(EXPECTED, gaps(), LAYOUT)
    assert list(records_from_spectra([made, made], LAYOUT, ["x", "y"]).ids) == ["x", "y"]
    with pytest.raises(GnnmatError, match="There are 2 spectra but 1 ids"):
        records_from_spectra([made, made], LAYOUT, ["x"])
    with pytest.raises(GnnmatError, match="x"):
        records_from_spectra([made, made], LAYOUT, ["x", "x"])


def test_records_of_another_source_are_turned_to_the_axes_of_a_run(tmp_path: Path) -> None:
    saved(tmp_path / "a.npz")
    records = opened(tmp_path)
    assert on_axes(records, LAYOUT) is records
    turned = on_axes(records, MIRRORED)
    assert turned.fingerprint != records.fingerprint
    assert np.array_equal(turned.read(turned.raws[0]).image, LAYOUT.mirror_k(EXPECTED))
    with pytest.raises(GnnmatError, match="incident energies of the spectrum"):
        on_axes(records, OTHER)
