"""Contributions of atoms and bonds: they add up, and they point where the target was planted."""

from __future__ import annotations

from copy import copy, deepcopy
from dataclasses import replace
from functools import lru_cache
from typing import Any, get_args

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.models import Cgcnn, Model
from gnnmat.models.encoder import Encoder
from gnnmat.models.gated import Gated
from gnnmat.sample import Batch, DataSpec, Target, TargetSpec
from gnnmat.sources.crystal import Crystal
from gnnmat.tasks.classification import Classification
from gnnmat.tasks.head import Head
from gnnmat.tasks.joint import Joint
from gnnmat.tasks.regression import Regression
from gnnmat.train.answer_attribution import answer_of
from gnnmat.train.atom_attribution import atom_map, exact_atoms
from gnnmat.train.bond_attribution import bonds_of
from gnnmat.train.checkpoint import Trained
from gnnmat.train.crystal_attribution import (
    attribute_crystal,
    batch_in_float64,
    in_float64,
)

from .planted_crystals import (
    CL,
    DEEP,
    ELEMENTS,
    LI,
    LINEAR,
    MODEL,
    SPEC,
    F,
    learned,
    mixed,
    network,
    one,
    pairs,
)  # fmt: skip

ROCK_SALT = Crystal(
    np.array([[0, 2.0, 2.0], [2.0, 0, 2.0], [2.0, 2.0, 0]]),
    np.array([LI, F]),
    np.array([[0, 0, 0], [0.5, 0.5, 0.5]]),
)


@lru_cache(maxsize=4)
def of_element(hidden: bool = False) -> Trained:
    return learned(mixed(60, 0), network(DEEP if hidden else LINEAR))


@lru_cache(maxsize=1)
def of_bond() -> Trained:
    return learned(pairs(80, 0), network(DEEP), steps=200)


def contributions(trained: Trained, crystal: Crystal, method: Any = "exact") -> Any:
    """(atoms,) of one network."""
    precise, batch = in_float64(trained), batch_in_float64(one(crystal))
    return atom_map(precise, batch, answer_of(precise.task), method).contributions.numpy()


def prediction(trained: Trained, crystal: Crystal) -> float:
    """What the run itself says, in float64."""
    precise, batch = in_float64(trained), batch_in_float64(one(crystal))
    with torch.no_grad():
        return float(precise.task.decode(precise.task(precise.encoder(batch), batch)))


def test_a_linear_head_is_decomposed_exactly() -> None:
    crystal = mixed(1, 7)[0][0]
    found = attribute_crystal([of_element()], one(crystal))
    assert found.method == "exact"
    total = found.atoms.baseline + found.atoms.mean.sum()
    assert total == pytest.approx(prediction(of_element(), crystal), rel=1e-9)
    assert found.atoms.relative_error < 1e-9
    assert found.atoms.baseline == pytest.approx(float(of_element().task.shift), rel=1e-6)
    assert found.answer.unit == "eV"


def test_contributions_are_those_of_the_formula() -> None:
    trained = in_float64(of_element())
    batch = batch_in_float64(one(mixed(1, 7)[0][0]))
    layer = trained.task.head.layers[0]  # type: ignore[union-attr, index]
    with torch.no_grad():
        own = trained.encoder.local(batch) @ layer.weight[0] + layer.bias
        expected = own * trained.task.factor / len(batch.z)
    found = exact_atoms(trained, batch, answer_of(trained.task))
    np.testing.assert_allclose(found.contributions, expected, rtol=1e-9)
    constant = float(layer.bias * trained.task.factor + trained.task.shift)
    assert found.constant == pytest.approx(constant)


def test_a_decomposition_that_forgets_the_bias_does_not_add_up() -> None:
    trained = in_float64(of_element())
    batch = batch_in_float64(one(mixed(1, 7)[0][0]))
    answer = answer_of(trained.task)
    unbiased = deepcopy(trained.task)
    torch.nn.init.zeros_(unbiased.head.layers[0].bias)  # type: ignore[union-attr, index]
    forgetful = exact_atoms(replace(trained, task=unbiased), batch, answer).contributions
    whole = exact_atoms(trained, batch, answer)
    gap = float(forgetful.sum()) - (whole.answer - whole.baseline)
    assert abs(gap) > 1e-3 * abs(whole.answer - whole.baseline)
    assert abs(whole.error) < 1e-9


def test_integrated_gradients_of_a_linear_head_are_the_exact_decomposition() -> None:
    batch = one(mixed(1, 3)[0][0])
    exact = attribute_crystal([of_element()], batch, method="exact")
    path = attribute_crystal([of_element()], batch, method="features")
    np.testing.assert_allclose(path.atoms.mean, exact.atoms.mean, rtol=1e-9)


@pytest.mark.parametrize("method", ["features", "elements"])
def test_integrated_gradients_add_up_with_a_deep_head(method: Any) -> None:
    crystal = mixed(1, 5)[0][0]
    found = attribute_crystal([of_element(hidden=True)], one(crystal), method=method)
    total = found.atoms.baseline + found.atoms.mean.sum()
    assert total == pytest.approx(prediction(of_element(hidden=True), crystal), rel=1e-5)
    assert found.atoms.relative_error < 1e-5
    assert found.atoms.steps > 0


def test_bonds_add_up_to_what_the_edges_change() -> None:
    batch = batch_in_float64(one(mixed(1, 5)[0][0]))
    found = attribute_crystal([of_element(hidden=True)], batch)
    trained = in_float64(of_element(hidden=True))
    bare = copy(batch)
    bare.edge_weight = torch.zeros_like(batch.edge_length)
    with torch.no_grad():
        whole, none = (
            float(trained.task.decode(trained.task(trained.encoder(b), b))) for b in (batch, bare)
        )
    assert found.bonded is not None
    assert found.bonded.mean.sum() == pytest.approx(whole - none, rel=1e-5)
    assert found.bonded.baseline == pytest.approx(none)


def test_captum_gives_bonds_the_same_contributions() -> None:
    trained, batch = in_float64(of_bond()), batch_in_float64(one(pairs(3, 4)[2][0]))

    def forward(weights: Tensor) -> Tensor:
        out = []
        for weight in weights:
            faded = copy(batch)
            faded.edge_weight = weight
            out.append(trained.task.decode(trained.task(trained.encoder(faded), faded))[0, 0])
        return torch.stack(out)

    ones = torch.ones(1, len(batch.edge_length), dtype=torch.float64)
    expected = IntegratedGradients(forward).attribute(ones, n_steps=32, method="gausslegendre")
    found = attribute_crystal([of_bond()], batch)
    assert found.bonded is not None
    summed = found.bonds.sum(expected[0].detach())
    np.testing.assert_allclose(found.bonded.mean, summed, rtol=1e-5, atol=1e-7)


def test_captum_gives_atoms_the_same_contributions() -> None:
    trained = in_float64(of_element(hidden=True))
    batch = batch_in_float64(one(mixed(1, 5)[0][0]))
    with torch.no_grad():
        local = trained.encoder.local(batch)

    def forward(features: Tensor) -> Tensor:
        return trained.task.decode(trained.task.head(features.mean(dim=1)))[:, 0]  # type: ignore[operator]

    captum = IntegratedGradients(forward)
    expected = captum.attribute(local[None], n_steps=32, method="gausslegendre")[0].sum(dim=1)
    found = attribute_crystal([of_element(hidden=True)], batch, method="features")
    share = (found.constants[0] - found.atoms.baseline) / len(local)
    np.testing.assert_allclose(found.atoms.mean, expected.detach() + share, rtol=1e-5)


def test_rock_salt_has_six_short_bonds_an_atom_written_once() -> None:
    batch = one(ROCK_SALT)
    bonds = bonds_of(batch)
    lengths, counts = np.unique(bonds.length.round(3), return_counts=True)
    # Hand count: 6 Li-F at a/2 = 2 Å a cell; Li-Li and F-F at 2.83 Å, 12 / 2 each.
    assert lengths.tolist() == [2.0, 2.828]
    assert counts.tolist() == [6, 12]
    assert (np.bincount(bonds.edges) == 2).all()
    vector = (
        ROCK_SALT.frac[bonds.second] + bonds.offset - ROCK_SALT.frac[bonds.first]
    ) @ ROCK_SALT.lattice
    np.testing.assert_allclose(np.linalg.norm(vector, axis=1), bonds.length, rtol=1e-6)


@pytest.mark.parametrize("method", ["exact", "elements"])
def test_the_planted_element_ranks_first_in_every_crystal(method: Any) -> None:
    crystals = [crystal for crystal, share in mixed(30, 11) if 0.2 < share < 0.8][:6]
    for crystal in crystals:
        is_planted = crystal.numbers == CL
        mean = contributions(of_element(), crystal, method)
        each = {number: mean[crystal.numbers == number].mean() for number in set(crystal.numbers)}
        assert max(each, key=lambda number: each[number]) == CL
        if method == "elements":  # features have heard of their neighbours, elements have not
            assert mean[is_planted].min() > mean[~is_planted].max()


@pytest.mark.parametrize("hidden", [False, True])
def test_atoms_of_the_planted_element_stand_above_the_others(hidden: bool) -> None:
    crystals = [crystal for crystal, share in mixed(30, 11) if 0.2 < share < 0.8][:12]
    method: Any = "features" if hidden else "exact"
    higher = []
    for crystal in crystals:
        mean = contributions(of_element(hidden), crystal, method)
        is_planted = crystal.numbers == CL
        higher.append((mean[is_planted][:, None] > mean[~is_planted]).mean())
    assert np.mean(higher) > 0.8  # chance: 0.5


def test_elements_say_what_the_planted_one_does() -> None:
    crystal = next(crystal for crystal, share in mixed(30, 11) if share == 0.25)
    mean = contributions(of_element(), crystal, "elements")
    is_planted = crystal.numbers == CL
    # Against average elements, a quarter of them chlorine: +3/4 and -1/4, shared by 8 atoms.
    assert mean[is_planted] == pytest.approx(np.full(2, 0.75 / 8), abs=0.05)
    assert mean[~is_planted].mean() == pytest.approx(-0.25 / 8, abs=0.02)


def test_bonds_of_the_planted_pair_rank_first() -> None:
    seen = 0
    for crystal, value in pairs(40, 21):
        bonds = bonds_of(one(crystal))
        if value < 0.5 or len(bonds) < 2:
            continue
        found = attribute_crystal([of_bond()], one(crystal))
        assert found.bonded is not None
        is_planted = crystal.numbers[bonds.first] == LI
        assert is_planted.sum() == 1
        planted, other = found.bonded.mean[is_planted], found.bonded.mean[~is_planted]
        assert planted[0] > 3 * abs(other[0])
        assert planted[0] == pytest.approx(value, abs=0.35)
        seen += 1
    assert seen > 5


def test_random_weights_give_another_map() -> None:
    from scipy.stats import spearmanr

    crystals = [crystal for crystal, _ in mixed(10, 31)]

    def joined(trained: Trained) -> np.ndarray[Any, Any]:
        return np.concatenate([contributions(trained, crystal) for crystal in crystals])

    own = joined(of_element())
    again = joined(learned(mixed(60, 1), network(seed=5)))
    random = [abs(spearmanr(own, joined(network(seed=seed)))[0]) for seed in (1, 2, 3)]
    assert spearmanr(own, again)[0] > np.mean(random) + 0.2


def graph_encoders() -> list[Any]:
    """A small instance of every registered model that reads bonds."""
    union = get_args(get_args(Model)[0])
    return [kind for kind in union if "edge_index" in readable(kind)]


def readable(kind: Any) -> tuple[str, ...]:
    try:
        reads: tuple[str, ...] = kind.example().build(SPEC).reads
    except GnnmatError:  # an encoder of images
        return ()
    return reads


@pytest.mark.parametrize("kind", graph_encoders(), ids=lambda kind: kind.__name__)
def test_contributions_add_up_for_every_encoder_of_graphs(kind: Any) -> None:
    trained = network(model=kind.example())
    crystal = mixed(1, 5)[0][0]
    found = attribute_crystal([trained], one(crystal))
    assert found.atoms.relative_error < 1e-6
    total = found.atoms.baseline + found.atoms.mean.sum()
    assert total == pytest.approx(prediction(trained, crystal), rel=1e-6, abs=1e-9)
    assert found.bonded is not None
    assert found.bonded.relative_error < 1e-4
    elements = attribute_crystal([trained], one(crystal), method="elements")
    assert elements.atoms.relative_error < 1e-4


def test_a_mean_is_known_by_what_it_does() -> None:
    batch = one(mixed(1, 5)[0][0])
    mean, attention = (
        network(model=Gated(width=8, layers=1, gaussians=9, pool=pool))
        for pool in ("mean", "attention")
    )
    assert attribute_crystal([mean], batch).method == "exact"
    torch.nn.init.normal_(attention.encoder.readout.linear.weight)  # type: ignore[union-attr]
    assert attribute_crystal([attention], batch).method == "features"


def test_an_ensemble_gives_mean_and_spread_of_its_members() -> None:
    members = [of_element(), network(seed=3)]
    batch = one(mixed(1, 5)[0][0])
    found = attribute_crystal(members, batch)
    alone = [attribute_crystal([member], batch) for member in members]
    each = np.stack([one.atoms.mean for one in alone])
    # A map of the first member alone, or of one member twice, is neither.
    assert np.abs(each[0] - each[1]).max() > 1e-3
    np.testing.assert_allclose(found.atoms.mean, each.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.atoms.spread, each.std(axis=0, ddof=1), rtol=1e-12)
    bonded = np.stack([one.bonded.mean for one in alone if one.bonded is not None])
    assert found.bonded is not None
    np.testing.assert_allclose(found.bonded.mean, bonded.mean(axis=0), rtol=1e-9)
    assert np.isnan(alone[0].atoms.spread).all()


def test_a_logarithm_is_explained_as_one() -> None:
    task = Regression(head=Head(hidden=()), scale="log")
    data = [(crystal, value + 1) for crystal, value in mixed(20, 0)]
    trained = learned(data, network(task), steps=5)
    found = attribute_crystal([trained], one(data[0][0]))
    assert (found.answer.unit, found.answer.words) == ("ln", "ln(planted / eV)")
    total = found.atoms.baseline + found.atoms.mean.sum()
    assert np.exp(total) == pytest.approx(prediction(trained, data[0][0]), rel=1e-9)
    labels = np.log([value for _, value in data])
    assert found.atoms.baseline == pytest.approx(labels.mean(), abs=1e-6)


def classes(count: int, task: Any) -> Trained:
    names = ("a", "b", "c")[:count]
    spec = replace(SPEC, targets=TargetSpec((Target("kind", classes=names), Target("size"))))
    if isinstance(task, Classification):
        spec = replace(spec, targets=TargetSpec(spec.targets.targets[:1]))
    torch.manual_seed(0)
    encoder = MODEL.build(spec)
    built = task.build(spec, encoder.width)
    return replace(network(), spec=spec, encoder=encoder.eval(), task=built.eval())


def test_two_classes_are_explained_exactly_as_log_odds() -> None:
    task = Classification(head=Head(hidden=()))
    found = attribute_crystal([classes(2, task)], one(ROCK_SALT))
    assert (found.method, found.answer.unit) == ("exact", "log-odds")
    assert found.atoms.answer > 0  # the predicted one of two classes
    assert found.atoms.mean.sum() == pytest.approx(found.atoms.answer, rel=1e-9)
    other = 1 - found.answer.label  # type: ignore[operator]
    against = attribute_crystal([classes(2, task)], one(ROCK_SALT), label="ab"[other])
    np.testing.assert_allclose(against.atoms.mean, -found.atoms.mean, rtol=1e-9)


def test_three_classes_and_joint_tasks_take_integrated_gradients() -> None:
    task = Classification(head=Head(hidden=()))
    found = attribute_crystal([classes(3, task)], one(ROCK_SALT))
    assert found.method == "features"
    assert found.atoms.relative_error < 1e-5
    joint = Joint(of_classes=task, of_numbers=LINEAR)
    number = attribute_crystal([classes(3, joint)], one(ROCK_SALT), target="size")
    assert number.method == "exact"
    assert number.atoms.relative_error < 1e-9


class Deaf(Encoder):
    """An encoder that knows nothing of edges or their weights."""

    reads = ("z",)
    width = 3

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(119, 3)

    def local(self, batch: Batch) -> Tensor:
        out: Tensor = self.embedding(batch.z)
        return out

    def inputs(self, batch: Batch) -> Tensor:
        out: Tensor = batch.edge_length
        return out


def test_an_encoder_without_edge_weights_has_atoms_only() -> None:
    trained = replace(network(), encoder=Deaf(), task=LINEAR.build(SPEC, 3))
    found = attribute_crystal([trained], one(ROCK_SALT))
    assert found.bonded is None
    assert found.atoms.relative_error < 1e-9
    with pytest.raises(GnnmatError, match="by one ElementEmbedding"):
        attribute_crystal([trained], one(ROCK_SALT), method="elements")


class Total(Deaf):
    """An encoder that adds instead of averaging."""

    def pool(self, local: Tensor, batch: Batch) -> Tensor:
        return super().pool(local, batch) * len(local)


def test_another_pool_than_the_mean_is_not_taken_for_it() -> None:
    trained = replace(network(), encoder=Total(), task=LINEAR.build(SPEC, 3))
    found = attribute_crystal([trained], one(ROCK_SALT))
    assert found.method == "features"
    assert found.atoms.relative_error < 1e-6
    with pytest.raises(GnnmatError, match="no plain sum over atoms"):
        attribute_crystal([trained], one(ROCK_SALT), method="exact")


def test_a_lonely_atom_has_no_bonds() -> None:
    lonely = Crystal(np.eye(3) * 20, np.array([LI]), np.zeros((1, 3)))
    found = attribute_crystal([of_element()], one(lonely))
    assert found.bonded is None
    assert len(found.bonds) == 0
    assert found.atoms.relative_error < 1e-9


def per_atom() -> Trained:
    spec = DataSpec(
        SPEC.fields, TargetSpec((Target("charge", level="atom"),)), ELEMENTS, neighbours=4.0
    )
    torch.manual_seed(0)
    encoder = Cgcnn.example().build(spec)
    task = LINEAR.build(spec, encoder.width)
    return replace(network(), spec=spec, encoder=encoder.eval(), task=task.eval())


def test_the_value_of_one_atom_is_explained_by_elements() -> None:
    found = attribute_crystal([per_atom()], one(ROCK_SALT), atom=1)
    assert found.method == "elements"
    precise, batch = in_float64(per_atom()), batch_in_float64(one(ROCK_SALT))
    with torch.no_grad():
        values = precise.task.decode(precise.task(precise.encoder(batch), batch))
    assert found.atoms.answer == pytest.approx(float(values[1]))
    assert found.atoms.relative_error < 1e-5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": "plantad"}, "predicts no 'plantad'(.|\n)*Did you mean 'planted'"),
        ({"label": "a"}, "has no class 'a'"),
        ({"method": "exakt"}, "no method 'exakt'(.|\n)*Did you mean 'exact'"),
        ({"atom": 0}, "one 'planted' a crystal, not one an atom"),
    ],
)
def test_mistakes_are_said_in_words(options: Any, words: str) -> None:
    with pytest.raises(GnnmatError, match=words):
        attribute_crystal([of_element()], one(ROCK_SALT), **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "for every atom(.|\n)*--atom 0"),
        ({"atom": 9}, "There is no atom 9(.|\n)*atoms 0 to 1"),
        ({"atom": 0, "method": "exact"}, "features of that atom alone"),
    ],
)
def test_mistakes_with_values_of_atoms_are_said_in_words(options: Any, words: str) -> None:
    with pytest.raises(GnnmatError, match=words):
        attribute_crystal([per_atom()], one(ROCK_SALT), **options)


def test_two_crystals_at_once_are_refused() -> None:
    from gnnmat.sample import collate

    from .planted_crystals import sample

    with pytest.raises(GnnmatError, match="one crystal at a time"):
        attribute_crystal([of_element()], collate([sample(ROCK_SALT)] * 2))


@pytest.mark.parametrize(
    ("pool", "task", "named"),
    [
        ("mean", DEEP, ["task.head.hidden=[]"]),
        ("attention", LINEAR, ["model.pool=mean"]),
        ("attention", DEEP, ["task.head.hidden=[]", "model.pool=mean"]),
    ],
)
def test_everything_that_stands_in_the_way_of_exact_is_named(
    pool: Any, task: Any, named: list[str]
) -> None:
    trained = network(task, model=Gated(width=8, layers=1, gaussians=9, pool=pool))
    if pool == "attention":
        torch.nn.init.normal_(trained.encoder.readout.linear.weight)  # type: ignore[union-attr]
    with pytest.raises(GnnmatError, match="no plain sum over atoms") as caught:
        attribute_crystal([trained], one(ROCK_SALT), method="exact")
    options = " ".join(f"--set {option}" for option in named)
    assert caught.value.fix == f"Use method 'features', or train with {options}"


def test_no_training_is_suggested_that_would_not_help() -> None:
    trained = replace(network(), encoder=Total(), task=LINEAR.build(SPEC, 3))
    with pytest.raises(GnnmatError) as caught:
        attribute_crystal([trained], one(ROCK_SALT), method="exact")
    assert caught.value.fix == "Use method 'features'"
