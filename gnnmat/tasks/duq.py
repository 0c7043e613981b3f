"""Classification that knows what it has not seen: kernels around centroids of the classes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torchmetrics import MetricCollection

from gnnmat.sample import Batch, DataSpec, Features
from gnnmat.tasks.classification import check_classes, count_classes
from gnnmat.tasks.input_penalty import slope_penalty
from gnnmat.tasks.task import Loss, Mean, Task, TaskOptions, choose_targets, masked_sum, score_name

# Far from every centroid all kernels underflow; this much of their ratio is kept, so that the
# nearest class is still the answer.
RATIO = 1e-30


class Duq(TaskOptions):
    """Class-valued targets with one kernel a class; far from all of them is an answer, too.

    Source: van Amersfoort et al., "Uncertainty estimation using a single deep deterministic
    neural network", ICML 2020, arXiv 2003.02037.
    """

    kind: Literal["duq"] = "duq"
    embedding: int = Field(32, gt=0, description="Coordinates in which classes have centroids.")
    length_scale: Annotated[float, Field(gt=0)] | Literal["learned"] = Field(
        "learned",
        description="Width of the kernels, in root mean square over the coordinates; 'learned' "
        "begins at 0.3.",
    )
    memory: float = Field(
        0.999,
        ge=0,
        lt=1,
        description="Share of a centroid that is kept at each training step.",
    )
    penalty: float = Field(
        0.1,
        ge=0,
        description="Weight of (|d sum of kernels / d inputs|^2 - 1)^2; 0 leaves it out, which "
        "trains three times as fast. The norm is over all pixels, or edge lengths in Å, of a "
        "sample.",
    )
    penalty_sides: Literal[1, 2] = Field(
        2, description="2 pulls slopes below one up as well, so that nothing is overlooked."
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of features dropped.")

    @property
    def classes(self) -> bool:
        """Whether targets are class names."""
        return True

    @classmethod
    def example(cls) -> Duq:
        """A small instance for contract tests."""
        return cls(embedding=4)

    def build(self, spec: DataSpec, width: int) -> DuqTask:
        """The task for these data and features of this width."""
        return DuqTask(self, spec, width)


class DuqTask(Task):
    """Prediction (..., rows, d): log kernels of all classes of the first target, then the next.

    A kernel is exp(-|W_c f - e_c|^2 / (2 n s^2)), with features f, the n coordinates of the
    centroid e_c and length scale s; the largest is the certainty.
    """

    size: Tensor
    total: Tensor
    log_scale: Tensor

    def __init__(self, config: Duq, spec: DataSpec, width: int) -> None:
        super().__init__()
        self.targets = choose_targets(spec.targets.targets, None)
        check_classes(self.targets)
        self.level = self.targets[0].level
        self.config = config
        self.needs_input_grad = config.penalty > 0
        self.sizes = [len(target.classes) for target in self.targets]
        self.dropout = nn.Dropout(config.dropout)
        classes = sum(self.sizes)
        self.weight = nn.Parameter(torch.empty(classes, config.embedding, width))
        for each in self.weight:
            nn.init.kaiming_normal_(each, nonlinearity="relu")
        # Source: the authors' code: 13 samples a class, centroids of deviation 0.05.
        self.register_buffer("size", torch.full((classes,), 13.0))
        self.register_buffer("total", 13 * 0.05 * torch.randn(classes, config.embedding))
        scale = 0.3 if config.length_scale == "learned" else config.length_scale
        log_scale = torch.tensor(float(scale)).log()
        if config.length_scale == "learned":
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale)

    def prepare(self, labels: Tensor) -> None:
        """Refuse labels of one class."""
        count_classes(self.targets, labels)

    @property
    def centroids(self) -> Tensor:
        """(classes, embedding) moving means of the embedded training samples."""
        return self.total / self.size[:, None]

    def embed(self, features: Tensor) -> Tensor:
        """(rows, classes, embedding) every row as each class sees it."""
        return torch.einsum("rf,cef->rce", features, self.weight.to(features.dtype))

    def forward(self, features: Features, batch: Batch) -> Tensor:
        embedded = self.embed(self.dropout(self.features(features)))
        square = (embedded - self.centroids).square().mean(dim=-1)
        log_kernel: Tensor = -square / (2 * (2 * self.log_scale).exp())
        return log_kernel

    def decode(self, prediction: Tensor) -> Tensor:
        """Kernels (..., rows, d), each between 0 and 1; they do not add up to one."""
        parts = prediction.float().clamp(max=0).split(self.sizes, dim=-1)
        return torch.cat([p.exp() + RATIO * p.softmax(dim=-1) for p in parts], dim=-1)

    def _each(self, prediction: Tensor, batch: Batch) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Log kernels (..., rows, classes), one-hot labels and mask (rows,) of every target."""
        labels = self.labels(batch)
        mask = ~labels.isnan()
        wanted = torch.where(mask, labels, 0.0).long()
        parts = prediction.float().split(self.sizes, dim=-1)
        return [
            (part, nn.functional.one_hot(wanted[:, i], size), mask[:, i])
            for i, (part, size) in enumerate(zip(parts, self.sizes, strict=True))
        ]

    def loss(self, prediction: Tensor, batch: Batch) -> Loss:
        total = (prediction * 0.0).float().sum()
        count = torch.zeros((), device=prediction.device)
        members = prediction[..., 0, 0].numel() if prediction.dim() > 2 else 1
        for log_kernel, one_hot, mask in self._each(prediction, batch):
            each = _cross_entropy(log_kernel, one_hot)
            total = total + torch.where(mask, each, 0.0).sum() / members
            count = count + mask.sum()
        return Loss(total, count)

    def penalty(self, prediction: Tensor, inputs: Tensor, batch: Batch) -> Tensor:
        """Scalar, mean over the samples, of how far the kernels are from following the inputs."""
        slopes = slope_penalty(
            prediction.clamp(max=0).exp().sum(), inputs, batch, self.config.penalty_sides
        )
        return self.config.penalty * slopes.mean()

    @torch.no_grad()
    def after_step(self, features: Features, batch: Batch) -> None:
        """Move the centroids towards the labelled rows of this batch."""
        embedded = self.embed(self.features(features)).float()
        labels = self.labels(batch)
        keep, start = self.config.memory, 0
        for column, size in enumerate(self.sizes):
            mask = ~labels[:, column].isnan()
            own = nn.functional.one_hot(labels[mask, column].long(), size).float()
            part = slice(start, start + size)
            seen = own.sum(dim=0)
            total = torch.einsum("rc,rce->ce", own, embedded[mask][:, part])
            if torch.distributed.is_available() and torch.distributed.is_initialized():
                torch.distributed.all_reduce(seen)
                torch.distributed.all_reduce(total)
            self.size[part].lerp_(seen.to(self.size), 1 - keep)
            self.total[part].lerp_(total.to(self.total), 1 - keep)
            start += size

    def strangeness(
        self, prediction: Tensor, features: Features, batch: Batch
    ) -> dict[str, Tensor]:
        """``duq``: the squared distance from the nearest centroid, in length scales, halved."""
        parts = prediction.float().split(self.sizes, dim=-1)
        far = -torch.stack([part.amax(dim=-1) for part in parts]).mean(dim=0)
        if self.level == "atom":
            total = far.new_zeros(batch.num_graphs).index_add(0, batch.batch, far)
            far = total / (batch.ptr[1:] - batch.ptr[:-1]).clamp(min=1)
        return {"duq": far}

    def metrics(self) -> MetricCollection:
        named = {score_name("accuracy", target): Mean() for target in self.targets}
        return MetricCollection({"score": Mean(), **named}, compute_groups=False)

    def update(self, metrics: MetricCollection, prediction: Tensor, batch: Batch) -> None:
        for (log_kernel, one_hot, mask), target in zip(
            self._each(prediction, batch), self.targets, strict=True
        ):
            right = (log_kernel.argmax(dim=-1) == one_hot.argmax(dim=-1)).float()
            metrics["score"].update(*masked_sum(_cross_entropy(log_kernel, one_hot), mask))
            metrics[score_name("accuracy", target)].update(*masked_sum(right, mask))

    def table(self, decoded: Tensor) -> dict[str, dict[str, list[Any]]]:
        """``score`` is the largest kernel, the certainty; probabilities are shares of kernels."""
        out: dict[str, dict[str, list[Any]]] = {}
        for target, part in zip(self.targets, decoded.split(self.sizes, dim=-1), strict=True):
            share = (part.double() / part.double().sum(dim=-1, keepdim=True)).float()
            top = share.max(dim=-1)
            out[target.name] = {
                "prediction": [target.classes[place] for place in top.indices.tolist()],
                "probability": top.values.tolist(),
                "score": part.amax(dim=-1).clamp(max=1).tolist(),
            } | {
                f"probability_{label}": share[:, place].tolist()
                for place, label in enumerate(target.classes)
            }
        return out


def _cross_entropy(log_kernel: Tensor, one_hot: Tensor) -> Tensor:
    """(..., rows) binary cross entropy of the kernels, summed over the classes.

    In logarithms: far from its centroid a row is still pulled towards it.
    """
    log_kernel = log_kernel.clamp(max=-1e-6)  # a kernel of exactly one has no log(1 - K)
    other = torch.log(-torch.expm1(log_kernel))
    return -torch.where(one_hot.bool(), log_kernel, other).sum(dim=-1)
