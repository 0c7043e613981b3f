"""The one LightningModule: any encoder, any task, any batch."""

from __future__ import annotations

import math
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from gnnmat.augment.augmentation import Augmentation
from gnnmat.augment.none import Unchanged
from gnnmat.errors import GnnmatError
from gnnmat.models.encoder import Encoder
from gnnmat.sample import Batch, Features
from gnnmat.tasks.task import Loss, Mean, Task
from gnnmat.train.config import OptimizerConfig, StartConfig


class Hall(LightningModule):
    """Trains an encoder with a task.

    Args:
        encoder: batch -> features.
        task: features -> prediction, loss, scores.
        optimizer: how weights move.
        seed: with the epoch, decides dropout and every other draw of an epoch.
        augment: what is done to a batch before the encoder sees it; default nothing.
        start: whether the encoder is frozen, and how fast it learns beside the head.
    """

    def __init__(
        self,
        encoder: Encoder,
        task: Task,
        optimizer: OptimizerConfig,
        seed: int = 0,
        augment: Augmentation | None = None,
        start: StartConfig | None = None,
    ) -> None:
        super().__init__()
        self.start = StartConfig() if start is None else start
        self.encoder = encoder
        self.task = task
        self.options = optimizer
        self.seed = seed
        self.augment = Unchanged() if augment is None else augment
        self.learned: Features | None = None  # of the step that was just made
        self.train_loss = Mean()
        self.val_loss = Mean()
        self.val_metrics = task.metrics()
        if self.start.freeze:
            self.encoder.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Hall:
        """Training mode; a frozen encoder keeps its running statistics and drops nothing."""
        super().train(mode)
        if self.start.freeze:
            self.encoder.eval()
        return self

    def forward(self, batch: Batch) -> Tensor:
        """The task's raw prediction, (..., rows, d)."""
        prediction: Tensor = self.task(self.encoder(batch), batch)
        return prediction

    def on_train_epoch_start(self) -> None:
        """Begin every epoch with the same draws, whether it is reached by resuming or not."""
        torch.manual_seed(self.seed * 1_000_003 + self.current_epoch * 1_009 + self.global_rank)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """The batch augmented; in double precision its numbers are double, too."""
        if self.trainer.training:
            batch = self.augment(batch, "train", self.seed, self.current_epoch)
        else:
            # Validation rows look the same in every epoch and for every seed of a run.
            batch = self.augment(batch, "fixed")
        if self.trainer.precision != "64-true":
            return batch
        return batch.apply(lambda value: value.double() if value.is_floating_point() else value)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The mean loss over the labels of all processes together."""
        loss = self._learn(batch)
        self.train_loss.update(loss.total, loss.count)
        ranks = self.trainer.world_size
        if ranks == 1:
            self._check_loss(loss.total)
            return loss.mean()
        # Gradients are averaged over processes; labels are what should be averaged over. All
        # processes see the same sums, so that all of them stop at a loss that is no number.
        own = torch.stack([loss.total.detach().double(), loss.count.detach().double()])
        total, count = torch.as_tensor(self.all_gather(own)).view(ranks, 2).sum(0)
        self._check_loss(total)
        return loss.total * ranks / count.clamp(min=1).to(loss.total.dtype)

    def _learn(self, batch: Batch) -> Loss:
        """The loss, with what the task asks of the slopes of its outputs."""
        needs = self.task.needs_input_grad
        inputs = self.encoder.inputs(batch).requires_grad_() if needs else None
        # What is frozen needs no gradients, unless slopes with respect to the input are asked for.
        with torch.set_grad_enabled(needs or not self.start.freeze):
            features = self.encoder(batch)
        prediction = self.task(features, batch)
        self.learned = Features(features.local.detach(), features.pooled.detach())
        loss = self.task.loss(prediction, batch)
        if inputs is None:
            return loss
        penalty = self.task.penalty(prediction, inputs, batch)
        return Loss(loss.total + penalty * loss.count, loss.count)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Let the task learn what is not learned by gradients."""
        if self.learned is not None:
            self.task.after_step(self.learned, batch)
        self.learned = None

    def validation_step(self, batch: Batch, _: int) -> None:
        """Fill the scores."""
        prediction = self(batch)
        loss = self.task.loss(prediction, batch)
        self.val_loss.update(loss.total, loss.count)
        self.task.update(self.val_metrics, prediction, batch)

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the epoch; ``val_score`` decides which weights are kept."""
        values = {f"val_{name}": value for name, value in self.val_metrics.compute().items()}
        loss = self.val_loss.compute()
        if not bool(loss.isfinite()):
            self._refuse_loss(float(loss))
        self.log_dict(values | {"val_loss": loss})
        self.val_metrics.reset()
        self.val_loss.reset()

    def on_train_epoch_end(self) -> None:
        """Log the loss of the epoch, and stop before a ruined state is kept."""
        loss = self.train_loss.compute()
        if not bool(loss.isfinite()):
            self._refuse_loss(float(loss))
        self.log_dict({"train_loss": loss, "lr": self.optimizers().param_groups[0]["lr"]})  # type: ignore[union-attr]
        self.train_loss.reset()

    def _check_loss(self, total: Tensor) -> None:
        # On a GPU looking at the value would wait for it; there the end of the epoch decides.
        if total.device.type == "cpu" and not math.isfinite(float(total.detach())):
            self._refuse_loss(float(total.detach()))

    def _refuse_loss(self, value: float) -> None:
        raise GnnmatError(
            f"The loss became {value} in epoch {self.current_epoch + 1}.",
            why="The weights of the last finished epoch are kept.",
            fix="Lower optimizer.lr, or set trainer.clip=1.0; with 16-bit precision try "
            "trainer.precision=32-true.",
        )

    def configure_optimizers(self) -> dict[str, Any]:  # type: ignore[override]
        """Optimizer and schedule; normalisation and biases are not decayed."""
        optimizer = make_optimizer(self, self.options, self.encoder, self.start.body_lr)
        steps = max(int(self.trainer.estimated_stepping_batches), 1)
        schedule = make_schedule(optimizer, self.options, steps, self.trainer.max_epochs or 1)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def make_optimizer(
    module: nn.Module,
    options: OptimizerConfig,
    body: nn.Module | None = None,
    share: float = 1.0,
) -> Optimizer:
    """The optimizer over all parameters; vectors (biases, normalisation) are not decayed.

    Args:
        module: what learns.
        options: how.
        body: the part of it that learns at another rate.
        share: of ``options.lr`` for the body.
    """
    free = [p for p in module.parameters() if p.requires_grad]
    inside = {id(p) for p in body.parameters()} if body is not None and share != 1.0 else set()
    groups: list[dict[str, Any]] = []
    # The head comes first: its rate is the one that is logged.
    for rate, there in ((options.lr, False), (options.lr * share, True)):
        part = [p for p in free if (id(p) in inside) == there]
        if part or not there:
            decayed = {"params": [p for p in part if p.dim() >= 2], "lr": rate}
            plain = {"params": [p for p in part if p.dim() < 2], "lr": rate, "weight_decay": 0.0}
            groups += [{**decayed, "weight_decay": options.weight_decay}, plain]
    if options.kind == "adamw":
        return AdamW(groups, lr=options.lr)
    if options.kind == "adam":
        return Adam(groups, lr=options.lr)
    return SGD(groups, lr=options.lr, momentum=0.9)


def make_schedule(
    optimizer: Optimizer, options: OptimizerConfig, steps: int, epochs: int
) -> LRScheduler:
    """The learning rate by step: a factor of ``options.lr``."""

    def factor(step: int) -> float:
        if options.schedule == "steps":
            epoch = step * epochs / steps
            return 0.1 ** sum(epoch >= milestone for milestone in options.milestones)
        if options.schedule == "constant":
            return 1.0
        up = options.warmup * steps if options.schedule == "one_cycle" else 0.0
        if step < up:
            return 0.04 + 0.96 * (1 - math.cos(math.pi * step / up)) / 2
        along = min((step - up) / max(steps - up, 1), 1.0)
        return 1e-4 + (1 - 1e-4) * (1 + math.cos(math.pi * along)) / 2

    return LambdaLR(optimizer, factor)
