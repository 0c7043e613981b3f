"""The stages of a screen, to be put together in Python; ``gnnmat.screen(stages=[...])``."""

from __future__ import annotations

from gnnmat.workflows.screening.stage import Judged, Stage
from gnnmat.workflows.screening.stages.best import Best
from gnnmat.workflows.screening.stages.derive import Derive
from gnnmat.workflows.screening.stages.filter import Filter
from gnnmat.workflows.screening.stages.predict import Predict

__all__ = ["Best", "Derive", "Filter", "Judged", "Predict", "Stage"]
