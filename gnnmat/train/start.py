"""A new run that begins with the weights of another: what fits, what is taken, what is new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.models.elements import ElementEmbedding
from gnnmat.models.encoder import Encoder
from gnnmat.sample import DataSpec
from gnnmat.state import StateSpec
from gnnmat.tasks.task import Task
from gnnmat.train.checkpoint import check_run, load_run_config, read_spec, read_tensors
from gnnmat.train.config import RunConfig

SHOWN = 4  # tensors that differ, in a message


@dataclass(frozen=True)
class Learned:
    """What a finished run has learned, as far as another can begin with it.

    Args:
        name: as the user called it.
        config: as it was trained.
        spec: its training data in short.
        tensors: weights and state by name, ``encoder.`` or ``task.`` before it.
        own: class of an encoder of the user's own, or empty.
    """

    name: str
    config: RunConfig
    spec: DataSpec
    tensors: dict[str, Tensor]
    own: str = ""

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors of the encoder or of the task, by their names in it."""
        return {
            name.removeprefix(f"{prefix}."): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(f"{prefix}.")
        }


@dataclass(frozen=True)
class Taken:
    """What a run has taken from another one, for the record.

    Args:
        run: the name it was given by.
        weights: 'encoder', or 'all': head and scale, too.
        scale: whether the scale of the labels is that of the other run.
        new_elements: atomic numbers in the training data that the other run has never seen.
        neighbours: mean number of neighbours there, which some encoders divide by.
        state: attributes of a crystal beside its structure, with their means there.
    """

    run: str
    weights: Literal["encoder", "all"]
    scale: bool
    new_elements: tuple[int, ...]
    neighbours: float
    state: StateSpec

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for ``environment.json``."""
        return {**asdict(self), "new_elements": list(self.new_elements)}


def read_learned(folder: Path, name: str) -> Learned:
    """What the run in a folder has learned.

    Args:
        folder: of one finished run.
        name: for messages.

    Raises:
        GnnmatError: not a finished run, or its files are damaged.
    """
    check_run(folder)
    own, spec, _ = read_spec(folder)
    return Learned(name, load_run_config(folder), spec, read_tensors(folder), own)


def spec_as_begun(spec: DataSpec, neighbours: float, state: StateSpec) -> DataSpec:
    """The spec with the averages of another run, in which its encoder reckons.

    Args:
        spec: of the new data.
        neighbours: mean number of neighbours there.
        state: attributes there.

    Raises:
        GnnmatError: the new data have other attributes.
    """
    there, here = ([(a.name, a.unit, a.categories) for a in one.attributes]
                   for one in (state, spec.state))  # fmt: skip
    if there != here:
        told = [", ".join(name for name, *_ in one) or "none" for one in (there, here)]
        raise GnnmatError(
            "The run to begin with knows other state attributes than these data have.",
            why=f"There: {told[0]}; here: {told[1]}; their units and categories count, too.",
            fix="Give the same attributes, with the same categories.",
        )
    return replace(spec, neighbours=neighbours, state=state)


def take(
    learned: Learned, encoder: Encoder, task: Task, config: RunConfig, spec: DataSpec
) -> Taken:
    """Copy weights into a new encoder and task, and say what was copied.

    An element that the other run has not seen begins as its tabulated properties alone where
    these are known to the encoder (``atoms: both``), and as the mean of all learned elements
    where they are not (``atoms: learned``).

    Args:
        learned: by the other run.
        encoder: freshly built; changed.
        task: freshly built and prepared; changed where all weights are taken.
        config: of the new run.
        spec: of its data.

    Raises:
        GnnmatError: shapes differ, each named.
    """
    kept = learned.part("encoder")
    differing = _differences(kept, encoder.state_dict())
    if differing:
        raise _misfit(learned.name, "encoder", differing)
    encoder.load_state_dict(kept)
    new_elements = _introduce(encoder, learned.spec, spec)
    alike = _same_question(learned, config, spec)
    head = learned.part("task")
    differing = _differences(head, task.state_dict())
    wanted = config.start.weights
    if wanted == "all" and differing:
        raise _misfit(learned.name, "head", differing)
    everything = wanted == "all" or (wanted == "auto" and alike and not differing)
    if everything:
        # Another target has another scale: only what is learned by steps is taken then.
        own = dict(task.named_parameters())
        task.load_state_dict({k: v for k, v in head.items() if alike or k in own}, strict=alike)
    return Taken(
        learned.name,
        "all" if everything else "encoder",
        everything and alike,
        new_elements,
        learned.spec.neighbours,
        learned.spec.state,
    )


def _same_question(learned: Learned, config: RunConfig, spec: DataSpec) -> bool:
    """Whether both runs learn the same targets, scaled in the same way."""
    free = {"loss", "head"}
    tasks = [one.task.model_dump(exclude=free) for one in (learned.config, config)]
    return learned.spec.targets == spec.targets and tasks[0] == tasks[1]


def _introduce(encoder: Encoder, old: DataSpec, new: DataSpec) -> tuple[int, ...]:
    """Give elements the other run never saw a beginning; which these are."""
    unseen = sorted(set(new.elements) - set(old.elements)) if old.elements else []
    for module in encoder.modules():
        if not isinstance(module, ElementEmbedding) or module.learned is None:
            continue
        table = module.learned.weight
        if module.linear is not None:
            # Beside properties, vectors of elements without training are zero, and known by that.
            unseen = [z for z in unseen if not bool(table[z].any())]
        else:
            with torch.no_grad():
                table[unseen] = table[list(old.elements)].mean(0)
    return tuple(unseen)


def _differences(there: Mapping[str, Tensor], here: Mapping[str, Tensor]) -> list[str]:
    """What differs in names and shapes, in words."""
    lines = []
    for name in dict.fromkeys((*there, *here)):
        if name not in here:
            lines.append(f"{name} is only there")
        elif name not in there:
            lines.append(f"{name} is only here")
        elif there[name].shape != here[name].shape:
            shapes = [tuple(one[name].shape) for one in (there, here)]
            lines.append(f"{name} is {shapes[0]} there and {shapes[1]} here")
    return lines


def _misfit(name: str, part: str, lines: list[str]) -> GnnmatError:
    more = f", and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    fix = "Use its model" if part == "encoder" else "start.weights=encoder draws the head anew"
    return GnnmatError(
        f"The {part} of {name} has other tensors than this run's.",
        why="; ".join(lines[:SHOWN]) + more + ".",
        fix=fix + ("." if part == "head" else ": leave out every model option."),
    )
