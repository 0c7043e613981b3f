"""Images from an archive of plain arrays; nothing is unpickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.sources.arrays import ArraysSource

IMAGES = np.arange(3 * 2 * 4 * 5, dtype=float).reshape(3, 2, 4, 5)


def saved(folder: Path, **arrays: Any) -> str:
    path = folder / "images.npz"
    np.savez(path, **arrays)
    return str(path)


def test_images_and_columns_are_read(tmp_path: Path) -> None:
    path = saved(tmp_path, image=IMAGES, width=[0.1, 0.2, 0.3], id=["a", "b", "c"])
    records = ArraysSource(path=path, units={"width": "meV"}).open()
    assert list(records.ids) == ["a", "b", "c"]
    assert list(records.table.columns) == ["width"]
    assert records.units == {"width": "meV"}
    image = records.read(records.raws[1])
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, IMAGES[1])


def test_without_names_the_position_is_the_id(tmp_path: Path) -> None:
    records = ArraysSource(path=saved(tmp_path, image=IMAGES)).open()
    assert list(records.ids) == ["0", "1", "2"]
    assert len(records.table) == 3


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_an_image_that_is_not_finite_is_refused(tmp_path: Path, bad: float) -> None:
    images = IMAGES.copy()
    images[1, 0, 2, 2] = bad
    records = ArraysSource(path=saved(tmp_path, image=images)).open()
    assert np.isfinite(records.read(records.raws[0])).all()
    with pytest.raises(GnnmatError, match="holds NaN or infinity"):
        records.read(records.raws[1])


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"picture": IMAGES}, "has no array called 'image'. It holds: picture"),
        ({"image": IMAGES[0, 0]}, r"image is float64 with shape (4, 5), expected numbers"),
        ({"image": IMAGES.astype(str)}, "expected numbers with shape (n, C, *S)"),
        ({"image": IMAGES[:0]}, "with shape (0, 2, 4, 5)"),
        ({"image": IMAGES, "width": [1, 2]}, "column 'width' has shape (2,), expected (3,)"),
        ({"image": IMAGES, "width": np.ones((3, 2))}, "column 'width' has shape (3, 2)"),
        ({"image": IMAGES, "id": ["a", "a", "b"]}, "the id 'a' appears twice"),
        ({"image": np.array([{}, {}], dtype=object)}, "Python objects, which are not read"),
    ],
)
def test_a_bad_archive_is_refused_in_plain_words(
    tmp_path: Path, arrays: dict[str, Any], words: str
) -> None:
    with pytest.raises(GnnmatError) as caught:
        ArraysSource(path=saved(tmp_path, **arrays)).open()
    assert words in caught.value.sentence


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "images.npz"
    path.write_bytes(b"not an archive")
    with pytest.raises(GnnmatError, match="not a readable|Python objects"):
        ArraysSource(path=str(path)).open()
    with pytest.raises(GnnmatError, match="does not exist"):
        ArraysSource(path=str(tmp_path / "absent.npz")).open()


def test_the_fingerprint_follows_the_images_only(tmp_path: Path) -> None:
    first = ArraysSource(path=saved(tmp_path, image=IMAGES, width=[1, 2, 3])).open().fingerprint
    same = ArraysSource(path=saved(tmp_path, image=IMAGES, width=[4, 5, 6])).open().fingerprint
    other = ArraysSource(path=saved(tmp_path, image=IMAGES + 1)).open().fingerprint
    assert first == same != other
