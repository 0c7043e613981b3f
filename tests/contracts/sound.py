"""An encoder that keeps every contract, for twins to break."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gnnmat.models import Encoder
from gnnmat.sample import Batch, DataSpec


class Sound(Encoder):
    """One message from every neighbour, as it should be; the twins break it, one thing each."""

    reads: tuple[str, ...] = ("z", "edge_index", "edge_length")

    def __init__(self, _: DataSpec) -> None:
        super().__init__()
        self.width = 4
        self.embedding = nn.Embedding(119, 4)
        self.message = nn.Linear(5, 4)

    def messages(self, batch: Batch) -> Tensor:
        length = batch.edge_length[:, None]
        near = torch.exp(-length / 2)
        inner = torch.cat([self.embedding(batch.z)[batch.edge_index[0]], near], dim=1)
        return torch.tanh(self.message(inner)) * near

    def local(self, batch: Batch) -> Tensor:
        message = self.messages(batch)
        if "edge_weight" in batch:
            message = message * batch.edge_weight[:, None]
        return self.embedding(batch.z).index_add(0, batch.edge_index[1], message)

    def inputs(self, batch: Batch) -> Tensor:
        return batch.edge_length
