"""Files about an instrument: read as they are, refused in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gnnmat.augment.tables import named_file, read_mask, read_noise
from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import relative_layout

LAYOUT = relative_layout((20.0, 40.0), slices=2, pixels=5)
HEAD = "ei_mev,slice,noise_sigma_over_p99\n"
ROWS = "20,0,0.1\n20,1,0.2\n40,0,0.3\n40,1,0.4\n"


def table(folder: Path, text: str) -> Path:
    path = folder / "noise.csv"
    path.write_text(text)
    return path


def test_noise_is_found_by_energy_and_slice_in_any_order(tmp_path: Path) -> None:
    path = table(tmp_path, HEAD + "80,0,9\n" + "\n".join(reversed(ROWS.split())))
    np.testing.assert_allclose(read_noise(path, LAYOUT), [[0.1, 0.2], [0.3, 0.4]])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + ROWS.replace("40,0,0.3\n", ""), "says nothing of slice 0 at .* 40 meV"),
        (HEAD + ROWS.replace("0.3", "-0.3"), "below zero"),
        (HEAD + ROWS.replace("0.3", "inf"), "infinite"),
        (HEAD + ROWS.replace("0.3", "much"), "not a table of noise"),
        (HEAD + "20,0\n", "not a table of noise"),
        ("a,b\n1,2\n", "not a table of noise"),
        ("\x00\x01", "not a table of noise|says nothing"),
    ],
)
def test_bad_noise_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(GnnmatError, match=words):
        read_noise(table(tmp_path, text), LAYOUT)


def test_mask_is_read_from_npz_and_npy(tmp_path: Path) -> None:
    mask = np.zeros((10, 10), dtype=bool)
    mask[2, 3:5] = True
    np.savez(tmp_path / "mask.npz", mask=mask)
    np.save(tmp_path / "mask.npy", mask.astype(np.uint8))
    for name in ("mask.npz", "mask.npy"):
        np.testing.assert_array_equal(read_mask(tmp_path / name, (10, 10)), mask)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((10, 9), dtype=bool), r"shape \(10, 9\), the images have \(10, 10\)"),
        (np.full((10, 10), 0.5), "0 and 1 only"),
        (np.ones((10, 10), dtype=bool), "masks every pixel"),
        (np.full((10, 10), None), "holds no mask"),
    ],
)
def test_bad_mask_is_refused(tmp_path: Path, array: np.ndarray, words: str) -> None:
    np.save(tmp_path / "mask.npy", array, allow_pickle=True)
    with pytest.raises(GnnmatError, match=words):
        read_mask(tmp_path / "mask.npy", (10, 10))


@pytest.mark.parametrize("kept", [40, -30])  # of its first member; without the list at its end
def test_archive_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "mask.npz"
    np.savez(path, mask=np.eye(10, dtype=bool))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(GnnmatError, match="holds no mask"):
        read_mask(path, (10, 10))


def test_archive_with_a_changed_byte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mask.npz"
    np.savez(path, mask=np.eye(10, dtype=bool))
    content = bytearray(path.read_bytes())
    content[content.index(b"NUMPY") + 150] ^= 1  # inside the array: its checksum does not fit
    path.write_bytes(content)
    with pytest.raises(GnnmatError, match="holds no mask"):
        read_mask(path, (10, 10))


def test_archive_without_a_mask_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "mask.npz", other=np.zeros(3))
    with pytest.raises(GnnmatError, match="holds no mask"):
        read_mask(tmp_path / "mask.npz", (10, 10))


def test_variables_in_a_path_are_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path, HEAD)
    monkeypatch.setenv("SOME_FOLDER", str(tmp_path))
    assert named_file("$SOME_FOLDER/noise.csv", "noise_table") == path


def test_missing_file_names_the_option_and_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_FOLDER", raising=False)
    with pytest.raises(GnnmatError, match=r"augment.mask: there is no file") as caught:
        named_file("$SOME_FOLDER/mask.npz", "mask")
    assert "$SOME_FOLDER is not set" in str(caught.value)
    assert "augment.mask=null" in str(caught.value)
