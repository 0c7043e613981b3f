"""A config as YAML that explains itself: every option with what it means beside it."""

from __future__ import annotations

import textwrap
from typing import Any

import yaml
from pydantic import BaseModel

from gnnmat.train.config import RunConfig
from gnnmat.train.unions import UNIONS, members

COLUMN = 38  # where comments begin


def annotated_yaml(config: RunConfig) -> str:
    """The config with the description of each option as a comment."""
    return "\n".join(_lines(config, 0)) + "\n"


def _lines(part: BaseModel, depth: int) -> list[str]:
    lines = []
    fields = type(part).model_fields
    for name in sorted(fields, key=lambda one: one != "kind"):
        field = fields[name]
        value = getattr(part, name)
        indent = "  " * depth
        if isinstance(value, BaseModel):
            comment = " ".join((field.description or "").split())
            lines.append(_with_comment(f"{indent}{name}:", comment))
            lines += _lines(value, depth + 1)
        else:
            text = f"{indent}{name}: {_value(part.model_dump(mode='json')[name])}"
            lines.append(_with_comment(text, _comment(name, field, part)))
    return lines


def _comment(name: str, field: Any, part: BaseModel) -> str:
    if name == "kind":
        others = _siblings(type(part))
        return "one of " + ", ".join(others) if len(others) > 1 else ""
    return " ".join((field.description or "").split())


def _siblings(cls: type[BaseModel]) -> list[str]:
    """The kinds that may stand in this place."""
    for union in UNIONS:
        found = members(union)
        if cls in found.values():
            return list(found)
    return []


def _value(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=1000, allow_unicode=True)
    return text.removesuffix("\n...\n").removesuffix("\n")


def _with_comment(text: str, comment: str) -> str:
    if not comment:
        return text
    lines = textwrap.wrap(comment, 60)
    gap = max(COLUMN - len(text), 2)
    rest = ["\n" + " " * max(COLUMN, len(text) + 2) + "# " + line for line in lines[1:]]
    return text + " " * gap + "# " + lines[0] + "".join(rest)
