"""Bond lengths as smooth vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GaussianExpansion(nn.Module):
    r"""(edges, centres) values :math:`\exp(-(d - \mu_k)^2 / w^2)` of bond lengths in Å.

    Args:
        centres: number of Gaussians, evenly spaced on start .. cutoff.
        cutoff: Å.
        width: w, Å.
        start: Å.

    Source: Xie & Grossman, PRL 120, 145301 (2018); w and the spacing of 0.2 Å are those of the
    authors' code, where w^2 is not doubled.
    """

    centres: Tensor

    def __init__(
        self, centres: int = 41, cutoff: float = 8.0, width: float = 0.2, start: float = 0.0
    ) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("centres", torch.linspace(start, cutoff, centres), persistent=False)

    def forward(self, length: Tensor) -> Tensor:
        return torch.exp(-(((length[:, None] - self.centres) / self.width) ** 2))


def smooth_cutoff(length: Tensor, reach: float) -> Tensor:
    r"""(edges,) factors that fall from one to zero at ``reach`` (Å), with two derivatives.

    .. math:: 1 - 10 x^3 + 15 x^4 - 6 x^5, \qquad x = d / r

    Source: Unke & Meuwly, J. Chem. Theory Comput. 15, 3678 (2019), Eq. 8.
    """
    x = (length / reach).clamp(max=1.0)
    return 1 - x**3 * (10 - 15 * x + 6 * x**2)
