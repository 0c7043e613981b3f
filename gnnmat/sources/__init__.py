"""Where data come from: files, tables, databases, objects and arrays, opened as `Records`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gnnmat.sources.arrays import ArraysSource
from gnnmat.sources.ase_database import AseDbSource
from gnnmat.sources.card import CardSource
from gnnmat.sources.files import FilesSource
from gnnmat.sources.halide_set import HalidesSource
from gnnmat.sources.materials_project import MaterialsProjectSource
from gnnmat.sources.optimade import OptimadeSource
from gnnmat.sources.patterns import PatternsSource
from gnnmat.sources.prototype_set import PrototypesSource
from gnnmat.sources.simulated import SimulatedSource
from gnnmat.sources.spectra import SpectraSource
from gnnmat.sources.symmetry import SymmetrySource
from gnnmat.sources.table import TableSource

Source = Annotated[
    CardSource
    | FilesSource
    | TableSource
    | OptimadeSource
    | MaterialsProjectSource
    | AseDbSource
    | ArraysSource
    | SimulatedSource
    | SpectraSource
    | SymmetrySource
    | PrototypesSource
    | HalidesSource
    | PatternsSource,
    Field(discriminator="kind"),
]
"""Every source that can be written in a recipe; a new one is a file and a name here."""
