"""One crystal, written in many ways, is one graph and one prediction."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gnnmat.inputs import CrystalGraph
from gnnmat.models import Cgcnn
from gnnmat.sample import DataSpec, Sample, Target, TargetSpec, collate
from gnnmat.sources.crystal import Crystal
from gnnmat.tasks import Regression

from ..contracts import crystals

CRYSTALS = {
    "rock salt": crystals.rock_salt_primitive(),
    "perovskite": crystals.perovskite(),
    "diamond": crystals.diamond(),
    "hcp": crystals.magnesium(),
    "triclinic": crystals.low_symmetry(),
}
GRAPHS = {
    "whole shells": CrystalGraph(),
    "few neighbours": CrystalGraph(cutoff=7.0, neighbours=5),
    "radius": CrystalGraph(cutoff=5.0, neighbours=None),
}
SPEC = DataSpec(
    fields=GRAPHS["radius"].fields,
    targets=TargetSpec((Target("gap", "eV"),)),
    elements=tuple(range(1, 90)),
)

every_crystal = pytest.mark.parametrize("crystal", CRYSTALS.values(), ids=CRYSTALS)
every_graph = pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
every_relative = pytest.mark.parametrize("name", crystals.RELATIVES)


def surroundings(
    sample: dict[str, NDArray[np.generic]],
) -> list[dict[int, NDArray[np.generic]]]:
    """For each atom, the sorted bond lengths (Å) to the neighbours of each element."""
    source, centre = sample["edge_index"]
    found = []
    for atom in range(len(sample["z"])):
        elements, lengths = sample["z"][source[centre == atom]], sample["edge_length"]
        mine = lengths[centre == atom]
        found.append({int(z): np.sort(mine[elements == z]) for z in np.unique(elements)})
    return found


@every_crystal
@every_graph
@every_relative
def test_graph_is_the_same_for(name: str, graph: CrystalGraph, crystal: Crystal) -> None:
    relative, parent = crystals.relatives(crystal)[name]
    before, after = graph.sample(crystal), graph.sample(relative)
    np.testing.assert_array_equal(after["z"], before["z"][parent])
    one, many = surroundings(before), surroundings(after)
    for atom, origin in enumerate(parent):
        assert many[atom].keys() == one[origin].keys()
        for element, lengths in many[atom].items():
            assert len(lengths) == len(one[origin][element])
            np.testing.assert_allclose(lengths, one[origin][element], atol=1e-9)


def predicted(graph: CrystalGraph, crystal: Crystal, form: str = "code") -> torch.Tensor:
    """Prediction of an untrained network in float64, whose normalisations do something."""
    torch.manual_seed(3)
    config = Cgcnn(width=16, layers=3, form=form)
    encoder = config.build(SPEC).double()
    task = Regression().build(SPEC, encoder.width).double()
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            torch.nn.init.normal_(module.running_mean, std=0.3)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    encoder.eval()
    fields = {name: torch.from_numpy(array) for name, array in graph.sample(crystal).items()}
    batch = collate([Sample(**fields)])
    with torch.no_grad():
        return task(encoder(batch), batch)


@every_crystal
@pytest.mark.parametrize("form", ["code", "paper"])
@every_relative
def test_prediction_is_the_same_for(name: str, form: str, crystal: Crystal) -> None:
    relative, _ = crystals.relatives(crystal)[name]
    graph = GRAPHS["whole shells"]
    before, after = predicted(graph, crystal, form), predicted(graph, relative, form)
    assert torch.isfinite(before).all()
    torch.testing.assert_close(after, before, rtol=0, atol=1e-9)


def test_prediction_depends_on_the_crystal() -> None:
    values = [float(predicted(GRAPHS["radius"], crystal)) for crystal in CRYSTALS.values()]
    smaller = float(predicted(GRAPHS["radius"], crystals.perovskite(a=3.8)))
    assert len({round(value, 5) for value in [*values, smaller]}) == len(CRYSTALS) + 1


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_conventional_and_primitive_cell_agree(graph: CrystalGraph) -> None:
    primitive, cubic = crystals.rock_salt_primitive(), crystals.rock_salt()
    one, many = surroundings(graph.sample(primitive)), surroundings(graph.sample(cubic))
    for atom in range(8):
        for element, lengths in many[atom].items():
            np.testing.assert_allclose(lengths, one[atom // 4][element], atol=1e-9)
    difference = predicted(graph, cubic) - predicted(graph, primitive)
    assert abs(float(difference)) < 1e-9


def test_primitive_cell_of_pymatgen_agrees() -> None:
    from pymatgen.core import Lattice, Structure

    from gnnmat.sources.structure import from_structure

    cubic = Structure.from_spacegroup(
        "Fd-3m", Lattice.cubic(8.083), ["Mg", "Al", "O"], [[0] * 3, [0.625] * 3, [0.3873] * 3]
    )
    primitive = cubic.get_primitive_structure(tolerance=1e-3)
    assert (len(cubic), len(primitive)) == (56, 14)
    graph = GRAPHS["whole shells"]
    one, many = (predicted(graph, from_structure(cell)) for cell in (primitive, cubic))
    torch.testing.assert_close(one, many, rtol=0, atol=1e-9)


def test_bond_vectors_turn_with_the_crystal() -> None:
    graph, crystal = GRAPHS["radius"], crystals.low_symmetry()
    turned = crystals.rotated(crystal)
    turn = np.linalg.inv(crystal.lattice) @ turned.lattice
    moments = []
    for sample in (graph.sample(crystal), graph.sample(turned)):
        source, centre = sample["edge_index"]
        shift = sample["edge_offset"] @ sample["lattice"][0]
        bond = sample["pos"][source] + shift - sample["pos"][centre]
        moment = np.zeros((len(sample["z"]), 3, 3))
        np.add.at(moment, centre, bond[:, :, None] * bond[:, None, :])
        moments.append(moment)
    np.testing.assert_allclose(moments[1], turn.T @ moments[0] @ turn, atol=1e-9)
