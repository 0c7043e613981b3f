"""The card of a shipped model: what it is, what it was trained on, how good it is, its limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError

CARD, TEXT = "card.yaml", "card.md"


class Score(BaseModel):
    """One number by which the model was judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str = Field(description="What was measured.")
    value: float = Field(description="The number.")
    unit: str = Field("", description="Its unit; empty for pure numbers.")
    on: str = Field(description="Which samples it was measured on, and how many.")


class ModelCard(BaseModel):
    """What a user must know before using a model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(description="One line.")
    input: str = Field(description="What it takes: kind of sample, axes, units.")
    output: str = Field(description="What it says: classes or targets with units.")
    classes: tuple[str, ...] = Field((), description="Classes, if any.")
    training_data: str = Field(description="What it was trained on, how many samples.")
    made_by: tuple[str, ...] = Field((), description="Commands that make it again, in order.")
    scores: tuple[Score, ...] = Field((), description="How good it is.")
    limits: tuple[str, ...] = Field(min_length=1, description="When not to use it.")
    sources: tuple[str, ...] = Field((), description="Papers and data with their licences.")
    licence: str = Field("MIT", description="Of the weights.")

    def to_markdown(self, name: str) -> str:
        """The card for people."""
        lines = [f"# {name}: {self.title}", ""]
        lines += [f"**Takes:** {self.input}", "", f"**Says:** {self.output}", ""]
        if self.classes:
            lines += [f"**Classes:** {', '.join(self.classes)}", ""]
        lines += [f"**Trained on:** {self.training_data}", ""]
        if self.scores:
            lines += ["| score | value | on |", "| --- | ---: | --- |"]
            lines += [
                f"| {one.metric} | {one.value:.4g}{' ' + one.unit if one.unit else ''} | {one.on} |"
                for one in self.scores
            ]
            lines.append("")
        for title, items in (
            ("Do not use it", self.limits),
            ("Made by", tuple(f"`{line}`" for line in self.made_by)),
            ("Sources", self.sources),
        ):
            if items:
                lines += [f"## {title}", "", *(f"- {item}" for item in items), ""]
        lines += [f"Licence of the weights: {self.licence}", ""]
        return "\n".join(lines)


def read_card(folder: Path) -> ModelCard:
    """The card in the folder of a model.

    Raises:
        GnnmatError: it is not there, not YAML, or lacks something.
    """
    import yaml

    path = folder / CARD
    if not path.is_file():
        raise GnnmatError(f"{folder} has no card ({CARD}).")
    try:
        plain: Any = yaml.safe_load(path.read_text())
        return ModelCard.model_validate(plain)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GnnmatError(f"{path} is not YAML.", why=str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise GnnmatError(f"{path}: {place}: {first['msg'].lower()}.") from None


def write_card(folder: Path, card: ModelCard) -> None:
    """Write ``card.yaml`` and ``card.md``."""
    import yaml

    plain = card.model_dump(mode="json")
    write_atomically(folder / CARD, yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))
    write_atomically(folder / TEXT, card.to_markdown(folder.name))
