"""Models: batch -> features. A new one is a file and a name in `Model`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gnnmat.models.butler import Butler
from gnnmat.models.cgcnn import Cgcnn
from gnnmat.models.cnn import Cnn
from gnnmat.models.encoder import Encoder, check_reads, mean_over_samples
from gnnmat.models.gated import Gated
from gnnmat.models.slices import Slices
from gnnmat.models.stack import Stack

Model = Annotated[
    Cgcnn | Gated | Cnn | Slices | Stack | Butler,
    Field(discriminator="kind"),
]
"""Every model; a new one is a file and a name here."""

__all__ = [
    "Butler",
    "Cgcnn",
    "Cnn",
    "Encoder",
    "Gated",
    "Model",
    "Slices",
    "Stack",
    "check_reads",
    "mean_over_samples",
]
