"""What `gnnmat tune` may choose from: options of a recipe with their ranges."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.train.config import RunConfig, parse_config

EXAMPLE = "--space model.width=32,64,128 or --space optimizer.lr=1e-4..1e-2:log"
CHOSEN_ON = ("data", "split", "name", "trainer.seed")
# Options of a task, or of a part of it, that change what its score counts.
JUDGED_IN = ("kind", "scale", "points", "positive", "weights", "weight")
SAME = "All trials are judged on the same validation rows, with the same seed."
BEGUN = "Each run to begin with has seen other rows, validation rows perhaps among them."
SCORED = "A score counts in the task's own scale; with another one it is another number."


@dataclass(frozen=True)
class Choice:
    """One option of several values."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return ", ".join(str(value) for value in self.values)


@dataclass(frozen=True)
class Range:
    """An option between two bounds, both allowed.

    Args:
        low: lowest value.
        high: highest value.
        log: even in the logarithm.
        whole: whole numbers only.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}" + (" (log)" if self.log else "")


Space = Mapping[str, Choice | Range]


def parse_space(lines: Sequence[str]) -> dict[str, Choice | Range]:
    """The space of ``name=a,b,c`` and ``name=low..high`` lines, ``:log`` for even logarithms.

    Raises:
        GnnmatError: a line of no such form.
    """
    return dict(_parse(line) for line in lines)


def _parse(line: str) -> tuple[str, Choice | Range]:
    name, equals, text = line.partition("=")
    if not equals or not name.strip() or not text.strip():
        raise GnnmatError(f"--space {line}: expected NAME=VALUES.", fix=EXAMPLE)
    if ".." in text:
        return name.strip(), _range(line, text.strip())
    if text.strip().startswith("["):
        values = yaml.safe_load(f"[{text}]")
    else:
        values = [_number(part) for part in yaml.safe_load(f"[{text}]")]
    if len(values) < 2:
        raise GnnmatError(f"--space {line}: there is only one value to choose from.", fix=EXAMPLE)
    return name.strip(), Choice(tuple(values))


def _range(line: str, text: str) -> Range:
    bounds, _, kind = text.partition(":")
    first, _, last = bounds.partition("..")
    try:
        low, high = float(first), float(last)
    except ValueError:
        raise GnnmatError(f"--space {line}: bounds must be numbers.", fix=EXAMPLE) from None
    if kind not in {"", "log"}:
        raise GnnmatError(f"--space {line}: ':{kind}' is unknown.", fix=EXAMPLE)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise GnnmatError(f"--space {line}: the lower bound comes first.", fix=EXAMPLE)
    if kind == "log" and low <= 0:
        raise GnnmatError(f"--space {line}: a logarithmic range begins above zero.", fix=EXAMPLE)
    whole = all(_is_whole(part) for part in (first, last))
    return Range(low, high, kind == "log", whole)


def _is_whole(text: str) -> bool:
    return text.strip().lstrip("+-").isdigit()


def _number(value: Any) -> Any:
    # YAML 1.1 reads 3e-4 as text, people mean a number.
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def default_space(config: RunConfig) -> dict[str, Choice | Range]:
    """What is tuned unless the user says: rate, decay and batches, and the size of the model."""
    lr, batch = config.optimizer.lr, config.trainer.batch_size
    decay = config.optimizer.weight_decay
    space: dict[str, Choice | Range] = {
        "optimizer.lr": Range(lr / 10, lr * 5, log=True),
        # No decay has no logarithm.
        "optimizer.weight_decay": Range(decay / 10, decay * 10, log=True)
        if decay
        else Choice((0.0, 1e-5, 1e-3)),
        "trainer.batch_size": _halved_and_doubled(batch),
    }
    if config.start.run is not None:
        # The shape of the model is that of the run to begin with.
        body = config.start.body_lr
        rates = Range(min(0.03, body), max(1.0, body), log=True)
        return space if config.start.freeze else {**space, "start.body_lr": rates}
    width, layers = (getattr(config.model, name, None) for name in ("width", "layers"))
    if isinstance(width, int):
        space["model.width"] = _halved_and_doubled(width)
    if isinstance(layers, int):
        space["model.layers"] = Range(min(max(layers - 2, 1), layers), layers + 2, whole=True)
    return space


def _halved_and_doubled(value: int) -> Choice:
    # Not below two: a mean over one sample or one feature has no deviation.
    return Choice(tuple(sorted({max(value // 2, 2), value, 2 * value})))


def check_space(config: RunConfig, space: Space) -> None:
    """Refuse options that do not exist, do not fit, or would change what is judged.

    Raises:
        GnnmatError: the first of them.
    """
    if not space:
        raise GnnmatError("There is nothing to choose.", fix=EXAMPLE)
    for name, choice in space.items():
        root = name.split(".")[0]
        why = _incomparable(name)
        if why:
            raise GnnmatError(
                f"--space {name}: trials would not be comparable.",
                why=why,
                fix="Choose among options of input, model, optimizer or trainer, task.loss and "
                "task.head.",
            )
        if root not in RunConfig.model_fields:
            raise GnnmatError(
                f"--space {name}: there is no such option.",
                fix=did_you_mean(root, RunConfig.model_fields),
            )
        ends = choice.values if isinstance(choice, Choice) else (choice.low, choice.high)
        for value in ends:
            with_values(config, {name: _as_drawn(choice, value)})


def _incomparable(name: str) -> str:
    """Why trials that differ in this option cannot be compared; empty where they can."""
    if any(_touches(name, one) for one in CHOSEN_ON):
        return SAME
    if _touches(name, "start.run"):
        return BEGUN
    root, *below = name.split(".")
    if below[:1] in (["of_classes"], ["of_numbers"]):  # a task of two parts
        below = below[1:]
    return SCORED if root == "task" and (not below or below[0] in JUDGED_IN) else ""


def _touches(name: str, option: str) -> bool:
    """Whether choosing the one also chooses the other: it is the same, above or below."""
    return f"{name}.".startswith(f"{option}.") or f"{option}.".startswith(f"{name}.")


def _as_drawn(choice: Choice | Range, value: Any) -> Any:
    return int(value) if isinstance(choice, Range) and choice.whole else value


def with_values(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """The config with these dotted options.

    Raises:
        GnnmatError: an unknown or unfit option, with its path.
    """
    import json

    lines = [f"{name}={json.dumps(value)}" for name, value in values.items()]
    return parse_config(config.model_dump(mode="json"), lines)


def current_values(config: RunConfig, space: Space) -> dict[str, Any]:
    """The recipe's own values of the options of a space; empty where one lies outside."""
    if options_outside(config, space):
        return {}
    own = {name: _own_value(config, name) for name in space}
    # As it is spelled among the values: 1 and 1.0 are two texts.
    return {
        name: choice.values[choice.values.index(own[name])]
        if isinstance(choice, Choice)
        else own[name]
        for name, choice in space.items()
    }


def options_outside(config: RunConfig, space: Space) -> dict[str, Any]:
    """The recipe's own values of those options for which a space does not hold them."""
    own = {name: _own_value(config, name) for name in space}
    return {name: value for name, value in own.items() if not _holds(space[name], value)}


def _own_value(config: RunConfig, name: str) -> Any:
    value: Any = config
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, part, None)
    value = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return list(value) if isinstance(value, tuple) else value


def _holds(choice: Choice | Range, value: Any) -> bool:
    if isinstance(choice, Choice):
        return value in choice.values
    if not isinstance(value, (int, float)) or not choice.low <= float(value) <= choice.high:
        return False
    return not choice.whole or float(value).is_integer()
