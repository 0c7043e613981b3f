"""Options of a simulation: ``a.b=c`` overrides, and what is wrong with them in plain words."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ValidationError

from gnnmat.dotted import copied, set_option
from gnnmat.errors import GnnmatError, did_you_mean

LONGEST = 60  # characters of a value in a message

# What pydantic's kinds of error mean; the braces are filled from the error's context.
EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "dict_type": "options by name",
    "model_type": "options by name",
    "model_attributes_type": "options by name",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "multiple_of": "a multiple of {multiple_of}",
    "too_short": "at least {min_length} in the list",
    "literal_error": "{expected}",
    "string_pattern_mismatch": "letters, digits, dots, - and _ only",
}


def override(plain: dict[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """A copy of the plain options with each ``a.b=c`` set.

    Another ``kind`` drops the options of the kind before it.

    Raises:
        GnnmatError: a setting is no dotted option and a value.
    """
    tree = copied(plain)
    for setting in sorted(settings, key=lambda one: not one.partition("=")[0].endswith(".kind")):
        set_option(tree, setting, "rendering.samples=32")
    return tree


def plain_error(error: ValidationError, root: type[BaseModel], what: str) -> GnnmatError:
    """What pydantic found wrong with options of class ``root``, with dotted paths and hints.

    Args:
        error: as it was raised.
        root: the class whose options they are.
        what: they are called, for a mistake that stands at no option.
    """
    found: dict[str, tuple[list[str], Any, str]] = {}
    for trouble in _telling(error, root):
        if trouble["type"] == "extra_forbidden":
            *above, last = trouble["loc"]
            path = _written([*_place(root, above), last])
            options = _options(root, above)
            return GnnmatError(f"{path}: unknown option.", fix=did_you_mean(str(last), options))
        path = _written(_place(root, trouble["loc"])) or what
        if trouble["type"] == "missing":
            return GnnmatError(f"{path} is missing.")
        context = trouble.get("ctx", {})
        if trouble["type"] in {"union_tag_invalid", "union_tag_not_found"}:
            kinds = [one.strip(" '") for one in str(context.get("expected_tags", "")).split(",")]
            kinds = [kind for kind in kinds if kind] or _kinds(root, trouble["loc"])
            given = context.get("tag")
            told = f"'{given}' is none of the kinds there are." if given else "missing."
            return GnnmatError(f"{path}.kind: {told}", fix=did_you_mean(str(given), kinds))
        if trouble["type"] == "value_error":
            return GnnmatError(f"{path}: {context['error']}.")
        expected = EXPECTED.get(trouble["type"], "").format(**context)
        words, _, _ = found.setdefault(path, ([], trouble["input"], trouble["msg"]))
        if expected and expected not in words:
            words.append(expected)
    path, (words, given, told) = next(iter(found.items()))
    if not words:
        return GnnmatError(f"{path}: {told}.")
    return GnnmatError(f"{path}: expected {' or '.join(words)}, got {_short(given)}.")


def _telling(error: ValidationError, root: type[BaseModel]) -> list[dict[str, Any]]:
    """The errors of the first place; of alternatives that all failed, those that came nearest."""
    groups: dict[tuple[Any, ...], dict[Any, list[dict[str, Any]]]] = {}
    for trouble in error.errors():
        unknown = trouble["type"] == "extra_forbidden"
        top, tag = _branch(root, trouble["loc"][:-1] if unknown else trouble["loc"])
        groups.setdefault(top, {}).setdefault(tag, []).append(dict(trouble))
    alternatives = list(next(iter(groups.values())).values())
    least = min(len(one) for one in alternatives)
    near = [one for one in alternatives if len(one) == least]
    deepest = max(len(one[0]["loc"]) for one in near)
    return [trouble for one in near if len(one[0]["loc"]) == deepest for trouble in one]


def _branch(root: type[BaseModel], loc: Sequence[Any]) -> tuple[tuple[Any, ...], Any]:
    """The place above the first alternative that pydantic tried, and its name for that."""
    types_: list[Any] = [root]
    for number, part in enumerate(loc):
        types_, written = _step(types_, part)
        if not written:
            return tuple(loc[:number]), part
    return tuple(loc), None


def _place(root: type[BaseModel], loc: Sequence[Any]) -> list[Any]:
    """The place as the user wrote it, without pydantic's names of alternatives."""
    types_: list[Any] = [root]
    place = []
    for part in loc:
        types_, written = _step(types_, part)
        if written:
            place.append(part)
    return place


def _options(root: type[BaseModel], loc: Sequence[Any]) -> list[str]:
    """Names of the options at a place."""
    return [field.alias or name for cls in _at(root, loc) for name, field in _fields(cls).items()]


def _kinds(root: type[BaseModel], loc: Sequence[Any]) -> list[str]:
    """The kinds that may stand at a place."""
    return [_kind(cls) for cls in _at(root, loc) if _kind(cls)]


def _at(root: type[BaseModel], loc: Sequence[Any]) -> list[type[BaseModel]]:
    """The classes of options that may stand at a place."""
    types_: list[Any] = [root]
    for part in loc:
        types_, _ = _step(types_, part)
    return _models(types_)


def _step(types_: Sequence[Any], part: Any) -> tuple[list[Any], bool]:
    """What lies below a part of a place, and whether the user wrote that part."""
    for one in types_:
        if isinstance(one, type) and issubclass(one, BaseModel):
            for name, field in _fields(one).items():
                if part in (name, field.alias):
                    return _expanded(field.annotation), True
        arguments = typing.get_args(one)
        if isinstance(part, str) and typing.get_origin(one) is dict:
            return _expanded(arguments[1]), True
        if isinstance(part, int) and typing.get_origin(one) is tuple:
            return [below for item in arguments for below in _expanded(item)], True
    named = [cls for cls in _models(types_) if part in (cls.__name__, _kind(cls))]
    return (list(named) or list(types_)), False


def _expanded(annotation: Any) -> list[Any]:
    while typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [one for part in typing.get_args(annotation) for one in _expanded(part)]
    return [annotation]


def _models(types_: Sequence[Any]) -> list[type[BaseModel]]:
    return [one for one in types_ if isinstance(one, type) and issubclass(one, BaseModel)]


def _fields(cls: type[BaseModel]) -> Mapping[str, Any]:
    return cls.model_fields


def _kind(cls: type[BaseModel]) -> Any:
    return _fields(cls)["kind"].default if "kind" in _fields(cls) else None


def _written(place: Sequence[Any]) -> str:
    """``a.b, item 2, c``: lists are counted from one."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f", item {part + 1},"
        else:
            text += f" {part}" if text.endswith(",") else f".{part}"
    return text.strip(".,")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
