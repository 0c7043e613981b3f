"""``gnnmat models``."""

from __future__ import annotations

from typing import Annotated

import typer


def models_command(
    name: Annotated[
        str | None, typer.Argument(help="A model, whose card is shown.", show_default=False)
    ] = None,
) -> None:
    """List the models that come with gnnmat, or show the card of one."""
    from rich.table import Table

    from gnnmat.zoo import list_models, model_card

    from .show import consoles

    out, _ = consoles()
    if name is not None:
        out.print(model_card(name).to_markdown(name), markup=False, soft_wrap=True)
        return
    cards = list_models()
    if not cards:
        out.print("No model comes with this version.")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("what it is")
    for one, card in cards.items():
        table.add_row(one, card.title)
    out.print(table)
