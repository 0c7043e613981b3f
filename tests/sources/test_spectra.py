"""Spectra as a source, and what a trained run is given."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import relative_layout
from gnnmat.sources.records import Records
from gnnmat.sources.spectra import SpectraSource, on_axes, records_from_spectra
from gnnmat.sources.spectrum import Spectrum

from .spectra import LAYOUT, arrays, gaps, intensities, saved

BARE = dict.fromkeys(("incident_energies", "energy_edges", "h", "k"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good spectra, one of them turned, one without axes, one with a bad mask, and notes."""
    saved(tmp_path / "a.npz")
    saved(tmp_path / "b.npz", replace(LAYOUT, k=LAYOUT.k[::-1]))
    (tmp_path / "deeper").mkdir()
    saved(tmp_path / "deeper" / "c.npz", **BARE)
    saved(tmp_path / "d.npz", mask=LAYOUT.mirror_k(gaps()))
    (tmp_path / "notes.txt").write_text("words")
    (tmp_path / "stack.yaml").write_text("kind: slices")
    return tmp_path


def test_a_folder_of_spectra_opens_on_the_axes_of_the_first(folder: Path) -> None:
    records = SpectraSource(path=str(folder)).open()
    assert records.ids == ["a", "b", "d", "c"]
    assert records.layout == LAYOUT.to_dict()
    read = pickle.loads(pickle.dumps(records.read))
    assert np.array_equal(read(records.raws[0]).image, read(records.raws[3]).image)
    assert read(records.raws[1]).layout == LAYOUT
    with pytest.raises(GnnmatError, match="mirrored in k"):
        read(records.raws[2])


def test_values_are_joined_by_the_name_of_the_file(folder: Path) -> None:
    (folder / "values.csv").write_text("file,J1\nc.npz,1.5\na,0.5\nother,2\n")
    source = SpectraSource(
        path=(str(folder / "a.npz"), str(folder / "deeper")),
        targets=str(folder / "values.csv"),
        units={"J1": "meV"},
    )
    records = source.open()
    assert records.ids == ["a", "c"]
    assert records.table["J1"].tolist() == [0.5, 1.5]
    assert records.units == {"J1": "meV"}
    assert [one.id for one in records.refused] == ["other"]


def test_the_fingerprint_follows_what_the_files_hold(folder: Path) -> None:
    def fingerprint(**options: bool) -> str:
        return SpectraSource(path=str(folder / "a.npz"), **options).open().fingerprint

    first = fingerprint()
    assert fingerprint() == first
    assert fingerprint(clip=True) != first
    saved(folder / "a.npz", image=np.where(gaps(), 0, intensities() * 2))
    assert fingerprint() != first


def test_nothing_found_is_refused(tmp_path: Path) -> None:
    def words(path: str) -> str:
        with pytest.raises(GnnmatError) as caught:
            SpectraSource(path=path).open()
        return str(caught.value)

    assert "No spectrum in" in words(str(tmp_path))
    assert "There is no file or folder" in words(str(tmp_path / "absent.npz"))
    saved(tmp_path / "bare.npz", **BARE)
    assert "axes missing" in words(str(tmp_path))


def test_negative_counts_are_cut_off_on_request(tmp_path: Path) -> None:
    image = np.where(gaps(), 0, intensities() - 35)
    path = saved(tmp_path / "a.npz", image=image)
    with pytest.raises(GnnmatError, match="negative counts"):
        SpectraSource(path=str(path)).open()
    records = SpectraSource(path=str(path), clip=True).open()
    assert records.read(records.raws[0]).image.min() == 0


def spectrum(**changes: object) -> Spectrum:
    held = arrays()
    made = Spectrum(held["image"].astype(np.float32), held["mask"], LAYOUT, "mine")
    return replace(made, **changes)  # type: ignore[arg-type]


def test_paths_and_objects_mix_and_one_bad_one_stops_nobody(folder: Path) -> None:
    records = records_from_spectra(
        [spectrum(), folder / "b.npz", str(folder / "d.npz"), 7, str(folder / "absent.npz")], LAYOUT
    )
    assert records.ids == ["mine", "b"]
    reasons = {one.id: one.reason for one in records.refused}
    assert "disagree" in reasons["d"]
    assert reasons["int"] == "A int is not a spectrum. Expected a path or a Spectrum."
    assert "There is no file or folder" in reasons["absent"]
    assert all(isinstance(raw, Spectrum) for raw in records.raws)


def test_names_can_be_given(folder: Path) -> None:
    records = records_from_spectra([spectrum(), folder / "b.npz"], LAYOUT, ["x", "y"])
    assert records.ids == ["x", "y"]
    twice = records_from_spectra([spectrum(), spectrum()], LAYOUT)
    assert twice.ids == ["mine", "mine (2)"]
    with pytest.raises(GnnmatError, match="There are 1 spectra but 2 ids"):
        records_from_spectra([spectrum()], LAYOUT, ["x", "y"])


def test_a_spectrum_of_another_layout_is_refused_in_words() -> None:
    other = relative_layout((30.0, 90.0), slices=3, pixels=8)
    records = records_from_spectra([spectrum()], other)
    assert not len(records)
    assert "has 30, 60 meV, expected 30, 90 meV" in records.refused[0].reason


def test_an_object_without_axes_takes_those_of_the_run_if_its_shape_fits() -> None:
    assert records_from_spectra([spectrum(layout=None)], LAYOUT).raws[0].layout == LAYOUT
    small = relative_layout((30.0,), slices=3, pixels=8)
    records = records_from_spectra([spectrum(layout=None)], small)
    assert "the image has shape (16, 24), expected (8, 24)" in records.refused[0].reason


def test_a_spectrum_without_a_mask_gets_the_known_one_that_fits() -> None:
    bare = spectrum(mask=np.zeros(LAYOUT.image_shape, bool))
    known = [LAYOUT.mirror_k(gaps()), gaps()]
    found = records_from_spectra([bare], LAYOUT, masks=known).raws[0]
    assert np.array_equal(found.mask, gaps())
    assert not records_from_spectra([bare], LAYOUT).raws[0].mask.any()


def test_records_of_another_source_are_turned_or_refused() -> None:
    own = replace(LAYOUT, k=LAYOUT.k[::-1])
    made = spectrum(
        image=LAYOUT.mirror_k(spectrum().image), mask=LAYOUT.mirror_k(gaps()), layout=own
    )
    records = Records(
        ["a"], [made], _same, "f", records_from_spectra([made], own).table, layout=own.to_dict()
    )
    turned = on_axes(records, LAYOUT)
    assert turned.layout == LAYOUT.to_dict()
    assert turned.fingerprint != records.fingerprint
    assert np.array_equal(turned.read(made).image, spectrum().image)
    assert np.array_equal(turned.read(made).mask, gaps())
    assert on_axes(records, own) is records
    with pytest.raises(GnnmatError, match="'these spectra': the incident energies"):
        on_axes(records, relative_layout((30.0, 90.0), slices=3, pixels=8))


def _same(raw: Spectrum) -> Spectrum:
    return raw
