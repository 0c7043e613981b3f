"""Spectra from files: read, turned to the wanted axes with their mask, refused in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout, pcsmo_layout, relative_layout
from gnnmat.sources.spectrum import Spectrum, read_spectrum, write_spectrum
from gnnmat.sources.spectrum_axes import arranged
from gnnmat.sources.spectrum_checks import checked, with_known_mask

from .spectra import LAYOUT, arrays, gaps, intensities, saved

EXPECTED = np.where(gaps(), 0.0, intensities()).astype(np.float32)


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(GnnmatError) as caught:
        read_spectrum(path, **options)
    return str(caught.value)


def test_an_archive_gives_image_mask_and_axes(tmp_path: Path) -> None:
    spectrum = read_spectrum(saved(tmp_path / "measured.npz"))
    assert spectrum.name == "measured"
    assert spectrum.layout == LAYOUT
    assert spectrum.image.dtype == np.float32
    assert np.array_equal(spectrum.image, EXPECTED)
    assert np.array_equal(spectrum.mask, gaps())


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    spectrum = Spectrum(EXPECTED, gaps(), LAYOUT)
    again = read_spectrum(write_spectrum(tmp_path / "a.npz", spectrum))
    assert np.array_equal(again.image, spectrum.image)
    assert np.array_equal(again.mask, spectrum.mask)
    assert again.layout == LAYOUT
    with pytest.raises(GnnmatError, match="an .npz file, not to"):
        write_spectrum(tmp_path / "a.h5", spectrum)
    with pytest.raises(GnnmatError, match="has no axes to write"):
        write_spectrum(tmp_path / "b.npz", replace(spectrum, layout=None))


@pytest.mark.parametrize("shape", ["stack of one", "tiles"])
def test_other_shapes_of_the_same_image_are_read(tmp_path: Path, shape: str) -> None:
    image, mask = intensities(), gaps()
    turn = LAYOUT.to_tiles if shape == "tiles" else (lambda array: array[None])
    image = np.where(mask, 0, image)
    spectrum = read_spectrum(saved(tmp_path / "a.npz", image=turn(image), mask=turn(mask)))
    assert np.array_equal(spectrum.image, EXPECTED)
    assert np.array_equal(spectrum.mask, gaps())


def test_edges_of_pixels_and_joined_energy_bins_are_axes_too(tmp_path: Path) -> None:
    step = LAYOUT.k[1] - LAYOUT.k[0]
    k = np.linspace(-1 - step / 2, 1 + step / 2, 9)
    energies = np.array(LAYOUT.energy_edges)
    joined = np.concatenate([energies[:, :, 0], energies[:, -1:, 1]], axis=1)
    path = saved(tmp_path / "a.npz", k=k, h=k[::-1], energy_edges=joined)
    assert np.array_equal(read_spectrum(path, layout=LAYOUT).image, EXPECTED)


@pytest.mark.parametrize("axes", [("h",), ("k",), ("h", "k")])
def test_axes_that_run_the_other_way_turn_image_and_mask(tmp_path: Path, axes: Any) -> None:
    own = replace(LAYOUT, **{axis: getattr(LAYOUT, axis)[::-1] for axis in axes})
    path = saved(tmp_path / "a.npz", own)
    mask = gaps()
    # The file is the same spectrum written down the other way round, with a mask of its own.
    turned = {"h": LAYOUT.mirror_h, "k": LAYOUT.mirror_k}
    for axis in axes:
        mask = turned[axis](mask)
    for layout in (LAYOUT, None):
        spectrum = read_spectrum(path, layout=layout)
        assert np.array_equal(spectrum.mask, mask)
        assert np.array_equal(spectrum.image, np.where(mask, 0, intensities()).astype(np.float32))
        assert spectrum.layout == LAYOUT


def test_energies_and_slices_in_another_order_are_put_in_the_wanted_one() -> None:
    order = [2, 0, 1]
    edges = tuple(tuple(bins[n] for n in order) for bins in LAYOUT.energy_edges[::-1])
    own = SliceLayout(LAYOUT.incident_energies[::-1], edges, LAYOUT.h, LAYOUT.k)
    nothing = np.zeros(own.image_shape, bool)
    found = arranged(Spectrum(intensities(own).astype(np.float32), nothing, own), LAYOUT)
    assert np.array_equal(found.image, intensities().astype(np.float32))


@settings(deadline=None, max_examples=40)
@given(
    st.permutations([0, 1]), st.permutations([0, 1, 2]), st.booleans(), st.booleans(),
    st.floats(-3e-4, 3e-4),
)  # fmt: skip
def test_arranging_finds_every_pixel_by_its_axes(
    rows: list[int], bins: list[int], h: bool, k: bool, rounding: float
) -> None:
    own = SliceLayout(
        tuple(LAYOUT.incident_energies[n] + rounding for n in rows),
        tuple(tuple(LAYOUT.energy_edges[n][m] for m in bins) for n in rows),
        LAYOUT.h[::-1] if h else LAYOUT.h,
        tuple(value + rounding for value in (LAYOUT.k[::-1] if k else LAYOUT.k)),
    )
    image = intensities(own).astype(np.float32)
    found = arranged(Spectrum(image, image > 40, own), LAYOUT)
    assert np.allclose(found.image, intensities(), atol=2e-3)
    assert np.array_equal(found.mask, found.image > 40)


def test_nan_marks_missing_detectors_where_there_is_no_mask(tmp_path: Path) -> None:
    image = np.where(gaps(), np.nan, intensities())
    spectrum = read_spectrum(saved(tmp_path / "a.npz", image=image, mask=None))
    assert np.array_equal(spectrum.mask, gaps())
    assert np.array_equal(spectrum.image, EXPECTED)
    again = read_spectrum(saved(tmp_path / "b.npz", image=image))
    assert np.array_equal(again.image, EXPECTED)


def test_an_image_without_axes_takes_those_of_the_run(tmp_path: Path) -> None:
    bare = dict.fromkeys(("incident_energies", "energy_edges", "h", "k"))
    path = saved(tmp_path / "a.npz", **bare)
    assert "axes missing: it does not say its energies, h and k" in refusal(path)
    assert read_spectrum(path, layout=LAYOUT).layout == LAYOUT
    np.save(tmp_path / "a.npy", EXPECTED)
    assert np.array_equal(read_spectrum(tmp_path / "a.npy", layout=LAYOUT).image, EXPECTED)


def test_missing_axes_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", h=None, energy_edges=None)
    assert "axes missing: energy_edges, h." in refusal(path, layout=LAYOUT)


def test_a_wrong_shape_says_what_was_expected(tmp_path: Path) -> None:
    words = refusal(saved(tmp_path / "a.npz", image=np.ones((24, 16)), mask=None))
    assert "the image has shape (24, 16), expected (16, 24)" in words
    assert "Transpose it." in words
    words = refusal(saved(tmp_path / "b.npz", image=np.ones((5, 16, 24)), mask=None))
    assert "It holds 5 images" in words
    words = refusal(saved(tmp_path / "c.npz", mask=np.zeros((3, 3), bool)))
    assert "the mask has shape (3, 3), expected (16, 24)" in words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"incident_energies": (30.0, 70.0)}, "incident energies .* differ"),
        ({"incident_energies": (30.0, 60.0, 90.0)}, "incident energies .* differ"),
        ({"slices": 2}, "slices at an incident energy of 30 meV .* differ"),
        ({"first": 0.2}, "slices at an incident energy of 30 meV .* differ"),
        ({"extent": 0.8}, "pixels along h .* differ"),
        ({"pixels": 10}, "pixels along h .* differ"),
    ],
)
def test_other_axes_than_those_of_the_run_are_refused(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    plain = {"incident_energies": (30.0, 60.0), "slices": 3, "pixels": 8} | changes
    path = saved(tmp_path / "a.npz", relative_layout(**plain))
    with pytest.raises(GnnmatError, match=words):
        read_spectrum(path, layout=LAYOUT)


@pytest.mark.parametrize("way", ["k", "h", "h and k"])
def test_a_mirrored_mask_is_refused_with_the_way_it_fits(tmp_path: Path, way: str) -> None:
    mask = gaps()
    if "k" in way:
        mask = LAYOUT.mirror_k(mask)
    if "h" in way:
        mask = LAYOUT.mirror_h(mask)
    words = refusal(saved(tmp_path / "a.npz", mask=mask))
    assert "mask and the image disagree" in words
    assert f"The mask fits when mirrored in {way}, or" in words
    nan = np.where(gaps(), np.nan, intensities())
    words = refusal(saved(tmp_path / "b.npz", image=nan, mask=mask))
    assert "pixels outside the mask are NaN" in words
    assert f"mirrored in {way}, or" in words


def test_an_inverted_mask_is_refused(tmp_path: Path) -> None:
    assert "The mask fits when inverted." in refusal(saved(tmp_path / "a.npz", mask=~gaps()))


def test_counts_under_a_mask_that_fits_no_way_are_refused(tmp_path: Path) -> None:
    words = refusal(saved(tmp_path / "a.npz", image=intensities()))
    assert "100% of the pixels under the mask hold counts" in words
    assert "Set the image to NaN where there is no detector." in words


def spoilt(value: float) -> np.ndarray:
    image = np.where(gaps(), 0.0, intensities())
    image[0, 3] = value
    return image


def test_nan_under_a_detector_is_refused_with_its_place(tmp_path: Path) -> None:
    words = refusal(saved(tmp_path / "a.npz", image=spoilt(np.nan)))
    assert "1 pixels outside the mask are NaN, the first at row 0, column 3" in words


def test_infinite_intensities_are_refused(tmp_path: Path) -> None:
    assert "one pixel is infinite" in refusal(saved(tmp_path / "a.npz", image=spoilt(np.inf)))
    assert "too large, 1e+200" in refusal(saved(tmp_path / "b.npz", image=spoilt(1e200)))


def test_negative_counts_are_refused_or_cut_off(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", image=spoilt(-2.5))
    words = refusal(path)
    assert "negative counts in 1 pixels, down to -2.5" in words
    assert "clip=True" in words
    spectrum = read_spectrum(path, clip=True)
    assert spectrum.image[0, 3] == 0
    assert spectrum.image.min() == 0
    under = np.where(gaps(), -1e30, intensities())
    assert "disagree" in refusal(saved(tmp_path / "b.npz", image=under))


def test_an_empty_spectrum_is_refused(tmp_path: Path) -> None:
    zero = np.zeros(LAYOUT.image_shape)
    assert "nothing was counted" in refusal(saved(tmp_path / "a.npz", image=zero))
    everything = np.ones(LAYOUT.image_shape, bool)
    assert "every pixel is masked" in refusal(saved(tmp_path / "b.npz", mask=everything))


def test_what_is_no_number_is_refused(tmp_path: Path) -> None:
    words = np.full(LAYOUT.image_shape, "x")
    assert "image holds text instead of" in refusal(saved(tmp_path / "a.npz", image=words))
    twos = gaps().astype(int) * 2
    assert "other values than 0 and 1" in refusal(saved(tmp_path / "b.npz", mask=twos))
    assert "axis h holds NaN" in refusal(saved(tmp_path / "c.npz", h=np.full(8, np.nan)))
    assert "axis k holds text" in refusal(saved(tmp_path / "d.npz", k=np.array(["a"] * 8)))
    flat = np.zeros(8)
    assert "not strictly rising or falling" in refusal(saved(tmp_path / "e.npz", h=flat))
    bins = np.zeros((2, 3, 4))
    assert "energy_edges has shape" in refusal(saved(tmp_path / "f.npz", energy_edges=bins))


def test_python_objects_are_never_read(tmp_path: Path) -> None:
    held = np.array([{"run": "code"}], dtype=object)
    np.save(tmp_path / "a.npy", held, allow_pickle=True)
    np.savez(tmp_path / "a.npz", image=held)
    held.dump(tmp_path / "b.npy")
    for name in ("a.npy", "a.npz", "b.npy"):
        words = refusal(tmp_path / name, layout=LAYOUT)
        assert "not read because they may run code" in words


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1 2 3")
    assert "is not a file of a spectrum" in refusal(tmp_path / "a.txt")
    (tmp_path / "a.h5").write_text("not HDF5")
    assert "not a readable HDF5 file" in refusal(tmp_path / "a.h5")
    (tmp_path / "a.npy").write_text("not an array")
    assert "not a readable .npy file" in refusal(tmp_path / "a.npy")
    np.savez(tmp_path / "b.npz", signal=EXPECTED)
    assert "no array called 'image'" in refusal(tmp_path / "b.npz")
    assert "does not exist" in refusal(tmp_path / "absent.npz")
    assert "named in a YAML list" in refusal(_touch(tmp_path / "one.slc"))


def _touch(path: Path) -> Path:
    path.touch()
    return path


def hdf5(path: Path, group: str = "/", units: dict[str, str] | None = None, **held: Any) -> Path:
    with h5py.File(path, "w") as file:
        place = file.require_group(group)
        for name, value in (held or arrays()).items():
            place[name] = value
        for name, unit in (units or {}).items():
            place[name].attrs["units"] = unit
    return path


def test_hdf5_holds_the_same_names_at_any_depth(tmp_path: Path) -> None:
    units = {"incident_energies": "meV", "energy_edges": "meV", "h": "r.l.u.", "k": "rlu"}
    for number, group in enumerate(("/", "/entry/spectrum")):
        spectrum = read_spectrum(hdf5(tmp_path / f"{number}.h5", group, units))
        assert np.array_equal(spectrum.image, EXPECTED)
        assert np.array_equal(spectrum.mask, gaps())
        assert spectrum.layout == LAYOUT


def test_a_nexus_signal_is_the_image(tmp_path: Path) -> None:
    held = arrays()
    held["intensity"] = LAYOUT.to_tiles(held.pop("image"))
    held["mask"] = LAYOUT.to_tiles(held["mask"])
    path = hdf5(tmp_path / "a.nxs", "/entry/data", **held)
    with h5py.File(path, "a") as file:
        file["entry/data"].attrs.update(NX_class="NXdata", signal="intensity")
    assert np.array_equal(read_spectrum(path).image, EXPECTED)


def test_hdf5_in_other_units_or_without_an_image_is_refused(tmp_path: Path) -> None:
    path = hdf5(tmp_path / "a.h5", units={"incident_energies": "THz"})
    assert "axis incident_energies is in THz, expected meV" in refusal(path)
    path = hdf5(tmp_path / "b.h5", units={"h": "1/angstrom"})
    assert "axis h is in 1/angstrom, expected r.l.u." in refusal(path)
    assert "no group with an image" in refusal(hdf5(tmp_path / "c.h5", counts=[1.0]))
    path = hdf5(tmp_path / "d.h5", image=np.array([b"text"]))
    assert "holds text instead of numbers" in refusal(path)


def test_a_spectrum_made_in_python_meets_the_same_checks() -> None:
    found = checked(Spectrum(EXPECTED, gaps(), LAYOUT))
    assert np.array_equal(found.image, EXPECTED)
    with pytest.raises(GnnmatError, match="mirrored in k"):
        checked(Spectrum(EXPECTED, LAYOUT.mirror_k(gaps()), LAYOUT))
    with pytest.raises(GnnmatError, match="expected two equal shapes"):
        Spectrum(EXPECTED, gaps()[:3])
    with pytest.raises(GnnmatError, match="its axes belong to"):
        Spectrum(EXPECTED[:8], gaps()[:8], LAYOUT)


def test_zeros_under_a_known_mask_alone_are_missing_detectors() -> None:
    nowhere = np.zeros(LAYOUT.image_shape, bool)
    bare = Spectrum(EXPECTED, nowhere, LAYOUT)
    known = [LAYOUT.mirror_k(gaps()), gaps()]
    assert np.array_equal(with_known_mask(bare, known).mask, gaps())
    full = Spectrum(intensities().astype(np.float32), nowhere, LAYOUT)
    assert not with_known_mask(full, known).mask.any()
    few = np.zeros(LAYOUT.image_shape, np.float32)
    few[0, 4] = 1
    assert not with_known_mask(Spectrum(few, nowhere, LAYOUT), known).mask.any()


def test_the_shared_mask_fits_the_reference_spectra_one_way(
    shared_data: Path, tmp_path: Path
) -> None:
    """The mask of the instrument is not its own mirror image, and each reference knows which."""
    folder, layout = shared_data / "ins_pcsmo", pcsmo_layout()
    mask = np.load(folder / "detector_mask.npz")["mask"]
    for name in ("goodenough", "dimer"):
        image = np.load(folder / f"horace_reference_{name}.npz")["image"]
        found = read_spectrum(saved(tmp_path / "a.npz", layout, image=image, mask=mask))
        assert found.mask.mean() == pytest.approx(0.201, abs=5e-4)
        words = refusal(saved(tmp_path / "b.npz", layout, image=image, mask=layout.mirror_k(mask)))
        assert "14% of the pixels under the mask hold counts" in words
        assert "The mask fits when mirrored in k" in words
        bare = read_spectrum(
            folder / f"horace_reference_{name}.npz",
            layout=layout,
            masks=[layout.mirror_k(mask), mask],
        )
        assert np.array_equal(bare.mask, mask)
