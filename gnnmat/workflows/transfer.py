"""Runs that begin with another run: where it lies, its settings, and a copy of it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.train.checkpoint import (
    CONFIG,
    SPEC,
    STATE,
    WEIGHTS,
    check_run,
    load_run_config,
    read_spec,
)
from gnnmat.train.checkpointing import CHECKPOINTS
from gnnmat.train.committee import ENSEMBLE, MEMBERS, is_ensemble, member_folders
from gnnmat.train.config import RunConfig
from gnnmat.train.recipe import ADOPTED
from gnnmat.train.start import Learned, read_learned
from gnnmat.zoo import find_model, list_models
from gnnmat.zoo.hub_name import is_hub_name


def find_start(config: RunConfig, folder: Path, *copies: Path) -> Path | None:
    """Where the weights to begin with lie; None where they are drawn.

    Args:
        config: of the new run.
        folder: of the new run.
        copies: folders of runs that may hold a copy, which is taken before the run itself.

    Raises:
        GnnmatError: there is no such run, or it lies in the folder of the new run.
    """
    if config.start.run is None:
        return None
    name = _lasting_name(config.start.run)
    for holder in copies:
        if _is_there(_copy_of(holder, name)):
            return _copy_of(holder, name)
    found = find_model(name)
    _check_outside(found, folder)
    return found


def with_start(config: RunConfig, place: Path | None, *, own_model: bool = False) -> RunConfig:
    """The config with input and model of the run to begin with, where none were given.

    Args:
        config: of the new run; one that begins with drawn weights is returned as it is.
        place: from `find_start`.
        own_model: whether the user gives an encoder as an object.

    Raises:
        GnnmatError: the settings of the run differ from those given.
    """
    if place is None or config.start.run is None:
        return config
    name = _lasting_name(config.start.run)
    chosen = one_run(place, config.trainer.seed)
    old = load_run_config(chosen)
    own, _, _ = read_spec(chosen)
    _check_own(name, own, own_model)
    updates: dict[str, Any] = {"start": config.start.model_copy(update={"run": name})}
    differing: list[tuple[str, Any, Any]] = []
    for part in ADOPTED:
        if part != "model" or not own:
            given = getattr(config, part) if part in config.model_fields_set else None
            differing += _differences(part, getattr(old, part), given)
            updates[part] = getattr(old, part)
    if config.before != old.before:
        differing.append(("before", old.before, config.before))
    if differing:
        raise _other_settings(name, differing)
    return config.model_copy(update=updates)


def _check_own(name: str, own: str, own_model: bool) -> None:
    """Refuse to put weights of an encoder of the user's own into another, and the reverse."""
    if own and not own_model:
        raise GnnmatError(
            f"{name} was trained with an encoder of your own, {own}.",
            fix=f"gnnmat.fit(..., start={name!r}, model={own}(...))",
        )
    if own_model and not own:
        raise GnnmatError(
            f"{name} was trained with a model of a recipe, and here an encoder is given.",
            fix="Leave out model.",
        )


def _differences(part: str, old: BaseModel, given: BaseModel | None) -> list[tuple[str, Any, Any]]:
    """Options that were given and are others in the old run: name, old value, new value."""
    if given is None:
        return []
    names = [name for name in type(given).model_fields if name in given.model_fields_set]
    if type(given) is not type(old):
        if not _kind_is_filled_in(part, old, given):
            return [(f"{part}.kind", getattr(old, "kind", ""), getattr(given, "kind", ""))]
        names.remove("kind")
    pairs = [(name, getattr(old, name), getattr(given, name)) for name in names]
    return [(f"{part}.{name}", old, new) for name, old, new in pairs if old != new]


def _kind_is_filled_in(part: str, old: BaseModel, given: BaseModel) -> bool:
    """Whether options were given without a kind, which reading then takes to be the default one.

    They are options of the old run's kind, if that has them all. A kind that was written out is
    not told from one that was filled in, but other options of its own, or none, tell it.
    """
    default = RunConfig.model_fields[part].default
    options = given.model_fields_set - {"kind"}
    return (
        type(given) is type(default)
        and "kind" in given.model_fields_set
        and bool(options)
        and options <= type(old).model_fields.keys()
    )


def _other_settings(name: str, differing: list[tuple[str, Any, Any]]) -> GnnmatError:
    told = [f"{path}: {_plain(old)} there, {_plain(new)} here" for path, old, new in differing]
    settings = [f"--set {path}={_plain(old)}" for path, old, _ in differing]
    return GnnmatError(
        f"{name} was trained with other settings, which its weights depend on.",
        why="\n".join(told),
        fix=f"Leave these options out, to take those of {name}, or give the same: "
        + " ".join(settings),
    )


def _plain(value: Any) -> str:
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n...\n").strip()


def read_start(config: RunConfig, place: Path | None) -> Learned | None:
    """What the run to begin with has learned; None where weights are drawn.

    Args:
        config: of the new run, from `with_start`; its seed chooses a member of an ensemble.
        place: from `find_start`.
    """
    if place is None:
        return None
    return read_learned(one_run(place, config.trainer.seed), str(config.start.run))


def keep_start(config: RunConfig, place: Path | None, folder: Path) -> None:
    """Copy the run to begin with into the folder of the new one, which then needs it no more.

    Args:
        config: of the new run, from `with_start`.
        place: from `find_start`.
        folder: of the new run, or of several.
    """
    if place is None:
        return
    copied = _copy_of(folder, str(config.start.run))
    if place != copied:
        _copy(place, copied)


def _copy(source: Path, target: Path) -> None:
    members = member_folders(source)
    for member in members:
        _copy(member, target / MEMBERS / member.name)
    # Last comes what tells that the copy is whole.
    names = [ENSEMBLE] if members else [WEIGHTS, STATE, SPEC, CONFIG]
    for name in names:
        write_atomically(target / name, (source / name).read_bytes())


def _copy_of(folder: Path, name: str) -> Path:
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return folder / CHECKPOINTS / f"start-{digest}"


def _is_there(copied: Path) -> bool:
    return (copied / CONFIG).is_file() or (copied / ENSEMBLE).is_file()


def _lasting_name(name: str) -> str:
    """The name of a shipped model, or a path that holds wherever it is read."""
    shipped = name in list_models() and not Path(name).is_dir()
    return name if shipped or is_hub_name(name) else os.path.abspath(name)


def one_run(place: Path, seed: int) -> Path:
    """The run itself, or one member of an ensemble: another one for every seed."""
    members = member_folders(place)
    if is_ensemble(place) and not members:
        raise GnnmatError(f"{place} is an ensemble without members.")
    chosen = members[seed % len(members)] if members else place
    folds = sorted(place.glob(f"fold-*/{CONFIG}"))
    if folds and not (place / CONFIG).is_file():
        raise GnnmatError(
            f"{place} is a cross-validation, {len(folds)} runs.", fix=f"--from {folds[0].parent}"
        )
    check_run(chosen)
    return chosen


def _check_outside(run: Path, folder: Path) -> None:
    """Refuse to write over the very run that is begun with."""
    inside = run.resolve()
    if folder.resolve() in (inside, *inside.parents):
        raise GnnmatError(
            f"The run to begin with, {run}, lies in the output folder {folder}.",
            why="Beginning there would write over it.",
            fix="Choose another --output.",
        )
