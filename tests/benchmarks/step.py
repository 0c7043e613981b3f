"""A training step of the factored CGCNN against PyG's ``CGConv`` of the same size.

Both: 3 layers of width 64, 41 Gaussians, batch normalisation, mean pooling, one hidden layer of
128; the same batch of 256 crystals; forward, backward and optimizer step.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import torch
from results import paired, ratios, row, shared_data, write
from speed_references import PygNetwork
from torch import Tensor, nn
from torch.nn import functional as F

from gnnmat.data.dataset import open_dataset
from gnnmat.inputs.crystal_graph import CrystalGraph
from gnnmat.models.cgcnn import Cgcnn
from gnnmat.models.expansion import GaussianExpansion
from gnnmat.sample import Batch, DataSpec
from gnnmat.sources.table import TableSource
from gnnmat.tasks.head import MlpHead


class Ours(nn.Module):
    """gnnmat's encoder and head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Cgcnn(atoms="learned").build(DataSpec(fields=()))
        self.head = MlpHead(64, (128,), 1, 0.0)

    def forward(self, batch: Batch) -> Tensor:
        return self.head(self.encoder(batch).pooled)


class Stepper:
    """One network with its optimizer."""

    def __init__(self, network: nn.Module, batch: Batch, target: Tensor) -> None:
        self.network, self.batch, self.target = network, batch, target
        self.optimizer = torch.optim.AdamW(network.parameters(), 1e-3)

    def step(self) -> None:
        """Forward, backward, update."""
        self.optimizer.zero_grad()
        F.mse_loss(self.network(self.batch), self.target).backward()
        self.optimizer.step()

    def predict(self) -> None:
        """Forward alone, as in prediction."""
        self.network.eval()
        with torch.inference_mode():
            self.network(self.batch)
        self.network.train()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    table = str(shared_data() / "materials_project" / "structures.parquet")
    records = TableSource(path=table).open()
    chosen = np.random.default_rng(0).choice(len(records), 256, replace=False)
    dataset = open_dataset(records.take(chosen.tolist()), CrystalGraph(), quiet=True)
    batch = dataset.__getitems__(list(range(256)))
    target = torch.randn(256, 1, generator=torch.Generator().manual_seed(0))
    atoms, edges = batch.num_nodes, batch.edge_index.shape[1]
    rows = []
    for threads in (1, torch.get_num_threads()):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        reference = Stepper(PygNetwork(64, 3, GaussianExpansion(), 41), batch, target)
        ours = Stepper(Ours(), batch, target)
        slow, fast = paired(reference.step, ours.step, runs=options.runs, warm=2)
        note = f"{atoms:,} atoms, {edges:,} edges; ours {1e3 * np.median(fast):.0f} ms"
        rows.append(
            row(
                f"training step, 3 x 64, 41 Gaussians, batch 256, {threads} thread(s)",
                ratios(slow, fast), "times faster", against="PyG CGConv", reach=">= 2", note=note,
            )
        )  # fmt: skip
        slow, fast = paired(reference.predict, ours.predict, runs=options.runs, warm=2)
        rows.append(
            row(
                f"prediction, same batch, {threads} thread(s)",
                ratios(slow, fast), "times faster", against="PyG CGConv",
                note=f"ours {1e3 * np.median(fast):.0f} ms",
            )
        )  # fmt: skip
    write("step", "256 random crystals of materials_project/structures.parquet", rows, options.json)


if __name__ == "__main__":
    main()
