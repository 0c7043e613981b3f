"""``gnnmat config``."""

from __future__ import annotations

from typing import Annotated

import typer


def config_command(
    recipe: Annotated[
        str, typer.Argument(help="A YAML file, or the name of a shipped recipe or simulation.")
    ] = "crystals",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Any option by its path.")
    ] = None,
) -> None:
    """Print a recipe in full, every option explained; a start for your own.

    A simulation is printed as it was written, with its comments.

    [bold]Example[/]

      gnnmat config crystals --set task.kind=classification > mine.yaml

      gnnmat config square_lattice > mine.yaml            # for gnnmat simulate
    """
    from gnnmat.shipped import recipes

    simulations = recipes("simulation")
    if recipe in simulations:
        from gnnmat.simulation.hypotheses import load_simulation
        from gnnmat.workflows.set_folder import simulation_text

        changed = simulation_text(load_simulation(recipe, settings)) if settings else ""
        typer.echo(changed or simulations[recipe].read_text(encoding="utf-8"), nl=False)
        return
    from gnnmat.train.annotate import annotated_yaml
    from gnnmat.train.config import load_config

    typer.echo(annotated_yaml(load_config(recipe, settings or [])), nl=False)
