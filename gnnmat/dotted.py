"""Options set one by one by their dotted names, as ``--set`` does."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from gnnmat.errors import GnnmatError


def copied(tree: Any) -> Any:
    """Nested options that can be changed without changing those given."""
    return {k: copied(v) for k, v in tree.items()} if isinstance(tree, Mapping) else tree


def set_option(tree: dict[str, Any], setting: str, example: str) -> None:
    """Set one option in nested options, in place; another ``kind`` drops the options of the first.

    Args:
        tree: nested options.
        setting: ``a.b=value``, the value written as in YAML.
        example: of a setting, for the message.

    Raises:
        GnnmatError: no such form, or nothing can stand below what is there.
    """
    import yaml

    name, equals, text = setting.partition("=")
    if not equals or not name.strip():
        raise GnnmatError(
            f"--set {setting}: expected a dotted option and a value.",
            fix=f"For example --set {example}",
        )
    *parents, last = name.strip().split(".")
    for key in parents:
        below = tree.get(key)
        if below is None:
            below = tree[key] = {}
        if isinstance(below, list):
            raise GnnmatError(
                f"--set {setting}: '{key}' is a list.",
                fix="Give the whole list, or write it in the YAML file.",
            )
        if not isinstance(below, dict):
            raise GnnmatError(f"--set {setting}: '{key}' has no options below it.")
        tree = below
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise GnnmatError(
            f"--set {setting}: '{text}' is not a value.",
            why=" ".join(str(error).split()),
            fix="Close every bracket, and put the whole setting in quotes.",
        ) from error
    if isinstance(value, str):
        # YAML 1.1 reads 3e-4 as text, people mean a number.
        with contextlib.suppress(ValueError):
            value = float(value)
    if last == "kind" and tree.get("kind") not in (None, value):
        tree.clear()  # the options of one kind mean nothing to another
    tree[last] = value
