"""The unions of config classes as registries: who is in them, and what a mistake in them means."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ValidationError

from gnnmat.augment import Augment
from gnnmat.data.splits import Split
from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.inputs import Input
from gnnmat.models import Model
from gnnmat.sources import Source
from gnnmat.tasks import TaskConfig


def members(union: Any) -> dict[str, type[BaseModel]]:
    """The config classes of a union by their ``kind``; copes with a union of one."""
    while typing.get_origin(union) is Annotated:
        union = typing.get_args(union)[0]
    is_union = typing.get_origin(union) in (typing.Union, types.UnionType)
    classes = typing.get_args(union) if is_union else (union,)
    return {cls.model_fields["kind"].default: cls for cls in classes}


UNIONS = (Source, Input, Augment, Split, Model, TaskConfig)
KINDS = {kind for union in UNIONS for kind in members(union)}


def plain_error(
    error: ValidationError, root: type[BaseModel], more: Sequence[Any] = ()
) -> GnnmatError:
    """What pydantic found wrong with a config of class ``root``, with dotted paths and hints.

    Args:
        error: of pydantic.
        root: the config class.
        more: unions in it beside those of a run.
    """
    lines, fixes = [], []
    own = KINDS | {kind for union in more for kind in members(union)}
    for trouble in error.errors():
        place = [str(part) for part in trouble["loc"]]
        options = _options_at(root, place[:-1])
        path = ".".join(part for part in place if part not in own)
        if trouble["type"] == "extra_forbidden":
            lines.append(f"{path}: unknown option.")
            fixes.append(_other_kind(place) or did_you_mean(place[-1], options))
        elif trouble["type"] in {"union_tag_invalid", "union_tag_not_found"}:
            given = trouble.get("ctx", {}).get("tag", "")
            lines.append(f"{path}.kind: '{given}' is none of the kinds there are.")
            fixes.append(did_you_mean(given, _kinds_at(trouble.get("ctx", {}))))
        else:
            lines.append(f"{path}: {trouble['msg'].lower()}, got {trouble['input']!r}.")
    return GnnmatError("\n".join(lines), fix=" ".join(fix for fix in fixes if fix))


def _kinds_at(context: dict[str, Any]) -> list[str]:
    """The kinds that pydantic expected."""
    return [tag.strip(" '") for tag in str(context.get("expected_tags", "")).split(",") if tag]


def _other_kind(place: Sequence[str]) -> str:
    """Which kind has an option that this one lacks, if any."""
    for union in UNIONS:
        classes = members(union)
        if len(place) > 1 and place[-2] in classes:
            having = [kind for kind, cls in classes.items() if place[-1] in cls.model_fields]
            path = ".".join(part for part in place[:-1] if part not in KINDS)
            if having:
                return f"'{place[-1]}' belongs to {path}.kind={' or '.join(having)}."
    return ""


def _options_at(root: type[BaseModel], place: Sequence[str]) -> list[str]:
    """Names of the options at a dotted place; union members appear in it by their kind."""
    current: Any = root
    for part in place:
        while typing.get_origin(current) is Annotated:
            current = typing.get_args(current)[0]
        if typing.get_origin(current) in (tuple, list):  # ``part`` is a place in it
            current = typing.get_args(current)[0]
        elif isinstance(current, type) and issubclass(current, BaseModel):
            if part not in current.model_fields:
                return []
            current = current.model_fields[part].annotation
        else:
            current = members(current).get(part)
    if isinstance(current, type) and issubclass(current, BaseModel):
        return list(current.model_fields)
    return []
