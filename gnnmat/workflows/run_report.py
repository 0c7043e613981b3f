"""What a finished fit leaves in its folder: predictions, scores and the page."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from gnnmat.atomic import write_atomically
from gnnmat.train.config import RunConfig
from gnnmat.train.environment import start_of
from gnnmat.train.hall import Hall
from gnnmat.workflows.curve_file import write_curves
from gnnmat.workflows.evaluation import Evaluation
from gnnmat.workflows.preparation import PARTS, Prepared
from gnnmat.workflows.run_folder import (
    HISTORY,
    METRICS,
    PREDICTIONS,
    REFUSED,
    Run,
)
from gnnmat.workflows.start_notes import start_row

Facts = list[tuple[str, str]]


def write_run(
    folder: Path,
    config: RunConfig,
    prepared: Prepared,
    found: Evaluation,
    hall: Hall,
    seconds: float,
) -> Run:
    """The run, with predictions, report and scores in its folder; seconds of wall time."""
    counts = {part: len(prepared.rows(part)) for part in PARTS}
    counts["refused"] = len(prepared.dataset.refused)
    counts["unused"] = int((prepared.parts == "").sum())
    facts = [
        ("refused", f"{counts['refused']:,}"),
        ("without a label or a part", f"{counts['unused']:,}"),
        ("parameters", _parameters(hall)),
        *start_row(start_of(folder)),
        ("epochs", f"{config.trainer.epochs}"),
        ("seed", f"{config.trainer.seed}"),
        ("wall time", f"{seconds:.0f} s"),
    ]
    return write_found(folder, config, prepared, found, counts, facts)


def write_found(
    folder: Path,
    config: RunConfig,
    prepared: Prepared,
    found: Evaluation,
    counts: dict[str, int],
    facts: Facts,
) -> Run:
    """A run or an ensemble with predictions, report and scores in its folder.

    Args:
        folder: of the run.
        config: of the run.
        prepared: its data.
        found: what was predicted, and how well.
        counts: rows by part, refused and unused.
        facts: that the report shows beside those of every run.
    """
    run = Run(folder, found.metrics, found.baselines, found.audit, counts)
    write_atomically(folder / PREDICTIONS, found.predictions.to_csv(index=False))
    write_curves(folder, found.predictions, found.axes)
    _write_report(run, config, found, prepared.source, facts)
    results = {
        "metrics": found.metrics,
        "baselines": found.baselines,
        "audit": found.audit,
        "counts": counts,
    }
    # Last: a run with scores is a finished run.
    write_atomically(folder / METRICS, json.dumps(results, indent=1))
    return run


def _write_report(
    run: Run, config: RunConfig, found: Evaluation, source: str, facts: Facts
) -> None:
    from gnnmat.pages.report import ReportData, write_report

    history = run.folder / HISTORY
    summary = [
        ("model", config.model.kind),
        ("task", config.task.kind),
        ("data", source),
        ("rows", ", ".join(f"{run.counts[part]:,} {part}" for part in PARTS)),
        ("split", config.split.kind),
        *facts,
    ]
    data = ReportData(
        title=config.name,
        summary=summary,
        history=pd.read_csv(history) if history.is_file() else pd.DataFrame(),
        predictions=found.predictions,
        axes=found.axes,
        metrics=found.metrics,
        baselines=found.baselines,
        audit=[{**row, "count": row["overlap"]} for row in found.audit],
        refused=pd.read_csv(run.folder / REFUSED, keep_default_na=False),
        config_yaml=config.to_yaml(),
        predict_command=f"gnnmat predict {run.folder} {example_file(config.input.kind)}",
    )
    write_report(run.report, data)


def example_file(kind: str) -> str:
    """What a user would put after ``gnnmat predict RUN``, by the kind of input."""
    others = {
        "ins_map": "your_spectrum.npz",
        "image": "your_images.npz",
        "powder": "your_pattern.xy -w CuKa",
    }
    return others.get(kind, "your_crystal.cif")


def _parameters(hall: Hall) -> str:
    total = sum(p.numel() for p in hall.parameters())
    learning = sum(p.numel() for p in hall.parameters() if p.requires_grad)
    return f"{total:,}" if total == learning else f"{total:,}, of which {learning:,} learn"
