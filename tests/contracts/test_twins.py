"""Each check of encoders fails for an encoder that is broken in just that way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gnnmat.inputs import CrystalGraph
from gnnmat.models import Encoder
from gnnmat.sample import Batch, DataSpec

from . import checks
from .cases import EncoderCase
from .sound import Sound


class ReadsUnknownField(Sound):
    reads = (*Sound.reads, "bond_order")


class ReadsWithoutSayingSo(Sound):
    def local(self, batch: Batch) -> Tensor:
        return super().local(batch) + batch.lattice.diagonal(dim1=1, dim2=2).sum() * 0


class PromisesAnotherWidth(Sound):
    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec)
        self.width = 5


class ReturnsDoubleAlways(Sound):
    def pool(self, local: Tensor, batch: Batch) -> Tensor:
        return super().pool(local, batch).double()


class IgnoresWhoseAtomsTheyAre(Sound):
    def pool(self, local: Tensor, batch: Batch) -> Tensor:
        return local.mean(dim=0).expand(batch.num_graphs, -1)


class KnowsItsPlaceInTheBatch(Sound):
    def pool(self, local: Tensor, batch: Batch) -> Tensor:
        return super().pool(local, batch) + torch.arange(batch.num_graphs)[:, None]


class DropsWhileEvaluating(Sound):
    def local(self, batch: Batch) -> Tensor:
        return nn.functional.dropout(super().local(batch), 0.5, training=True)


class CountsItsCalls(Sound):
    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec)
        self.calls = nn.Buffer(torch.zeros(()))

    def local(self, batch: Batch) -> Tensor:
        self.calls += 1
        return super().local(batch)


class HasUnusedParameter(Sound):
    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec)
        self.forgotten = nn.Linear(4, 4)


class HasDeadParameter(HasUnusedParameter):
    def local(self, batch: Batch) -> Tensor:
        return super().local(batch) + 0 * self.forgotten(self.embedding(batch.z))


class WritesIntoTheBatch(Sound):
    def local(self, batch: Batch) -> Tensor:
        out = super().local(batch)
        with torch.no_grad():
            batch.edge_length.mul_(0.5)
        return out


class AddsToTheBatch(Sound):
    def local(self, batch: Batch) -> Tensor:
        batch.expanded = batch.edge_length[:, None]
        return super().local(batch)


class KeepsNumbersOutOfItsState(Sound):
    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec)
        self.hidden = torch.randn(4, dtype=torch.float64)

    def local(self, batch: Batch) -> Tensor:
        return super().local(batch) * self.hidden


class DetachesItsInputs(Sound):
    def messages(self, batch: Batch) -> Tensor:
        return super().messages(batch).detach() + self.message.weight.sum() * 0


class OffersAnotherTensor(Sound):
    def inputs(self, batch: Batch) -> Tensor:
        return batch.edge_length.clone()


class GradientOnce(Sound):
    def local(self, batch: Batch) -> Tensor:
        return _Once.apply(batch.edge_length).sum() + super().local(batch).detach()


class _Once(torch.autograd.Function):
    """Gives a gradient of which no gradient can be taken."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return 2 * grad.detach()


class IgnoresEdgeWeight(Sound):
    def local(self, batch: Batch) -> Tensor:
        return self.embedding(batch.z).index_add(0, batch.edge_index[1], self.messages(batch))


class WeighsBeforeTheTanh(Sound):
    def local(self, batch: Batch) -> Tensor:
        message = self.messages(batch) * batch.get("edge_weight", torch.ones(1))[:, None] + 1
        return self.embedding(batch.z).index_add(0, batch.edge_index[1], message)


class IsConstant(Sound):
    def pool(self, local: Tensor, batch: Batch) -> Tensor:
        return super().pool(local, batch) * 0


TWINS: list[tuple[Callable[[EncoderCase], None], type[Encoder], str]] = [
    (checks.check_reads_are_fields_of_its_input, ReadsUnknownField, "unknown fields"),
    (checks.check_reads_are_all_it_needs, ReadsWithoutSayingSo, "a field it does not name"),
    (checks.check_features_have_their_shape, PromisesAnotherWidth, r"torch.Size\(\[5, 4\]\)"),
    (checks.check_features_have_their_shape, ReturnsDoubleAlways, "from weights of torch.float32"),
    (checks.check_batch_equals_singles, IgnoresWhoseAtomsTheyAre, "pooled: differs"),
    (checks.check_order_of_samples_does_not_matter, KnowsItsPlaceInTheBatch, "order of samples"),
    (checks.check_evaluation_is_repeatable, DropsWhileEvaluating, "second evaluation"),
    (checks.check_evaluation_is_repeatable, CountsItsCalls, "evaluating changed calls"),
    (checks.check_gradients_reach_every_parameter, HasUnusedParameter, "no gradient reaches"),
    (checks.check_gradients_reach_every_parameter, HasDeadParameter, "nothing depends on"),
    (checks.check_batch_is_not_changed, WritesIntoTheBatch, "'edge_length' was changed"),
    (checks.check_batch_is_not_changed, AddsToTheBatch, "added or removed"),
    (checks.check_state_restores_the_numbers, KeepsNumbersOutOfItsState, "state: differs"),
    (checks.check_inputs_give_gradients, DetachesItsInputs, "do not depend on it"),
    (checks.check_inputs_give_gradients, OffersAnotherTensor, "not a field it reads"),
    (checks.check_inputs_give_gradients, GradientOnce, "cannot be trained on"),
    (checks.check_edge_weight_zero_is_no_edge, IgnoresEdgeWeight, "weight zero"),
    (checks.check_edge_weight_zero_is_no_edge, WeighsBeforeTheTanh, "weight zero"),
    (checks.check_tells_crystals_apart, IsConstant, "look the same"),
]


def case_of(twin: type[Encoder]) -> EncoderCase:
    return EncoderCase(twin, CrystalGraph.example())


@pytest.mark.parametrize(
    ("check", "twin", "words"),
    TWINS,
    ids=lambda value: value.__name__[:50] if callable(value) else "",
)
def test_check_fails_for(
    check: Callable[[EncoderCase], None], twin: type[Encoder], words: str
) -> None:
    with pytest.raises(AssertionError, match=words):
        check(case_of(twin))


@pytest.mark.parametrize("check", [*checks.ENCODER_CHECKS, *checks.GRAPH_CHECKS])
def test_check_passes_for_the_sound_one(check: Callable[[EncoderCase], None]) -> None:
    check(case_of(Sound))


def test_every_check_is_walked_and_has_a_twin() -> None:
    written = {f for name, f in vars(checks).items() if name.startswith("check_")}
    walked = {*checks.ENCODER_CHECKS, *checks.GRAPH_CHECKS, checks.check_is_the_same_for}
    assert walked == written
    assert {check for check, _, _ in TWINS} | {checks.check_is_the_same_for} == written
