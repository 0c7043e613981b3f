"""Augmentations: batch -> batch, seeded. A new one is a file and a name in `Augment`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gnnmat.augment.augmentation import Augmentation, Draw
from gnnmat.augment.fingerprint import Fingerprint
from gnnmat.augment.ins_measurement import InsMeasurement
from gnnmat.augment.none import NoAugment
from gnnmat.augment.powder_measurement import PowderMeasurement
from gnnmat.augment.robust_scale import RobustScale

Augment = Annotated[
    NoAugment | RobustScale | InsMeasurement | PowderMeasurement | Fingerprint,
    Field(discriminator="kind"),
]
"""Every augmentation; a new one is a file and a name here."""

__all__ = [
    "Augment",
    "Augmentation",
    "Draw",
    "Fingerprint",
    "InsMeasurement",
    "NoAugment",
    "PowderMeasurement",
    "RobustScale",
]
