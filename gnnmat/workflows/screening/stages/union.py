"""Every stage that can be written in a recipe; a new one is a file and a name here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gnnmat.workflows.screening.stages.best import Best
from gnnmat.workflows.screening.stages.composition import Composition
from gnnmat.workflows.screening.stages.derive import Derive
from gnnmat.workflows.screening.stages.dft_inputs import DftInputs
from gnnmat.workflows.screening.stages.distinct import Distinct
from gnnmat.workflows.screening.stages.elastic import Elastic
from gnnmat.workflows.screening.stages.filter import Filter
from gnnmat.workflows.screening.stages.hull import HullStage
from gnnmat.workflows.screening.stages.pareto import Pareto
from gnnmat.workflows.screening.stages.predict import Predict
from gnnmat.workflows.screening.stages.relax import Relax
from gnnmat.workflows.screening.stages.supply import Supply
from gnnmat.workflows.screening.stages.symmetry import SymmetryStage

AnyStage = Annotated[
    Filter
    | Composition
    | SymmetryStage
    | Supply
    | Predict
    | Derive
    | HullStage
    | Relax
    | Elastic
    | DftInputs
    | Distinct
    | Pareto
    | Best,
    Field(discriminator="kind"),
]
