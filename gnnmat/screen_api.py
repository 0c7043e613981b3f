"""The Python API of screening: from many candidates to a shortlist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnnmat.api_inputs import as_yaml, make_console
from gnnmat.errors import GnnmatError

if TYPE_CHECKING:
    from gnnmat.workflows.screening.config import ScreenConfig
    from gnnmat.workflows.screening.result import ScreenRun
    from gnnmat.workflows.screening.stage import Stage

__all__ = ["screen"]

RECIPE = "superhard"


def screen(
    recipe: ScreenConfig | str | Path | Mapping[str, Any] | None = None,
    *,
    structures: Sequence[Any] | str | Path | None = None,
    ids: Sequence[str] | None = None,
    stages: Sequence[Stage | Mapping[str, Any]] | None = None,
    output: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    engine: str = "local",
    workers: int | None = None,
    progress: bool = False,
) -> ScreenRun:
    """A finished screen; the same call goes on with one that was interrupted.

    Args:
        recipe: a `ScreenConfig`, the name of a shipped recipe, a YAML file or plain options;
            default ``superhard``.
        structures: candidates instead of the recipe's: paths of files or folders, a table of
            structures, or objects of pymatgen, ASE or gnnmat.
        ids: names of objects; default by position.
        stages: instead of the recipe's, such as ``gnnmat.stages.Filter(keep="atoms <= 20")``.
        output: folder of the screen; default ``runs/<name>``.
        options: dotted options, such as ``{"stages.best.keep": 20}``.
        engine: ``local``, or ``ray``.
        workers: processes; default one a core.
        progress: show progress bars.

    Returns:
        The screen: ``found.shortlist``, ``found.candidates``, ``found.summary``, ``found.report``,
        ``found.propose(20)``.

    Raises:
        GnnmatError: what is wrong, why, and how to mend it.

    Example:
        >>> found = gnnmat.screen("superhard", structures="crystals/")  # doctest: +SKIP
        >>> found.shortlist[["id", "formula", "hardness"]]  # doctest: +SKIP
    """
    from gnnmat.engine import spread_by
    from gnnmat.workflows.screening.paging import safe_name
    from gnnmat.workflows.screening.run import screen as run_screen

    config, records = _given(recipe, structures, ids, stages, dict(options or {}))
    folder = Path(output) if output is not None else Path("runs") / safe_name(config.name)
    with spread_by(engine):
        return run_screen(
            config, folder, records=records, workers=workers, console=make_console(progress)
        )


def _given(
    recipe: Any, structures: Any, ids: Any, stages: Any, options: dict[str, Any]
) -> tuple[ScreenConfig, Any]:
    """The config, and records of objects where candidates are no files."""
    from gnnmat.sources.objects import records_from_objects
    from gnnmat.workflows.screening.config import (
        ScreenConfig,
        load_screen,
        parse_screen,
        source_of,
    )

    overrides = [f"{name}={as_yaml(value)}" for name, value in options.items()]
    records = None
    several: list[Any] = []
    if structures is not None:
        if isinstance(structures, (str, Path)):
            several = [structures]
        elif isinstance(structures, (list, tuple)):
            several = list(structures)
        else:
            raise GnnmatError(
                f"structures is a {type(structures).__name__}.",
                why="It takes a list of paths or objects, or the path of a folder or a table.",
                fix="Give a list, even for one: structures=[structure]",
            )
        if not several:
            raise GnnmatError("There is no candidate.", why="The list of structures is empty.")
        if ids is None and all(isinstance(one, (str, Path)) for one in several):
            overrides.append(f"source={source_of([str(one) for one in several])}")
        else:
            records = records_from_objects(several, ids)
            overrides.append('source={"kind": "files", "structures": []}')
    plain: Any = recipe
    if isinstance(recipe, ScreenConfig):
        plain = recipe.model_dump(mode="json")
    if stages is not None:
        given = [one if isinstance(one, Mapping) else one.model_dump(mode="json") for one in stages]
        if recipe is None and structures is None:
            raise GnnmatError("Stages were given without candidates.", fix="structures=...")
        base = {} if recipe is None else _options(plain)
        plain = {"name": "screen", **base, "stages": given}
    if isinstance(plain, Mapping):
        return parse_screen(plain, overrides), records
    return load_screen(plain or RECIPE, overrides), records


def _options(recipe: Any) -> Mapping[str, Any]:
    """The options of a recipe in any form."""
    from gnnmat.workflows.screening.config import load_screen

    if isinstance(recipe, Mapping):
        return recipe
    plain: dict[str, Any] = load_screen(recipe).model_dump(mode="json")
    return plain
