"""Options for a user's own crystals, as overrides of a recipe."""

from __future__ import annotations

from pathlib import Path

RECIPE = "known_crystals"
OWN_DATA = "crystals"


def overrides_of(
    structures: list[str] | None,
    targets: Path | None,
    target: list[str] | None,
    task: str | None,
    unit: list[str] | None,
    epochs: int | None,
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
    if epochs is not None:
        lines.append(f"trainer.epochs={epochs}")
    return lines
