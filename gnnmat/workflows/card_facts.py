"""What a card says of a run that the run itself knows: scores, split, elements, commands."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gnnmat.sources.prototype_label import SYMBOLS
from gnnmat.train.checkpoint import load_run_config, read_spec
from gnnmat.train.committee import member_folders
from gnnmat.train.config import find_recipe, load_config
from gnnmat.train.trust import TRUST_JSON
from gnnmat.workflows.run_folder import Run, open_run
from gnnmat.workflows.trust import COVERAGE, FALSE_REFUSAL
from gnnmat.workflows.uncertainty import HALVES, TEST, read_uncertainty
from gnnmat.zoo.card import Score

CHOSE = "which also chose the epoch"


def run_scores(folder: Path) -> tuple[Score, ...]:
    """The scores of a run beside trivial baselines, and how good its intervals are.

    They are those of the test rows; of the validation rows where there are no others.
    """
    run = open_run(folder)
    split = "test" if any(row["split"] == "test" for row in run.metrics) else "val"
    beside = f", {CHOSE}" if split == "val" else ""
    found = [
        Score(
            metric=f"{row['target']}, {row['metric']}",
            value=row["value"],
            unit=row["unit"],
            on=f"{row['n']:,} {split} rows{beside}",
            low=row["low"],
            high=row["high"],
            baselines=_baselines(run, row),
        )
        for row in run.metrics
        if row["split"] == split and row["value"] is not None
    ]
    return (*found, *_interval_scores(folder))


def _baselines(run: Run, row: Mapping[str, Any]) -> dict[str, float]:
    same = ("target", "split", "metric")
    return {
        one["baseline"]: one["value"]
        for one in run.baselines
        if all(one[name] == row[name] for name in same) and one["value"] is not None
    }


def _interval_scores(folder: Path) -> list[Score]:
    """Coverage and width of the intervals, if there are any."""
    report = read_uncertainty(folder)
    found = []
    for target in (report or {}).get("targets", []):
        part = TEST if TEST in target["parts"] else HALVES
        if part not in target["parts"]:
            continue
        one = target["parts"][part]["scaled"]
        half = ", each half by the other" if part == HALVES else ""
        on = f"{one['rows']:,} {'test' if part == TEST else 'val'} rows{half}"
        name = f"{target['target']}, {report['coverage']:.0%} intervals"  # type: ignore[index]
        found.append(Score(metric=f"{name}: share inside", value=one["coverage"], on=on))
        wide = {"value": one["mean_width"], "unit": target["unit"], "on": on}
        found.append(Score(metric=f"{name}: mean width", **wide))
    return found


def split_words(folder: Path) -> str:
    """How the rows of a run were parted, and what training and test rows have in common."""
    run, split = open_run(folder), load_run_config(folder).split.model_dump(mode="json")
    by = split.get("by") or split.get("column")
    counts = ", ".join(f"{run.counts[part]:,} {part}" for part in ("train", "val", "test"))
    told = [f"{split['kind']}{f' by {by}' if by else ''}: {counts} rows."]
    return " ".join([*told, *(row["text"] for row in run.audit)])


def elements_of(folder: Path) -> tuple[str, ...]:
    """Symbols of the elements that the training crystals hold."""
    _, spec, _ = read_spec((member_folders(folder) or [folder])[0])
    return tuple(SYMBOLS[number - 1] for number in sorted(spec.elements))


def commands(folder: Path, recipe: str) -> tuple[str, ...]:
    """What makes a run again: training with all that differs from its recipe, and thresholds.

    Args:
        folder: of the run.
        recipe: the shipped recipe that it was made from.
    """
    config, plain = load_run_config(folder), load_config(find_recipe(recipe))
    words = ["gnnmat", "train", recipe]
    if config.start.run:
        words += ["--from", Path(config.start.run).name]
    here, there = (one.model_dump(mode="json") for one in (config, plain))
    words += [f"--set={name}={value}" for name, value in differing(here, there)]
    members = len(member_folders(folder))
    words += ["--members", str(members)] if members else []
    out = [f"{shlex.join(words)} -o runs/{recipe}"]
    return (*out, *trust_command(folder, recipe))


def trust_command(folder: Path, recipe: str) -> tuple[str, ...]:
    """What fixes the thresholds of a run again; nothing where they were never fixed."""
    if not (folder / TRUST_JSON).is_file():
        return ()
    return (f"gnnmat trust runs/{recipe}{_trust_options(folder)}",)


def differing(here: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Dotted name and value of all options that are others here; paths by their last part."""
    known = dict(_leaves(there))
    for name, value in _leaves(here):
        if name.startswith(("start.run", "name")) or known.get(name) == value:
            continue
        absolute = isinstance(value, str) and Path(value).is_absolute()
        yield name, Path(value).name if absolute else json.dumps(value).strip('"')


def _leaves(plain: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in plain.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _trust_options(folder: Path) -> str:
    facts = json.loads((folder / TRUST_JSON).read_text())
    intervals = facts["intervals"]
    coverage = {one["coverage"] for one in intervals} or {COVERAGE}
    usual = {name for name in facts["thresholds"] if name != "disagreement" or not intervals}
    chosen = [] if usual == set(facts["used"]) else facts["used"]
    out = "".join(f" --score {name}" for name in chosen)
    if facts["false_refusal"] != FALSE_REFUSAL:
        out += f" --false-refusal {facts['false_refusal']:g}"
    if coverage != {COVERAGE}:
        out += f" --coverage {coverage.pop():g}"
    return out + (f" --dropout-samples {facts['samples']}" if facts.get("samples") else "")
