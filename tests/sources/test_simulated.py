"""Simulated sets as a source: read in place, named, with units, and refused in words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gnnmat.data.dataset import open_dataset
from gnnmat.errors import GnnmatError
from gnnmat.inputs.ins_map import InsMap
from gnnmat.sources.records import Records
from gnnmat.sources.simulated import SimulatedSource
from gnnmat.sources.spectrum import Spectrum
from gnnmat.workflows.simulating import simulate

from ..workflows.square_lattice import square


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 images in shards of 4, 4 and 2."""
    place = tmp_path_factory.mktemp("simulated") / "set"
    simulate(square(), place, images=5, shard_size=4, workers=1, device="cpu")
    return place


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """The same set, to be spoilt."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def opened(folder: Path, **options: object) -> Records:
    return SimulatedSource(path=str(folder), **options).open()


def test_an_image_is_read_from_its_shard_with_axes_and_a_detector_everywhere(folder: Path) -> None:
    records = opened(folder)
    assert len(records) == 10
    spectrum = records.read(records.raws[6])
    assert isinstance(spectrum, Spectrum)
    assert (spectrum.image == np.load(folder / "shards" / "00001.npy")[2]).all()
    assert spectrum.image.dtype == np.float32
    assert not spectrum.mask.any()
    assert spectrum.layout == square().layout.build()
    assert records.layout == square().layout.build().to_dict()
    assert records.origin(6) == f"{folder}/shards/00001.npy, image 2"


def test_columns_are_the_hypothesis_and_its_couplings(folder: Path) -> None:
    records = opened(folder)
    names = ["heisenberg.J1", "frustrated.J1", "frustrated.J2"]
    assert list(records.table) == ["hypothesis", "stable", *names]
    assert records.units == dict.fromkeys(names, "meV")
    is_first = records.table["hypothesis"] == "heisenberg"
    assert (records.table["heisenberg.J1"].notna() == is_first).all()
    assert (records.table["frustrated.J2"].notna() == ~is_first).all()
    assert records.table["stable"].dtype == bool
    assert records.ids[0] == "heisenberg-000000"


def test_the_images_of_one_hypothesis_can_be_had_alone(folder: Path) -> None:
    records = opened(folder, hypotheses=["frustrated"])
    assert set(records.table["hypothesis"]) == {"frustrated"}
    assert list(records.units) == ["frustrated.J1", "frustrated.J2"]
    assert list(records.table) == ["hypothesis", "stable", *records.units]
    assert records.fingerprint != opened(folder).fingerprint
    spectrum = records.read(records.raws[1])
    assert (spectrum.image == np.load(folder / "shards" / "00000.npy")[3]).all()
    assert records.layout == opened(folder).layout


def test_opening_reads_no_image(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = opened(folder).fingerprint
    monkeypatch.setattr(np, "load", None)
    assert opened(folder).fingerprint == before


def test_the_fingerprint_is_of_images_and_axes(folder: Path, copy: Path, tmp_path: Path) -> None:
    table = copy / "shards" / "00000.csv"
    table.write_text(table.read_text().replace("heisenberg-000000", "another name"))
    assert opened(copy).fingerprint == opened(folder).fingerprint
    layout = json.loads((copy / "layout.json").read_text())
    layout["h"] = layout["h"][::-1]
    (copy / "layout.json").write_text(json.dumps(layout))
    assert opened(copy).fingerprint != opened(folder).fingerprint
    other = simulate(square(), tmp_path / "o", images=5, shard_size=4, workers=1, seed=1)
    assert opened(other.folder).fingerprint != opened(folder).fingerprint


def test_images_reach_the_data_set_unchanged(folder: Path, tmp_path: Path) -> None:
    data = open_dataset(opened(folder), InsMap(), ["heisenberg.J1"], folder=tmp_path, quiet=True)
    batch = data.__getitems__([3, 4])
    wanted = [np.load(folder / "shards" / f"0000{n}.npy")[row] for n, row in ((0, 3), (1, 0))]
    assert (batch.image[:, 0].numpy() == np.stack(wanted)).all()
    assert not batch.mask.any()
    assert data.spec().layout == square().layout.build().to_dict()
    assert data.spec().targets["heisenberg.J1"].unit == "meV"


def test_variables_in_the_path_are_filled_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETS", str(folder.parent))
    assert len(SimulatedSource(path="$SETS/set").open()) == 10


# What is refused


def test_no_folder_and_no_set_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="does not exist") as said:
        opened(tmp_path / "nowhere")
    assert "gnnmat simulate" in said.value.fix
    with pytest.raises(GnnmatError, match=r"is not a simulated set: it has no manifest.json"):
        opened(tmp_path)


def test_an_unknown_hypothesis_is_refused_with_the_nearest(folder: Path) -> None:
    with pytest.raises(GnnmatError, match="no hypothesis 'heisenburg'") as said:
        opened(folder, hypotheses=["heisenburg"])
    assert said.value.fix == "Did you mean 'heisenberg'?"


def unfinished(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["shards"]["1"]
    (folder / "manifest.json").write_text(json.dumps(manifest))


def shorter(folder: Path) -> None:
    path = folder / "shards" / "00001.npy"
    path.write_bytes(path.read_bytes()[:-4])


def without_a_shard(folder: Path) -> None:
    (folder / "shards" / "00002.npy").unlink()


def no_json(folder: Path) -> None:
    (folder / "manifest.json").write_text("{")


def no_object(folder: Path) -> None:
    (folder / "manifest.json").write_text("[]")


def of_the_future(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"format": 99}')


def without_axes(folder: Path) -> None:
    (folder / "layout.json").unlink()


def a_row_less(folder: Path) -> None:
    path = folder / "shards" / "00000.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")


def a_word_for_a_number(folder: Path) -> None:
    path = folder / "shards" / "00000.csv"
    path.write_text(path.read_text().replace("True,", "True,much", 1))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (unfinished, "holds 6 of 10 images"),
        (shorter, "00001.npy' is missing or not as it was written"),
        (without_a_shard, "00002.npy' is missing or not as it was written"),
        (no_json, "manifest.json' is damaged"),
        (no_object, "manifest.json' is damaged"),
        (of_the_future, "has format 99, this version reads 1"),
        (without_axes, "layout.json' is missing or damaged"),
        (a_row_less, "00000.csv' is damaged"),
        (a_word_for_a_number, "00000.csv' is damaged"),
    ],
)
def test_a_spoilt_set_is_refused_by_file(
    copy: Path, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(copy)
    with pytest.raises(GnnmatError, match=words):
        opened(copy)


def test_an_unfinished_set_says_how_to_go_on(copy: Path) -> None:
    unfinished(copy)
    with pytest.raises(GnnmatError) as said:
        opened(copy)
    assert said.value.fix.startswith("Run gnnmat simulate again with the same options and -o ")


def pickled(path: Path, images: np.ndarray) -> None:
    np.save(path, np.array([{"run": "me"}] * 4, dtype=object), allow_pickle=True)


def with_nan(path: Path, images: np.ndarray) -> None:
    images[0, 0, 0] = np.nan
    np.save(path, images)


def in_doubles(path: Path, images: np.ndarray) -> None:
    np.save(path, images.astype(float))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (pickled, "is not an array of numbers"),
        (with_nan, "image 0, is not finite"),
        (in_doubles, "holds float64"),
    ],
)
def test_a_spoilt_image_is_refused_when_it_is_read(
    copy: Path, spoil: Callable[[Path, np.ndarray], None], words: str
) -> None:
    records = opened(copy)
    path = copy / "shards" / "00000.npy"
    spoil(path, np.load(path))
    with pytest.raises(GnnmatError, match=words):
        records.read(records.raws[0])


def test_a_replaced_shard_is_read_anew(copy: Path) -> None:
    records = opened(copy)
    path = copy / "shards" / "00000.npy"
    before = records.read(records.raws[0]).image
    np.save(copy / "new.npy", np.load(path) + 1)
    (copy / "new.npy").replace(path)
    assert (records.read(records.raws[0]).image == before + 1).all()
