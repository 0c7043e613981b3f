"""Images from a NumPy archive: one array of images, and columns of values beside it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from gnnmat.errors import GnnmatError
from gnnmat.sources.columns import check_ids, check_units
from gnnmat.sources.paths import existing_file
from gnnmat.sources.records import Records


class ArraysSource(BaseModel):
    """A ``.npz`` file with ``image`` (n, C, *S) and one-dimensional columns of n values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["arrays"] = "arrays"
    path: str = Field(description="the .npz file; $VARIABLES are filled in")
    units: dict[str, str] = Field(default={}, description="unit by column")

    def open(self) -> Records:
        """All images with their values; the column ``id`` names them, else their position does.

        Raises:
            GnnmatError: no such file, no array ``image``, pickled objects, or shapes that differ.
        """
        path = existing_file(self.path, "The archive")
        arrays = load_arrays(path)
        images = arrays.pop("image", None)
        if images is None:
            raise GnnmatError(
                f"'{path}' has no array called 'image'.",
                why=f"It holds: {', '.join(arrays) or 'nothing'}.",
            )
        if images.ndim < 3 or images.dtype.kind not in "fiu" or 0 in images.shape:
            raise GnnmatError(
                f"'{path}': image is {images.dtype} with shape {images.shape}, "
                "expected numbers with shape (n, C, *S)."
            )
        for name, values in arrays.items():
            if values.shape != (len(images),):
                raise GnnmatError(
                    f"'{path}': column '{name}' has shape {values.shape}, "
                    f"expected ({len(images)},), one value an image."
                )
        names = arrays.pop("id", np.arange(len(images))).tolist()
        ids = [str(name) for name in names]
        check_ids(ids, str(path))
        table = pd.DataFrame(arrays, index=range(len(images)))
        sha = hashlib.sha256(repr((images.shape, images.dtype.str)).encode())
        sha.update(np.ascontiguousarray(images).data)
        return Records(
            ids=ids,
            raws=list(images),
            read=read_image,
            fingerprint=sha.hexdigest(),
            table=table,
            units=check_units(self.units, table.columns, str(path)),
        )


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` file, by name; nothing in it is unpickled.

    Raises:
        GnnmatError: it is no such file, or an array holds Python objects.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:
        if "allow_pickle" in str(error) or "pickled" in str(error):
            raise GnnmatError(
                f"'{path}' holds Python objects, which are not read because they may run code.",
                fix="save plain arrays of numbers or fixed-length text.",
            ) from error
        raise GnnmatError(
            f"'{path}' is not a readable .npz file: {error}.",
            fix="It may be cut short: copy it again, or save it again with numpy.savez.",
        ) from error


def read_image(raw: NDArray[Any]) -> NDArray[np.float32]:
    """The image (C, *S), if all of it is finite.

    Raises:
        GnnmatError: it holds NaN or infinity.
    """
    with np.errstate(over="ignore"):  # beyond float32 becomes infinity, which is refused
        image = np.asarray(raw, dtype=np.float32)
    if not np.isfinite(image).all():
        raise GnnmatError("The image holds NaN or infinity.")
    return image
