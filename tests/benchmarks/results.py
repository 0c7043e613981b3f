"""What all benchmarks share: paired timing, the class of hardware, one JSON layout.

A result is ``{name, command, hardware, data, date, rows}``; a row is ``{what, value, unit, low,
high, runs, against, reach, note}``. ``docs/benchmarks.md`` is rendered from these files.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gnnmat.atomic import write_atomically

FOLDER = Path(__file__).parent / "results"


def shared_data() -> Path:
    """The folder of real data.

    Exits with a sentence where it is absent.
    """
    folder = os.environ.get("GNNMAT_DATA", "")
    if not folder or not Path(folder).is_dir():
        sys.exit("This benchmark needs the real data: set GNNMAT_DATA to their folder.")
    return Path(folder)


def hardware() -> str:
    """The class of the machine; no name, no serial number."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU only"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores {platform.machine()}, {device}, torch {torch.__version__}"


def row(
    what: str, values: Sequence[float] | float | None, unit: str, **more: Any
) -> dict[str, Any]:
    """One row: the median of the values, with their range."""
    if values is None:
        numbers: list[float] = []
    elif isinstance(values, (int, float)):
        numbers = [float(values)]
    else:
        numbers = [float(value) for value in values]
    several = len(numbers) > 1
    return {
        "what": what,
        "value": float(np.median(numbers)) if numbers else None,
        "unit": unit,
        "low": min(numbers) if several else more.pop("low", None),
        "high": max(numbers) if several else more.pop("high", None),
        "runs": len(numbers),
        "against": more.pop("against", ""),
        "reach": more.pop("reach", ""),
        "note": more.pop("note", ""),
    }


def paired(
    first: Callable[[], Any], second: Callable[[], Any], *, runs: int = 7, warm: int = 1
) -> tuple[list[float], list[float]]:
    """Seconds of both, timed in turn so that a drift of the machine meets both alike."""
    for _ in range(warm):
        first()
        second()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        for place, function in enumerate((first, second)):
            began = time.perf_counter()
            function()
            times[place].append(time.perf_counter() - began)
    return times


def ratios(slow: Sequence[float], fast: Sequence[float]) -> list[float]:
    """How many times faster, pair by pair."""
    return [a / b for a, b in zip(slow, fast, strict=True)]


def write(name: str, data: str, rows: Sequence[dict[str, Any]], path: Path | None = None) -> None:
    """Print the rows, and keep them in ``path`` (default: beside the benchmarks)."""
    script = Path(sys.argv[0])
    command = shlex.join(["python", f"tests/benchmarks/{script.name}", *_arguments()])
    result = {
        "name": name,
        "command": command,
        "hardware": hardware(),
        "data": data,
        "date": datetime.date.today().isoformat(),
        "rows": list(rows),
    }
    print(f"\n{name} ({data}; {result['hardware']})")
    for one in rows:
        spread = "" if one["low"] is None else f"  [{one['low']:.4g} .. {one['high']:.4g}]"
        value = "not measured" if one["value"] is None else f"{one['value']:.4g} {one['unit']}"
        print(f"  {one['what']}: {value}{spread}  {one['against']}  {one['note']}")
    target = path or FOLDER / f"{name}.json"
    write_atomically(target, json.dumps(result, indent=1) + "\n")


def _arguments() -> list[str]:
    """The arguments, without where the result was written."""
    kept, skip = [], False
    for argument in sys.argv[1:]:
        if skip or argument in {"--json", "--folder"}:
            skip = not skip
            continue
        kept.append(_portable(argument))
    return kept


def _portable(argument: str) -> str:
    """An absolute path as a folder of runs: where it lay on one machine tells nobody anything."""
    name, equals, value = argument.rpartition("=")
    return f"{name}{equals}runs/{Path(value).name}" if Path(value).is_absolute() else argument
