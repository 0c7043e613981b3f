"""What every encoder keeps. Each check fails for a broken twin in ``test_twins.py``."""

from __future__ import annotations

import torch
from torch import Tensor

from gnnmat.sample import FIELDS, Sample, collate

from . import crystals
from .cases import EncoderCase, tensors_of


def assert_close(found: Tensor, expected: Tensor, what: str) -> None:
    """Equal to 1e-9, float64."""
    assert found.shape == expected.shape, f"{what}: {found.shape} is not {expected.shape}"
    difference = float((found - expected).detach().abs().max()) if found.numel() else 0.0
    assert difference < 1e-9, f"{what}: differs by {difference:.2g}"


def slopes(tensor: Tensor) -> Tensor:
    """Random numbers of this shape, the same each time."""
    random = torch.Generator().manual_seed(17)
    return torch.randn(tensor.shape, generator=random, dtype=tensor.dtype)


def check_reads_are_fields_of_its_input(case: EncoderCase) -> None:
    """``reads`` names fields that are in the contract and in the samples."""
    reads = set(case.fresh().reads)
    assert reads, "an encoder reads something"
    assert reads <= set(FIELDS), f"unknown fields {reads - set(FIELDS)}"
    assert reads <= set(case.input.fields), f"not in its samples: {reads - set(case.input.fields)}"


def check_reads_are_all_it_needs(case: EncoderCase) -> None:
    """With no field but those in ``reads`` it gives the same features."""
    encoder = case.trained()
    samples = case.samples()
    bare = [Sample(**{name: sample[name] for name in encoder.reads}) for sample in samples]
    with torch.no_grad():
        try:
            found = encoder(collate(bare)).pooled
        except (AttributeError, KeyError) as error:
            raise AssertionError(f"it looks at a field it does not name: {error}") from error
        assert_close(found, encoder(collate(samples)).pooled, "reads")


def check_features_have_their_shape(case: EncoderCase) -> None:
    """``pooled`` is (B, width), ``local`` (nodes, width), in the type of the weights."""
    for dtype in (torch.float64, torch.float32):
        encoder, batch = case.fresh().to(dtype), case.batch()
        for name, value in tensors_of(batch).items():
            if value.is_floating_point():
                batch[name] = value.to(dtype)
        features = encoder(batch)
        assert features.pooled.shape == (batch.num_graphs, encoder.width), features.pooled.shape
        assert features.local.shape[1:] == (encoder.width,), features.local.shape
        if "z" in batch:
            assert len(features.local) == len(batch.z), "one row an atom"
        for tensor in (features.pooled, features.local):
            assert tensor.dtype == dtype, f"{tensor.dtype} from weights of {dtype}"
            assert tensor.isfinite().all(), "not finite"


def check_batch_equals_singles(case: EncoderCase) -> None:
    """A sample's features do not depend on the other samples of its batch."""
    whole = case.features()
    singles = [case.features([raw]) for raw in case.raws]
    assert_close(whole.pooled, torch.cat([single.pooled for single in singles]), "pooled")
    assert_close(whole.local, torch.cat([single.local for single in singles]), "local")


def check_order_of_samples_does_not_matter(case: EncoderCase) -> None:
    """Samples in another order give their features in that order."""
    order = [3, 0, 4, 2, 1]
    found = case.features([case.raws[place] for place in order])
    assert_close(found.pooled, case.features().pooled[order], "order of samples")


def check_evaluation_is_repeatable(case: EncoderCase) -> None:
    """Evaluating draws nothing and changes nothing in the encoder."""
    encoder, batch = case.trained(), case.batch()
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    for with_gradient in (True, False):
        with torch.set_grad_enabled(with_gradient):
            first, second = encoder(batch).pooled, encoder(batch).pooled
        assert_close(second, first, "second evaluation")
    with torch.no_grad():
        assert_close(encoder(batch).pooled, encoder(batch.clone()).pooled, "copy of the batch")
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(tensor, before[name]), f"evaluating changed {name}"


def check_gradients_reach_every_parameter(case: EncoderCase) -> None:
    """Every parameter is in the graph when training, and moves the features there or after it.

    A shift before a batch normalisation moves nothing in training, and something afterwards.
    """
    encoder, moved = case.trained(), set()
    for training in (True, False):
        encoder.train(training).zero_grad()
        features = encoder(case.batch())
        total = (features.pooled * slopes(features.pooled)).sum()
        (total + (features.local * slopes(features.local)).sum()).backward()
        for name, parameter in encoder.named_parameters():
            assert parameter.grad is not None, f"no gradient reaches {name}"
            assert parameter.grad.isfinite().all(), f"gradient of {name}"
            if float(parameter.grad.abs().max()) > 1e-12:
                moved.add(name)
    dead = {name for name, _ in encoder.named_parameters()} - moved
    assert not dead, f"nothing depends on {sorted(dead)}"


def check_batch_is_not_changed(case: EncoderCase) -> None:
    """Training and evaluating leave the batch as it was."""
    batch = case.batch()
    before = batch.clone()
    for training in (True, False):
        case.fresh().train(training)(batch).pooled.sum().backward()
    assert set(batch.keys()) == set(before.keys()), "fields were added or removed"
    for name, value in tensors_of(before).items():
        assert torch.equal(batch[name], value), f"'{name}' was changed"
        assert not batch[name].requires_grad, f"'{name}' was made to require gradients"


def check_state_restores_the_numbers(case: EncoderCase) -> None:
    """State dict into a differently drawn encoder gives the features of the first."""
    first, second, batch = case.trained(seed=0), case.trained(seed=1), case.batch()
    with torch.no_grad():
        expected = first(batch).pooled
        assert float((second(batch).pooled - expected).abs().max()) > 1e-6, "seeds do nothing"
        second.load_state_dict(first.state_dict())
        assert_close(second(batch).pooled, expected, "state")


def check_inputs_give_gradients(case: EncoderCase) -> None:
    """The tensor in ``inputs`` is of the batch, floating, and moves the features, twice over."""
    encoder, batch = case.trained(), case.batch()
    x = encoder.inputs(batch)
    assert any(x is batch[name] for name in encoder.reads), "not a field it reads"
    x.requires_grad_()
    pooled = encoder(batch).pooled
    total = (pooled * slopes(pooled)).sum()
    (gradient,) = torch.autograd.grad(total, x, create_graph=True, allow_unused=True)
    assert gradient is not None, "the features do not depend on it"
    assert gradient.shape == x.shape, f"{gradient.shape} is not {x.shape}"
    assert gradient.isfinite().all(), "not finite"
    assert gradient.requires_grad, "cannot be trained on"
    assert float(gradient.detach().abs().max()) > 1e-12, "moves nothing"
    first = torch.autograd.grad(
        gradient.square().sum(), list(encoder.parameters()), allow_unused=True
    )
    assert any(part is not None for part in first), "cannot be trained on"


def check_edge_weight_zero_is_no_edge(case: EncoderCase) -> None:
    """Evaluating, a weight of zero equals an edge that is not there, and one changes nothing."""
    encoder, batch, fewer = case.trained(), case.batch(), case.batch()
    edges = batch.edge_index.shape[1]
    keep = torch.rand(edges, generator=torch.Generator().manual_seed(3)) > 0.4
    for name, value in tensors_of(batch).items():
        if name in FIELDS and FIELDS[name].level == "edge":
            fewer[name] = value[:, keep] if name == "edge_index" else value[keep]
    with torch.no_grad():
        plain = encoder(batch).pooled
        batch.edge_weight = torch.ones(edges, dtype=torch.float64)
        assert_close(encoder(batch).pooled, plain, "weight one")
        batch.edge_weight = keep.double()
        assert_close(encoder(batch).pooled, encoder(fewer).pooled, "weight zero")


def check_is_the_same_for(case: EncoderCase, name: str) -> None:
    """A crystal written otherwise has the same pooled features, and each atom its own."""
    for raw in case.raws:
        relative, parent = crystals.relatives(raw)[name]
        before, after = case.features([raw]), case.features([relative])
        assert_close(after.pooled, before.pooled, name)
        if "z" in case.input.fields:
            assert_close(after.local, before.local[torch.from_numpy(parent)], f"{name}, atoms")


def check_tells_crystals_apart(case: EncoderCase) -> None:
    """Different samples have different features: an invariant that is constant is no use."""
    pooled = case.features().pooled
    gaps = torch.pdist(pooled)
    assert float(gaps.min()) > 1e-6, "two samples look the same"


ENCODER_CHECKS = (
    check_reads_are_fields_of_its_input,
    check_reads_are_all_it_needs,
    check_features_have_their_shape,
    check_batch_equals_singles,
    check_order_of_samples_does_not_matter,
    check_evaluation_is_repeatable,
    check_gradients_reach_every_parameter,
    check_batch_is_not_changed,
    check_state_restores_the_numbers,
    check_inputs_give_gradients,
    check_tells_crystals_apart,
)
GRAPH_CHECKS = (check_edge_weight_zero_is_no_edge,)
