"""Samples with labels, one by one, in batches, and through loader processes."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from gnnmat.data.dataset import SampleDataset, open_dataset
from gnnmat.data.loading import EpochBatches, loader
from gnnmat.errors import GnnmatError
from gnnmat.inputs.image import Image
from gnnmat.sample import check_sample, collate
from gnnmat.sources.records import Refusal

from .made_records import GRAPH, CountedReader, crystal_records, five_crystals, image_records
from .test_store import ROWS, assert_same

ATOMS = [8, 5, 1, 4, 1]
GAPS = [1.5, None, 0.0, -2.0, float("nan")]


def per_atom(counts: list[int]) -> list[list[float]]:
    return [[10.0 * row + atom for atom in range(count)] for row, count in enumerate(counts)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> SampleDataset:
    columns = {"gap": GAPS, "charge": per_atom(ATOMS), "volume": np.arange(5.0)}
    records = crystal_records(five_crystals(), **columns)
    folder = tmp_path_factory.mktemp("dataset")
    return open_dataset(records, GRAPH, ["gap", "charge", "volume"], folder=folder)


def with_nan_as(value: float, dataset: SampleDataset) -> SampleDataset:
    """Labels without NaN, so that tensors can be compared."""
    labels = dataset.labels
    assert labels.sample is not None
    filled = type(labels)(labels.spec, labels.sample.nan_to_num(value), labels.atom)
    return SampleDataset(dataset.store, filled, dataset.ids, dataset.table)


@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_batch_is_what_pyg_collates_of_the_samples(dataset: SampleDataset, rows: list[int]) -> None:
    filled = with_nan_as(-99.0, dataset)
    samples = [filled[row] for row in rows]
    for sample in samples:
        check_sample(sample, [*GRAPH.fields, "y_sample", "y_atom"])
    assert_same(filled.__getitems__(rows), collate(samples))


def test_labels_stand_beside_their_samples(dataset: SampleDataset) -> None:
    batch = dataset.__getitems__([3, 0, 3])
    assert batch["y_sample"].tolist() == [[-2.0, 3.0], [1.5, 0.0], [-2.0, 3.0]]
    charges = per_atom(ATOMS)
    assert batch["y_atom"].flatten().tolist() == charges[3] + charges[0] + charges[3]
    assert batch["y_sample"].dtype == batch["y_atom"].dtype == torch.float32
    assert dataset[1]["y_sample"].isnan().tolist() == [[True, False]]


def test_rows_count_from_the_end_and_end(dataset: SampleDataset) -> None:
    assert dataset[-1]["row"].tolist() == [4]
    assert dataset[-1]["y_sample"].shape == (1, 2)
    with pytest.raises(IndexError):
        dataset[5]
    assert [sample.num_nodes for sample in dataset] == ATOMS


def test_batches_of_images_carry_their_labels(tmp_path: Path) -> None:
    images = list(np.random.default_rng(1).random((3, 2, 4, 4)))
    records = image_records(images, width=[1.0, 2.0, 3.0])
    dataset = open_dataset(records, Image(), ["width"], folder=tmp_path)
    assert_same(dataset.__getitems__([2, 0]), collate([dataset[2], dataset[0]]))
    assert dataset.__getitems__([2, 0])["y_sample"].flatten().tolist() == [3.0, 1.0]
    assert dataset.spec().channels == 2
    assert dataset.spec().image_shape == (4, 4)
    assert not dataset.is_crystal


def test_refused_records_take_their_labels_and_names_with_them(tmp_path: Path) -> None:
    crystals = five_crystals()
    raws = [crystals[0], "rubbish", crystals[1], crystals[2]]
    columns = {"gap": [1.0, 2.0, 3.0, 4.0], "charge": per_atom([8, 3, 5, 1])}
    records = crystal_records(raws, CountedReader(), **columns)
    dataset = open_dataset(records, GRAPH, ["gap", "charge"], folder=tmp_path)
    assert dataset.ids == ["c0", "c2", "c3"]
    assert dataset.table["gap"].tolist() == [1.0, 3.0, 4.0]
    assert dataset.labels.sample is not None
    assert dataset.labels.sample.flatten().tolist() == [1.0, 3.0, 4.0]
    assert dataset[2]["y_atom"].tolist() == [[30.0]]
    reason = "'rubbish' is no crystal. It is a word."
    assert dataset.refused == [Refusal("c1", "list, item 2", reason)]


def test_two_tasks_over_one_cache_get_their_own_targets(tmp_path: Path) -> None:
    reader = CountedReader()
    gaps, moduli = [1.0, 2, 3, 4, 5], [10.0, 20, 30, 40, 50]
    both = crystal_records(five_crystals(), reader, gap=gaps, modulus=moduli)
    first = open_dataset(both, GRAPH, ["gap"], folder=tmp_path)
    second = open_dataset(both, GRAPH, ["modulus"], folder=tmp_path)
    corrected = crystal_records(five_crystals(), reader, gap=[-gap for gap in gaps])
    third = open_dataset(corrected, GRAPH, ["gap"], folder=tmp_path)
    none = open_dataset(corrected, GRAPH, folder=tmp_path)
    assert reader.calls == 5
    assert {one.store.folder for one in (first, second, third, none)} == {first.store.folder}
    rows = [4, 0]
    assert first.__getitems__(rows)["y_sample"].flatten().tolist() == [5.0, 1.0]
    assert second.__getitems__(rows)["y_sample"].flatten().tolist() == [50.0, 10.0]
    assert third.__getitems__(rows)["y_sample"].flatten().tolist() == [-5.0, -1.0]
    assert "y_sample" not in none.__getitems__(rows)


def test_unknown_target_is_said_before_anything_is_built(tmp_path: Path) -> None:
    reader = CountedReader()
    records = crystal_records(five_crystals(), reader, band_gap=range(5))
    with pytest.raises(GnnmatError, match="No column 'bandgap'") as caught:
        open_dataset(records, GRAPH, ["bandgap"], folder=tmp_path)
    assert "Did you mean 'band_gap'?" in caught.value.fix
    assert reader.calls == 0


def test_spec_says_what_the_training_rows_hold(dataset: SampleDataset) -> None:
    spec = dataset.spec(np.array([0, 4]))
    assert spec.elements == (11, 17, 29)
    # rock salt: 6 nearest neighbours and the next 12 within 5 Å; copper: one shell of 12
    assert spec.neighbours == pytest.approx((8 * 18 + 1 * 12) / 9)
    assert spec.fields == GRAPH.fields


def test_dataset_goes_to_loader_processes_by_path(tmp_path: Path) -> None:
    count = 3000
    crystals = five_crystals()
    records = crystal_records([crystals[4]] * count, gap=np.arange(float(count)))
    records.table["note"] = "a long text that no network reads " * 10
    dataset = open_dataset(records, GRAPH, ["gap"], folder=tmp_path, workers=1)
    labels = count * 4
    assert len(pickle.dumps(dataset.without_names())) < labels + 3000
    batches = EpochBatches(np.arange(count), 64)
    assert loader(dataset, batches, workers=2).dataset.ids == []  # type: ignore[attr-defined]
    again = pickle.loads(pickle.dumps(dataset))
    assert again.ids == dataset.ids
    assert_same(again.__getitems__([7, 2]), dataset.__getitems__([7, 2]))


def test_two_loader_processes_give_the_batches_of_none(dataset: SampleDataset) -> None:
    filled = with_nan_as(-99.0, dataset)
    batches = EpochBatches(np.arange(5), 2)
    alone, together = list(loader(filled, batches)), list(loader(filled, batches, workers=2))
    assert len(alone) == len(together) == 2
    for batch, expected in zip(together, alone, strict=True):
        assert_same(batch, expected)


def test_table_keeps_columns_that_are_no_targets(dataset: SampleDataset) -> None:
    assert list(dataset.table.columns) == ["gap", "charge", "volume"]
    assert isinstance(dataset.table.index, pd.RangeIndex)
