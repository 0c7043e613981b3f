"""Every augmentation meets the contract, and each check fails for one broken in just that way."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from gnnmat.augment import Augment, Augmentation, Draw
from gnnmat.augment.augmentation import stream
from gnnmat.sample import Batch, DataSpec
from gnnmat.train.unions import members

from . import augment_checks as checks
from .augment_checks import AUGMENT_CHECKS, AugmentCase, augment_cases

CASES = augment_cases(members(Augment))


class Sound(Augmentation):
    """Adds noise, soundly; the twins break it, one thing each."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        self.level = nn.Buffer(torch.zeros(()))

    def prepare(self) -> None:
        self.level.fill_(0.5)

    def forward(self, batch: Batch, draw: Draw, seed: int = 0, epoch: int = 0) -> Batch:
        made = copy(batch)
        if draw != "none":
            noise = [self.noise(draw, seed, epoch, row) for row in batch.row.tolist()]
            made.image = batch.image + self.level * torch.stack(noise)
        return made

    def noise(self, draw: Draw, seed: int, epoch: int, row: int) -> torch.Tensor:
        drawn = stream(draw, seed, epoch, row).standard_normal((1, *checks.SHAPE))
        return torch.from_numpy(drawn).float()


class ReturnsDouble(Sound):
    def forward(self, batch: Batch, draw: Draw, seed: int = 0, epoch: int = 0) -> Batch:
        made = super().forward(batch, draw, seed, epoch)
        made.image = made.image.double()
        return made


class DividesByWhatIsZero(Sound):
    def forward(self, batch: Batch, draw: Draw, seed: int = 0, epoch: int = 0) -> Batch:
        made = super().forward(batch, draw, seed, epoch)
        made.image = made.image / batch.mask.logical_not()
        return made


class DrawsFromTheGlobalStream(Sound):
    def noise(self, draw: Draw, seed: int, epoch: int, row: int) -> torch.Tensor:
        return torch.randn(1, *checks.SHAPE)


class AddsInPlace(Sound):
    def forward(self, batch: Batch, draw: Draw, seed: int = 0, epoch: int = 0) -> Batch:
        batch.image += 1
        return batch


class AddsAField(Sound):
    def forward(self, batch: Batch, draw: Draw, seed: int = 0, epoch: int = 0) -> Batch:
        batch.clean = batch.image
        return batch


class DrawsOnceForTheBatch(Sound):
    def forward(self, batch: Batch, draw: Draw, seed: int = 0, epoch: int = 0) -> Batch:
        made = copy(batch)
        if draw != "none":
            drawn = stream(draw, seed, epoch, 0).standard_normal(tuple(batch.image.shape))
            made.image = batch.image + torch.from_numpy(drawn).float()
        return made


class ScalesByTheBatch(Sound):
    def forward(self, batch: Batch, draw: Draw, seed: int = 0, epoch: int = 0) -> Batch:
        made = copy(batch)
        made.image = batch.image / batch.image.max()
        return made


class LooksAtTheEpochAlways(Sound):
    def noise(self, draw: Draw, seed: int, epoch: int, row: int) -> torch.Tensor:
        return super().noise("train", seed, epoch, row)


class DisturbsMeasurements(Sound):
    def forward(self, batch: Batch, draw: Draw, seed: int = 0, epoch: int = 0) -> Batch:
        return super().forward(batch, "fixed", 0, epoch)


class DrawsOneNoiseForAllRows(Sound):
    def noise(self, draw: Draw, seed: int, epoch: int, row: int) -> torch.Tensor:
        return super().noise(draw, seed, epoch, 0)


class DrawsOneNoiseForScoredRows(Sound):
    def noise(self, draw: Draw, seed: int, epoch: int, row: int) -> torch.Tensor:
        return super().noise(draw, seed, epoch, row if draw == "train" else 0)


class ForgetsItsSeed(Sound):
    def noise(self, draw: Draw, seed: int, epoch: int, row: int) -> torch.Tensor:
        return super().noise(draw, 0, epoch, row)


class DrawsTheSameInEveryEpoch(Sound):
    def noise(self, draw: Draw, seed: int, epoch: int, row: int) -> torch.Tensor:
        return super().noise(draw, seed, 0, row)


class LearnsItsLevel(Sound):
    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec)
        self.offset = nn.Parameter(torch.zeros(()))


class KeepsItsLevelToItself(Sound):
    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec)
        self.factor = 1.0

    def prepare(self) -> None:
        super().prepare()
        self.factor = 0.5

    def noise(self, draw: Draw, seed: int, epoch: int, row: int) -> torch.Tensor:
        return self.factor * super().noise(draw, seed, epoch, row) + self.factor


anew = checks.check_each_row_seed_and_epoch_is_drawn_anew
TWINS: list[tuple[Callable[[AugmentCase], None], type[Sound], str]] = [
    (checks.check_keeps_shapes_and_stays_finite, ReturnsDouble, "torch.float64"),
    (checks.check_keeps_shapes_and_stays_finite, DividesByWhatIsZero, "not finite"),
    (checks.check_same_seed_gives_the_same, DrawsFromTheGlobalStream, "a second time"),
    (checks.check_input_is_not_changed, AddsInPlace, "'image' was changed"),
    (checks.check_input_is_not_changed, AddsAField, "clean"),
    (checks.check_sample_does_not_depend_on_its_batch, DrawsOnceForTheBatch, "of a batch"),
    (checks.check_sample_does_not_depend_on_its_batch, ScalesByTheBatch, "of a batch"),
    (checks.check_fixed_draws_are_fixed, LooksAtTheEpochAlways, "another epoch"),
    (checks.check_measurement_does_not_depend_on_its_row, DisturbsMeasurements, "another row"),
    (anew, DrawsOneNoiseForAllRows, "train: rows 3 and 4 are drawn alike"),
    (anew, DrawsOneNoiseForScoredRows, "fixed: rows 3 and 4 are drawn alike"),
    (anew, ForgetsItsSeed, "seeds 1 and 2 are drawn alike"),
    (anew, DrawsTheSameInEveryEpoch, "epochs 2 and 3 are drawn alike"),
    (checks.check_has_no_parameters, LearnsItsLevel, "parameters"),
    (checks.check_state_restores_it, KeepsItsLevelToItself, "restored"),
]


def name_of(value: Any) -> str:
    return value.__name__ if callable(value) else ""


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("check", AUGMENT_CHECKS, ids=name_of)
def test_augmentation(check: Callable[[AugmentCase], None], case: AugmentCase) -> None:
    check(case)


@pytest.mark.parametrize("check", AUGMENT_CHECKS, ids=name_of)
def test_check_passes_for_the_sound_one(check: Callable[[AugmentCase], None]) -> None:
    check(AugmentCase(Sound))


@pytest.mark.parametrize(("check", "twin", "words"), TWINS, ids=name_of)
def test_check_fails_for(
    check: Callable[[AugmentCase], None], twin: type[Sound], words: str
) -> None:
    with pytest.raises(AssertionError, match=words):
        check(AugmentCase(twin))


def test_no_augmentation_escapes_for_want_of_samples() -> None:
    assert {name.partition("-")[0] for name in CASES} == set(members(Augment))
    assert {"powder_measurement-peaks", "powder_measurement-patterns"} <= set(CASES)


def test_those_that_draw_are_seen_to_draw() -> None:
    found = {name: checks.draws_for(case) for name, case in CASES.items()}
    expected: dict[str, tuple[Draw, ...]] = {
        "ins_measurement-images": ("train", "fixed"),
        "powder_measurement-peaks": ("train", "fixed"),
        "powder_measurement-patterns": ("train",),  # measured ones are scored as they are
        "fingerprint-clusters": ("train", "fixed"),
    }
    assert found | expected == found


def test_check_fails_for_one_that_promises_another_shape() -> None:
    case = AugmentCase(Sound, seen=lambda spec: replace(spec, image_shape=(3, 3)))
    with pytest.raises(AssertionError, match="shape"):
        checks.check_keeps_shapes_and_stays_finite(case)


def test_every_check_is_walked_and_has_a_twin() -> None:
    written = {f for name, f in vars(checks).items() if name.startswith("check_")}
    assert set(AUGMENT_CHECKS) == written
    assert {check for check, _, _ in TWINS} == written
