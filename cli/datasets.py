"""``gnnmat datasets``: what data sets there are, what is in them, and how to get them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from gnnmat.sources.card import Card, CardSource, Fetched
    from gnnmat.sources.card_schema import CardFile
    from gnnmat.sources.records import Records

datasets_app = typer.Typer(
    help="List, show, check and fetch data sets.", no_args_is_help=True, rich_markup_mode=None
)

PREVIEW = 5  # rows
NO_CHECKSUM = "unverified: the card holds no checksum"


def _names(incomplete: str) -> list[str]:
    from gnnmat.sources.card import shipped_cards

    return [name for name in shipped_cards() if name.startswith(incomplete)]


Name = Annotated[
    str,
    typer.Argument(
        help="Name of a data set, or path of a card of your own (.yaml).",
        metavar="NAME",
        autocompletion=_names,
    ),
]


@datasets_app.command("list")
def list_command() -> None:
    """List the data sets that gnnmat knows."""
    from gnnmat.sources.card import CardSource, shipped_cards

    table = _table("name", "rows", "target", "licence", "on disk")
    for name in shipped_cards():
        source = CardSource(name=name)
        card = source.card
        rows = f"{card.rows:,}" if card.rows else ""
        licence = card.licence.split("(")[0].split(";")[0].split(" in ")[0].strip()
        _row(table, card.name, rows, _target(card), licence, _on_disk(source))
    console = _console()
    console.print(table)
    console.print("More: gnnmat datasets show NAME", markup=False, highlight=False)


@datasets_app.command("show")
def show_command(name: Name) -> None:
    """Show a data set's card: source, licence, files, columns with units, split."""
    from gnnmat.sources.card import CardSource

    source = CardSource(name=name)
    card = source.card
    console = _console()
    facts = _table("", "", show_header=False)
    for key in ("name", "title", "description", "source", "licence", "doi", "citation"):
        _row(facts, key, str(getattr(card, key)))
    _row(facts, "rows", f"{card.rows:,}" if card.rows else "")
    _row(facts, "target", _target(card))
    _row(facts, "split", _split(card))
    _row(facts, "on disk", _on_disk(source))
    _row(facts, "access", card.access)
    _row(facts, "read at", card.provenance)
    console.print(facts)
    for file, path in _files(source):
        # Not in the table, which would break addresses and checksums over lines.
        _say(f"file   {file.url or path}\nsha256 {file.sha256 or NO_CHECKSUM}")
    columns = _table("column", "unit", "meaning", "classes")
    for column, about in card.columns.items():
        _row(columns, column, about.unit, about.meaning, ", ".join(about.classes))
    console.print(columns)
    if card.files and all(file.path and path.is_file() for file, path in _files(source)):
        _preview(console, source.open())


@datasets_app.command("check")
def check_command(name: Name) -> None:
    """Check a data set on disk: files, checksums, columns, and every crystal in it."""
    from gnnmat.engine import Failure, run_items
    from gnnmat.errors import GnnmatError
    from gnnmat.sources.card import CardSource

    source = CardSource(name=name)
    card = source.card
    if not card.files:
        raise GnnmatError(f"Data set '{card.name}' has no file to check.", why=card.access)
    _report(source.verify())
    records = source.open()
    results = run_items(records.read, records.raws, label="Reading crystals")
    failures = [result for result in results if isinstance(result, Failure)]
    refused = [(item.origin, item.reason) for item in records.refused]
    refused += [(records.origin(failure.index), failure.reason) for failure in failures]
    for origin, reason in refused:
        _say(f"refused: {origin}: {reason}")
    _say(f"{len(records) - len(failures):,} crystals read, {len(refused):,} refused.")
    rows = len(records) + len(records.refused)
    if card.rows is not None and rows != card.rows:
        raise GnnmatError(
            f"Data set '{card.name}' has another number of rows than its card says.",
            why=f"Expected {card.rows:,}, got {rows:,}.",
        )


@datasets_app.command("fetch")
def fetch_command(name: Name) -> None:
    """Download a data set and compare its files with their checksums."""
    from gnnmat.sources.card import CardSource

    _report(CardSource(name=name).fetch())


def _report(files: list[Fetched]) -> None:
    for fetched in files:
        _say(f"{fetched.path} ({fetched.path.stat().st_size:,} bytes)")
        _say(f"sha256 {fetched.sha256} ({'verified' if fetched.verified else NO_CHECKSUM})")


def _preview(console: Console, records: Records) -> None:
    table = _table("id", *map(str, records.table.columns))
    for row in range(min(PREVIEW, len(records))):
        values = records.table.iloc[row]
        cells = ["" if value is None or value != value else str(value) for value in values]
        _row(table, records.ids[row], *cells)
    console.print(table)
    console.print(f"{PREVIEW} of {len(records):,} rows", highlight=False)


def _files(source: CardSource) -> list[tuple[CardFile, Path]]:
    return list(zip(source.card.files, source.paths(), strict=True))


def _on_disk(source: CardSource) -> str:
    if not source.card.files:
        return "no file"
    there = [path.is_file() for path in source.paths()]
    return "yes" if all(there) else "no"


def _target(card: Card) -> str:
    column = card.columns[card.target]
    unit = "/".join(column.classes) or column.unit
    return f"{card.target} ({unit})" if unit else card.target


def _split(card: Card) -> str:
    if card.split is None:
        return ""
    settings = card.split.model_dump(exclude={"kind"}).items()
    return f"{card.split.kind}: " + ", ".join(f"{key} {value}" for key, value in settings)


def _console() -> Console:
    from rich.console import Console

    return Console()


def _say(line: str) -> None:
    typer.echo(line)


def _table(*names: str, show_header: bool = True) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, show_header=show_header)
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _row(table: Table, *cells: str) -> None:
    # As text: a card may hold brackets, which rich would take for markup.
    from rich.text import Text

    if any(cells[1:]):
        table.add_row(*(Text(cell) for cell in cells))
