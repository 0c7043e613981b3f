"""The overview of a simulated set: true pictures, labelled axes, nothing that runs or loads."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnnmat.pages.overview import Overview, Picture, overview_page, png
from gnnmat.simulation.layout import relative_layout

LAYOUT = relative_layout((20.0, 40.0), slices=3, pixels=4)
HOSTILE = "<img src=x onerror=alert(1)>"


def page(name: str = "neel", **options: Any) -> str:
    image = np.arange(96, dtype=np.float32).reshape(8, 12)
    return overview_page(
        Overview(
            title=options.get("title", "square"),
            layout=LAYOUT,
            counts=[(name, 1200, 300, 250)],
            pictures={name: [Picture(f"{name}-000000", options.get("caption", "J 1 meV"), image)]},
            warnings=options.get("warnings", ()),
        )
    )


def decoded(content: bytes) -> np.ndarray:
    """(R, C, 3) colours as another library reads them."""
    pillow = pytest.importorskip("PIL.Image", reason="Pillow absent")
    return np.asarray(pillow.open(io.BytesIO(content)).convert("RGB"), dtype=int)


def test_a_picture_is_brighter_where_there_is_more() -> None:
    image = np.zeros((5, 7), dtype=np.float32)
    image[1, 2], image[4, 6] = 1.0, 0.5
    colours = decoded(png(image))
    assert colours.shape == (5, 7, 3)
    brightness = colours.sum(-1)
    assert brightness[1, 2] > brightness[4, 6] > brightness[0, 0]
    assert tuple(colours[0, 0]) == (0, 0, 4)  # the dark end of "inferno"
    assert tuple(colours[1, 2]) == (252, 255, 164)  # and the bright one


def test_a_single_hot_pixel_does_not_darken_the_rest() -> None:
    image = np.ones((40, 40), dtype=np.float32)
    image[0, 0] = 1000.0
    assert (decoded(png(image))[1:] == (252, 255, 164)).all()


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_an_image_without_intensity_is_dark(value: float) -> None:
    assert (decoded(png(np.full((3, 4), value, dtype=np.float32))) == (0, 0, 4)).all()


def test_axes_counts_and_warnings_are_written_out() -> None:
    text = page(warnings=["Ei 40 meV: nothing lies in these slices."])
    for words in ("Ei 20", "Ei 40", "2.00 to 5.60", "4.00 to 11.2", "h +1", "h -1"):
        assert words in text
    assert "Ei 20 meV, E 3.2 to 4.4 meV" in text  # said by the second tile
    for words in ("1,200", "300", "25.0%", "250 images of 8 x 12 pixels", "Ei 40 meV: nothing"):
        assert words in text


def test_words_from_outside_are_text() -> None:
    text = page(name=HOSTILE, title=HOSTILE, caption=HOSTILE, warnings=[HOSTILE])
    assert "<img" not in text
    assert text.count("&lt;img src=x onerror=alert(1)&gt;") >= 5


def test_the_page_asks_for_nothing_and_shows_its_picture(
    open_page: Callable[[Path], Any], tmp_path: Path
) -> None:
    path = tmp_path / "overview.html"
    path.write_text(page())
    shown = open_page(path)
    assert shown.count("svg image") == 1
    assert shown.count("svg rect") == 6
    width, height = shown.ask(
        "(box => [box.width, box.height])(document.querySelector('svg image').getBBox())"
    )
    assert (width, height) == (120, 80)
    assert shown.errors() == []
    # "chrome:" is the browser's own first page, if this test is the one that opens it.
    assert all(url.startswith(("file:", "data:", "chrome:")) for url in shown.requests())
