"""Couplings to start a fit from: a trained network's, or a user's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.simulation.hypotheses import Simulation
from gnnmat.simulation.inference.space import CouplingSpace, Floats, ImageSimulator, is_stable
from gnnmat.sources.records import Records
from gnnmat.sources.spectrum import Spectrum

AROUND = 64  # draws around couplings whose order is not stable
Values = Sequence[float] | Mapping[str, float]


def network_starts(
    run: str | Path, spectrum: Spectrum, simulation: Simulation
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Couplings by hypothesis as a trained run sees them, and their errors, meV.

    A run that knows only some hypotheses says nothing of the others. Without errors of its own,
    an estimate is taken to be wrong by a twentieth of the range.

    Args:
        run: folder of a run or of an ensemble, or the name of a shipped model.
        spectrum: what is fitted.
        simulation: names and ranges of the couplings.

    Raises:
        GnnmatError: no such run, or it predicts none of the couplings.
    """
    from gnnmat.train.judge import load_model
    from gnnmat.zoo import find_model

    table = load_model(find_model(run)).predict(one_spectrum(spectrum))
    by_target = {str(row["target"]): row for _, row in table.iterrows()}
    starts, errors = {}, {}
    for name in simulation.names:
        wanted = [f"{name}.{coupling}" for coupling in simulation.couplings(name)]
        if not all(target in by_target for target in wanted):
            continue
        rows = [by_target[target] for target in wanted]
        starts[name] = np.array([float(row["prediction"]) for row in rows])
        ranges = simulation.ranges(name)
        tenth = 0.05 * (ranges[:, 1] - ranges[:, 0])
        given = np.array([float(row.get("error", np.nan)) for row in rows])
        errors[name] = np.where(np.isfinite(given), given, tenth)
    if not starts:
        first = simulation.names[0]
        raise GnnmatError(
            f"{run} does not predict the couplings of {' or '.join(simulation.names)}.",
            why=f"Wanted {first}.{simulation.couplings(first)[0]} and the like; it predicts "
            f"{', '.join(sorted(by_target)[:6])}.",
            fix="Name a run that was trained on couplings, or search: --start search",
        )
    return starts, errors


def knows_couplings(run: str | Path, simulation: Simulation) -> bool:
    """Whether a trained run predicts all couplings of a hypothesis."""
    from gnnmat.train.judge import load_model
    from gnnmat.zoo import find_model

    targets = set(load_model(find_model(run)).targets)
    wanted = ({f"{name}.{one}" for one in simulation.couplings(name)} for name in simulation.names)
    return any(names <= targets for names in wanted)


def one_spectrum(spectrum: Spectrum) -> Records:
    """The spectrum as the only record of a source."""
    sha = hashlib.sha256(np.ascontiguousarray(spectrum.image).tobytes())
    sha.update(np.packbits(spectrum.mask).tobytes())
    return Records(
        ids=[spectrum.name],
        raws=[spectrum],
        read=as_it_is,
        fingerprint=sha.hexdigest(),
        table=pd.DataFrame(index=[0]),
        layout=spectrum.layout.to_dict() if spectrum.layout is not None else {},
    )


def as_it_is(spectrum: Spectrum) -> Spectrum:
    """The spectrum."""
    return spectrum


def given_start(name: str, values: Values, space: CouplingSpace) -> Floats:
    """(p,) couplings of a hypothesis as a user gave them.

    Raises:
        GnnmatError: unknown or missing names, or values out of range.
    """
    if isinstance(values, Mapping):
        for coupling in values:
            if coupling not in space.names:
                raise GnnmatError(
                    f"Hypothesis '{name}' has no coupling '{coupling}'.",
                    fix=did_you_mean(coupling, space.names),
                )
        missing = [coupling for coupling in space.names if coupling not in values]
        if missing:
            raise GnnmatError(
                f"The start of hypothesis '{name}' lacks {', '.join(missing)}.",
                fix="Give every coupling, meV.",
            )
        values = [float(values[coupling]) for coupling in space.names]
    return space.check(values)


def stable_starts(
    simulator: ImageSimulator,
    space: CouplingSpace,
    values: Floats,
    errors: Floats,
    *,
    keep: int = 1,
    seed: int = 0,
) -> Floats | None:
    """(keep, p) couplings near an estimate whose order is stable; None if there are none.

    Args:
        simulator: says what is stable.
        space: the couplings.
        values: (p,) the estimate, meV.
        errors: (p,) its errors, meV.
        keep: how many; the estimate itself comes first if it is stable.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    middle = space.inside(values)
    for factor in (1.0, 2.0, 4.0, 8.0):
        spread = factor * errors * rng.standard_normal((AROUND, len(values)))
        near = space.inside(np.concatenate([middle[None], middle + spread]))
        near = near[is_stable(simulator, near)]
        if len(near):
            width = np.where(space.free, np.maximum(errors, 1e-12), 1.0)
            order = np.argsort((((near - middle) / width) ** 2).sum(1), kind="stable")
            return near[order[:keep]]
    return None
