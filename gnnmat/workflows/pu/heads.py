"""Bags of heads on one frozen encoder: a hundred small classifiers trained side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from gnnmat.data.dataset import SampleDataset
from gnnmat.errors import GnnmatError
from gnnmat.tasks import Pu
from gnnmat.train.checkpoint import Trained, load_run_config
from gnnmat.train.committee import Committee
from gnnmat.workflows.preparation import Prepared
from gnnmat.workflows.transfer import find_start, one_run

HIDDEN, EPOCHS, BATCH, RATE, DECAY = 64, 20, 1024, 3e-3, 1e-3


def check_trunk(name: str, trunk: Path, column: str) -> None:
    """Refuse an encoder that has learned these labels: nothing would be scored out of bag.

    What is looked at is the task and the names of the targets, of the run and of those that it
    began with; a copy of the labels under another name is not noticed.

    Raises:
        GnnmatError: it has.
    """
    config = load_run_config(trunk)
    if isinstance(config.task, Pu) or column in config.data.targets:
        raise GnnmatError(
            f"{name} has learned labels of this kind itself.",
            why="Its features remember which crystals are labelled, so that no score of a fit "
            "that begins with them is out of bag.",
            fix="Begin with a run on another property, such as a formation energy.",
        )
    try:
        before = find_start(config, trunk, trunk)
    except GnnmatError:
        return  # what it began with is gone
    if before is not None:
        check_trunk(str(config.start.run), one_run(before, 0), column)


@dataclass(frozen=True)
class Bags:
    """Which rows each head learns from and scores.

    Args:
        train: (bags, rows) whether a head learns from a row.
        test: (bags, rows) whether it scores it.
    """

    train: NDArray[np.bool_]
    test: NDArray[np.bool_]

    @classmethod
    def of(cls, parts: Sequence[NDArray[np.str_]]) -> Bags:
        """The bags of these splits; their val rows are neither learned nor scored."""
        stacked = np.stack(parts)
        return cls(stacked == "train", stacked == "test")


class _Heads(nn.Module):
    """One hidden layer a bag, all bags in one product: (rows, width) -> (bags, rows)."""

    def __init__(self, bags: int, width: int) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(bags, width, HIDDEN) / width**0.5)
        self.shift = nn.Parameter(torch.zeros(bags, 1, HIDDEN))
        self.last = nn.Parameter(torch.randn(bags, HIDDEN, 1) / HIDDEN**0.5)
        self.bias = nn.Parameter(torch.zeros(bags, 1))

    def forward(self, features: Tensor) -> Tensor:
        hidden = F.silu(torch.matmul(features, self.first) + self.shift)
        out: Tensor = (hidden @ self.last).squeeze(-1) + self.bias
        return out


def embeddings(trunk: Trained, dataset: SampleDataset, rows: NDArray[np.int64]) -> Tensor:
    """(rows, width) features of the encoder, each column centred and of deviation one."""
    (pooled,) = Committee([trunk]).observe(dataset, rows).pooled
    return (pooled - pooled.mean(dim=0)) / pooled.std(dim=0).clamp(min=1e-6)


def score_bags(features: Tensor, positive: NDArray[np.bool_], bags: Bags, seed: int) -> Tensor:
    """(bags, rows) the score of every row by every head.

    Both classes weigh alike in each bag. Heads share the order of the rows and nothing else.

    Args:
        features: (rows, width).
        positive: (rows,) as the fits are told.
        bags: who learns from what.
        seed: of the heads and the order.
    """
    torch.manual_seed(seed)
    label = torch.from_numpy(positive).float()
    learned = torch.from_numpy(bags.train).float()
    each = learned.sum(dim=1, keepdim=True)
    hits = (learned * label).sum(dim=1, keepdim=True)
    weight = learned * each * torch.where(label > 0, 0.5 / hits, 0.5 / (each - hits).clamp(min=1))
    used = torch.from_numpy(np.flatnonzero(bags.train.any(axis=0)))
    heads = _Heads(len(learned), features.shape[1])
    optimizer = torch.optim.AdamW(heads.parameters(), lr=RATE, weight_decay=DECAY)
    steps = EPOCHS * -(-len(used) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for rows in used[torch.randperm(len(used))].split(BATCH):
            logits = heads(features[rows])
            wanted = label[rows].expand_as(logits)
            losses = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
            # A mean a bag, summed over the bags: every head learns at its own pace.
            loss = (losses * weight[:, rows]).sum(dim=1) / learned[:, rows].sum(dim=1).clamp(min=1)
            optimizer.zero_grad()
            loss.sum().backward()
            optimizer.step()
            schedule.step()
    with torch.inference_mode():
        return torch.cat([heads(part).sigmoid() for part in features.split(BATCH)], dim=1)


def head_scores(
    trunk: Trained,
    prepared: Prepared,
    positive: NDArray[np.bool_],
    parts: Sequence[NDArray[np.str_]],
    seed: int,
) -> pd.DataFrame:
    """``id``, ``score``, ``standard_error`` and ``fits`` of all samples, from heads out of bag.

    Args:
        trunk: whose encoder is used as it is, see `check_trunk`.
        prepared: the crystals.
        positive: (samples,) as the fits are told.
        parts: (rows,) of the labelled rows, bag by bag.
        seed: of the heads.
    """
    dataset = prepared.dataset
    rows = np.flatnonzero(prepared.parts != "")
    bags = Bags.of(parts)
    said = score_bags(embeddings(trunk, dataset, rows), positive[rows], bags, seed).numpy()
    count = bags.test.sum(axis=0)
    some = np.where(bags.test, said, np.nan)
    mean, error = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    mean[count > 0] = np.nanmean(some[:, count > 0], axis=0)
    several = count > 1
    error[several] = np.nanstd(some[:, several], axis=0, ddof=1) / np.sqrt(count[several])
    table = pd.DataFrame({"id": dataset.ids, "score": np.nan, "standard_error": np.nan, "fits": 0})
    table.loc[rows, ["score", "standard_error"]] = np.stack([mean, error], axis=1)
    table.loc[rows, "fits"] = count
    return table
