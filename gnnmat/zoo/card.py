"""The card of a shipped model: what it is, what it was trained on, how good it is, its limits."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError

CARD, TEXT = "card.yaml", "card.md"
# The files of a model are of these kinds; a hub is asked for no other.
KINDS = (".safetensors", ".json", ".yaml", ".md", ".parquet")


class _Part(BaseModel):
    """What cards are made of: fixed, and safe to print, wherever it came from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="after")
    @classmethod
    def _printable(cls, value: Any) -> Any:
        """Refuse characters that would command the terminal a card is shown in."""
        texts = [value] if isinstance(value, str) else value
        for one in texts if isinstance(texts, (list, tuple, dict)) else ():
            if isinstance(one, str) and not one.replace("\n", "").isprintable():
                raise ValueError("holds characters that cannot be printed")
        return value


class Score(_Part):
    """One number by which the model was judged."""

    metric: str = Field(description="What was measured.")
    value: float = Field(description="The number.")
    unit: str = Field("", description="Its unit; empty for pure numbers.")
    on: str = Field(description="Which samples it was measured on, and how many.")
    low: float | None = Field(None, description="Lower end of its 95% interval.")
    high: float | None = Field(None, description="Upper end.")
    baselines: dict[str, float] = Field({}, description="The same number of trivial models.")

    @property
    def words(self) -> str:
        """The number with its interval and unit."""
        between = "" if self.low is None else f" ({self.low:.3g} to {self.high:.3g})"
        return f"{self.value:.4g}{between}{' ' + self.unit if self.unit else ''}"


class ShippedFile(_Part):
    """One file of a model, by which a broken or changed copy is noticed."""

    bytes: int = Field(ge=0, description="Its size.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="Its checksum.")


class ModelCard(_Part):
    """What a user must know before using a model."""

    title: str = Field(description="One line.")
    input: str = Field(description="What it takes: kind of sample, axes, units.")
    output: str = Field(description="What it says: classes or targets with units.")
    classes: tuple[str, ...] = Field((), description="Classes, if any.")
    training_data: str = Field(description="What it was trained on, how many samples.")
    made_by: tuple[str, ...] = Field((), description="Commands that make it again, in order.")
    split: str = Field("", description="How rows were parted, and what both sides share.")
    elements: tuple[str, ...] = Field((), description="Elements met in training, if crystals.")
    scores: tuple[Score, ...] = Field((), description="How good it is.")
    limits: tuple[str, ...] = Field(min_length=1, description="When not to use it.")
    sources: tuple[str, ...] = Field((), description="Papers and data with their licences.")
    cite: tuple[str, ...] = Field((), description="What to cite.")
    licence: str = Field("MIT", description="Of the weights.")
    files: dict[str, ShippedFile] = Field({}, description="Every other file of the model.")

    def to_markdown(self, name: str) -> str:
        """The card for people."""
        lines = [f"# {name}: {self.title}", ""]
        lines += [f"**Takes:** {self.input}", "", f"**Says:** {self.output}", ""]
        if self.classes:
            lines += [f"**Classes:** {', '.join(self.classes)}", ""]
        lines += [f"**Trained on:** {self.training_data}", ""]
        if self.split:
            lines += [f"**Split:** {self.split}", ""]
        if self.elements:
            count = len(self.elements)
            lines += [f"**Elements seen, {count}:** {' '.join(self.elements)}", ""]
        lines += self._table()
        for title, items in (
            ("Do not use it", self.limits),
            ("Made by", tuple(f"`{line}`" for line in self.made_by)),
            ("Sources", self.sources),
            ("Cite", self.cite),
        ):
            if items:
                lines += [f"## {title}", "", *(f"- {item}" for item in items), ""]
        lines += [f"Licence of the weights: {self.licence}", ""]
        return "\n".join(lines)

    def _table(self) -> list[str]:
        """The scores, beside trivial baselines where those were measured."""
        if not self.scores:
            return []
        names = list(dict.fromkeys(name for one in self.scores for name in one.baselines))
        heads = ["score", "value", *names, "on"]
        rules = ["---", "---:", *("---:" for _ in names), "---"]
        rows = [
            [one.metric, one.words, *(_number(one.baselines.get(name)) for name in names), one.on]
            for one in self.scores
        ]
        return [*(f"| {' | '.join(row)} |" for row in (heads, rules, *rows)), ""]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


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


def manifest(folder: Path) -> dict[str, ShippedFile]:
    """Size and checksum of every file that a hub would be asked for, the card itself apart."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in KINDS and path.name not in (CARD, TEXT):
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            name = path.relative_to(folder).as_posix()
            found[name] = ShippedFile(bytes=len(content), sha256=digest)
    return found


def write_card(folder: Path, card: ModelCard) -> None:
    """Write ``card.yaml`` and ``card.md``, the last of a model: they list its other files."""
    import yaml

    card = card.model_copy(update={"files": manifest(folder)})
    plain = card.model_dump(mode="json", exclude_defaults=True)
    plain["licence"] = card.licence  # said in any case
    write_atomically(folder / CARD, yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))
    write_atomically(folder / TEXT, card.to_markdown(folder.name))
