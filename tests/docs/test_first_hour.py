"""docs/first-hour.md runs from top to bottom and prints what it shows."""

from __future__ import annotations

import contextlib
import io
import math
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "first-hour.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$\n?", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]?\d+)?")


def blocks(text: str) -> list[tuple[str, str, int]]:
    """Language, content and first line of every fenced block."""
    return [
        (match[1], match[2], text.count("\n", 0, match.start()) + 2)
        for match in BLOCK.finditer(text)
    ]


def steps(text: str) -> list[tuple[str, str, int]]:
    """Code, the output shown under it, and the line where the code begins."""
    found = blocks(text)
    result = []
    for place, (language, code, line) in enumerate(found):
        if language == "python":
            after = found[place + 1] if place + 1 < len(found) else ("", "", 0)
            # Only what stands right under the code is its output.
            is_output = after[0] == "text" and after[2] == line + code.count("\n") + 2
            result.append((code, after[1] if is_output else "", line))
    return result


def differences(shown: str, printed: str) -> list[str]:
    """Lines that differ; decimals may differ by one in the last place that is shown."""
    left = [line.rstrip() for line in shown.rstrip().splitlines()]
    right = [line.rstrip() for line in printed.rstrip().splitlines()]
    if len(left) != len(right):
        return [f"{len(left)} lines are shown, {len(right)} were printed: {right}"]
    return [
        f"shown {a!r}, printed {b!r}" for a, b in zip(left, right, strict=True) if not same(a, b)
    ]


def same(shown: str, printed: str) -> bool:
    if NUMBER.sub("#", shown) != NUMBER.sub("#", printed):
        return False
    for a, b in zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True):
        last = 10.0 ** -min(len(a.partition(".")[2]), 6)
        if not math.isclose(float(a), float(b), rel_tol=1e-6, abs_tol=1.01 * last):
            return False
    return True


def run_page(text: str) -> list[str]:
    """What is wrong with a page: every difference, with the line of its code."""
    space: dict[str, Any] = {"__name__": "first_hour"}
    wrong = []
    for code, shown, line in steps(text):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * (line - 1) + code, str(PAGE), "exec"), space)
        wrong += [f"line {line}: {one}" for one in differences(shown, printed.getvalue())]
    return wrong


def test_the_page_can_be_followed_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))
    assert run_page(PAGE.read_text()) == []


def test_every_python_block_of_the_page_is_run() -> None:
    text = PAGE.read_text()
    assert len(steps(text)) == text.count("```python")
    assert text.count("```python") + text.count("```text") + text.count("```bash") + 1 == len(
        blocks(text)
    ), "only the picture at the top has no language"
    assert sum(bool(shown) for _, shown, _ in steps(text)) == text.count("```text")


def test_the_page_visits_all_seven_stops() -> None:
    stops = re.findall(r"^## (\d)\. ", PAGE.read_text(), re.MULTILINE)
    assert stops == [str(number) for number in range(1, 8)]


PRINTS = "```python\nprint(1.25, (8, 3))\n```\n```text\n{}\n```\n"


def test_a_page_that_tells_something_else_is_noticed() -> None:
    assert run_page(PRINTS.format("1.25 (8, 3)")) == []
    assert run_page(PRINTS.format("1.26 (8, 3)")) == []  # one in the last place
    assert run_page(PRINTS.format("1.27 (8, 3)")) != []
    assert run_page(PRINTS.format("1.25 (9, 3)")) != []
    assert run_page(PRINTS.format("1.25 (8, 3)\nmore")) != []


def test_a_block_that_prints_unsaid_things_is_noticed() -> None:
    assert run_page("```python\nprint(1)\n```\n") != []


def test_a_block_that_breaks_is_noticed() -> None:
    with pytest.raises(NameError, match="unheard_of"):
        run_page("```python\nunheard_of\n```\n")


def test_the_new_model_of_the_page_is_written_and_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gnnmat.models import scaffold

    lines = [code for language, code, _ in blocks(PAGE.read_text()) if language == "bash"]
    made = next(shlex.split(line) for line in lines if line.startswith("make new-model"))
    name = made[2].removeprefix("NAME=")
    assert f"--set model.kind={name}" in "".join(lines)
    assert "new-model:" in (ROOT / "Makefile").read_text()
    room = tmp_path / "models"
    room.mkdir()
    shutil.copy(Path(scaffold.__file__).parent / "__init__.py", room)
    file, union = scaffold.new_model(name, room)
    assert f"gnnmat/models/{file.name}" in PAGE.read_text()
    assert f"from gnnmat.models.{name} import" in union.read_text()
    compile(file.read_text(), str(file), "exec")
