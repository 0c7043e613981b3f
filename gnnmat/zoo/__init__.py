"""Small trained models that come with gnnmat, by name, each with a card.

A model is a folder ``gnnmat/zoo/<name>`` as a training wrote it (a run, or an ensemble with its
members), without checkpoints, histories and predictions, and ``card.yaml`` and ``card.md``
beside it. Models that do not come with gnnmat are named ``hf://owner/name``, see `gnnmat.zoo.hub`.
"""

from __future__ import annotations

import os
from pathlib import Path

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.zoo.card import CARD, ModelCard, read_card
from gnnmat.zoo.hub import find_on_hub
from gnnmat.zoo.hub_name import is_hub_name

__all__ = ["ModelCard", "find_model", "list_models", "model_card"]

ROOT = Path(__file__).parent


def list_models() -> dict[str, ModelCard]:
    """The cards of all shipped models by name."""
    return {folder.name: read_card(folder) for folder in _folders()}


def find_model(name: str | Path) -> Path:
    """The folder of a trained run, of an ensemble, of a shipped model, or of one from the hub.

    Args:
        name: a folder, the name of a shipped model, or ``hf://owner/name``, which is fetched if
            it never was; a folder that is there comes first.

    Raises:
        GnnmatError: none of them, with the nearest name.
    """
    if is_hub_name(name):
        return find_on_hub(name)
    folder = Path(name)
    if folder.is_dir():
        return folder
    shipped = {one.name: one for one in _folders()}
    if str(name) in shipped:
        return shipped[str(name)]
    raise GnnmatError(
        f"{name} is not a finished run: there is no such folder, and no shipped model of that "
        "name.",
        fix=(os.sep not in str(name) and did_you_mean(str(name), shipped))
        or "Give the folder that gnnmat train wrote.",
    )


def model_card(name: str) -> ModelCard:
    """The card of a shipped model.

    Raises:
        GnnmatError: there is no such model, or its card is damaged.
    """
    folder = find_model(name)
    return read_card(folder)


def _folders() -> list[Path]:
    return sorted(path.parent for path in ROOT.glob(f"*/{CARD}"))
