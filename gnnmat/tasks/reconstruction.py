"""Images through a few numbers and back: a variational autoencoder around any image encoder."""

from __future__ import annotations

from math import prod
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torchmetrics import MetricCollection

from gnnmat.errors import GnnmatError
from gnnmat.sample import Batch, DataSpec, Features, Target
from gnnmat.tasks.task import Loss, Mean, Task, TaskOptions


class Reconstruction(TaskOptions):
    """The image itself, seen through a few latent numbers, which removes noise and fills gaps.

    It learns the clean image where the augmentation keeps one, else the image that it sees; no
    column of a table is needed. Its prediction is how badly an image is reconstructed.

    Source: Kingma & Welling, ICLR 2014, arXiv 1312.6114; 20 latent numbers, kernels of 4 and
    strides of 2 as in Butler et al., J. Phys.: Condens. Matter 33, 194006 (2021).
    """

    kind: Literal["reconstruction"] = "reconstruction"
    latents: int = Field(20, gt=0, description="Numbers an image is squeezed into.")
    beta: float = Field(
        0.02,
        ge=0,
        description="Weight of the latent numbers' information, in squared intensity: twice the "
        "variance of the noise of a pixel.",
    )
    channels: tuple[int, int] = Field(
        (16, 8), description="Channels of the decoder at a quarter and at half of the pixels."
    )

    @property
    def own_targets(self) -> tuple[Target, ...]:
        """What it predicts without a column to learn from; the ideal of each is zero."""
        return (ERROR,)

    @classmethod
    def example(cls) -> Reconstruction:
        """A small instance for contract tests."""
        return cls(latents=4, channels=(6, 4))

    def build(self, spec: DataSpec, width: int) -> ReconstructionTask:
        """The task for these data and features of this width."""
        if len(spec.image_shape) != 2:
            raise GnnmatError(
                "task.kind=reconstruction needs images of rank 2.",
                why=f"These data have rank {len(spec.image_shape)}.",
            )
        return ReconstructionTask(self, spec, width)


ERROR = Target("reconstruction_error")


class ReconstructionTask(Task):
    """Prediction (..., B, pixels + 2 latents + 1): image, latent means, log variances, error.

    Evaluating, the image is that of the latent means; training, of a draw.
    """

    def __init__(self, config: Reconstruction, spec: DataSpec, width: int) -> None:
        super().__init__()
        self.level = "sample"
        self.targets = config.own_targets
        self.config = config
        self.shape = (spec.channels, *spec.image_shape)
        self.latent = nn.Linear(width, 2 * config.latents)
        rows, columns = (-(-n // 4) for n in spec.image_shape)
        first, second = config.channels
        # From latents to a quarter of the pixels each has pictures of its own.
        self.decoder = nn.Sequential(
            nn.Linear(config.latents, first * rows * columns),
            nn.Unflatten(1, (first, rows, columns)),
            nn.GELU(),
            nn.ConvTranspose2d(first, second, 4, 2, 1),
            nn.GELU(),
            nn.ConvTranspose2d(second, spec.channels, 4, 2, 1),
        )

    def forward(self, features: Features, batch: Batch) -> Tensor:
        mean, log_variance = self.latent(features.pooled).chunk(2, dim=-1)
        log_variance = log_variance.clamp(-20, 10)
        drawn = mean
        if self.training:
            drawn = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        image = self.decoder(drawn)[..., : self.shape[1], : self.shape[2]]
        error = _mean_square(image - batch.image, measured(batch)).sqrt().detach()
        return torch.cat([image.flatten(1), mean, log_variance, error[:, None]], dim=-1)

    def _parts(self, prediction: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        latents = self.config.latents
        image, mean, log_variance, error = prediction.float().split(
            [prod(self.shape), latents, latents, 1], dim=-1
        )
        return image.unflatten(-1, self.shape), mean, log_variance, error

    def clean(self, prediction: Tensor) -> Tensor:
        """(..., B, C, H, W) the images without noise, gaps filled."""
        return self._parts(prediction)[0]

    def decode(self, prediction: Tensor) -> Tensor:
        """(..., B, 1) root mean square of what is left over, over the measured pixels."""
        return self._parts(prediction)[3]

    def _each(self, prediction: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """(..., B) squared error a pixel, and information of the latents in nats."""
        image, mean, log_variance, _ = self._parts(prediction)
        clean = batch.get("clean", None)
        if clean is not None:  # known behind the gaps, too
            square = _mean_square(image - clean, torch.ones_like(clean[:, :1]))
        else:
            square = _mean_square(image - batch.image, measured(batch))
        information = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=-1)
        return square, information

    def loss(self, prediction: Tensor, batch: Batch) -> Loss:
        square, information = self._each(prediction, batch)
        each = square + self.config.beta / prod(self.shape) * information
        members = prediction[..., 0, 0].numel() if prediction.dim() > 2 else 1
        count = torch.tensor(float(prediction.shape[-2]), device=prediction.device)
        return Loss(each.sum() / members, count)

    def metrics(self) -> MetricCollection:
        names = ("score", "squared_error", "nats")
        return MetricCollection({name: Mean() for name in names}, compute_groups=False)

    def update(self, metrics: MetricCollection, prediction: Tensor, batch: Batch) -> None:
        square, information = self._each(prediction, batch)
        count = torch.tensor(square.numel(), device=square.device)
        loss = square + self.config.beta / prod(self.shape) * information
        for name, values in (("score", loss), ("squared_error", square), ("nats", information)):
            metrics[name].update(values.sum(), count)

    def strangeness(
        self, prediction: Tensor, features: Features, batch: Batch
    ) -> dict[str, Tensor]:
        """``reconstruction``: the error."""
        return {"reconstruction": self.decode(prediction)[..., 0]}

    def table(self, decoded: Tensor) -> dict[str, dict[str, list[Any]]]:
        return {ERROR.name: {"prediction": decoded[:, 0].tolist()}}


def measured(batch: Batch) -> Tensor:
    """(B, 1, H, W) one where a pixel was measured, zero where there is no detector."""
    mask = batch.get("mask", None)
    if mask is None:
        return torch.ones_like(batch.image[:, :1])
    return 1 - mask[:, :1].to(batch.image.dtype)


def _mean_square(difference: Tensor, weight: Tensor) -> Tensor:
    """(..., B) mean square over channels and the pixels with weight."""
    channels = difference.shape[-3]
    total = (difference.square() * weight).flatten(-3).sum(dim=-1)
    return total / (channels * weight.flatten(-3).sum(dim=-1)).clamp(min=1)
