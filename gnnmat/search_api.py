"""The Python API of what looks at many fits: searches over options, audits of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gnnmat.api_inputs import Recipe, as_yaml, make_config, make_console, make_records

if TYPE_CHECKING:
    import pandas as pd

    from gnnmat.workflows.label_audit import LabelAudit
    from gnnmat.workflows.pu.folder import PuRun
    from gnnmat.workflows.tune import Tuned

__all__ = ["audit", "learn_pu", "tune"]


def tune(
    recipe: Recipe = "known_crystals",
    *,
    budget: int | None = None,
    hours: float | None = None,
    space: Sequence[str] = (),
    structures: Sequence[Any] | None = None,
    targets: Mapping[str, Sequence[Any]] | pd.DataFrame | None = None,
    output: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Tuned:
    """A search over options of a recipe, judged on its validation rows; goes on when called again.

    Args:
        recipe: as in `fit`.
        budget: trials altogether; default 20, or no limit where ``hours`` is given.
        hours: no trial begins after so long.
        space: lines as of ``gnnmat tune --space``; default rate, decay, batch size, width, layers.
        structures: as in `fit`.
        targets: likewise.
        output: folder of the search; default ``runs/<name>-tune``.
        options: dotted options.
        progress: show progress bars.

    Returns:
        ``best`` (a `RunConfig`), ``value``, ``trials``, ``importance``, ``folder``.
    """
    from gnnmat.workflows.search_space import parse_space
    from gnnmat.workflows.tune import tune as _tune

    config = make_config(recipe, options or {})
    return _tune(
        config,
        Path(output) if output is not None else Path("runs") / f"{config.name}-tune",
        budget=budget,
        hours=hours,
        space=parse_space(space) if space else None,
        records=make_records(structures, targets),
        console=make_console(progress),
    )


def learn_pu(
    recipe: str | Path = "synthesizability",
    *,
    structures: Sequence[Any] | None = None,
    targets: Mapping[str, Sequence[Any]] | pd.DataFrame | None = None,
    target: str | None = None,
    output: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> PuRun:
    """Scores of positive and unlabelled crystals, each by fits that have not seen its formula.

    Args:
        recipe: with a section ``pu``: a file, or the name of a shipped one.
        structures: as in `fit`.
        targets: likewise; 1 for positive, 0 for unlabelled, nothing for rows that are not used.
        target: column of the labels; default the only one there is.
        output: folder of the run; default ``runs/<name>``. The same call again goes on there.
        options: dotted options, such as ``{"pu.fits": 12}``.
        overwrite: begin again.
        progress: show progress bars.

    Returns:
        ``scores`` (a table), ``summary``, ``folder``, and ``load()`` for new crystals.
    """
    from gnnmat.workflows.pu.options import load_pu
    from gnnmat.workflows.pu.run import learn_pu as _learn_pu

    given = dict(options or {})
    if structures is not None:  # of the recipe's own data are its source and its columns
        given = {"data.source.kind": "card", "data.targets": [], "pu.compare": [], **given}
    if target is not None:
        given["data.targets"] = [target]
    lines = [f"{name}={as_yaml(value)}" for name, value in given.items()]
    config = load_pu(recipe, lines)
    return _learn_pu(
        config,
        Path(output) if output is not None else Path("runs") / config.run.name,
        records=make_records(structures, targets),
        overwrite=overwrite,
        console=make_console(progress),
    )


def audit(
    *runs: str | Path,
    target: str | None = None,
    scale: Literal["learned", "linear", "log"] = "learned",
) -> LabelAudit:
    """Labels that models which have not seen them agree to be wrong, the most suspect first.

    Args:
        runs: folders of cross-validations, ensembles or runs on the same data.
        target: only this one.
        scale: where differences are measured; 'learned' as the network was trained.

    Returns:
        ``table`` and ``suspects``, both a row a label.
    """
    from gnnmat.workflows.label_audit import audit_labels

    return audit_labels([Path(run) for run in runs], target=target, scale=scale)
