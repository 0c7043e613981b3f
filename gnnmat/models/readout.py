"""Features of a sample from those of its atoms, beyond their mean."""

from __future__ import annotations

from torch import Tensor, nn
from torch_geometric.utils import softmax

from gnnmat.models.folded import summed
from gnnmat.sample import Batch


class AttentionPool(nn.Module):
    r"""(B, width) weighted means :math:`\sum_i w_i v_i` whose weights are learned, a feature each.

    .. math:: w_i = \exp(a_i) / \sum_j \exp(a_j), \qquad a_i = W v_i

    over the atoms of a sample, so that it does not depend on the cell: a mean where all a are
    alike, close to the largest value where they are steep.

    Source: Li et al., arXiv:1511.05493, Eq. 7, gated readout; differs in: normalised over the
    atoms of a sample.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.linear.weight)

    def forward(self, local: Tensor, batch: Batch) -> Tensor:
        samples = batch.num_graphs
        weight = softmax(self.linear(local), batch.batch, num_nodes=samples)
        return summed(weight * local, batch.batch, samples)
