"""A training step of the networks for spectra, in turn on the same batch of 240 x 400 images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from results import paired, ratios, row, write
from torch.nn import functional as F

from gnnmat.models.butler import Butler
from gnnmat.models.slices import Slices
from gnnmat.models.stack import Stack
from gnnmat.sample import Batch, DataSpec, Sample, Target, TargetSpec, collate
from gnnmat.simulation.layout import pcsmo_layout
from gnnmat.tasks.classification import Classification
from gnnmat.tasks.head import Head

NETWORKS: dict[str, Any] = {
    "the paper's, pooled": Butler(pooled=True),
    "slices": Slices(symmetric=True),
    "stack, the shipped one": Stack(width=48, features=64),
}


class Stepper:
    """One network with its optimizer."""

    def __init__(self, config: Any, spec: DataSpec, batch: Batch, labels: torch.Tensor) -> None:
        self.encoder = config.build(spec)
        self.task = Classification(head=Head(hidden=())).build(spec, self.encoder.width)
        self.batch, self.labels = batch, labels
        parameters = [*self.encoder.parameters(), *self.task.parameters()]
        self.size = sum(one.numel() for one in parameters)
        self.optimizer = torch.optim.SGD(parameters, 1e-4)

    def step(self) -> None:
        """Forward, backward, update."""
        self.optimizer.zero_grad()
        F.cross_entropy(self.task(self.encoder(self.batch), self.batch), self.labels).backward()
        self.optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layout = pcsmo_layout()
    spec = DataSpec(
        fields=("image", "mask"),
        targets=TargetSpec((Target("hypothesis", classes=("dimer", "goodenough")),)),
        channels=1,
        image_shape=layout.image_shape,
        layout=layout.to_dict(),
    )
    size = (1, 1, *layout.image_shape)
    mask = torch.zeros(size, dtype=torch.bool)
    batch = collate(
        [
            Sample(image=torch.rand(size), mask=mask, row=torch.tensor([i]), num_nodes=1)
            for i in range(options.batch)
        ]
    )
    labels = torch.arange(options.batch) % 2
    paper = Stepper(Butler(pooled=False), spec, batch, labels)
    rows = []
    for name, config in NETWORKS.items():
        ours = Stepper(config, spec, batch, labels)
        slow, fast = paired(paper.step, ours.step, runs=options.runs)
        each = 1e3 * float(np.median(fast)) / options.batch
        rows.append(
            row(
                f"{name}: training step, batch {options.batch}, one thread", ratios(slow, fast),
                "times faster", against=f"the paper's network, {paper.size:,} parameters",
                note=f"{ours.size:,} parameters, {each:.1f} ms an image",
            )
        )  # fmt: skip
    write("networks", "random images of 240 x 400", rows, options.json)


if __name__ == "__main__":
    main()
