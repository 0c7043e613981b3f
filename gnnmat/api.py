"""The Python API: fit, load, evaluate, cross-validate.

Each function does what the command of the same name does.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnnmat.errors import GnnmatError
from gnnmat.simulation.hypotheses import Simulation, load_simulation, parse_simulation
from gnnmat.train.config import RunConfig, find_recipe, load_config, parse_config
from gnnmat.train.judge import load_model
from gnnmat.train.predictor import Predictor
from gnnmat.workflows.cross_validation import CrossValidation
from gnnmat.workflows.cross_validation import cross_validate as _cross_validate
from gnnmat.workflows.ensemble import train_ensemble
from gnnmat.workflows.evaluating import Evaluated
from gnnmat.workflows.evaluating import evaluate_run as _evaluate_run
from gnnmat.workflows.fit_result import SpectrumFit
from gnnmat.workflows.run_folder import Run, free_folder
from gnnmat.workflows.simulating import SHARD, SimulatedSet
from gnnmat.workflows.simulating import simulate as _simulate
from gnnmat.workflows.training import resume_training, train
from gnnmat.workflows.trust import FALSE_REFUSAL, fit_trust
from gnnmat.zoo import find_model

if TYPE_CHECKING:
    import pandas as pd

    from gnnmat.models.encoder import Encoder
    from gnnmat.simulation.inference.contender import Effort
    from gnnmat.sources.records import Records
    from gnnmat.sources.spectrum import Spectrum
    from gnnmat.train.attribution import Method
    from gnnmat.train.trust import Trust
    from gnnmat.workflows.explain import Explanation

__all__ = [
    "Predictor",
    "Run",
    "cross_validate",
    "evaluate",
    "explain",
    "fit",
    "fit_spectrum",
    "load",
    "resume",
    "simulate",
    "trust",
]

Recipe = RunConfig | str | Path | Mapping[str, Any]


def fit(
    recipe: Recipe | None = None,
    *,
    structures: Sequence[Any] | None = None,
    targets: Mapping[str, Sequence[Any]] | pd.DataFrame | None = None,
    target: str | Sequence[str] = (),
    model: Encoder | None = None,
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
    records = _records(structures, targets)
    if records is not None and not names:
        names = tuple(str(name) for name in records.table.columns)
    settings = dict(options or {})
    if names:
        settings["data.targets"] = list(names)
    if recipe is None:
        recipe = "crystals" if records is not None else "known_crystals"
    config = _config(recipe, settings)
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
            console=_console(progress),
        ).run
    return train(
        config,
        folder,
        records=records,
        model=model,
        overwrite=overwrite,
        console=_console(progress),
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
        Path(run), records=_records(structures, targets), model=model, console=_console(progress)
    )


def load(
    run: str | Path, *, model: Encoder | None = None, samples: int = 0, seed: int = 0
) -> Predictor:
    """A trained run, an ensemble or a shipped model, ready to predict.

    Where thresholds were fixed (`gnnmat trust`), the table of predictions has ``verdict`` and
    ``in_distribution``; an ensemble adds ``disagreement``.

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
    scores: Sequence[str] | None = None,
    samples: int = 0,
    draws: int = 1,
) -> Trust:
    """What is in distribution for a run or an ensemble, kept in its folder.

    `load` then gives predictions with a verdict.

    Args:
        run: the run folder.
        structures: what it was trained on, if that was given to `fit`.
        targets: likewise.
        model: the user's own encoder, if the run has one.
        false_refusal: share of validation samples that may be refused.
        scores: those that count in the verdict; default all.
        samples: draws of the dropout of each member.
        draws: looks at each validation row, with other noise each time.
    """
    return fit_trust(
        Path(run),
        records=_records(structures, targets),
        model=model,
        false_refusal=false_refusal,
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
    records = _records(structures, targets)
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
    config = _config(recipe, options or {})
    folder = Path(output) if output is not None else free_folder(f"{config.name}-crossval")
    return _cross_validate(
        config, folder, folds=folds, overwrite=overwrite, console=_console(progress)
    )


def simulate(
    simulation: Simulation | str | Path | Mapping[str, Any],
    output: str | Path | None = None,
    *,
    images: int = 1000,
    seed: int = 0,
    keep_unstable: bool = False,
    shard_size: int = SHARD,
    workers: int | None = None,
    device: str = "auto",
    options: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> SimulatedSet:
    """Simulated spectra of every hypothesis in a folder; goes on with an interrupted set.

    Args:
        simulation: a `Simulation`, the name of a shipped one, a YAML file, or plain options.
        output: folder; default ``simulated/<name>``.
        images: of each hypothesis; a larger number extends a set.
        seed: decides every draw.
        keep_unstable: keep draws whose assumed order is no minimum of the energy.
        shard_size: images in a file.
        workers: processes; default one a core.
        device: 'auto', 'cpu', 'cuda' or 'cuda:1'.
        options: dotted options, such as ``{"rendering.samples": 32}``.
        progress: show progress bars.

    Returns:
        The set: ``set.table``, ``set.manifest``, ``set.overview``, ``set.open()``.

    Example:
        >>> made = gnnmat.simulate("pcsmo", images=100)  # doctest: +SKIP
        >>> gnnmat.fit(options={"data.source.kind": "simulated",
        ...                     "data.source.path": str(made.folder)})  # doctest: +SKIP
    """
    overrides = [f"{name}={_as_yaml(value)}" for name, value in (options or {}).items()]
    if isinstance(simulation, str | Path):
        chosen = load_simulation(simulation, overrides)
    elif overrides:
        raise GnnmatError(
            "Options go with the name or the file of a simulation.",
            fix="Write them into the simulation itself.",
        )
    elif isinstance(simulation, Simulation):
        chosen = simulation
    else:
        chosen = parse_simulation(dict(simulation))
    return _simulate(
        chosen,
        Path(output) if output is not None else Path("simulated") / chosen.name,
        images=images,
        seed=seed,
        keep_unstable=keep_unstable,
        shard_size=shard_size,
        workers=workers,
        device=device,
        quiet=not progress,
        warn=lambda text: warnings.warn(text, stacklevel=3),
    )


def fit_spectrum(
    spectrum: Spectrum | str | Path,
    simulation: Simulation | str | Path | Mapping[str, Any] = "pcsmo",
    *,
    start: str | Path | Mapping[str, Any] = "search",
    mask: str | Path | None = None,
    hypotheses: Sequence[str] = (),
    effort: Effort | None = None,
    incident_energies: Sequence[float] = (),
    output: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
    settings: Sequence[str] = (),
    progress: bool = False,
) -> SpectrumFit:
    """Every hypothesis fitted to a spectrum: couplings with errors, misfit, odds, advice.

    Args:
        spectrum: a file, or a `Spectrum`.
        simulation: instrument and hypotheses, as in `simulate`.
        start: ``"search"`` the ranges; a trained run (folder or name) that knows couplings; or
            values in meV by hypothesis, ``{"dimer": {"JFS": -14.2, ...}}``.
        mask: .npy or .npz file, True where there is no detector, beside the spectrum's own.
        hypotheses: names of those to fit; default all.
        effort: how thoroughly; default minutes.
        incident_energies: settings not measured yet, to be judged as the next, meV.
        output: folder for tables and images; default none.
        overwrite: replace a fit in ``output``.
        seed: decides every draw.
        device: 'auto', 'cpu', 'cuda' or 'cuda:1'.
        settings: options of the simulation, ``"rendering.samples=32"``.
        progress: show a progress bar.

    Returns:
        ``result.best.values``, ``result["dimer"].errors``, ``result.conclusion`` and more.

    Example:
        >>> result = gnnmat.fit_spectrum("measured.npz", "pcsmo")  # doctest: +SKIP
        >>> print(result.conclusion)  # doctest: +SKIP
    """
    from dataclasses import replace

    from gnnmat.simulation.inference.contender import Effort
    from gnnmat.workflows.fit_spectrum import fit_spectrum as fit_one
    from gnnmat.workflows.measured_spectrum import measured_spectrum
    from gnnmat.workflows.rendering import choose_device

    if isinstance(simulation, str | Path):
        chosen = load_simulation(simulation, settings)
    elif isinstance(simulation, Simulation):
        chosen = simulation
    else:
        chosen = parse_simulation(dict(simulation))
    starts, run = (start, None) if isinstance(start, Mapping) else (None, start)
    run = None if str(run) == "search" else run
    return fit_one(
        measured_spectrum(spectrum, chosen, mask=mask, run=run),
        chosen,
        hypotheses=hypotheses,
        run=run,
        starts=starts,
        effort=replace(effort or Effort(), seed=seed),
        incident_energies=incident_energies,
        output=Path(output) if output is not None else None,
        overwrite=overwrite,
        device=choose_device(device),
        quiet=not progress,
    )


def explain(
    run: str | Path,
    spectrum: Spectrum | str | Path,
    *,
    output: str | Path | None = None,
    method: Method = "gradient_x_input",
    fit: SpectrumFit | None = None,
) -> Explanation:
    """What in a spectrum spoke for the answer of a network, and whether to trust it.

    Args:
        run: folder of a run or an ensemble, or the name of a shipped model.
        spectrum: a file, or a `Spectrum`.
        output: file of the HTML page; default none.
        method: 'gradient_x_input' or 'integrated_gradients' for every network; 'grad_cam' for
            encoders whose last map covers the image; 'cam', the exact one, for those of them
            whose mean over that map goes into one linear layer.
        fit: from `fit_spectrum`, to be shown on the page.

    Returns:
        ``found.label``, ``found.scores``, ``found.verdict``, ``found.map`` and more.
    """
    from gnnmat.workflows.explain import explain as _explain
    from gnnmat.workflows.explain import write_page

    found = _explain(run, spectrum, method=method, fit=fit)
    if output is not None:
        write_page(found, Path(output), model=str(run))
    return found


def _config(recipe: Recipe, options: Mapping[str, Any]) -> RunConfig:
    overrides = [f"{name}={_as_yaml(value)}" for name, value in options.items()]
    if isinstance(recipe, RunConfig):
        plain: Mapping[str, Any] = recipe.model_dump(mode="json")
    elif isinstance(recipe, Mapping):
        plain = recipe
    else:
        return load_config(find_recipe(recipe), overrides)
    return parse_config(plain, overrides)


def _as_yaml(value: Any) -> str:
    import json

    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _records(
    structures: Sequence[Any] | None,
    targets: Mapping[str, Sequence[Any]] | pd.DataFrame | None,
) -> Records | None:
    if structures is None:
        if targets is not None:
            raise GnnmatError("Targets were given without structures.")
        return None
    from gnnmat.sources.objects import records_from_objects

    if targets is None:
        raise GnnmatError(
            "Structures were given without targets.", fix='targets={"band_gap": [...]}'
        )
    return records_from_objects(structures, targets=targets)


def _console(progress: bool) -> Any:
    if not progress:
        return None
    from rich.console import Console

    return Console(stderr=True)
