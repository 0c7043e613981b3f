"""With CI=true a skip for a reason that is not on the list fails the run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def run(folder: Path, text: str, ci: str = "true") -> subprocess.CompletedProcess[str]:
    """A run of pytest on one file with the plugin, apart from this one."""
    (folder / "test_it.py").write_text(f"import pytest\n{text}\n")
    command = [sys.executable, "-m", "pytest", "-p", "ci_skips", "-p", "no:cacheprovider", "."]
    environment = {**os.environ, "CI": ci, "PYTHONPATH": str(HERE), "PYTEST_ADDOPTS": ""}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_a_skipped_test_fails_the_run(tmp_path: Path) -> None:
    done = run(tmp_path, "def test_it(): pytest.skip('no time')\ndef test_b(): pass")
    assert done.returncode == 1
    assert "test_it.py::test_it: no time" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    "text",
    [
        "@pytest.mark.skipif(True, reason='Chromium absent')\ndef test_it(): pass",
        "pytest.skip('broken', allow_module_level=True)",
        "gone = pytest.importorskip('no_such_module')",
        "@pytest.fixture\ndef a(): pytest.skip('not here: GPU absent')\ndef test_it(a): pass",
    ],
    ids=["mark", "module", "import", "fixture, reason elsewhere in the text"],
)
def test_every_way_to_skip_fails_the_run(tmp_path: Path, text: str) -> None:
    done = run(tmp_path, text)
    assert done.returncode == 1
    assert "skips that CI does not allow" in done.stdout


@pytest.mark.parametrize("reason", ["shared data absent (set GNNMAT_DATA)", "GPU absent"])
def test_skips_on_the_list_pass(tmp_path: Path, reason: str) -> None:
    text = f"def test_it(): pytest.skip('{reason}')\n@pytest.mark.xfail\ndef test_x(): assert 0"
    assert run(tmp_path, text).returncode == 0


def test_outside_ci_anything_may_be_skipped(tmp_path: Path) -> None:
    done = run(tmp_path, "def test_it(): pytest.skip('no time')", ci="")
    assert done.returncode == 0
    assert "CI does not allow" not in done.stdout


def test_a_failure_stays_a_failure(tmp_path: Path) -> None:
    done = run(tmp_path, "def test_it(): assert 0\ndef test_b(): pytest.skip('GPU absent')")
    assert done.returncode == 1
    assert "1 failed, 1 skipped" in done.stdout
