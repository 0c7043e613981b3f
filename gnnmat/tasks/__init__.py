"""Tasks: features -> prediction, loss, scores. A new one is a file and a name in `TaskConfig`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gnnmat.tasks.classification import Classification
from gnnmat.tasks.duq import Duq
from gnnmat.tasks.gaussian import Gaussian
from gnnmat.tasks.joint import Joint
from gnnmat.tasks.pu import Pu
from gnnmat.tasks.reconstruction import Reconstruction
from gnnmat.tasks.regression import Regression
from gnnmat.tasks.task import Loss, Task

TaskConfig = Annotated[
    Regression | Classification | Pu | Duq | Gaussian | Joint | Reconstruction,
    Field(discriminator="kind"),
]
"""Every task; a new one is a file and a name here."""

__all__ = [
    "Classification",
    "Duq",
    "Gaussian",
    "Joint",
    "Loss",
    "Pu",
    "Reconstruction",
    "Regression",
    "Task",
    "TaskConfig",
]
