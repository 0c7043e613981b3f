"""The sample contract: every mistake is named, and batches are joined as they should be."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from gnnmat.errors import GnnmatError
from gnnmat.sample import (
    FIELDS,
    DataSpec,
    Sample,
    Target,
    TargetSpec,
    check_sample,
    collate,
)

NAN = float("nan")


def graph(**changes: Any) -> Sample:
    """Two atoms and three edges, all fields of the contract but the image."""
    fields: dict[str, Any] = {
        "z": torch.tensor([11, 17]),
        "pos": torch.zeros(2, 3),
        "lattice": torch.eye(3)[None],
        "edge_index": torch.tensor([[1, 0, 1], [0, 1, 1]]),
        "edge_length": torch.ones(3),
        "edge_offset": torch.zeros(3, 3),
        "row": torch.tensor([7]),
        "group": torch.tensor([0]),
        "y_sample": torch.tensor([[1.0, NAN]]),
        "y_atom": torch.tensor([[1.0], [NAN]]),
        "y_edge": torch.full((3, 1), NAN),
    }
    fields.update(changes)
    return Sample(**{name: value for name, value in fields.items() if value is not None})


def image(shape: tuple[int, ...] = (1, 2, 8, 8)) -> Sample:
    return Sample(image=torch.zeros(shape), num_nodes=1)


@pytest.mark.parametrize(
    "sample",
    [
        graph(),
        graph(edge_index=torch.empty(2, 0).long(), edge_length=torch.empty(0), edge_offset=None,
              y_edge=None),
        graph(pos=torch.zeros(2, 3, dtype=torch.float64)),
        image(),
        image((1, 1, 5)),
        image((1, 3, 4, 5, 6)),
    ],
    ids=["graph", "no edges", "float64", "image", "signal", "volume"],
)  # fmt: skip
def test_sound_samples_pass(sample: Sample) -> None:
    check_sample(sample)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"z": torch.zeros(2, 1).long()}, r"'z': expected (atoms,), got (2, 1)."),
        ({"pos": torch.zeros(3, 3)}, r"'pos': expected (atoms, 3), got (3, 3)."),
        ({"pos": torch.zeros(2, 2)}, r"'pos': expected (atoms, 3), got (2, 2)."),
        ({"lattice": torch.eye(3)}, r"'lattice': expected (1, 3, 3), got (3, 3)."),
        ({"lattice": torch.zeros(1, 2, 3)}, r"'lattice': expected (1, 3, 3), got (1, 2, 3)."),
        ({"edge_index": torch.zeros(3, 2).long()}, "'edge_index': expected (2, edges), got"),
        ({"edge_length": torch.ones(4)}, r"'edge_length': expected (edges,), got (4,)."),
        ({"edge_length": torch.ones(3, 1)}, r"'edge_length': expected (edges,), got (3, 1)."),
        ({"edge_offset": torch.zeros(3, 2)}, r"'edge_offset': expected (edges, 3), got (3, 2)."),
        ({"row": torch.tensor(7)}, r"'row': expected (1,), got ()."),
        ({"y_sample": torch.zeros(2)}, r"'y_sample': expected (1, d), got (2,)."),
        ({"y_sample": torch.zeros(2, 1)}, r"'y_sample': expected (1, d), got (2, 1)."),
        ({"y_atom": torch.zeros(3, 1)}, r"'y_atom': expected (atoms, d), got (3, 1)."),
        ({"y_edge": torch.zeros(2, 1)}, r"'y_edge': expected (edges, d), got (2, 1)."),
        ({"z": torch.ones(2)}, "'z' is torch.float32, expected torch.int64."),
        ({"edge_length": torch.ones(3).long()}, "is torch.int64, expected torch.float32."),
        ({"z": [11, 17]}, "Field 'z' is list, expected a tensor."),
        ({"edge_length": torch.tensor([1, NAN, 1])}, "'edge_length' holds NaN or infinity."),
        ({"pos": torch.full((2, 3), torch.inf)}, "'pos' holds NaN or infinity."),
        ({"edge_index": torch.tensor([[2, 0, 1], [0, 1, 1]])}, "points outside the 2 atoms."),
        ({"edge_index": torch.tensor([[-1, 0, 1], [0, 1, 1]])}, "points outside the 2 atoms."),
        ({"edge_index": torch.tensor([[1, 0, 1], [1, 0, 1]])}, "not sorted by centre"),
        ({"image": torch.zeros(1, 1, 4, 4)}, "either a graph or an image.\nIt has: edge_index,"),
        ({"z": None}, "either a graph or an image.\nIt has: edge_index,"),
        ({"edge_lenght": torch.ones(3)}, "Unknown sample field 'edge_lenght'."),
    ],
)  # fmt: skip
def test_mistakes_are_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(GnnmatError) as caught:
        check_sample(graph(**changes))
    assert words in str(caught.value)


@pytest.mark.parametrize("shape", [(8, 8), (1, 8), (2, 1, 8, 8)])
def test_images_of_another_shape_are_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(GnnmatError) as caught:
        check_sample(image(shape))
    assert str(caught.value).startswith(f"Field 'image': expected (1, C, *S), got {shape}.")


def test_message_counts_atoms_and_edges_and_suggests_the_name() -> None:
    with pytest.raises(GnnmatError) as caught:
        check_sample(graph(edge_length=torch.ones(4)))
    assert caught.value.why == "There are 2 atoms and 3 edges."
    with pytest.raises(GnnmatError) as caught:
        check_sample(graph(edge_lenght=torch.ones(3)))
    assert caught.value.fix == "Did you mean 'edge_length'?"


def test_a_required_field_that_is_absent_is_named() -> None:
    with pytest.raises(GnnmatError) as caught:
        check_sample(image(), ["image", "z"])
    assert str(caught.value) == "The sample has no field 'z'.\nIt has: image, num_nodes."


def test_every_field_says_what_it_is() -> None:
    for name, field in FIELDS.items():
        assert field.meaning, name
        assert field.shape.startswith("(")
        assert field.level in ("sample", "atom", "edge")
        assert field.shape.split(",")[0] != "(atoms" or field.level == "atom"


def test_graphs_are_joined_and_edges_shifted() -> None:
    batch = collate([graph(), graph(), graph()])
    assert batch.num_graphs == 3
    assert batch.batch.tolist() == [0, 0, 1, 1, 2, 2]
    assert batch.ptr.tolist() == [0, 2, 4, 6]
    assert batch.edge_index.tolist() == [[1, 0, 1, 3, 2, 3, 5, 4, 5], [0, 1, 1, 2, 3, 3, 4, 5, 5]]
    assert batch.row.tolist() == [7, 7, 7]
    assert batch.lattice.shape == (3, 3, 3)
    assert batch.y_sample.shape == (3, 2)
    assert batch.y_atom.shape == (6, 1)


def test_atoms_without_edges_are_counted_in_a_batch_of_bare_graphs() -> None:
    # Without positions PyG counts the atoms by the highest edge index.
    lonely = Sample(z=torch.tensor([18, 18]), edge_index=torch.empty(2, 0).long())
    pair = Sample(z=torch.tensor([11, 17, 8]), edge_index=torch.tensor([[1, 0], [0, 1]]))
    batch = collate([lonely, pair, lonely])
    assert batch.ptr.tolist() == [0, 2, 5, 7]
    assert batch.edge_index.tolist() == [[3, 2], [2, 3]]
    assert "num_nodes" not in pair  # what was given is not changed


def test_images_are_stacked_with_one_node_each() -> None:
    bare = Sample(image=torch.ones(1, 2, 8, 8))
    batch = collate([image(), bare])
    assert batch.image.shape == (2, 2, 8, 8)
    assert batch.image.mean(dim=(1, 2, 3)).tolist() == [0, 1]
    assert batch.ptr.tolist() == [0, 1, 2]


SPEC = TargetSpec(
    (Target("gap", "eV"), Target("moment", "mu_B", "atom"), Target("metal", classes=("no", "yes")))
)


def test_targets_are_found_by_name_and_level() -> None:
    assert SPEC["moment"].unit == "mu_B"
    assert [target.name for target in SPEC.at("sample")] == ["gap", "metal"]
    assert SPEC.at("edge") == ()


def test_an_unknown_target_is_named_with_the_nearest() -> None:
    with pytest.raises(GnnmatError) as caught:
        SPEC["momnet"]
    assert str(caught.value) == "No target called 'momnet'.\nFix: Did you mean 'moment'?"


@pytest.mark.parametrize(
    "spec",
    [
        DataSpec(("z", "edge_index"), SPEC, elements=(1, 8), neighbours=12.5),
        DataSpec(("image",), TargetSpec(()), channels=2, image_shape=(16, 12)),
    ],
)
def test_spec_survives_json(spec: DataSpec) -> None:
    assert DataSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
