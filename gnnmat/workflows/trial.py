"""One trial of a search: a fit on the training rows, scored by epoch on the validation rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console

from gnnmat.train.callbacks import EachEpoch
from gnnmat.train.config import RunConfig
from gnnmat.train.fit import fit, plain_errors
from gnnmat.workflows.assembly import make_data, make_hall
from gnnmat.workflows.preparation import Prepared
from gnnmat.workflows.transfer import read_start


def run_trial(
    config: RunConfig,
    prepared: Prepared,
    folder: Path,
    report: Callable[[int, float], bool],
    console: Console | None = None,
    start: Path | None = None,
) -> tuple[float, bool]:
    """The best score on the validation rows, and whether the trial was stopped early.

    Args:
        config: of the trial.
        prepared: samples and parts; the test rows are not looked at.
        folder: of the trial.
        report: told epoch and score after every epoch; says whether to stop.
        console: for a progress bar.
        start: where the weights to begin with lie; None where they are drawn.

    Raises:
        GnnmatError: the loss is no number, or memory ran out.
    """
    scores: list[float] = []
    stopped = False

    def after(epoch: int, value: float) -> bool:
        nonlocal stopped
        scores.append(value)
        stopped = report(epoch, value)
        return stopped

    with plain_errors(folder):
        learned = read_start(config, start)
        hall, _ = make_hall(config, prepared, learned=learned)
        data = make_data(config, prepared)
        fit(hall, data, config, folder, console=console, callbacks=[EachEpoch(after)])
    return float(np.min(scores)), stopped
