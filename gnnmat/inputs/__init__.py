"""Inputs: raw crystal or array -> the fields of one sample."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gnnmat.inputs.cluster import Cluster
from gnnmat.inputs.crystal_graph import CrystalGraph
from gnnmat.inputs.image import Image
from gnnmat.inputs.ins_map import InsMap
from gnnmat.inputs.powder import Powder

Input = Annotated[CrystalGraph | Image | InsMap | Powder | Cluster, Field(discriminator="kind")]
"""Every input; a new one is a file and a name here."""

__all__ = ["Cluster", "CrystalGraph", "Image", "Input", "InsMap", "Powder"]
