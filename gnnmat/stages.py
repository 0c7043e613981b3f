"""The stages of a screen, to be put together in Python; ``gnnmat.screen(stages=[...])``."""

from __future__ import annotations

from gnnmat.workflows.screening.stage import Judged, Stage
from gnnmat.workflows.screening.stages.best import Best
from gnnmat.workflows.screening.stages.composition import Composition
from gnnmat.workflows.screening.stages.derive import Derive
from gnnmat.workflows.screening.stages.dft_inputs import DftInputs
from gnnmat.workflows.screening.stages.distinct import Distinct
from gnnmat.workflows.screening.stages.elastic import Elastic
from gnnmat.workflows.screening.stages.filter import Filter
from gnnmat.workflows.screening.stages.hull import HullStage as Hull
from gnnmat.workflows.screening.stages.pareto import Pareto
from gnnmat.workflows.screening.stages.predict import Predict
from gnnmat.workflows.screening.stages.relax import Relax
from gnnmat.workflows.screening.stages.supply import Supply
from gnnmat.workflows.screening.stages.symmetry import SymmetryStage as Symmetry

__all__ = [
    "Best",
    "Composition",
    "Derive",
    "DftInputs",
    "Distinct",
    "Elastic",
    "Filter",
    "Hull",
    "Judged",
    "Pareto",
    "Predict",
    "Relax",
    "Stage",
    "Supply",
    "Symmetry",
]
