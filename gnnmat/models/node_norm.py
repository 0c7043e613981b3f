"""Batch normalisation that bears a batch of one node."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class NodeNorm(nn.BatchNorm1d):
    """`torch.nn.BatchNorm1d` over nodes; a single one in training is normalised as in prediction.

    One node has no variance, and of a folded graph, whose atoms are all equivalent, one is left.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or len(x) > 1:
            return super().forward(x)
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
        )
