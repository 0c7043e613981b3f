"""A trained run as a folder: configuration, weights, what the data were, and where it was made.

Weights are parameters, state is everything else that was learned from data (scales, running
statistics); both are safetensors, so loading never unpickles.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

from gnnmat.atomic import write_atomically
from gnnmat.augment.augmentation import Augmentation
from gnnmat.augment.none import Unchanged
from gnnmat.errors import GnnmatError
from gnnmat.models.encoder import Encoder, check_reads
from gnnmat.sample import DataSpec
from gnnmat.tasks.task import Task
from gnnmat.train.config import RunConfig, parse_config
from gnnmat.train.front import Cleaned, Front, check_front

CONFIG, SPEC = "config.yaml", "spec.json"
WEIGHTS, STATE = "weights.safetensors", "state.safetensors"
PU_RECIPE = "pu.yaml"  # of a run on positive and unlabelled rows


@dataclass(frozen=True)
class Trained:
    """What a run folder holds, ready for use.

    Args:
        config: as trained.
        spec: the training data in short.
        encoder: with its weights, in evaluation mode.
        task: likewise.
        augment: what is done to a batch before the encoder sees it.
    """

    config: RunConfig
    spec: DataSpec
    encoder: Encoder
    task: Task
    augment: Augmentation = field(default_factory=Unchanged)


def save_trained(
    folder: Path,
    encoder: Encoder,
    task: Task,
    spec: DataSpec,
    *,
    augment: Augmentation | None = None,
    own_model: bool = False,
) -> None:
    """Write weights, state and spec; the rest is there since the start."""
    weights: dict[str, torch.Tensor] = {}
    state: dict[str, torch.Tensor] = {}
    modules = {"encoder": encoder, "task": task, "augment": augment or Unchanged()}
    for prefix, module in modules.items():
        kept = module.state_dict()
        parameters = dict(module.named_parameters())
        for name, tensor in kept.items():
            place = weights if name in parameters else state
            place[f"{prefix}.{name}"] = tensor.detach().cpu().contiguous().clone()
    described: dict[str, Any] = {"model": type(encoder).__qualname__ if own_model else ""}
    if isinstance(encoder, Cleaned):
        described["before"] = encoder.front.to_dict()
        described["model"] = type(encoder.encoder).__qualname__ if own_model else ""
    write_atomically(folder / WEIGHTS, save_tensors(weights))
    write_atomically(folder / STATE, save_tensors(state))
    write_atomically(folder / SPEC, json.dumps({**described, **spec.to_dict()}, indent=1))


def build(
    config: RunConfig,
    spec: DataSpec,
    model: Encoder | None = None,
    front: Front | None = None,
) -> tuple[Encoder, Task]:
    """Encoder and task for these data, freshly initialised.

    Args:
        config: what to build.
        spec: what the data are.
        model: an encoder of the user's own, instead of ``config.model``.
        front: of a run that was trained with ``config.before``, whose weights are restored
            later; by default they are read from there.
    """
    spec = config.augment.seen(spec)
    encoder = config.model.build(spec) if model is None else model
    if config.before is not None:
        encoder = _behind(encoder, config.before, spec, front)
    check_reads(encoder, spec)
    return encoder, config.task.build(spec, encoder.width)


def _behind(encoder: Encoder, folder: str, spec: DataSpec, front: Front | None) -> Cleaned:
    """The encoder behind the run in this folder, or behind the one that is described."""
    if front is None:
        trained = load_trained(folder)
        front, before, task = (
            Front(trained.config, trained.spec), trained.encoder, trained.task
        )  # fmt: skip
    else:
        before, task = build(front.config, front.spec)
    return Cleaned(encoder, before, check_front(folder, task, front, spec), front)


def load_trained(folder: str | Path, model: Encoder | None = None) -> Trained:
    """The encoder and task of a run folder with their weights.

    Args:
        folder: written by a training.
        model: the user's own encoder, if the run was trained with one.

    Raises:
        GnnmatError: not a finished run, damaged files, or the model is missing.
    """
    folder = Path(folder)
    check_run(folder)
    config = load_run_config(folder)
    own, spec, front = read_spec(folder)
    if own and model is None:
        raise GnnmatError(
            f"{folder} was trained with an encoder of your own, {own}.",
            fix=f"gnnmat.load({str(folder)!r}, model={own}(...))",
        )
    encoder, task = build(config, spec, model, front)
    state = read_tensors(folder)
    _restore(encoder, "encoder", state, folder)
    _restore(task, "task", state, folder)
    augment = config.augment.build(spec)
    _restore(augment, "augment", state, folder)
    return Trained(config, spec, encoder.eval(), task.eval(), augment.eval())


def check_run(folder: Path) -> None:
    """Refuse a folder that lacks what a finished run writes.

    Raises:
        GnnmatError: the first file that is missing.
    """
    if (folder / PU_RECIPE).is_file():
        raise GnnmatError(
            f"{folder} keeps scores and no networks.",
            why="It is a PU run of the method 'heads', or was interrupted.",
            fix="Its scores are in scores.csv; pu.method=folds keeps networks.",
        )
    for name in (CONFIG, SPEC, WEIGHTS, STATE):
        if not (folder / name).is_file():
            raise GnnmatError(
                f"{folder} is not a finished run: {name} is missing.",
                fix=f"If the training was interrupted: gnnmat train --resume {folder}"
                if (folder / CONFIG).is_file()
                else "Give the folder that gnnmat train wrote.",
            )


def load_run_config(folder: Path) -> RunConfig:
    """The configuration a run folder was trained with."""
    path = folder / CONFIG
    if not path.is_file():
        raise GnnmatError(f"{folder} is not a run: it has no {CONFIG}.")
    try:
        return parse_config(yaml.safe_load(path.read_text()))
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError) as error:
        raise GnnmatError(f"{path} is damaged.", why=str(error)) from error


def read_spec(folder: Path) -> tuple[str, DataSpec, Front | None]:
    """The class of an encoder of the user's own, or empty; what the data were; what cleans them."""
    try:
        plain: dict[str, Any] = json.loads((folder / SPEC).read_text())
        before = plain.pop("before", None)
        front = None if before is None else Front.from_dict(before)
        return plain.pop("model"), DataSpec.from_dict(plain), front
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise GnnmatError(
            f"{folder / SPEC} is damaged.", why=f"{type(error).__name__}: {error}"
        ) from error


def read_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """Everything a run has learned, by name: parameters and state, of encoder, task, augment.

    Raises:
        GnnmatError: a file is damaged.
    """
    return _tensors_in(folder / WEIGHTS) | _tensors_in(folder / STATE)


def _tensors_in(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_tensors(path.read_bytes())
    except Exception as error:  # safetensors has an error class of its own for damaged files
        raise GnnmatError(f"{path} is damaged.", why=str(error)) from error


def _restore(module: nn.Module, prefix: str, state: dict[str, torch.Tensor], folder: Path) -> None:
    own = {
        name.removeprefix(f"{prefix}."): tensor
        for name, tensor in state.items()
        if name.startswith(f"{prefix}.")
    }
    try:
        module.load_state_dict(own)
    except RuntimeError as error:
        raise GnnmatError(
            f"The weights in {folder} do not fit the model in its {CONFIG}.",
            why=str(error).splitlines()[-1].strip(),
        ) from error
