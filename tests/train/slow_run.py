"""An encoder that counts its training steps in a file, and a training to be killed."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from gnnmat.models.encoder import Encoder
from gnnmat.sample import Batch


class CountingEncoder(Encoder):
    """A sum over elements and lengths, with dropout; appends a byte a training step.

    Args:
        marks: file that grows by a byte as each training step begins.
        pause: seconds that a training step waits after its mark.
    """

    reads = ("z", "edge_length")
    width = 8

    def __init__(self, marks: Path, pause: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(5)  # made by the user, before the run seeds anything
        self.marks = marks
        self.pause = pause
        self.embedding = nn.Embedding(100, 8)
        self.lengths = nn.Linear(1, 8)
        self.dropout = nn.Dropout(0.3)
        self.norm = nn.BatchNorm1d(8)

    def local(self, batch: Batch) -> Tensor:
        if self.training:
            with self.marks.open("ab") as file:
                file.write(b".")
            time.sleep(self.pause)
        bonds = self.lengths(batch.edge_length[:, None])
        v = self.embedding(batch.z).index_add(0, batch.edge_index[1], torch.tanh(bonds))
        return self.norm(self.dropout(v))

    def inputs(self, batch: Batch) -> Tensor:
        length: Tensor = batch.edge_length
        return length


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    import tiny

    from gnnmat.workflows.training import train

    folder, marks, epochs = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    train(
        tiny.config(**tiny.INTERRUPTED, trainer__epochs=epochs),
        folder,
        records=tiny.records(),
        model=CountingEncoder(marks, pause=float(os.environ["PAUSE"])),
    )
