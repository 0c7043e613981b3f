"""What the contract checks are given: every member of a union with something to work on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.inputs import Input
from gnnmat.models import Encoder, Model, check_reads
from gnnmat.sample import (
    Batch,
    DataSpec,
    Features,
    Level,
    Sample,
    Target,
    TargetSpec,
    collate,
)
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.powder_pattern import PowderPattern, powder_pattern
from gnnmat.sources.spectrum import Spectrum
from gnnmat.tasks import Task, TaskConfig
from gnnmat.train.unions import members

from . import crystals


def powder_patterns() -> tuple[PowderPattern, ...]:
    """Five measured patterns: lines on a sloping background, counted."""
    random = np.random.default_rng(3)
    angles = np.linspace(9, 81, 400)
    made = []
    for place in range(5):
        counts = 40 - 0.3 * angles
        for line in random.uniform(12, 78, 6):
            counts = counts + random.uniform(50, 500) * np.exp(-(((angles - line) / 0.4) ** 2))
        drawn = random.poisson(counts).astype(np.float64)
        made.append(powder_pattern(f"pattern {place}", angles, drawn, wavelength=1.54056))
    return tuple(made)


# What an input may be given; a new kind of raw item is entered here.
RAWS: tuple[tuple[Any, ...], ...] = (
    (
        crystals.rock_salt_primitive(),
        crystals.perovskite(),
        crystals.low_symmetry(),
        crystals.magnesium(),
        crystals.lonely_argon(),
    ),
    tuple(np.random.default_rng(0).normal(size=(5, 2, 12, 36))),
    tuple(
        Spectrum((place + 1) * np.roll(np.eye(16, 12, dtype=np.float32), place, axis=1), mask)
        for place, mask in enumerate(np.random.default_rng(2).random((5, 16, 12)) < 0.1)
    ),
    powder_patterns(),
)


def raws_for(input: Any) -> tuple[Any, ...]:
    """The raw items that this input takes, its own copy."""
    for raws in RAWS:
        try:
            input.sample(deepcopy(raws[0]))
        except (AttributeError, TypeError, ValueError, GnnmatError):
            continue
        return deepcopy(raws)
    raise AssertionError(f"Enter a raw item that '{input.kind}' takes in tests/contracts/cases.py")


def as_sample(fields: dict[str, Any]) -> Sample:
    """The sample of an input's arrays, float64."""
    return Sample(**{name: torch.from_numpy(np.array(array)) for name, array in fields.items()})


@dataclass(frozen=True)
class EncoderCase:
    """A way to build an encoder, and the input that feeds it."""

    build: Callable[[DataSpec], Encoder]
    input: Any

    @cached_property
    def raws(self) -> tuple[Any, ...]:
        return raws_for(self.input)

    @cached_property
    def _samples(self) -> list[Sample]:
        return [as_sample(self.input.sample(raw)) for raw in self.raws]

    def samples(self, raws: Sequence[Any] | None = None) -> list[Sample]:
        """One sample for each raw item."""
        if raws is None:
            return [sample.clone() for sample in self._samples]
        return [as_sample(self.input.sample(raw)) for raw in raws]

    def batch(self, raws: Sequence[Any] | None = None) -> Batch:
        """The samples of these raw items, by default of all."""
        return collate(self.samples(raws))

    @cached_property
    def spec(self) -> DataSpec:
        batch = self.batch()
        image = batch["image"].shape[1:] if "image" in batch else (0,)
        return DataSpec(
            fields=self.input.fields,
            targets=TargetSpec((Target("gap", "eV"),)),
            elements=tuple(batch.z.unique().tolist()) if "z" in batch else (),
            channels=image[0],
            image_shape=tuple(image[1:]),
            neighbours=8.0 if "z" in batch else 0.0,
            moments=batch["edge_angle"].shape[1] if "edge_angle" in batch else 0,
            grid=getattr(self.input, "grid", {}),
        )

    def fresh(self, seed: int = 0, targets: TargetSpec | None = None) -> Encoder:
        """A new encoder, float64."""
        torch.manual_seed(seed)
        spec = self.spec if targets is None else replace(self.spec, targets=targets)
        return self.build(spec).double()

    def trained(self, seed: int = 0) -> Encoder:
        """One that has seen a training batch, so that its statistics are its own; evaluating."""
        encoder = self.fresh(seed).train()
        with torch.no_grad():
            encoder(self.batch())
        return encoder.eval()

    def features(self, raws: Sequence[Any] | None = None) -> Features:
        """What a trained encoder makes of these raw items."""
        with torch.no_grad():
            features: Features = self.trained()(self.batch(raws))
        return features


def inputs() -> dict[str, Any]:
    """An example of every input, and of what changes the fields of its samples."""
    found = {kind: config.example() for kind, config in members(Input).items()}
    found["powder of patterns"] = found["powder"].for_patterns
    graph = found["crystal_graph"]
    for name, options in {
        "folded": {"fold": True},
        "with angles": {"angles": 3},
        "folded with angles": {"fold": True, "angles": 3},
    }.items():
        found[f"crystal_graph {name}"] = graph.model_copy(update=options)
    return found


def encoder_cases() -> dict[str, EncoderCase]:
    """Every model with every input that has the fields it reads, by both kinds."""
    cases = {}
    for input_kind, input in inputs().items():
        for kind, model in members(Model).items():
            case = EncoderCase(model.example().build, input)
            try:
                check_reads(case.build(case.spec), case.spec)
            except GnnmatError:
                continue
            cases[f"{input_kind}-{kind}"] = case
    return cases


def tensors_of(batch: Batch) -> dict[str, Tensor]:
    """The fields of a batch that are tensors."""
    found = {name: batch[name] for name in batch.keys()}  # noqa: SIM118
    return {name: value for name, value in found.items() if isinstance(value, Tensor)}


WIDTH = 6
ATOMS = (2, 1, 3, 2)  # of the four samples of a batch


@dataclass(frozen=True)
class TaskCase:
    """A way to build a task, and the level of its labels."""

    build: Callable[[DataSpec, int], Task]
    classes: bool
    level: Level = "sample"
    points: int = 1  # of the second target, which is a curve if there are several
    names: tuple[tuple[str, ...], ...] = (("A", "B"), ("x", "y", "z"))  # of the classes

    @property
    def targets(self) -> tuple[Target, ...]:
        names = self.names if self.classes else ((), ())
        return Target("first", "eV", self.level, names[0]), Target(
            "second", "", self.level, names[1], self.points
        )

    @property
    def spec(self) -> DataSpec:
        return DataSpec(fields=("z",), targets=TargetSpec(self.targets))

    @property
    def rows(self) -> int:
        return len(ATOMS) if self.level == "sample" else sum(ATOMS)

    def labels(self, seed: int = 0, rows: int | None = None) -> Tensor:
        """(rows, d) labels, all there."""
        random = torch.Generator().manual_seed(seed)
        rows = self.rows if rows is None else rows
        if not self.classes:
            return 5 + 3 * torch.randn(rows, 1 + self.points, generator=random)
        # Every class is there, for any seed.
        counted = torch.stack([torch.arange(rows) % len(t.classes) for t in self.targets], dim=1)
        return counted[torch.randperm(rows, generator=random)].float()

    def task(self, seed: int = 0) -> Task:
        """A new task that has seen training labels."""
        torch.manual_seed(seed)
        task = self.build(self.spec, WIDTH)
        task.prepare(self.labels(seed=10 + seed, rows=30))
        return task

    def batch(self, labels: Tensor) -> Batch:
        """A batch with these labels and one atom or more in each sample."""
        counts = list(ATOMS) if self.level == "atom" else [1] * len(labels)
        samples = [Sample(z=torch.ones(n, dtype=torch.int64)) for n in counts]
        parts = labels.split(1 if self.level == "sample" else counts)
        for sample, part in zip(samples, parts, strict=True):
            sample[f"y_{self.level}"] = part
        return collate(samples)

    def features(self, batch: Batch, seed: int = 0) -> Features:
        """Random features of a batch."""
        random = torch.Generator().manual_seed(seed)
        local = torch.randn(batch.num_nodes, WIDTH, generator=random)
        return Features(local, torch.randn(batch.num_graphs, WIDTH, generator=random))


def task_cases() -> dict[str, TaskCase]:
    """Every task, with labels a sample and an atom; with curves, if it learns them."""
    cases = {}
    for kind, config in members(TaskConfig).items():
        if config.example().own_targets:  # has no labels: see `LABEL_FREE`
            continue
        for level in ("atom", "sample"):
            example = config.example()
            case = TaskCase(example.build, example.classes, level)
            if example.classes and not takes(case):  # some take two classes, and whole crystals
                case = replace(case, names=(("A", "B"), ("x", "y")))
                if level == "atom" and not takes(case):
                    continue
            cases[f"{level}-{kind}"] = case
        curves = TaskCase(config.example().build, config.example().classes, points=3)
        if not curves.classes and takes(curves):
            cases[f"curve-{kind}"] = curves
    return cases


def takes(case: TaskCase) -> bool:
    """Whether a task can be built for these targets; what it refuses, it refuses in words."""
    try:
        case.build(case.spec, WIDTH)
    except GnnmatError:
        return False
    return True


def takes_crystals(case: EncoderCase) -> bool:
    """Whether the raw items are crystals, whose cell and atoms can be written otherwise."""
    return isinstance(case.raws[0], Crystal)
