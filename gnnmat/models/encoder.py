"""What every encoder offers: local features, pooling, and the inputs gradients are taken of."""

from __future__ import annotations

from torch import Tensor, nn

from gnnmat.errors import GnnmatError
from gnnmat.sample import Batch, DataSpec, Features


class Encoder(nn.Module):
    """Batch -> `Features`; the base of all models.

    A subclass sets ``width`` and implements `local` and `inputs`; `pool` averages unless it
    says otherwise. An encoder that passes messages along edges honours ``batch.edge_weight``
    (edges,) where it is present: a weight of zero equals an edge that is not there.

    Attributes:
        reads: names of the sample fields it needs. One that reads ``orbit_index`` and
            ``edge_count`` takes folded graphs: it computes the atoms that stand for themselves,
            counts an edge as often as it says, and gives every atom the features of the one
            that stands for it.
        width: features a node and a sample.
    """

    reads: tuple[str, ...] = ()
    width: int

    def local(self, batch: Batch) -> Tensor:
        """(nodes, width) features of every atom or pixel."""
        raise NotImplementedError

    def pool(self, local: Tensor, batch: Batch) -> Tensor:
        """(B, width) features of every sample: the mean over its nodes."""
        return mean_over_samples(local, batch)

    def inputs(self, batch: Batch) -> Tensor:
        """The tensor of the batch that gradients and attributions refer to."""
        raise NotImplementedError

    def forward(self, batch: Batch) -> Features:
        local = self.local(batch)
        return Features(local, self.pool(local, batch))


def mean_over_samples(local: Tensor, batch: Batch) -> Tensor:
    """(B, width) mean over the nodes of each sample."""
    samples = batch.num_graphs
    total = local.new_zeros(samples, local.shape[1]).index_add(0, batch.batch, local)
    count = (batch.ptr[1:] - batch.ptr[:-1]).to(local.dtype).clamp(min=1)
    return total / count[:, None]


def check_reads(encoder: Encoder, spec: DataSpec) -> None:
    """Refuse an encoder that needs fields the data do not have."""
    missing = [name for name in encoder.reads if name not in spec.fields]
    if missing:
        raise GnnmatError(
            f"{type(encoder).__name__} needs {', '.join(missing)}, which these data do not have.",
            why=f"The data have: {', '.join(spec.fields)}.",
            fix="Choose a model for this input (model.kind) or another input (input.kind).",
        )
    for field, (what, why, fix) in _UNREAD.items():
        if field in spec.fields and field not in encoder.reads:
            raise GnnmatError(
                f"{type(encoder).__name__} does not {what}.",
                why=why,
                fix=f"{fix}, or model.kind=gated",
            )


_UNREAD = {
    "orbit_index": (
        "take folded graphs",
        "It would count each atom and bond once that stands for several.",
        "input.fold=false",
    ),
    "edge_angle": ("read angles", "They would be computed for nothing.", "input.angles=0"),
    "state": (
        "read the state of a crystal",
        "Its predictions would not depend on what data.state names.",
        "data.state=[]",
    ),
}
