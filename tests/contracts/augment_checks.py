"""What every augmentation keeps. Each check fails for a broken twin in ``test_augment.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor

from gnnmat.augment import Augmentation, Draw
from gnnmat.errors import GnnmatError
from gnnmat.inputs import Cluster, Powder
from gnnmat.sample import Batch, DataSpec, Sample, collate

from . import crystals
from .cases import as_sample, powder_patterns, tensors_of

SHAPE = (12, 20)
ROWS = (3, 0, 7, 11)
SPEC = DataSpec(fields=("image", "mask", "row"), channels=1, image_shape=SHAPE)


def images() -> list[Sample]:
    """Images of intensities from nothing to a heavy tail, each with a few pixels masked."""
    random = torch.Generator().manual_seed(0)
    made = []
    for row in ROWS:
        image = torch.rand((1, 1, *SHAPE), generator=random) ** 4 * 30
        mask = torch.rand((1, 1, *SHAPE), generator=random) < 0.1
        made.append(Sample(image=image, mask=mask, row=torch.tensor([row]), num_nodes=1))
    return made


def made_by(input: Any, raws: Any) -> list[Sample]:
    """What an input makes of raw items, in the types that a store hands on."""
    made = []
    for row, raw in zip(ROWS, raws, strict=True):
        sample = as_sample(input.sample(raw)).apply(
            lambda value: value.float() if value.is_floating_point() else value
        )
        sample.row = torch.tensor([row])
        sample.num_nodes = len(sample.z) if "z" in sample else 1
        made.append(sample)
    return made


CRYSTALS = (
    crystals.rock_salt(),
    crystals.perovskite(),
    crystals.low_symmetry(),
    crystals.magnesium(),
)
POWDER = Powder.example()
PATTERNS = POWDER.for_patterns


@dataclass(frozen=True)
class Given:
    """What an augmentation may be given."""

    spec: DataSpec
    samples: Callable[[], list[Sample]]


GIVEN: dict[str, Given] = {
    "images": Given(SPEC, images),
    "peaks": Given(
        DataSpec(fields=POWDER.fields, grid=POWDER.grid), lambda: made_by(POWDER, CRYSTALS)
    ),
    "patterns": Given(
        DataSpec(fields=("image",), channels=1, image_shape=(PATTERNS.points,), grid=PATTERNS.grid),
        lambda: made_by(PATTERNS, powder_patterns()[:4]),
    ),
    "clusters": Given(DataSpec(fields=("z", "pos")), lambda: made_by(Cluster.example(), CRYSTALS)),
}


@dataclass(frozen=True)
class AugmentCase:
    """A way to build an augmentation, what it is given, and what it says that it makes of it."""

    build: Callable[[DataSpec], Augmentation]
    given: Given = GIVEN["images"]
    seen: Callable[[DataSpec], DataSpec] = lambda spec: spec

    def fresh(self) -> Augmentation:
        """A new one, ready for use."""
        made = self.build(self.given.spec)
        made.prepare()
        return made

    def batch(self, places: tuple[int, ...] = (0, 1, 2, 3)) -> Batch:
        """Some of the samples as a batch."""
        every = self.given.samples()
        return collate([every[place] for place in places])


def augment_cases(configs: dict[str, Any]) -> dict[str, AugmentCase]:
    """Every augmentation with everything that it takes."""
    cases = {}
    for kind, config in configs.items():
        example = config.example()
        for name, given in GIVEN.items():
            try:
                example.build(given.spec)
            except GnnmatError:
                continue
            if not name.startswith("image") and kind in ("none", "robust_scale", "ins_measurement"):
                continue  # indifferent to what an image is of
            cases[f"{kind}-{name}"] = AugmentCase(example.build, given, example.seen)
    return cases


def seen(made: Batch) -> dict[str, Tensor]:
    """What the network may look at."""
    return {name: made[name] for name in ("image", "mask", "clean") if name in made}


def assert_same(found: Batch, expected: Batch, words: str) -> None:
    one, two = seen(found), seen(expected)
    assert one.keys() == two.keys(), f"{words}: fields {set(one) ^ set(two)}"
    for name in one:
        assert torch.equal(one[name], two[name]), f"{words}: {name} differs"


def check_keeps_shapes_and_stays_finite(case: AugmentCase) -> None:
    """Images are float32, finite and of the shape that ``seen`` says; a mask stays as it is."""
    augment, given = case.fresh(), case.batch()
    says = case.seen(case.given.spec)
    shape = (len(ROWS), says.channels, *says.image_shape)
    assert "image" in says.fields, "a network sees images"
    for draw in get_args(Draw):
        made = augment(given, draw, 1, 2)
        for name, value in seen(made).items():
            kind = torch.bool if name == "mask" else torch.float32
            assert value.shape == shape, f"{name}: shape {tuple(value.shape)}, not {shape}"
            assert value.dtype == kind, f"{name}: {value.dtype}"
            assert value.isfinite().all(), f"{name}: not finite"


def check_same_seed_gives_the_same(case: AugmentCase) -> None:
    """Drawn again, and by a second instance, whatever other numbers were drawn meanwhile."""
    first, second, given = case.fresh(), case.fresh(), case.batch()
    for draw in get_args(Draw):
        made = first(given, draw, 1, 2)
        torch.rand(3)
        first(given, draw, 5, 6)
        assert_same(first(given, draw, 1, 2), made, "a second time")
        assert_same(second(given, draw, 1, 2), made, "another instance")


def check_input_is_not_changed(case: AugmentCase) -> None:
    """The batch that was given is as it was."""
    augment, given = case.fresh(), case.batch()
    before = {name: value.clone() for name, value in tensors_of(given).items()}
    for draw in get_args(Draw):
        augment(given, draw, 1, 2)
        after = tensors_of(given)
        assert after.keys() == before.keys(), f"fields {after.keys() ^ before.keys()} changed"
        for name, value in before.items():
            assert torch.equal(after[name], value), f"'{name}' was changed"


def check_sample_does_not_depend_on_its_batch(case: AugmentCase) -> None:
    """A batch of n is n singles, in any order."""
    augment = case.fresh()
    for draw in get_args(Draw):
        together = augment(case.batch(), draw, 1, 2)
        for places in ((0,), (1,), (2,), (3,), (2, 0)):
            alone = augment(case.batch(places), draw, 1, 2)
            for at, place in enumerate(places):
                for name, value in seen(alone).items():
                    assert torch.equal(value[at], together[name][place]), f"{name} of a batch"


def check_fixed_draws_are_fixed(case: AugmentCase) -> None:
    """'fixed' does not look at the epoch, 'none' neither at epoch nor at seed."""
    augment, given = case.fresh(), case.batch()
    assert_same(augment(given, "fixed", 1, 2), augment(given, "fixed", 1, 3), "another epoch")
    assert_same(augment(given, "none", 1, 2), augment(given, "none", 8, 3), "another seed")


def check_measurement_does_not_depend_on_its_row(case: AugmentCase) -> None:
    """Nothing is drawn for a measurement, so its number does not matter."""
    augment, given = case.fresh(), case.batch()
    renumbered = case.batch()
    renumbered.row = renumbered.row + 100
    assert_same(augment(given, "none"), augment(renumbered, "none"), "another row")


def draws_for(case: AugmentCase) -> tuple[Draw, ...]:
    """The draws that are any: those in which samples differ from what measurements become."""
    augment, given = case.fresh(), case.batch()
    plain = seen(augment(given, "none"))
    made = {draw: seen(augment(given, draw, 1, 2)) for draw in get_args(Draw)}
    return tuple(draw for draw, found in made.items() if not alike(found, plain))


def alike(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    """Whether all that both have is the same."""
    return all(torch.equal(one[name], two[name]) for name in one.keys() & two.keys())


def check_each_row_seed_and_epoch_is_drawn_anew(case: AugmentCase) -> None:
    """Two samples that are equal but for their row are drawn apart, and so are two epochs."""
    augment = case.fresh()
    for draw in draws_for(case):
        for place in (0, 1):
            twice = case.batch((place, place))
            twice.row = torch.tensor([3, 4])
            made = seen(augment(twice, draw, 1, 2))
            one, two = ({name: made[name][at] for name in made} for at in (0, 1))
            assert not alike(one, two), f"{draw}: rows 3 and 4 are drawn alike"
            again = seen(augment(twice, draw, 2, 2))
            assert not alike(made, again), f"{draw}: seeds 1 and 2 are drawn alike"
            later = seen(augment(twice, draw, 1, 3))
            assert draw == "fixed" or not alike(made, later), "epochs 2 and 3 are drawn alike"


def check_has_no_parameters(case: AugmentCase) -> None:
    """It learns nothing: an optimizer would move what a checkpoint calls state."""
    assert not list(case.fresh().parameters()), "has parameters"


def check_state_restores_it(case: AugmentCase) -> None:
    """Built without reading files and given the state of another, it does the same."""
    first, second, given = case.fresh(), case.build(case.given.spec), case.batch()
    second.load_state_dict(first.state_dict())
    for draw in get_args(Draw):
        assert_same(second(given, draw, 1, 2), first(given, draw, 1, 2), "restored")


AUGMENT_CHECKS = (
    check_keeps_shapes_and_stays_finite,
    check_same_seed_gives_the_same,
    check_input_is_not_changed,
    check_sample_does_not_depend_on_its_batch,
    check_fixed_draws_are_fixed,
    check_measurement_does_not_depend_on_its_row,
    check_each_row_seed_and_epoch_is_drawn_anew,
    check_has_no_parameters,
    check_state_restores_it,
)
