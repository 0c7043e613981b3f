"""What the commands print: a table of scores, a line to try next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console


def consoles() -> tuple[Console, Console]:
    """Standard output for results, standard error for progress."""
    from rich.console import Console

    return Console(highlight=False), Console(stderr=True, highlight=False)


# Baselines and scores shown on the terminal; metrics.json and the report have all of them.
SHOWN = {"MAE", "RMSE", "R2", "accuracy", "balanced accuracy", "ROC AUC"}
HIDDEN = {"median"}
FEW = 10  # rows


def print_scores(
    console: Console,
    metrics: Iterable[Mapping[str, Any]],
    baselines: Iterable[Mapping[str, Any]] = (),
) -> None:
    """Scores with 95% intervals on the test rows, or the validation rows where none is test.

    The baselines' values stand in columns beside them.
    """
    from rich.table import Table

    rows = list(metrics)
    judged = "test" if any(row.get("split") == "test" for row in rows) else "val"
    rows = [row for row in rows if row.get("split", judged) == judged and row["metric"] in SHOWN]
    if not rows:
        console.print("No labelled row was left to judge the model by.")
        return
    others: dict[str, dict[tuple[str, str], Any]] = {}
    for row in baselines:
        if row["split"] == judged and row["baseline"] not in HIDDEN:
            key = (row["target"], row["metric"])
            others.setdefault(row["baseline"], {})[key] = row["value"]
    table = Table(box=None, pad_edge=False)
    table.add_column("target", overflow="fold")
    table.add_column("score", no_wrap=True)
    table.add_column("model", justify="right", style="bold", no_wrap=True)
    table.add_column("95% interval", justify="right", no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", style="dim")
    table.add_column("unit", no_wrap=True)
    for row in rows:
        key = (row["target"], row["metric"])
        interval = "" if row["low"] is None else f"{row['low']:.3g} to {row['high']:.3g}"
        table.add_row(
            str(row["target"]),
            str(row["metric"]),
            _number(row["value"]),
            interval,
            *(_number(values.get(key)) for values in others.values()),
            str(row["unit"]),
        )
    part = f" {judged}" if "split" in rows[0] else ""
    beside = ", beside trivial baselines" if others else ""
    console.print(f"Scores on {rows[0]['n']:,}{part} rows{beside}:\n")
    console.print(table)
    if rows[0]["n"] < FEW:
        console.print(f"\nOn fewer than {FEW} rows scores and intervals say little.")


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.3g}"


def check_output(path: Path | None) -> None:
    """Refuse a file that cannot be written before any work is done."""
    from gnnmat.errors import GnnmatError

    if path is None:
        return
    parents = [parent for parent in path.absolute().parents if parent.exists()]
    if path.is_dir() or not parents[0].is_dir():
        blocking = path if path.is_dir() else parents[0]
        kind = "a folder" if path.is_dir() else "a file, not a folder"
        raise GnnmatError(
            f"{path} cannot be written.",
            why=f"{blocking} is {kind}.",
            fix="Choose another --output.",
        )


def next_command(folder: Path) -> str:
    """What to do with a run that was just trained: thresholds for spectra, else a prediction."""
    trust = f"gnnmat trust {folder}, then " if _kind(folder) == "ins_map" else ""
    return f"{trust}gnnmat predict {folder} {sample_file(folder)}"


def sample_file(folder: Path) -> str:
    """What to put after ``gnnmat predict``, for a run or an ensemble."""
    from gnnmat.workflows.run_report import example_file

    name, *options = example_file(_kind(folder)).split(" ")
    stem, dot, ending = name.partition(".")
    return " ".join([stem.upper() + dot + ending, *options])


def _kind(folder: Path) -> str:
    import yaml

    plain = yaml.safe_load((folder / "config.yaml").read_text())
    return str(plain.get("input", {}).get("kind", ""))


def print_counts(console: Console, counts: Mapping[str, int], where: object) -> None:
    """``9,988 read, 12 refused``, and what was read but not used."""
    used = sum(counts[part] for part in ("train", "val", "test"))
    unused = counts.get("unused", 0)
    print_refused(console, used + unused, counts["refused"], where)
    if unused:
        console.print(f"{unused:,} of them have no label and are not used")


def print_refused(console: Console, read: int, refused: int, where: object) -> None:
    """``9,988 read, 12 refused``, and where the reasons stand."""
    line = f"{read:,} read, {refused:,} refused"
    console.print(line + (f" (reasons in {where})" if refused else ""), soft_wrap=True)
