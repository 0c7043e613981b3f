"""A screen as it is written down: where candidates come from, and the stages in their order."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gnnmat.dotted import set_option
from gnnmat.errors import GnnmatError
from gnnmat.shipped import recipes
from gnnmat.sources import Source
from gnnmat.sources.card import shipped_cards
from gnnmat.train.unions import plain_error
from gnnmat.workflows.screening.stages.union import AnyStage

SHARD = 500


class PageOptions(BaseModel):
    """The diagram of the page."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    x: str | None = Field(None, description="Column along the x axis; default a ranked one.")
    y: str | None = Field(None, description="Column along the y axis; default a ranked one.")


class ScreenConfig(BaseModel):
    """Candidates, stages, and the page at the end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field("screen", description="Title of the page.")
    source: Source = Field(description="Where the candidates come from.")
    columns: tuple[str, ...] | None = Field(
        None, description="Columns of the source that are kept; default: all that are one value."
    )
    limit: int | None = Field(None, gt=0, description="Only the first candidates.")
    shard: int = Field(
        SHARD, gt=0, description="Candidates worked on at a time: what a kill can cost."
    )
    stages: tuple[AnyStage, ...] = Field(min_length=1, description="In their order.")
    page: PageOptions = PageOptions()

    def to_yaml(self) -> str:
        """The recipe as YAML that reads back to the same."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def load_screen(path: str | Path, overrides: Sequence[str] = ()) -> ScreenConfig:
    """A screening recipe: a file, or the name of a shipped one, with ``a.b=c`` overrides.

    Raises:
        GnnmatError: no such recipe, not YAML, an unknown or unfit option.
    """
    names = recipes("screening")
    place = Path(path)
    is_name = place.parent in (Path(), Path("configs")) and place.suffix in ("", ".yaml")
    found = place if place.is_file() else names.get(place.stem) if is_name else None
    if found is None:
        raise GnnmatError(
            f"There is no screening recipe '{path}'.", why=f"Shipped: {', '.join(names) or 'none'}."
        )
    try:
        plain = yaml.safe_load(found.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GnnmatError(f"{found} is not YAML.", why=str(error)) from error
    if not isinstance(plain, dict):
        raise GnnmatError(f"{found} holds {type(plain).__name__}, expected options by name.")
    return parse_screen(plain, overrides)


def parse_screen(plain: Mapping[str, Any], overrides: Sequence[str] = ()) -> ScreenConfig:
    """The recipe of plain dictionaries, with ``a.b=c`` overrides.

    A stage is called by its kind in overrides (``stages.best.keep=20``), by its name, or by its
    place, from 0.

    Raises:
        GnnmatError: an unknown or unfit option.
    """
    tree: dict[str, Any] = deepcopy(dict(plain))
    for override in overrides:
        if not _set_stage(tree, override):
            set_option(tree, override, "limit=1000")
    try:
        return ScreenConfig.model_validate(tree)
    except ValidationError as error:
        raise plain_error(error, ScreenConfig, more=(AnyStage,)) from None


def _set_stage(tree: dict[str, Any], override: str) -> bool:
    """Set an option of one stage; false if the override is not about one."""
    path, sign, _ = override.partition("=")
    parts = path.strip().split(".")
    stages = tree.get("stages")
    if parts[0] != "stages" or len(parts) < 3 or not sign or not isinstance(stages, list):
        return False
    options = [one if isinstance(one, dict) else {} for one in stages]
    kinds = [str(one.get("kind")) for one in options]
    places = [
        place
        for place, one in enumerate(options)
        if parts[1] in (str(place), one.get("kind"), one.get("name"))
    ]
    if not places:
        raise GnnmatError(
            f"'{override}': there is no stage '{parts[1]}'.",
            why=f"The stages are {', '.join(kinds)}.",
        )
    if len(places) > 1:
        several = " or ".join(f"stages.{place}" for place in places)
        raise GnnmatError(f"'{override}': there are {len(places)} such stages.", fix=several)
    place = places[0]
    set_option(stages[place], ".".join(parts[2:]) + override[len(path) :], "stages.best.keep=20")
    return True


TABLES = (".parquet", ".csv", ".jsonl")


def source_of(given: Sequence[str]) -> str:
    """The source of candidates by files, folders, one table, or the name of a data set, as JSON."""
    if len(given) == 1 and not os.path.exists(given[0]) and given[0] in shipped_cards():
        return json.dumps({"kind": "card", "name": given[0]})
    absolute = [os.path.abspath(os.path.expanduser(one)) for one in given]
    if len(given) == 1 and given[0].endswith(TABLES):
        return json.dumps({"kind": "table", "path": absolute[0]}, ensure_ascii=False)
    return json.dumps({"kind": "files", "structures": absolute}, ensure_ascii=False)
