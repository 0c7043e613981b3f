"""Options that several commands share, and those for a user's own crystals as overrides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RECIPE = "known_crystals"
OWN_DATA = "crystals"

Recipe = Annotated[
    str | None,
    typer.Argument(
        help="A YAML file, or the name of a shipped recipe. Default: known_crystals, or "
        "crystals if --structures is given.",
        show_default=False,
    ),
]
Structures = Annotated[
    list[str] | None,
    typer.Option(
        "--structures", "-s", help="Folder, file or pattern of crystal files. May be repeated."
    ),
]
Targets = Annotated[
    Path | None,
    typer.Option(
        "--targets",
        "-t",
        help="CSV of values; its first column is the id, that is the file's name without its "
        "ending.",
    ),
]
Target = Annotated[
    list[str] | None, typer.Option("--target", help="Column to learn. May be repeated.")
]
Task = Annotated[str | None, typer.Option("--task", help="regression or classification.")]
Unit = Annotated[
    list[str] | None, typer.Option("--unit", help="NAME=UNIT of a target, such as gap=eV.")
]
Epochs = Annotated[int | None, typer.Option("--epochs", help="Passes over the data.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any option by its path: --set optimizer.lr=3e-4."),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Begin with the weights of this run folder or shipped model; its input and model "
        "are taken, too.",
        metavar="RUN",
    ),
]
Freeze = Annotated[
    bool, typer.Option("--freeze", help="Keep the encoder of --from as it is; train the head.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]


def overrides_of(
    structures: list[str] | None,
    targets: Path | None,
    target: list[str] | None,
    task: str | None,
    unit: list[str] | None,
    epochs: int | None,
    begin_with: str | None = None,
    freeze: bool = False,
) -> list[str]:
    """Dotted ``a.b=c`` lines for these options of a command."""
    import json
    import os

    from gnnmat.errors import GnnmatError

    lines = []
    if structures:
        lines += [
            "data.source.kind=files",
            f"data.source.structures={json.dumps([os.path.abspath(s) for s in structures])}",
        ]
    if targets is not None:
        if not structures:
            raise GnnmatError("--targets needs --structures.", fix="Name the folder of crystals.")
        lines.append(f"data.source.targets={json.dumps(os.path.abspath(targets))}")
    if target:
        lines.append(f"data.targets={json.dumps(target)}")
    for pair in unit or []:
        name, equals, symbol = pair.partition("=")
        if not equals or not structures:
            raise GnnmatError(
                f"--unit {pair}: expected NAME=UNIT beside --structures.",
                fix="For example --unit band_gap=eV",
            )
        lines.append(f"data.source.units.{name}={json.dumps(symbol)}")
    if task:
        lines.append(f"task.kind={task}")
    if begin_with is not None:
        lines.append(f"start.run={json.dumps(begin_with)}")
    if freeze:
        if begin_with is None:
            raise GnnmatError("--freeze needs --from.", fix="Name the run whose encoder is kept.")
        lines.append("start.freeze=true")
    if epochs is not None:
        lines.append(f"trainer.epochs={epochs}")
    return lines
