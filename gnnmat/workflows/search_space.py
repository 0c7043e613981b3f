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
CHOSEN_ON = ("data", "split", "name")  # another trial would be judged on other rows


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
    space: dict[str, Choice | Range] = {
        "optimizer.lr": Range(lr / 10, lr * 5, log=True),
        "optimizer.weight_decay": Range(1e-6, 1e-2, log=True),
        "trainer.batch_size": Choice((max(batch // 2, 2), batch, 2 * batch)),
    }
    if config.start.run is not None:
        # The shape of the model is that of the run to begin with.
        return space if config.start.freeze else {**space, "start.body_lr": Range(0.03, 1.0, True)}
    width, layers = (getattr(config.model, name, None) for name in ("width", "layers"))
    if isinstance(width, int):
        space["model.width"] = Choice((max(width // 2, 2), width, 2 * width))
    if isinstance(layers, int):
        space["model.layers"] = Range(max(layers - 2, 1), layers + 2, whole=True)
    return space


def check_space(config: RunConfig, space: Space) -> None:
    """Refuse options that do not exist, do not fit, or would change what is judged.

    Raises:
        GnnmatError: the first of them.
    """
    if not space:
        raise GnnmatError("There is nothing to choose.", fix=EXAMPLE)
    for name, choice in space.items():
        root = name.split(".")[0]
        if root in CHOSEN_ON or name == "trainer.seed":
            raise GnnmatError(
                f"--space {name}: trials would not be comparable.",
                why="All trials are judged on the same validation rows, with the same seed.",
                fix="Choose among options of input, model, task, optimizer or trainer.",
            )
        if root not in RunConfig.model_fields:
            raise GnnmatError(
                f"--space {name}: there is no such option.",
                fix=did_you_mean(root, RunConfig.model_fields),
            )
        ends = choice.values if isinstance(choice, Choice) else (choice.low, choice.high)
        for value in ends:
            with_values(config, {name: _as_drawn(choice, value)})


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
    found: dict[str, Any] = {}
    for name, choice in space.items():
        value: Any = config
        for part in name.split("."):
            value = getattr(value, part, None)
        value = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        value = list(value) if isinstance(value, tuple) else value
        if isinstance(choice, Choice):
            inside = value in choice.values
        else:
            number = isinstance(value, (int, float))
            inside = number and choice.low <= float(value) <= choice.high
        if not inside:
            return {}
        found[name] = value
    return found
