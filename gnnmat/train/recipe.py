"""Recipes as they are written down: plain options from YAML, and what overrides say of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml

from gnnmat.errors import GnnmatError
from gnnmat.shipped import recipes

ADOPTED = ("input", "model")
"""What a run takes from the run it begins with."""


def read_recipe(
    path: Path, kind: Literal["training", "pu"], overrides: Sequence[str] = ()
) -> dict[str, Any]:
    """The options in a YAML file.

    Those of a shipped recipe are about its data: if the overrides name a run to begin with, which
    knows its input and model, these are left out.

    Raises:
        GnnmatError: not YAML, or no options by name.
    """
    try:
        plain = yaml.safe_load(path.read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GnnmatError(f"{path} is not YAML.", why=str(error)) from error
    if not isinstance(plain, dict):
        raise GnnmatError(f"{path} holds {type(plain).__name__}, expected options by name.")
    shipped = {one.resolve() for one in recipes(kind).values()}
    if path.resolve() in shipped and any(map(chooses_start, overrides)):
        return {name: value for name, value in plain.items() if name not in ADOPTED}
    return plain


def chooses_kind(override: str) -> bool:
    """Whether an override chooses one of several kinds of a part."""
    return override.partition("=")[0].strip().endswith(".kind")


def chooses_start(override: str) -> bool:
    """Whether an override names a run to begin with."""
    name, _, value = override.partition("=")
    return name.strip() in {"start", "start.run"} and value.strip() not in {"", "null"}
