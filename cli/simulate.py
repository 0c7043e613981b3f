"""``gnnmat simulate``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from .own_data import Quiet


def simulate_command(
    simulation: Annotated[
        str,
        typer.Argument(
            help="A YAML file with an instrument and hypotheses, or the name of a shipped one.",
            metavar="SIMULATION",
        ),
    ],
    images: Annotated[
        int, typer.Option("--images", "-n", min=1, help="Images of each hypothesis.")
    ] = 1000,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder. Default: simulated/NAME.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Decides every draw.")] = 0,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, help="Processes. Default: one a core.", show_default=False
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:1.")] = "auto",
    keep_unstable: Annotated[
        bool,
        typer.Option(
            "--keep-unstable",
            help="Keep draws whose assumed order is no minimum of the energy, marked as such.",
        ),
    ] = False,
    shard_size: Annotated[int, typer.Option("--shard-size", min=1, help="Images in a file.")] = 256,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any option by its path: --set rendering.samples=32."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Simulate spectra of every hypothesis, with random couplings, to learn from.

    Give the same command again to go on with a set that was interrupted, or a larger -n to extend
    one. The same seed gives the same images, on any number of processes.

    Powder patterns of crystals are another command: gnnmat simulate diffraction --help

    [bold]Examples[/]

      gnnmat simulate pcsmo -n 100 -o sets/try

      gnnmat simulate configs/pcsmo.yaml -n 5000 -o sets/pcsmo --seed 1

      gnnmat simulate mine.yaml --set rendering.samples=32
    """
    from rich.text import Text

    from gnnmat.simulation.hypotheses import load_simulation
    from gnnmat.workflows.simulating import simulate

    from .show import consoles

    out, err = consoles()
    chosen = load_simulation(simulation, settings or [])

    def warn(text: str) -> None:
        err.print(Text("Warning: ", style="bold yellow") + Text(text), soft_wrap=True)

    made = simulate(
        chosen,
        output or Path("simulated") / chosen.name,
        images=images,
        seed=seed,
        keep_unstable=keep_unstable,
        shard_size=shard_size,
        workers=workers,
        device=device,
        quiet=quiet,
        warn=warn,
    )
    for name, counts in made.manifest.hypotheses.items():
        out.print(
            f"{name}: {counts.drawn:,} drawn, {counts.stable:,} stable, "
            f"{counts.rejected:,} unstable; {counts.kept:,} images",
            soft_wrap=True,
        )
    if made.empty:
        out.print(f"{made.empty:,} of {made.manifest.total:,} images have no intensity at all")
    for sentence in made.manifest.warnings:
        warn(sentence)  # once more: the first time may be hours ago
    out.print(f"\nOverview:  {made.overview}", soft_wrap=True)
    learn = f"gnnmat train spectra --set data.source.path={shlex.quote(str(made.folder))}"
    out.print(f"Try next:  {learn}", soft_wrap=True, markup=False)
