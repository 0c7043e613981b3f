"""A run as written down: YAML and ``--set`` -> a frozen, checked `RunConfig`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gnnmat.augment import Augment
from gnnmat.augment.none import NoAugment
from gnnmat.data.splits import RandomSplit, Split
from gnnmat.dotted import copied, set_option
from gnnmat.errors import GnnmatError, closest
from gnnmat.inputs import Input
from gnnmat.inputs.crystal_graph import CrystalGraph
from gnnmat.models import Model
from gnnmat.models.cgcnn import Cgcnn
from gnnmat.shipped import recipes
from gnnmat.sources import Source
from gnnmat.sources.card import CardSource
from gnnmat.tasks import Regression, TaskConfig
from gnnmat.train.recipe import chooses_kind, read_recipe
from gnnmat.train.unions import plain_error


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataConfig(_Part):
    """Where the samples come from and what is to be learned."""

    source: Source = Field(CardSource(name="known_crystals"), description="Where samples lie.")
    targets: tuple[str, ...] = Field(
        (), description="Columns to learn; empty takes the card's default target."
    )

    @field_validator("targets", "state", mode="before")
    @classmethod
    def _name_once(cls, value: Any) -> Any:
        names = (value,) if isinstance(value, str) else value
        for name in names if isinstance(names, list | tuple) else ():
            if names.count(name) > 1:
                raise ValueError(f"'{name}' is named {names.count(name)} times, expected once")
        return names

    axes: dict[str, str] = Field(
        {}, description="By target, the column with the axis of its curves: {phdos: phfreq}."
    )
    state: tuple[str, ...] = Field(
        (),
        description="Columns beside the structure that the property depends on, such as a "
        "temperature or the functional of a calculation; for models that read 'state'.",
    )
    limit: int | None = Field(None, gt=0, description="Use this many samples at most, by seed.")
    workers: int | None = Field(
        None, ge=0, description="Processes that read structures; null chooses by the work."
    )


class OptimizerConfig(_Part):
    """How weights move."""

    kind: Literal["adamw", "adam", "sgd"] = Field("adamw", description="'adamw', 'adam', 'sgd'.")
    lr: float = Field(3e-3, gt=0, description="Highest learning rate.")
    weight_decay: float = Field(1e-4, ge=0, description="Pull of the weights towards zero.")
    schedule: Literal["one_cycle", "cosine", "steps", "constant"] = Field(
        "one_cycle",
        description="'one_cycle': up, then down to almost zero; 'cosine': down from the start; "
        "'steps': a tenth after each milestone; 'constant'.",
    )
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of all steps on the way up.")
    milestones: tuple[int, ...] = Field((), description="Epochs of 'steps'.")


class TrainerConfig(_Part):
    """How long, on what, and what is kept."""

    epochs: int = Field(100, gt=0, description="Passes over the training rows.")
    batch_size: int = Field(64, gt=0, description="Samples a step, over all devices.")
    batch_edges: int | None = Field(
        None,
        gt=0,
        description="Edges a step at most, over all devices: a budget of memory. A crystal with "
        "more is alone; batches with large crystals hold fewer. null: batch_size decides alone.",
    )
    seed: int = Field(0, ge=0, description="Decides initial weights and the order of samples.")
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = Field("auto", description="Device kind.")
    devices: int | Literal["auto"] = Field(1, description="Number of devices, or 'auto'.")
    strategy: Literal["auto", "ddp", "ddp_spawn"] = Field(
        "auto", description="How several devices work together."
    )
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "64-true"] = Field(
        "32-true", description="Number format of the products."
    )
    threads: int | None = Field(None, gt=0, description="CPU threads; null leaves the default.")
    ema: float | None = Field(
        None, gt=0, lt=1, description="Decay of averaged weights, which then are the result."
    )
    clip: float | None = Field(None, gt=0, description="Largest norm of a gradient.")
    patience: int | None = Field(
        None, gt=0, description="Epochs without a better validation score before stopping."
    )
    compile: bool = Field(False, description="torch.compile the encoder; needs a C++ compiler.")
    workers: int = Field(0, ge=0, description="Loader processes; 0 loads in the training process.")
    logs: tuple[Literal["tensorboard", "mlflow", "wandb"], ...] = Field(
        ("tensorboard",), description="Besides history.csv, which is always written."
    )


class StartConfig(_Part):
    """What a run begins with: drawn weights, or those of another run."""

    run: str | None = Field(
        None,
        description="Folder of a trained run, or name of a shipped model, to begin with. It is "
        "read once, when training begins; input and model are taken from there unless they are "
        "given, and then have to agree.",
    )
    weights: Literal["auto", "encoder", "all"] = Field(
        "auto",
        description="'encoder': the head is drawn anew; 'all': head and scale, too; 'auto': all "
        "where targets and task are the same, else the encoder.",
    )
    freeze: bool = Field(
        False, description="The encoder stays as it is, running statistics included."
    )
    body_lr: float = Field(
        1.0, gt=0, description="Learning rate of the encoder as a share of optimizer.lr."
    )

    @model_validator(mode="after")
    def _needs_a_run(self) -> StartConfig:
        given = sorted(self.model_fields_set - {"run"})
        fields = type(self).model_fields
        changed = [name for name in given if getattr(self, name) != fields[name].default]
        if self.run is None and changed:
            raise ValueError(f"{', '.join(changed)} needs start.run, the run to begin with")
        return self


class RunConfig(_Part):
    """Everything that decides a run."""

    name: str = Field("run", pattern=r"^[\w.-]+$", description="Name of the run and its folder.")
    data: DataConfig = Field(DataConfig(), description="Samples and targets.")
    input: Input = Field(CrystalGraph(), description="How a sample is made.")
    augment: Augment = Field(
        NoAugment(), description="What is drawn anew for a sample each time it is seen."
    )
    split: Split = Field(RandomSplit(), description="Training, validation and test rows.")
    before: str | None = Field(
        None,
        description="Folder of a trained autoencoder (task.kind=reconstruction) that cleans the "
        "image before the encoder sees it. It is read once, when training begins.",
    )
    model: Model = Field(Cgcnn(), description="The encoder.")
    start: StartConfig = Field(StartConfig(), description="Weights of another run to begin with.")
    task: TaskConfig = Field(Regression(), description="Head, loss and scores.")
    optimizer: OptimizerConfig = Field(OptimizerConfig(), description="How weights move.")
    trainer: TrainerConfig = Field(TrainerConfig(), description="How long and on what.")

    def to_yaml(self) -> str:
        """The config as YAML that reads back to the same config."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def find_recipe(name: str | Path) -> Path:
    """The path of a recipe: a file, or the name of a shipped one.

    Raises:
        GnnmatError: neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    names = recipes("training")
    plain = path.stem if path.suffix in {".yaml", ".yml"} else str(name)
    if plain in names and (path.parent == Path() or path.parent.name == "configs"):
        return names[plain]
    raise GnnmatError(
        f"There is no recipe '{name}'.",
        why=f"Shipped recipes: {', '.join(names)}.",
        fix=closest(plain, names),
    )


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """The config in a YAML file or of a shipped recipe, with ``a.b=c`` overrides.

    Raises:
        GnnmatError: not YAML, an unknown or unfit option, with its dotted path.
    """
    found = find_recipe(path)
    return parse_config(read_recipe(found, "training", overrides), overrides)


def parse_config(plain: Mapping[str, Any], overrides: Sequence[str] = ()) -> RunConfig:
    """The config of plain dictionaries, with ``a.b=c`` overrides.

    Raises:
        GnnmatError: an unknown or unfit option, with its dotted path.
    """
    tree: dict[str, Any] = copied(plain)
    _fill_kinds(tree, RunConfig())
    # Kinds first: choosing one drops the options of another, wherever it stands on the line.
    for override in sorted(overrides, key=lambda one: not chooses_kind(one)):
        set_option(tree, override, "optimizer.lr=3e-4")
    _fill_kinds(tree, RunConfig())
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        raise plain_error(error, RunConfig) from None


def _fill_kinds(tree: dict[str, Any], default: BaseModel) -> None:
    """Options given without a ``kind`` are those of the default kind."""
    for name, value in tree.items():
        below = getattr(default, name, None)
        if isinstance(value, dict) and isinstance(below, BaseModel):
            if "kind" in type(below).model_fields:
                value.setdefault("kind", below.kind)  # type: ignore[attr-defined]
            if value.get("kind", None) == getattr(below, "kind", None):
                _fill_kinds(value, below)
