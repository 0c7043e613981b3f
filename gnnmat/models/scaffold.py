"""A new model to begin with: ``make new-model NAME=my_model``.

Writes ``gnnmat/models/my_model.py``, a small network that passes every contract, and enters it
in the union in ``gnnmat/models/__init__.py``. Then change the network, not the frame.
"""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError

ROOM = Path(__file__).parent

TEMPLATE = '''\
"""$title: say in one line what it does with a crystal."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from gnnmat.models.elements import ElementEmbedding
from gnnmat.models.encoder import Encoder
from gnnmat.models.expansion import GaussianExpansion
from gnnmat.sample import Batch, DataSpec


class $class(BaseModel):
    """One message from every neighbour; name the paper and the equations here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["$name"] = "$name"
    width: int = Field(64, gt=0, description="Features an atom.")
    gaussians: int = Field(41, gt=1, description="Gaussians on 0 .. 8 Å.")

    @classmethod
    def example(cls) -> $class:
        """A small instance for contract tests."""
        return cls(width=8, gaussians=9)

    def build(self, spec: DataSpec) -> $classEncoder:
        """The network for these data."""
        return $classEncoder(
            ElementEmbedding(self.width, "both", spec.elements),
            GaussianExpansion(self.gaussians, cutoff=8.0, width=8.0 / (self.gaussians - 1)),
            self.width,
        )


class $classEncoder(Encoder):
    """Embedding, one sum over neighbours; the base class averages over the atoms."""

    reads: tuple[str, ...] = ("z", "edge_index", "edge_length")

    def __init__(
        self, embedding: ElementEmbedding, expansion: GaussianExpansion, width: int
    ) -> None:
        super().__init__()
        self.width = width
        self.embedding = embedding
        self.expansion = expansion
        self.message = nn.Linear(width + len(expansion.centres), width)

    def local(self, batch: Batch) -> Tensor:
        source, centre = batch.edge_index
        v = self.embedding(batch.z)
        u = self.expansion(batch.edge_length.to(v.dtype))
        message = F.silu(self.message(torch.cat([v[source], u], dim=1)))
        if "edge_weight" in batch:
            message = message * batch.edge_weight[:, None]
        return v + torch.zeros_like(v).index_add(0, centre, message)

    def inputs(self, batch: Batch) -> Tensor:
        length: Tensor = batch.edge_length
        return length
'''


def new_model(name: str, room: Path = ROOM) -> list[Path]:
    """The files written and changed for a new model called ``name``.

    Args:
        name: lower case with underscores, as it will stand in ``model.kind``.
        room: the folder ``gnnmat/models`` of a checkout.

    Raises:
        GnnmatError: the name is none or is taken, or the union cannot be read.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise GnnmatError(
            f"'{name}' is no name for a model." if name else "A new model needs a name.",
            why="It becomes a file and an option: lower-case letters, digits and underscores.",
            fix="make new-model NAME=my_model",
        )
    title = "".join(part.capitalize() for part in name.split("_"))
    file, union = room / f"{name}.py", room / "__init__.py"
    if file.exists():
        raise GnnmatError(
            f"There is a gnnmat/models/{file.name} already.", fix="Choose another name."
        )
    entered = _enter(union.read_text(), name, title)
    text = TEMPLATE.replace("$class", title).replace("$name", name).replace("$title", title)
    return [write_atomically(file, text), write_atomically(union, entered)]


def _enter(text: str, name: str, title: str) -> str:
    """The text of ``__init__.py`` with the new model imported, in the union and public.

    Order and line breaks are left to ``ruff``, which ``make new-model`` runs afterwards.
    """
    if re.search(rf"\b{title}\b", text):
        raise GnnmatError(
            f"There is '{title}' in gnnmat.models already.", fix="Choose another name."
        )
    edits = (
        (r"^from gnnmat\.models\.", f"from gnnmat.models.{name} import {title}\n\\g<0>"),
        (r"^Model = Annotated\[[^,]+", f"\\g<0> | {title}"),
        (r"^__all__ = \[\s*", f'\\g<0>"{title}", '),
    )
    for pattern, replacement in edits:
        text, found = re.subn(pattern, replacement, text, count=1, flags=re.MULTILINE)
        if not found:
            raise GnnmatError(
                "The union 'Model' in gnnmat/models/__init__.py cannot be read.",
                why=f"Nothing there begins with {pattern.split('=')[0].strip('^ ')}.",
            )
    return text


def main(arguments: list[str]) -> int:
    """The exit code: 0, or 2 after a mistake told in words."""
    try:
        written = new_model(arguments[0] if arguments else "")
    except GnnmatError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print(f"New:     {written[0]}\nChanged: {written[1]}")
    print(f"Next:    make check, then gnnmat train --set model.kind={written[0].stem}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
