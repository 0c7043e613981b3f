"""Batches of the store against PyG's own collation; memory while reading."""

from __future__ import annotations

import gc
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from numpy.typing import NDArray

from gnnmat.data import store as store_module
from gnnmat.data.cache import open_store
from gnnmat.data.store import Store, pack
from gnnmat.errors import GnnmatError
from gnnmat.inputs.image import Image
from gnnmat.sample import FIELDS, Batch, Sample, check_sample, collate

from .made_records import GRAPH, crystal_records, five_crystals, image_records

FOLDED = GRAPH.model_copy(update={"fold": True})


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("graphs")
    return open_store(crystal_records(five_crystals()), GRAPH, folder=folder)[0]


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("folded")
    return open_store(crystal_records(five_crystals()), FOLDED, folder=folder)[0]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("images")
    return open_store(image_records(made_images()), Image(), folder=folder)[0]


def made_images() -> list[NDArray[np.float64]]:
    return list(np.random.default_rng(0).random((4, 2, 5, 7)))


def by_hand(arrays: dict[str, NDArray[Any]], row: int) -> Sample:
    """A sample made of what the input gives, without the store."""
    fields = {
        name: torch.from_numpy(np.array(array)).to(FIELDS[name].dtype)
        for name, array in arrays.items()
    }
    nodes = len(fields["z"]) if "z" in fields else 1
    return Sample(**fields, row=torch.tensor([row]), num_nodes=nodes)


def assert_same(batch: Batch, expected: Batch) -> None:
    assert set(batch.keys()) == set(expected.keys())
    for name in expected.keys():  # noqa: SIM118
        if isinstance(expected[name], torch.Tensor):
            assert batch[name].dtype == expected[name].dtype, name
            assert torch.equal(batch[name], expected[name]), name
        else:
            assert batch[name] == expected[name], name
    assert batch.num_graphs == expected.num_graphs
    assert batch.num_nodes == expected.num_nodes


ROWS = [[0, 1, 2, 3, 4], [4, 2, 0], [1], [2], [2, 2], [3, 3, 0, 3], [0, 2, 2, 1]]


@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_batch_of_folded_graphs_is_what_pyg_collates(folded: Store, rows: list[int]) -> None:
    raws = five_crystals()
    samples = [by_hand(FOLDED.sample(raws[row]), row) for row in rows]
    assert_same(folded.batch(rows), collate(samples))


@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_mean_number_of_bonds_is_that_of_the_whole_graphs(
    graphs: Store, folded: Store, rows: list[int]
) -> None:
    chosen = np.array(rows)
    samples = [GRAPH.sample(five_crystals()[row]) for row in rows]
    bonds = sum(sample["edge_index"].shape[1] for sample in samples)
    expected = bonds / sum(len(sample["z"]) for sample in samples)
    assert graphs.bonds_an_atom(chosen) == pytest.approx(expected)
    assert folded.bonds_an_atom(chosen) == pytest.approx(expected)


@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_batch_of_graphs_is_what_pyg_collates(graphs: Store, rows: list[int]) -> None:
    samples = [by_hand(GRAPH.sample(five_crystals()[row]), row) for row in rows]
    assert_same(graphs.batch(rows), collate(samples))
    assert_same(graphs.batch(rows), collate([graphs.sample(row) for row in rows]))


@pytest.mark.parametrize("rows", [[0, 1, 2, 3], [3, 0], [2], [1, 1]], ids=str)
def test_batch_of_images_is_what_pyg_collates(images: Store, rows: list[int]) -> None:
    samples = [by_hand(Image().sample(made_images()[row]), row) for row in rows]
    assert_same(images.batch(rows), collate(samples))
    assert_same(images.batch(rows), collate([images.sample(row) for row in rows]))


def test_every_sample_keeps_the_contract(graphs: Store, images: Store) -> None:
    for store, fields in ((graphs, GRAPH.fields), (images, ("image",))):
        for row in range(len(store)):
            sample = store.sample(row)
            check_sample(sample, [*fields, "row"])
            for name in fields:
                assert sample[name].dtype == FIELDS[name].dtype


def test_lonely_atom_stays_without_edges(graphs: Store) -> None:
    lonely = graphs.sample(2)
    assert lonely.num_nodes == 1
    assert lonely["edge_index"].shape == (2, 0)
    assert graphs.edges[2] == 0


def test_batch_may_be_changed_without_changing_the_store(graphs: Store) -> None:
    batch = graphs.batch([0])
    batch["pos"].zero_()
    batch["row"].zero_()
    assert graphs.batch([0])["pos"].abs().sum() > 0


def test_crystal_comes_back_to_float32_precision(graphs: Store) -> None:
    for row, crystal in enumerate(five_crystals()):
        back = graphs.crystal(row)
        assert back.numbers.tolist() == crystal.numbers.tolist()
        assert back.lattice == pytest.approx(crystal.lattice, rel=1e-6, abs=1e-6)
        assert back.frac == pytest.approx(crystal.frac, abs=1e-6)
        assert back.lattice.dtype == back.frac.dtype == np.float64


def test_store_pickles_by_path(graphs: Store) -> None:
    pickled = pickle.dumps(graphs)
    assert len(pickled) < 1000
    assert_same(pickle.loads(pickled).batch([3, 0]), graphs.batch([3, 0]))


def test_number_too_large_for_the_disk_is_refused() -> None:
    arrays = GRAPH.sample(five_crystals()[0])
    arrays["edge_offset"] = np.full_like(arrays["edge_offset"], -300)
    with pytest.raises(GnnmatError, match="'edge_offset' holds -300, outside the -128 to 127"):
        pack(arrays)


@pytest.fixture
def large(tmp_path: Path) -> Store:
    """4,800 images that fill 150 MiB."""
    shape, count = (2, 64, 64), 4800
    one = np.ones(shape, dtype=np.float32)
    records = image_records([one])
    records = type(records)(
        ids=list(map(str, range(count))),
        raws=[one] * count,
        read=records.read,
        fingerprint="large",
        table=records.table.reindex(range(count)),
    )
    store = open_store(records, Image(), folder=tmp_path, workers=1)[0]
    assert store.bytes > 150 * 2**20 > store_module.RESIDENT
    return store


def test_memory_does_not_grow_with_what_was_read(large: Store) -> None:
    process = psutil.Process()
    order = np.random.default_rng(0).permutation(len(large))
    for rows in np.split(order[:320], 10):  # what a batch needs, whatever the size of the store
        large.batch(rows)
    gc.collect()
    before = highest = process.memory_info().rss
    for _ in range(2):
        for rows in np.split(order, 150):
            large.batch(rows)
            highest = max(highest, process.memory_info().rss)
    assert highest - before < large.bytes / 4
