"""What is told beside the samples: ``--state NAME=VALUE`` and ``--wavelength``."""

from __future__ import annotations

from typing import Annotated

import typer

State = Annotated[
    list[str] | None,
    typer.Option(
        "--state",
        help="NAME=VALUE of a state that the model was trained with: --state temperature=300. "
        "May be repeated.",
    ),
]
Wavelength = Annotated[
    str | None,
    typer.Option(
        "--wavelength",
        "-w",
        help="Of powder patterns that do not say it: CuKa (a tube), CuKa1 (a monochromator), or Å.",
    ),
]


def state_of(pairs: list[str] | None) -> dict[str, str]:
    """Values by name.

    Raises:
        GnnmatError: no equals sign, or a name with two values.
    """
    from gnnmat.errors import GnnmatError

    values: dict[str, str] = {}
    for pair in pairs or ():
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals:
            raise GnnmatError(
                f"--state {pair}: expected NAME=VALUE.", fix="For example --state temperature=300"
            )
        if name in values:
            raise GnnmatError(f"--state gives '{name}' twice: {values[name]} and {value}.")
        values[name] = value
    return values
