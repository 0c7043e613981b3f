"""Volumes cut into slices block by block: the same numbers, never more than a block in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout, relative_layout
from gnnmat.sources.spectrum import read_spectrum
from gnnmat.sources.volume import MappedArray, Volume, open_volume
from gnnmat.sources.volume_slices import blocks, cut_slices, overlap

LAYOUT = relative_layout((30.0, 60.0), slices=3, pixels=8)
PIXEL = 2 / 7  # r.l.u.; the outer edges are at 1 + half of it
EDGE = 1 + PIXEL / 2
ORDER = ("energy", "l", "k", "h")


def edges(cells: dict[str, int]) -> dict[str, NDArray[np.float64]]:
    spans = {"energy": (0.0, 24.0), "l": (-2.0, 2.0), "k": (-EDGE, EDGE), "h": (-EDGE, EDGE)}
    return {axis: np.linspace(*spans[axis], count + 1) for axis, count in cells.items()}


CELLS = {"energy": 40, "l": 4, "k": 16, "h": 16}
EDGES = edges(CELLS)


def centre(axis: str) -> NDArray[np.float64]:
    return (EDGES[axis][1:] + EDGES[axis][:-1]) / 2


def linear() -> NDArray[np.float64]:
    """A signal linear in h, k and E, whose mean over a box is its value in the middle."""
    energy, l, k, h = np.meshgrid(*(centre(axis) for axis in ORDER), indexing="ij")  # noqa: E741
    return 10 + energy + 3 * h - 2 * k + 0 * l


def expected(layout: SliceLayout, row: int) -> NDArray[np.float64]:
    energy = np.array(layout.energy_edges[row]).mean(-1)[:, None, None]
    return 10 + energy + 3 * np.array(layout.h)[:, None] - 2 * np.array(layout.k)


def volume(signal: Any, **changes: Any) -> Volume:
    return Volume("v", signal, ORDER, EDGES, **changes)


def test_a_pixel_is_the_mean_over_its_box() -> None:
    # 30 meV: slices from 3 to 8.4 meV, whose edges are edges of 0.6 meV cells.
    found = cut_slices(volume(linear()), LAYOUT, 0)
    np.testing.assert_allclose(found, expected(LAYOUT, 0), rtol=1e-12)


def test_a_cell_that_two_pixels_share_counts_for_both_by_its_parts() -> None:
    shares = overlap(np.array([[0.0, 1.0], [1.0, 2.0]]), np.array([[0.0, 0.5], [0.5, 2.0]]))
    np.testing.assert_allclose(shares, [[0.5, 0.5], [0.0, 1.0]])


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 20_000), st.permutations(ORDER))
def test_blocks_of_any_size_and_order_give_the_same_slices(cells: int, order: list[str]) -> None:
    signal = linear()
    signal[:, 0] = np.nan
    turned = signal.transpose([ORDER.index(axis) for axis in order])
    one = Volume("v", turned, tuple(order), EDGES)
    cells = max(cells, 300)  # fewer would only take longer
    found = cut_slices(one, LAYOUT, 0, cells=cells)
    np.testing.assert_allclose(found, expected(LAYOUT, 0), rtol=1e-12)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), min_size=1, max_size=4),
    st.integers(1, 50),
    st.integers(1, 4),
)
@settings(deadline=None)
def test_blocks_fill_the_whole_once_and_stay_small(
    spans: list[tuple[int, int]], cells: int, chunk: int
) -> None:
    whole = [(first, first + count) for first, count in spans]
    seen = np.zeros([last for _, last in whole], dtype=int)
    for box in blocks(whole, [chunk] * len(whole), cells):
        seen[box] += 1
        assert np.prod([part.stop - part.start for part in box]) <= cells
    inside = tuple(slice(*span) for span in whole)
    assert (seen[inside] == 1).all()
    assert seen.sum() == seen[inside].size


class Watched:
    """An array far larger than any memory, which remembers what was asked of it."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.asked: list[tuple[int, ...]] = []

    def __getitem__(self, box: tuple[slice, ...]) -> NDArray[np.float32]:
        shape = tuple(part.stop - part.start for part in box)
        self.asked.append(shape)
        return np.ones(shape, dtype=np.float32)


def test_a_volume_larger_than_memory_is_read_in_blocks_and_only_where_it_is_needed() -> None:
    cells = {"energy": 4000, "l": 4000, "k": 4000, "h": 4000}  # a petabyte
    layout = SliceLayout((30.0,), (((3.0, 3.1),),), (0.02, 0.0), (0.0, 0.02))
    array = Watched(tuple(cells.values()))
    found = cut_slices(
        Volume("v", array, ORDER, edges(cells)), layout, 0, l=(0.0, 0.1), cells=100_000
    )
    assert (found == 1).all()
    assert max(np.prod(shape) for shape in array.asked) <= 100_000
    assert sum(np.prod(shape) for shape in array.asked) < 30 * 110 * 70 * 70
    assert len(array.asked) > 10


def test_empty_cells_do_not_count_and_empty_pixels_are_nan() -> None:
    signal = linear()
    signal[:, :, :, 8:] = np.nan  # h > 0: the upper half of a tile
    found = cut_slices(volume(signal), LAYOUT, 0)
    assert np.isnan(found[:, :4]).all()
    np.testing.assert_allclose(found[:, 4:], expected(LAYOUT, 0)[:, 4:], rtol=1e-12)


def test_cells_weigh_by_what_was_counted() -> None:
    signal = np.ones(tuple(CELLS.values()))
    signal[:, 0] = 4.0
    weights = np.zeros(signal.shape)
    weights[:, 0], weights[:, 1] = 1.0, 2.0
    found = cut_slices(volume(signal, weights=weights), LAYOUT, 0)
    np.testing.assert_allclose(found, (4 * 1 + 1 * 2) / 3)
    summed = cut_slices(volume(signal * weights, weights=weights, summed=True), LAYOUT, 0)
    np.testing.assert_allclose(summed, found)
    masked = np.zeros(signal.shape, dtype=bool)
    masked[:, 0] = True
    np.testing.assert_allclose(
        cut_slices(volume(signal, weights=weights, mask=masked), LAYOUT, 0), 1.0
    )


def test_a_range_of_l_is_averaged_over() -> None:
    signal = np.broadcast_to(centre("l")[None, :, None, None], tuple(CELLS.values()))
    np.testing.assert_allclose(cut_slices(volume(signal), LAYOUT, 0, l=(0.0, 2.0)), 1.0)
    np.testing.assert_allclose(cut_slices(volume(signal), LAYOUT, 0), 0.0, atol=1e-12)


def test_a_volume_that_misses_the_slices_says_what_it_covers() -> None:
    far = relative_layout((300.0,), slices=3, pixels=8)
    with pytest.raises(GnnmatError, match="nothing was measured") as caught:
        cut_slices(volume(linear()), far, 0)
    assert "energy 0 to 24" in str(caught.value)


def test_a_volume_whose_axes_do_not_fit_is_refused() -> None:
    with pytest.raises(GnnmatError, match="the volume has shape"):
        volume(linear()[:3])
    with pytest.raises(GnnmatError, match="the weights have shape"):
        volume(linear(), weights=np.ones(3))
    with pytest.raises(GnnmatError, match="needs weights"):
        volume(linear(), summed=True)
    with pytest.raises(GnnmatError, match="the axes of a volume are h, k, l, energy"):
        Volume("v", linear(), ("energy", "l", "k", "k"), EDGES)


def mantid(path: Path, signal: NDArray[Any], **names: str) -> Path:
    """A file as SaveMD writes an MDHistoWorkspace: D0 is the last axis of the array."""
    called = {"h": "[H,0,0]", "k": "[0,K,0]", "l": "[0,0,L]", "energy": "DeltaE"} | names
    with h5py.File(path, "w") as file:
        data = file.create_group("MDHistoWorkspace/data")
        data.attrs["NX_class"] = b"NXdata"
        held = data.create_dataset("signal", data=signal, chunks=(8, 2, 8, 8))
        held.attrs.update(signal=1, axes=b"D3:D2:D1:D0")
        for number, axis in enumerate(reversed(ORDER)):
            values = data.create_dataset(f"D{number}", data=EDGES[axis])
            unit = "DeltaE" if axis == "energy" else "r.l.u."
            values.attrs.update(long_name=called[axis], units=unit)
    return path


def test_a_mantid_histogram_is_opened_with_its_axes(tmp_path: Path) -> None:
    with open_volume(mantid(tmp_path / "a.nxs", linear())) as found:
        assert found.order == ORDER
        assert found.chunks == (8, 2, 8, 8)
        np.testing.assert_allclose(cut_slices(found, LAYOUT, 0, cells=900), expected(LAYOUT, 0))


def test_an_nxdata_group_with_centres_is_opened_with_its_axes(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        data = file.create_group("entry/data")
        data.attrs.update(NX_class="NXdata", signal="intensity", axes=list(ORDER))
        data["intensity"] = linear()
        for axis in ORDER:
            data[axis] = centre(axis)
        data["energy"].attrs["units"] = "meV"
    with open_volume(path) as found:
        np.testing.assert_allclose(cut_slices(found, LAYOUT, 0), expected(LAYOUT, 0))
    with open_volume(path, signal="entry/data/intensity") as found:
        assert found.order == ORDER
    with (
        pytest.raises(GnnmatError, match="no dataset 'entry/nothing'"),
        open_volume(path, signal="entry/nothing"),
    ):
        pass


def test_axes_that_are_not_clear_must_be_said(tmp_path: Path) -> None:
    path = mantid(tmp_path / "a.nxs", linear(), h="[H,H,0]")
    with (
        pytest.raises(GnnmatError, match=r"not clear what the axis '\[H,H,0\]' is"),
        open_volume(path),
    ):
        pass
    with open_volume(path, axes=ORDER) as found:
        assert found.order == ORDER


def test_a_mapped_array_lets_go_of_what_it_read_and_refuses_objects(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", linear())
    mapped = MappedArray(tmp_path / "a.npy")
    part = mapped[0:2, :, 0:3, :]
    assert not isinstance(part, np.memmap)
    assert part.base is None
    np.save(tmp_path / "b.npy", np.array([None], dtype=object), allow_pickle=True)
    with pytest.raises(GnnmatError, match="may run code"):
        MappedArray(tmp_path / "b.npy")


def listed(folder: Path, **changes: Any) -> Path:
    """A YAML list of two volumes, one in NumPy's and one in Mantid's format."""
    np.save(folder / "ei30.npy", linear())
    mantid(folder / "ei60.nxs", linear())
    grid = {axis: [float(EDGES[axis][0]), float(EDGES[axis][-1]), CELLS[axis]] for axis in ORDER}
    plain = {
        "kind": "volumes",
        "layout": {"incident_energies": [30, 60], "slices": 3, "pixels": 8},
        "volumes": [
            {"file": "ei60.nxs", "incident_energy": 60},
            {"file": "ei30.npy", "incident_energy": 30, "grid": grid},
        ],
    } | changes
    path = folder / "measured.yaml"
    path.write_text(yaml.safe_dump(plain, sort_keys=False))
    return path


def test_a_list_of_volumes_is_a_spectrum(tmp_path: Path) -> None:
    spectrum = read_spectrum(listed(tmp_path))
    assert spectrum.layout == LAYOUT
    tiles = LAYOUT.to_tiles(spectrum.image)
    np.testing.assert_allclose(tiles[0], expected(LAYOUT, 0), rtol=1e-6)
    np.testing.assert_allclose(tiles[1], expected(LAYOUT, 1), rtol=1e-6)
    assert not spectrum.mask.any()
    again = read_spectrum(listed(tmp_path, layout=None), layout=LAYOUT)
    assert np.array_equal(again.image, spectrum.image)


def test_a_list_of_volumes_that_is_not_complete_is_refused(tmp_path: Path) -> None:
    def words(**changes: Any) -> str:
        with pytest.raises(GnnmatError) as caught:
            read_spectrum(listed(tmp_path, **changes))
        return str(caught.value)

    assert "axes missing" in words(layout=None)
    assert "no volumes for an incident energy of 30 meV" in words(
        volumes=[{"file": "ei60.nxs", "incident_energy": 60}]
    )
    assert "does not exist" in words(
        volumes=[{"file": "a.nxs", "incident_energy": e} for e in (30, 60)]
    )
    assert "axes missing" in words(
        volumes=[{"file": "ei30.npy", "incident_energy": e} for e in (30, 60)]
    )
    assert "does not list the parts" in words(kind="cuts")
    assert "does not list the parts" in words(volume=[])
    assert "layout is not one of slices" in words(layout={"incident_energies": []})
