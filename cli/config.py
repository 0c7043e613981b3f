"""``gnnmat config``."""

from __future__ import annotations

from typing import Annotated

import typer


def config_command(
    recipe: Annotated[
        str, typer.Argument(help="A YAML file, or the name of a shipped recipe.")
    ] = "crystals",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Any option by its path.")
    ] = None,
) -> None:
    """Print a recipe in full, every option explained; a start for your own.

    [bold]Example[/]

      gnnmat config crystals --set task.kind=classification > mine.yaml
    """
    from gnnmat.train.annotate import annotated_yaml
    from gnnmat.train.config import load_config

    typer.echo(annotated_yaml(load_config(recipe, settings or [])), nl=False)
