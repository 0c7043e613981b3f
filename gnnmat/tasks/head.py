"""The last layers: features -> outputs."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn


class Head(BaseModel):
    """A multilayer perceptron; without hidden layers it is linear."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden: tuple[int, ...] = Field(
        (128,),
        description="Widths of the hidden layers; empty makes the head linear, so that "
        "contributions of atoms add up exactly.",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of hidden features dropped.")

    def build(self, width: int, outputs: int) -> MlpHead:
        """The layers for features of this width."""
        return MlpHead(width, self.hidden, outputs, self.dropout)


class MlpHead(nn.Module):
    """Softplus, then linear layers with softplus between them.

    Source: the authors' code of Xie & Grossman, PRL 120, 145301 (2018): softplus on the pooled
    features, one hidden layer of 128.
    """

    def __init__(self, width: int, hidden: tuple[int, ...], outputs: int, dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((width, *hidden), hidden, strict=False):
            layers += [nn.Softplus(), nn.Linear(before, after), nn.Dropout(dropout)]
        if hidden:
            layers.append(nn.Softplus())
        layers.append(nn.Linear(hidden[-1] if hidden else width, outputs))
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.layers(features)
        return out
