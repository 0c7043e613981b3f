"""The fields of a crystal's sample: order, offsets, lonely atoms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from gnnmat.inputs import CrystalGraph
from gnnmat.models import Cgcnn
from gnnmat.sample import DataSpec, Sample, Target, TargetSpec, check_sample, collate
from gnnmat.sources.crystal import Crystal, as_crystal
from gnnmat.tasks import Regression

from ..contracts import crystals

CRYSTALS = {
    "rock salt": crystals.rock_salt(),
    "triclinic": crystals.low_symmetry(),
    "outside the cell": crystals.translated(crystals.low_symmetry(), [3.3, -7.1, 0.5]),
    "tiny": crystals.iron(2.1),
}
every_crystal = pytest.mark.parametrize("crystal", CRYSTALS.values(), ids=CRYSTALS)
every_graph = pytest.mark.parametrize("neighbours", [None, 12])


@every_crystal
@every_graph
def test_offset_gives_the_bond_and_its_length(crystal: Crystal, neighbours: int | None) -> None:
    sample = CrystalGraph(cutoff=6.0, neighbours=neighbours).sample(crystal)
    source, centre = sample["edge_index"]
    assert np.array_equal(sample["edge_offset"], sample["edge_offset"].round())
    image = (crystal.frac[source] + sample["edge_offset"]) @ crystal.lattice
    bond = image - crystal.frac[centre] @ crystal.lattice
    np.testing.assert_allclose(np.linalg.norm(bond, axis=1), sample["edge_length"], atol=1e-9)


@every_crystal
@every_graph
def test_every_bond_of_a_radius_graph_has_its_reverse(
    crystal: Crystal, neighbours: int | None
) -> None:
    sample = CrystalGraph(cutoff=6.0, neighbours=neighbours).sample(crystal)
    source, centre = sample["edge_index"].tolist()
    cells = [tuple(cell) for cell in sample["edge_offset"].astype(int).tolist()]
    edges = set(zip(source, centre, cells, strict=True))
    reverse = {(c, s, tuple(-n for n in cell)) for s, c, cell in edges}
    # Nearest neighbours are not mutual where the atoms differ.
    assert edges == reverse or (neighbours is not None and len(set(crystal.numbers)) > 1)


@every_crystal
@every_graph
def test_edges_are_sorted_by_centre_then_length(crystal: Crystal, neighbours: int | None) -> None:
    sample = CrystalGraph(cutoff=6.0, neighbours=neighbours).sample(crystal)
    centre = sample["edge_index"][1]
    assert (np.diff(centre) >= 0).all()
    longer = np.diff(sample["edge_length"]) >= 0
    assert (longer | (np.diff(centre) > 0)).all()


@every_crystal
def test_sample_meets_the_contract_and_promises_its_fields(crystal: Crystal) -> None:
    graph = CrystalGraph.example()
    sample = graph.sample(crystal)
    assert tuple(sample) == graph.fields
    check_sample(Sample(**{name: torch.from_numpy(a) for name, a in sample.items()}), graph.fields)
    assert sample["pos"].dtype == sample["edge_length"].dtype == np.float64


def test_crystal_is_not_changed() -> None:
    crystal = crystals.low_symmetry()
    before = crystal.digest()
    CrystalGraph().sample(crystal)
    assert crystal.digest() == before


def test_an_atom_without_neighbours_stays_and_is_predicted() -> None:
    sample = CrystalGraph(cutoff=8.0).sample(crystals.lonely_argon(20.0))
    assert sample["z"].tolist() == [18]
    assert sample["edge_index"].shape == (2, 0)
    assert sample["edge_offset"].shape == (0, 3)
    spec = DataSpec(tuple(sample), TargetSpec((Target("gap", "eV"),)), (18,))
    for form in ("code", "paper"):
        encoder = Cgcnn(form=form).build(spec).double().eval()
        task = Regression().build(spec, encoder.width).double()
        batch = collate([Sample(**{name: torch.from_numpy(a) for name, a in sample.items()})])
        assert task(encoder(batch), batch).isfinite().all()
        with torch.no_grad():
            assert task(encoder(batch), batch).isfinite().all()


def test_a_lonely_atom_beside_others_keeps_its_row() -> None:
    far = as_crystal(np.eye(3) * 30.0, [18, 11, 17], [[0.5] * 3, [0] * 3, [0.09, 0, 0]])
    sample = CrystalGraph(cutoff=4.0).sample(far)
    assert sample["z"].tolist() == [18, 11, 17]
    assert sample["edge_index"].tolist() == [[2, 1], [1, 2]]
    np.testing.assert_allclose(sample["edge_length"], 2.7, atol=1e-9)


@pytest.mark.parametrize(
    "options",
    [{"cutoff": 0}, {"cutoff": 21}, {"neighbours": 0}, {"shell_tolerance": -1}, {"cutof": 5}],
)
def test_senseless_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        CrystalGraph(**options)
