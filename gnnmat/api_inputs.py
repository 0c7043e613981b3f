"""What the functions of the Python API are given, in the form the workflows take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnnmat.errors import GnnmatError
from gnnmat.train.config import RunConfig, find_recipe, load_config, parse_config
from gnnmat.train.recipe import ADOPTED

if TYPE_CHECKING:
    import pandas as pd

    from gnnmat.sources.records import Records

Recipe = RunConfig | str | Path | Mapping[str, Any]


def make_config(recipe: Recipe, options: Mapping[str, Any]) -> RunConfig:
    """The config of a recipe in any of its forms, with dotted options."""
    overrides = [f"{name}={as_yaml(value)}" for name, value in options.items()]
    if isinstance(recipe, RunConfig):
        # What was not chosen may be chosen by the run to begin with.
        unset = set(ADOPTED) - recipe.model_fields_set
        plain: Mapping[str, Any] = recipe.model_dump(mode="json", exclude=unset)
    elif isinstance(recipe, Mapping):
        plain = recipe
    else:
        return load_config(find_recipe(recipe), overrides)
    return parse_config(plain, overrides)


def as_yaml(value: Any) -> str:
    """A value as it stands behind the equals sign of an option."""
    import json

    return json.dumps(list(value) if isinstance(value, tuple) else value)


def make_records(
    structures: Sequence[Any] | None,
    targets: Mapping[str, Sequence[Any]] | pd.DataFrame | None,
) -> Records | None:
    """What was given in Python to learn from; None if nothing was."""
    if structures is None:
        if targets is not None:
            raise GnnmatError("Targets were given without structures.")
        return None
    from gnnmat.sources.objects import records_from_objects

    if targets is None:
        raise GnnmatError(
            "Structures were given without targets.", fix='targets={"band_gap": [...]}'
        )
    return records_from_objects(structures, targets=targets)


def make_console(progress: bool) -> Any:
    """Where progress is shown; None is silent."""
    if not progress:
        return None
    from rich.console import Console

    return Console(stderr=True)
