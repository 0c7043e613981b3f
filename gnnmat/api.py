"""The Python API: fit, load, evaluate, cross-validate.

Each function does what the command of the same name does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnnmat.api_inputs import Recipe, make_config, make_console, make_records
from gnnmat.errors import GnnmatError
from gnnmat.train.judge import load_model
from gnnmat.train.predictor import Predictor
from gnnmat.workflows.cross_validation import CrossValidation
from gnnmat.workflows.cross_validation import cross_validate as _cross_validate
from gnnmat.workflows.ensemble import train_ensemble
from gnnmat.workflows.evaluating import Evaluated
from gnnmat.workflows.evaluating import evaluate_run as _evaluate_run
from gnnmat.workflows.run_folder import Run, free_folder
from gnnmat.workflows.training import resume_training, train
from gnnmat.workflows.trust import COVERAGE, FALSE_REFUSAL, fit_trust
from gnnmat.zoo import find_model

if TYPE_CHECKING:
    import pandas as pd

    from gnnmat.models.encoder import Encoder
    from gnnmat.train.trust import Trust

__all__ = [
    "Predictor",
    "Run",
    "cross_validate",
    "evaluate",
    "fit",
    "load",
    "resume",
    "trust",
]


def fit(
    recipe: Recipe | None = None,
    *,
    structures: Sequence[Any] | None = None,
    targets: Mapping[str, Sequence[Any]] | pd.DataFrame | None = None,
    target: str | Sequence[str] = (),
    model: Encoder | None = None,
    start: str | Path | Mapping[str, Any] | None = None,
    members: int = 1,
    output: str | Path | None = None,
    overwrite: bool = False,
    options: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Run:
    """A trained run.

    Args:
        recipe: a `RunConfig`, the name of a shipped recipe, a YAML file, or plain options;
            default ``crystals`` with structures of your own, else ``known_crystals``.
        structures: paths, pymatgen ``Structure``, ASE ``Atoms`` or `Crystal` to learn from,
            instead of the recipe's data.
        targets: values by column, one for each structure; NaN or None where unknown.
        target: column or columns to learn; default all columns of ``targets``, or what the
            recipe says.
        model: your own encoder, instead of the recipe's.
        start: run folder or shipped model to begin with, or the options of ``start``, such as
            ``{"run": "runs/energy", "freeze": True}``.
        members: fits with different seeds; more than one is an ensemble, which goes on where it
            was interrupted when it is asked for again in the same ``output``.
        output: run folder; default ``runs/<name>``, with a number if that is taken.
        overwrite: replace a run in ``output``.
        options: dotted options, such as ``{"trainer.epochs": 20}``.
        progress: show progress bars.

    Returns:
        The run: ``run.metrics``, ``run.predictions``, ``run.report``, ``run.load()``.

    Raises:
        GnnmatError: what is wrong, why, and how to mend it.

    Example:
        >>> run = gnnmat.fit(structures=crystals, targets={"band_gap": gaps})  # doctest: +SKIP
        >>> run.load().predict(["new.cif"])  # doctest: +SKIP
    """
    names = (target,) if isinstance(target, str) else tuple(target)
    records = make_records(structures, targets)
    if records is not None and not names:
        names = tuple(str(name) for name in records.table.columns)
    settings = dict(options or {})
    if names:
        settings["data.targets"] = list(names)
    if start is not None:
        settings["start"] = dict(start) if isinstance(start, Mapping) else {"run": str(start)}
    if recipe is None:
        recipe = "crystals" if records is not None else "known_crystals"
    config = make_config(recipe, settings)
    folder = Path(output) if output is not None else free_folder(config.name)
    if members > 1:
        if model is not None:
            raise GnnmatError(
                "Every member of an ensemble begins with weights of its own, but the model given "
                "has some already.",
                fix="Use a model of the recipe, or call fit once a member.",
            )
        return train_ensemble(
            config,
            folder,
            members=members,
            records=records,
            overwrite=overwrite,
            console=make_console(progress),
        ).run
    return train(
        config,
        folder,
        records=records,
        model=model,
        overwrite=overwrite,
        console=make_console(progress),
    )


def resume(
    run: str | Path,
    *,
    structures: Sequence[Any] | None = None,
    targets: Mapping[str, Sequence[Any]] | pd.DataFrame | None = None,
    model: Encoder | None = None,
    progress: bool = False,
) -> Run:
    """The interrupted run in a folder, taken up after its last finished epoch and finished.

    A run that came to its end is opened and left as it is.

    Args:
        run: the run folder.
        structures: what it was trained on, if that was given to `fit`.
        targets: likewise.
        model: the encoder that was given to `fit`, freshly made.
        progress: show progress bars.
    """
    return resume_training(
        Path(run),
        records=make_records(structures, targets),
        model=model,
        console=make_console(progress),
    )


def load(
    run: str | Path, *, model: Encoder | None = None, samples: int = 0, seed: int = 0
) -> Predictor:
    """A trained run, an ensemble or a shipped model, ready to predict.

    Where thresholds were fixed (`gnnmat trust`), the table of predictions has ``verdict``,
    ``in_distribution`` (``in_domain`` for crystals), and ``interval_low`` and ``interval_high``
    for numbers; an ensemble adds ``disagreement``.

    Args:
        run: folder written by a training, or the name of a shipped model.
        model: the user's own encoder, if it was trained with one.
        samples: draws of the dropout of each member, for runs trained with dropout.
        seed: of the dropout.

    Raises:
        GnnmatError: not a finished run, or its files are damaged.
    """
    return load_model(find_model(run), model=model, samples=samples, seed=seed)


def trust(
    run: str | Path,
    *,
    structures: Sequence[Any] | None = None,
    targets: Mapping[str, Sequence[Any]] | pd.DataFrame | None = None,
    model: Encoder | None = None,
    false_refusal: float = FALSE_REFUSAL,
    coverage: float = COVERAGE,
    scores: Sequence[str] | None = None,
    samples: int = 0,
    draws: int = 1,
) -> Trust:
    """What is in distribution for a run or an ensemble, kept in its folder.

    `load` then gives predictions with a verdict, and numbers with an interval.

    Args:
        run: the run folder.
        structures: what it was trained on, if that was given to `fit`.
        targets: likewise.
        model: the user's own encoder, if the run has one.
        false_refusal: share of validation samples that may be refused.
        coverage: share of new samples whose true number lies in its interval.
        scores: those that count in the verdict; default all.
        samples: draws of the dropout of each member.
        draws: looks at each validation row, with other noise each time.
    """
    return fit_trust(
        Path(run),
        records=make_records(structures, targets),
        model=model,
        false_refusal=false_refusal,
        coverage=coverage,
        scores=scores,
        samples=samples,
        draws=draws,
    )


def evaluate(
    run: str | Path,
    *,
    structures: Sequence[Any] | None = None,
    targets: Mapping[str, Sequence[Any]] | pd.DataFrame | None = None,
    model: Encoder | None = None,
) -> Evaluated:
    """Scores of a trained run on labelled data it was not given.

    Args:
        run: the run folder.
        structures: what to predict.
        targets: the truth, by column.
        model: the user's own encoder, if the run has one.

    Returns:
        ``metrics`` (rows of metric, value, low, high, n, unit) and ``predictions``.
    """
    records = make_records(structures, targets)
    if records is None:
        raise GnnmatError("evaluate needs structures and targets.")
    return _evaluate_run(Path(run), records, model=model)


def cross_validate(
    recipe: Recipe = "known_crystals",
    *,
    folds: int = 5,
    output: str | Path | None = None,
    overwrite: bool = False,
    options: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> CrossValidation:
    """Scores over k folds, each a run of its own; resumes where it was interrupted.

    Args:
        recipe: as in `fit`.
        folds: number of folds; a data set with official folds uses those.
        output: folder, one run folder a fold in it.
        overwrite: begin again in a folder that is there.
        options: dotted options.
        progress: show progress bars.
    """
    config = make_config(recipe, options or {})
    folder = Path(output) if output is not None else free_folder(f"{config.name}-crossval")
    return _cross_validate(
        config, folder, folds=folds, overwrite=overwrite, console=make_console(progress)
    )
