"""A run that was trained on spectra predicts from files of spectra, and refuses other ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import relative_layout
from gnnmat.sources.records import Records
from gnnmat.sources.spectra import SpectraSource
from gnnmat.sources.spectrum import Spectrum, write_spectrum
from gnnmat.train.config import parse_config
from gnnmat.train.predictor import Predictor, load
from gnnmat.workflows.training import train

LAYOUT = relative_layout((30.0, 60.0), slices=2, pixels=8)


def made(number: int, mask: np.ndarray) -> Spectrum:
    """Brighter on the left half of every tile, by as much as the number says."""
    image = np.random.default_rng(number).random(LAYOUT.image_shape)
    tiles = LAYOUT.to_tiles(image)
    tiles = tiles + (np.arange(8) < 4) * (number % 5)
    image = np.where(mask, 0, LAYOUT.to_image(tiles)).astype(np.float32)
    return Spectrum(image, mask, LAYOUT, f"s{number:02d}")


def one_sided() -> np.ndarray:
    """(R, C) detector gaps left of the middle of every tile."""
    tiles = np.zeros((2, 2, 8, 8), dtype=bool)
    tiles[..., 1] = True
    return LAYOUT.to_image(tiles)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Spectra without gaps, their numbers in a table, and a detector mask."""
    place = tmp_path_factory.mktemp("spectra")
    nowhere = np.zeros(LAYOUT.image_shape, dtype=bool)
    spectra = [made(number, nowhere) for number in range(20)]
    for spectrum in spectra:
        write_spectrum(place / "all" / f"{spectrum.name}.npz", spectrum)
    table = pd.DataFrame({"id": [one.name for one in spectra], "left": np.arange(20) % 5})
    table.to_csv(place / "values.csv", index=False)
    np.savez(place / "mask.npz", mask=one_sided())
    return place


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Predictor:
    config = parse_config(
        {
            "name": "spectra",
            "data": {"source": {"kind": "spectra", "path": str(folder / "all"),
                                "targets": str(folder / "values.csv")},
                     "targets": ["left"], "workers": 0},
            "input": {"kind": "ins_map"},
            "augment": {"kind": "ins_measurement", "mask": str(folder / "mask.npz")},
            "model": {"kind": "cnn", "widths": [4]},
            "split": {"val": 0.2, "test": 0.2},
            "trainer": {"epochs": 1, "batch_size": 6, "accelerator": "cpu", "threads": 1,
                        "logs": []},
        }
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GNNMAT_CACHE", str(folder / "cache"))
        train(config, folder / "run")
    return load(folder / "run")


def test_the_run_knows_its_axes(predictor: Predictor) -> None:
    assert predictor.trained.spec.layout == LAYOUT.to_dict()


def test_files_and_objects_give_the_same_answer_and_no_formula(
    predictor: Predictor, folder: Path
) -> None:
    spectrum = made(3, one_sided())
    path = write_spectrum(folder / "three.npz", spectrum)
    turned = replace(
        spectrum,
        image=LAYOUT.mirror_k(spectrum.image),
        mask=LAYOUT.mirror_k(spectrum.mask),
        layout=replace(LAYOUT, k=LAYOUT.k[::-1]),
        name="turned",
    )
    table = predictor.predict([path, spectrum, turned])
    assert table["id"].tolist() == ["three", "s03", "turned"]
    assert table["prediction"].nunique() == 1
    assert (table["formula"] == "").all()
    assert (table["refused"] == "").all()
    alone = predictor.predict(str(path))
    assert alone["prediction"].tolist() == table["prediction"].tolist()[:1]


def test_a_spectrum_without_a_mask_gets_the_mask_of_the_run_that_fits(predictor: Predictor) -> None:
    for mask in (one_sided(), LAYOUT.mirror_k(one_sided())):
        whole = made(4, mask)
        bare = replace(whole, mask=np.zeros_like(mask), name="bare")
        table = predictor.predict([whole, bare])
        assert np.ptp(table["prediction"].astype(float)) < 1e-5  # of one batch, to rounding
        assert np.array_equal(predictor.records([bare], None).raws[0].mask, mask)


def test_other_spectra_are_refused_in_words_beside_good_ones(
    predictor: Predictor, folder: Path
) -> None:
    other = relative_layout((30.0, 90.0), slices=2, pixels=8)
    moved = replace(made(1, one_sided()), layout=other, name="moved")
    mirrored = replace(made(2, one_sided()), mask=LAYOUT.mirror_k(one_sided()), name="mirrored")
    table = predictor.predict([moved, made(3, one_sided()), mirrored]).set_index("id")
    assert "incident energies" in table.loc["moved", "refused"]
    assert "mask and the image disagree" in table.loc["mirrored", "refused"]
    assert table.loc["s03", "refused"] == ""
    with pytest.raises(GnnmatError, match="There is nothing to predict") as caught:
        predictor.predict([moved])
    assert "has 30, 60 meV, expected 30, 90 meV" not in str(caught.value)
    assert "has 30, 90 meV, expected 30, 60 meV" in str(caught.value)


def test_records_on_other_axes_are_refused(predictor: Predictor, folder: Path) -> None:
    other = relative_layout((30.0, 90.0), slices=2, pixels=8)
    write_spectrum(folder / "other.npz", replace(made(1, one_sided()), layout=other))
    records: Records = SpectraSource(path=str(folder / "other.npz")).open()
    with pytest.raises(GnnmatError, match="'these spectra': the incident energies"):
        predictor.predict(records)
