"""What the commands print at their end."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("ins_map", "gnnmat trust RUN, then gnnmat predict RUN YOUR_SPECTRUM.npz"),
        ("crystal_graph", "gnnmat predict RUN YOUR_CRYSTAL.cif"),
        ("powder", "gnnmat predict RUN YOUR_PATTERN.xy -w CuKa"),
        ("image", "gnnmat predict RUN YOUR_IMAGES.npz"),
    ],
)
def test_the_next_command_names_what_the_run_reads(tmp_path: Path, kind: str, words: str) -> None:
    show = importlib.import_module("gnnmat.cli.show")
    (tmp_path / "config.yaml").write_text(f"input: {{kind: {kind}}}\n")
    assert show.next_command(tmp_path) == words.replace("RUN", str(tmp_path))
