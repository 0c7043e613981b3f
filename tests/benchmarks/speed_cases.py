"""Crystals, batches and timing that all parts of ``speed.py`` share."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from results import paired, ratios, row, shared_data
from torch import Tensor, nn
from torch.nn import functional as F

from gnnmat.data.dataset import SampleDataset, open_dataset
from gnnmat.inputs.crystal_graph import CrystalGraph
from gnnmat.models.gated import Gated
from gnnmat.sample import Batch
from gnnmat.sources.records import Records
from gnnmat.sources.table import TableSource
from gnnmat.tasks.head import MlpHead
from gnnmat.train.config import load_config

RECIPE = "mp_formation_energy"
Rows = list[dict[str, Any]]


class Whole(nn.Module):
    """Encoder and head in one."""

    def __init__(self, encoder: nn.Module, width: int) -> None:
        super().__init__()
        self.encoder, self.head = encoder, MlpHead(width, (128,), 1, 0.0)

    def forward(self, batch: Batch) -> Tensor:
        out: Tensor = self.head(self.encoder(batch).pooled)
        return out


@dataclass
class Crystals:
    """The crystals of all rows, and their graphs as they are asked for."""

    records: Records
    size: int

    def graphs(self, graph: CrystalGraph) -> SampleDataset:
        """With their formation energy."""
        return open_dataset(self.records, graph, ["e_form"], quiet=True)

    def batches(self, graph: CrystalGraph) -> list[Batch]:
        """In order, cut alike for every graph."""
        dataset = self.graphs(graph)
        assert len(dataset) == len(self.records), "a crystal was left out"
        starts = range(0, len(dataset), self.size)
        rows = [range(one, min(one + self.size, len(dataset))) for one in starts]
        return [dataset.__getitems__(list(one)) for one in rows]


class Trained:
    """One network with its optimizer and batches in the form it takes; ``half``: in bfloat16."""

    def __init__(
        self, network: nn.Module, inputs: Sequence[Any], targets: list[Tensor], half: bool = False
    ) -> None:
        self.network, self.inputs, self.targets = network, inputs, targets
        self.half = half
        self.optimizer = torch.optim.AdamW(network.parameters(), 1e-4)

    def steps(self) -> None:
        """A step on every batch."""
        for given, target in zip(self.inputs, self.targets, strict=True):
            self.optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
                loss = F.l1_loss(self.network(given), target)
            loss.backward()
            self.optimizer.step()

    def forward(self) -> None:
        """Predictions for every batch."""
        self.network.eval()
        with torch.inference_mode():
            for given in self.inputs:
                self.network(given)
        self.network.train()


def gated(dataset: SampleDataset, width: int = Gated().width) -> Whole:
    """The network of the recipe, as wide as asked for."""
    return Whole(Gated(width=width).build(dataset.spec()), width)


def timed(
    what: str, slow: Callable[[], Any], fast: Callable[[], Any], options: Namespace, **more: Any
) -> Rows:
    """Rows of how many times faster the second is, by number of threads."""
    rows = []
    per = more.pop("per", 1)
    note = more.pop("note", "")
    for threads in options.threads:
        torch.set_num_threads(threads)
        long, short = paired(slow, fast, runs=options.runs)
        ours = 1e3 * float(np.median(short)) / per
        told = "; ".join(one for one in (note, f"ours {ours:.3g} ms") if one)
        title = f"{what}, {threads} thread{'s' if threads > 1 else ''}"
        rows.append(row(title, ratios(long, short), "times faster", note=told, **more))
    torch.set_num_threads(1)
    return rows


def plain(graph: CrystalGraph) -> CrystalGraph:
    """The same bonds, all of them, without angles."""
    return graph.model_copy(update={"fold": False, "angles": 0})


def edges(batches: list[Batch]) -> float:
    """Mean number in a batch."""
    return float(np.mean([one.edge_index.shape[1] for one in batches]))


def records_of(file: str, count: int) -> Records:
    """This many random rows of a table, or of the recipe's data."""
    source = (
        TableSource(path=str(shared_data() / file)) if file else load_config(RECIPE).data.source
    )
    found = source.open()
    chosen = np.random.default_rng(0).choice(len(found), min(count, len(found)), replace=False)
    return found.take(chosen.tolist())
