"""``gnnmat models``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console


def models_command(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A model, whose card is shown: its name, or hf://owner/name.", show_default=False
        ),
    ] = None,
    fetch: Annotated[
        str | None,
        typer.Option(
            "--fetch",
            metavar="OWNER/NAME",
            help="Fetch a model from the Hugging Face hub, or its newest version, or with "
            "@REVISION that one; it is then used as hf://OWNER/NAME.",
        ),
    ] = None,
) -> None:
    """List the models that come with gnnmat, show the card of one, or fetch one from the hub.

    [bold]Examples[/]

      gnnmat models

      gnnmat models mp-formation-energy

      gnnmat models --fetch owner/name
    """
    from gnnmat.errors import GnnmatError
    from gnnmat.zoo import model_card

    from .show import consoles

    out, _ = consoles()
    if fetch is not None:
        if name is not None:
            raise GnnmatError("--fetch takes the name itself.", fix=f"gnnmat models --fetch {name}")
        _fetch(out, fetch)
        return
    if name is not None:
        out.print(model_card(name).to_markdown(name), markup=False, soft_wrap=True)
        return
    _list(out)


def _fetch(out: Console, fetch: str) -> None:
    from gnnmat.zoo import model_card
    from gnnmat.zoo.hub import fetch_model
    from gnnmat.zoo.hub_name import hub_name

    name = hub_name(fetch)
    place = fetch_model(name)
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    out.print(f"{name}: {model_card(str(place)).title}", markup=False, soft_wrap=True)
    out.print(f"Revision:  {place.name}, {size / 1e6:.1f} MB", soft_wrap=True)
    out.print(f"Try next:  gnnmat predict {name} YOUR_FILE", markup=False, soft_wrap=True)


def _list(out: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    from gnnmat.zoo import list_models
    from gnnmat.zoo.hub import fetched_models

    cards = {**list_models(), **fetched_models()}
    if not cards:
        out.print("No model comes with this version.")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("what it is")
    for one, card in cards.items():
        table.add_row(one, Text(card.title))
    out.print(table)
