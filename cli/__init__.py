"""The command line: one command a file, thin; the work is done below."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gnnmat.errors import GnnmatError, GnnmatWarning

from .audit import audit_command
from .config import config_command
from .crossval import crossval_command
from .datasets import datasets_app
from .evaluate import evaluate_command
from .explain import explain_command
from .fit_spectrum import fit_spectrum_command
from .foreign import foreign_command
from .match import match_command
from .models import models_command
from .predict import predict_command
from .pu import pu_command
from .screen import screen_command
from .sensitivity import sensitivity_command
from .simulate import simulate_command
from .simulate_diffraction import simulate_diffraction_command
from .train import train_command
from .trust import trust_command
from .tune import tune_command


class _PlainErrors(TyperGroup):
    """Prints a user's mistake in words and exits with 2; ``--debug`` shows where it arose."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # --debug is welcome anywhere on the line, not only before the command.
        ctx.meta["debug"] = "--debug" in args
        return super().parse_args(ctx, [arg for arg in args if arg != "--debug"])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        # A command may have two words, such as "simulate diffraction".
        both = " ".join(args[:2])
        return super().resolve_command(ctx, [both, *args[2:]] if both in self.commands else args)

    def invoke(self, ctx: Any) -> Any:
        try:
            with warnings.catch_warnings():
                shown = warnings.showwarning
                warnings.showwarning = partial(_show_note, shown)
                return super().invoke(ctx)
        except GnnmatError as error:
            if ctx.meta["debug"]:
                raise
            _print_error(error)
            raise typer.Exit(2) from None
        except BrokenPipeError:
            raise  # `gnnmat ... | head`: nothing is wrong
        except OSError as error:
            if ctx.meta["debug"]:
                raise
            why = error.strerror or str(error)
            where = error.filename or "A file"
            _print_error(GnnmatError(f"{where} cannot be read or written.", why=why))
            raise typer.Exit(2) from None
        except KeyboardInterrupt as interrupt:
            if ctx.meta["debug"]:
                raise
            print(f"\nInterrupted. {interrupt}".rstrip(), file=sys.stderr)
            raise typer.Exit(130) from None


def _show_note(
    usual: Callable[..., None],
    message: Warning | str,
    kind: type[Warning],
    *place: Any,
    **more: Any,
) -> None:
    """Our own warnings in words alone; those of others as Python shows them."""
    if issubclass(kind, GnnmatWarning):
        print(f"Note: {message}", file=sys.stderr)
    else:
        usual(message, kind, *place, **more)


def _print_error(error: GnnmatError) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    console.print(Text("Error: ", style="bold red") + Text(error.what), soft_wrap=True)
    if error.why:
        console.print(Text(error.why), soft_wrap=True)
    if error.fix:
        console.print(Text("Fix: ", style="bold green") + Text(error.fix), soft_wrap=True)


app = typer.Typer(
    name="gnnmat",
    cls=_PlainErrors,
    help="Train, test and use neural networks on crystals and neutron spectra.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from gnnmat import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    pass


app.command("simulate")(simulate_command)
app.command("simulate diffraction")(simulate_diffraction_command)
app.command("match")(match_command)
app.command("train")(train_command)
app.command("predict")(predict_command)
app.command("trust")(trust_command)
app.command("sensitivity")(sensitivity_command)
app.command("foreign")(foreign_command)
app.command("fit-spectrum")(fit_spectrum_command)
app.command("explain")(explain_command)
app.command("evaluate")(evaluate_command)
app.command("crossval")(crossval_command)
app.command("tune")(tune_command)
app.command("audit")(audit_command)
app.command("pu")(pu_command)
app.command("screen")(screen_command)
app.command("models")(models_command)
app.command("config")(config_command)
app.add_typer(datasets_app, name="datasets")
