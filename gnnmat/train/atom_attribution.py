"""What each atom adds to an answer.

Three readings of "adds", by what the path begins with:

- `exact_atoms` and `feature_atoms`: the features of the atoms, which already know their
  neighbours, are taken to zero. Where a linear layer follows their mean the sum is exact, with no
  path at all.
- `element_atoms`: the element of every atom is taken to the mean of all elements of the training
  data, and the whole network follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from gnnmat.errors import GnnmatError
from gnnmat.models.bond_embedding import BondEmbedding
from gnnmat.models.elements import ElementEmbedding
from gnnmat.models.encoder import Encoder, mean_over_samples
from gnnmat.sample import Batch, Features
from gnnmat.tasks.head import MlpHead
from gnnmat.tasks.joint import JointTask
from gnnmat.tasks.task import Task
from gnnmat.train.answer_attribution import Answer
from gnnmat.train.checkpoint import Trained
from gnnmat.train.path_attribution import integrated_gradients

AtomMethod = Literal["exact", "features", "elements"]
ATOM_METHODS: tuple[AtomMethod, ...] = get_args(AtomMethod)


@dataclass(frozen=True)
class AtomMap:
    """Contributions of atoms, which sum to ``answer - baseline`` but for ``error``.

    Args:
        contributions: (atoms,) in the unit of the answer.
        answer: that is explained.
        baseline: counted from: the zero of the scale, as a rule the mean of the training labels;
            of 'elements', the answer for average elements.
        constant: what the network says to features of zero (bias and scale shift); the
            difference to the baseline is shared alike by the atoms. Of 'elements', the baseline.
        steps: points on the path, 0 without one.
    """

    contributions: Tensor
    answer: float
    baseline: float
    constant: float
    steps: int

    @property
    def error(self) -> float:
        """Sum of the contributions minus what they should sum to."""
        return float(self.contributions.sum()) - (self.answer - self.baseline)


def is_exact(trained: Trained, batch: Batch, answer: Answer) -> bool:
    """Whether the answer is linear in the mean of the atoms' features.

    That takes a pool that is the mean, a head without hidden layers, and numbers or two classes:
    the log-odds of one of three classes are no linear function.
    """
    level = _own_task(trained.task, answer).level
    linear = _has_linear_head(trained, answer)
    return level == "sample" and linear and _is_plain(answer) and _is_mean(trained.encoder, batch)


def atom_map(trained: Trained, batch: Batch, answer: Answer, method: AtomMethod) -> AtomMap:
    """The contributions of the atoms of a batch of one crystal.

    Args:
        trained: in float64, for sums that are exact.
        batch: of one crystal, in float64.
        answer: to explain.
        method: see the module.

    Raises:
        GnnmatError: the network does not allow the method.
    """
    if method == "elements":
        return element_atoms(trained, batch, answer)
    if answer.atom is not None:
        raise GnnmatError(
            "A value of one atom is made of the features of that atom alone.",
            fix="Explain it by elements: --method elements",
        )
    if method == "exact":
        return exact_atoms(trained, batch, answer)
    return feature_atoms(trained, batch, answer)


def exact_atoms(trained: Trained, batch: Batch, answer: Answer) -> AtomMap:
    r"""Contributions under a linear head: :math:`(w \cdot h_i + b - y_0) / N`.

    The head of the mean is the mean of the head, so each atom's own answer, counted from the
    baseline :math:`y_0`, is its contribution, bias and scale included.

    Raises:
        GnnmatError: the head is not linear, or the pool is not the mean.
    """
    if not is_exact(trained, batch, answer):
        raise _not_exact(trained, batch, answer)
    with torch.no_grad():
        local = trained.encoder.local(batch)
        each = answer.values(trained.task, Features(local, local), batch)
        value = _answer(trained, batch, answer, local)
        constant = _answer(trained, batch, answer, torch.zeros_like(local))
    baseline = _baseline(trained, batch, answer, local)
    return AtomMap((each - baseline) / len(each), float(value), baseline, float(constant), 0)


def _not_exact(trained: Trained, batch: Batch, answer: Answer) -> GnnmatError:
    """What to say of a run that does not allow 'exact': all options that stand in the way."""
    options = []
    if not _has_linear_head(trained, answer):
        options.append("--set task.head.hidden=[]")
    averages = _is_mean(trained.encoder, batch)
    if not averages:
        options.append("--set model.pool=mean")
    # An encoder without such an option never averages, and three classes are never plain.
    pool = getattr(trained.config.model, "pool", "mean")
    trainable = _is_plain(answer) and (averages or pool != "mean")
    train = f", or train with {' '.join(options)}" if trainable and options else ""
    return GnnmatError(
        "The answer of this run is no plain sum over atoms.",
        why="That takes a mean over atoms, a head without hidden layers, and a number or one of "
        "two classes.",
        fix=f"Use method 'features'{train}",
    )


def feature_atoms(trained: Trained, batch: Batch, answer: Answer) -> AtomMap:
    """Integrated gradients over the features of the atoms, from zero to what they are.

    What the network says to features of zero is shared alike by the atoms, so that
    contributions count from the baseline; with a linear head this is `exact_atoms`.
    """
    with torch.no_grad():
        local = trained.encoder.local(batch)
    found = integrated_gradients(lambda x: _answer(trained, batch, answer, x), local)
    baseline = _baseline(trained, batch, answer, local)
    share = (found.start - baseline) / len(local)
    each = found.contributions.sum(dim=1) + share
    return AtomMap(each, found.end, baseline, found.start, found.steps)


def element_atoms(trained: Trained, batch: Batch, answer: Answer) -> AtomMap:
    """Integrated gradients over the elements, from the mean of those of the training data.

    Raises:
        GnnmatError: the encoder does not tell atoms apart by an `ElementEmbedding`.
    """
    embedding = _embedding(trained.encoder)
    bonds = [one for one in trained.encoder.modules() if isinstance(one, BondEmbedding)]
    radii = [(one.look_up, one.radius) for one in bonds if one.radius is not None]
    known = list(trained.spec.elements) or batch.z.unique().tolist()

    def told(z: Tensor) -> Tensor:
        """(atoms, width) all that the network is told of elements."""
        return torch.cat([embedding(z), *(radius[z][:, None] for _, radius in radii)], dim=1)

    with torch.no_grad():
        end = told(batch.z)
        mean = told(torch.tensor(known, device=end.device)).mean(dim=0)
    start = mean.expand_as(end).clone()
    width = end.shape[1] - len(radii)

    def through(vectors: Tensor) -> Tensor:
        with ExitStack() as given:
            given.enter_context(_given(embedding, vectors[:, :width]))
            for place, (look_up, _) in enumerate(radii):
                given.enter_context(_given(look_up, vectors[:, width + place]))
            return answer.of(trained.task, trained.encoder(batch), batch)

    found = integrated_gradients(through, end, start)
    each = found.contributions.sum(dim=1)
    return AtomMap(each, found.end, found.start, found.start, found.steps)


def _answer(trained: Trained, batch: Batch, answer: Answer, local: Tensor) -> Tensor:
    pooled = trained.encoder.pool(local, batch)
    return answer.of(trained.task, Features(local, pooled), batch)


def _baseline(trained: Trained, batch: Batch, answer: Answer, local: Tensor) -> float:
    with torch.no_grad():
        pooled = trained.encoder.pool(local, batch)
        raw = trained.task(Features(local, pooled), batch)
        return answer.baseline(trained.task, raw)


def _own_task(task: Task, answer: Answer) -> Task:
    if isinstance(task, JointTask):
        return next(one for one in task.tasks if answer.target in one.targets)
    return task


def _has_linear_head(trained: Trained, answer: Answer) -> bool:
    head = getattr(_own_task(trained.task, answer), "head", None)
    return isinstance(head, MlpHead) and len(head.layers) == 1


def _is_plain(answer: Answer) -> bool:
    """A number or one of two classes."""
    return answer.label is None or len(answer.target.classes) == 2


def _is_mean(encoder: Encoder, batch: Batch) -> bool:
    """Whether the encoder averages over atoms, tried out on features drawn at random."""
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        local = encoder.local(batch)
        random = torch.randn(local.shape, generator=draw, dtype=torch.float64).to(local)
        for tried in (random, local + 3 * random):
            pooled, mean = encoder.pool(tried, batch), mean_over_samples(tried, batch)
            if pooled.shape != mean.shape or not torch.allclose(pooled, mean, rtol=1e-6):
                return False
    return type(encoder).forward is Encoder.forward


def _embedding(encoder: nn.Module) -> ElementEmbedding:
    found = [one for one in encoder.modules() if isinstance(one, ElementEmbedding)]
    if len(found) != 1:
        raise GnnmatError(
            f"{type(encoder).__name__} does not tell elements apart by one ElementEmbedding.",
            fix="Use method 'features'.",
        )
    return found[0]


@contextmanager
def _given(module: nn.Module, output: Tensor) -> Iterator[None]:
    """Within it the module gives this output, whatever it is asked."""

    def replace_output(*_: Any) -> Tensor:
        return output

    handle = module.register_forward_hook(replace_output)
    try:
        yield
    finally:
        handle.remove()
