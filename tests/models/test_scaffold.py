"""``make new-model``: a file, a name in the union, contracts that pass; bad names in words."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gnnmat.errors import GnnmatError
from gnnmat.models.scaffold import main, new_model

ROOT = Path(__file__).parents[2]
UNION = """from gnnmat.models.cgcnn import Cgcnn

Model = Annotated[Cgcnn, Field(discriminator="kind")]

__all__ = ["Cgcnn", "Model"]
"""


@pytest.fixture
def room(tmp_path: Path) -> Path:
    (tmp_path / "__init__.py").write_text(UNION)
    (tmp_path / "cgcnn.py").write_text("")
    return tmp_path


def in_copy(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)


@pytest.mark.slow  # it collects all contracts anew
def test_a_new_model_passes_the_contracts(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for part in ("gnnmat", "datasets", "configs", "tests/contracts", "tests/plugins"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=ignored)
    for part in ("pyproject.toml", "tests/conftest.py"):
        shutil.copy(ROOT / part, tmp_path / part)
    written = in_copy(tmp_path, "-m", "gnnmat.models.scaffold", "my_model")
    assert written.returncode == 0, written.stderr
    assert str(tmp_path / "gnnmat/models/my_model.py") in written.stdout
    done = in_copy(tmp_path, "-m", "pytest", "-v", "tests/contracts", "-k", "my_model or MyModel")
    assert done.returncode == 0, done.stdout
    assert re.search(r"my_model.* PASSED", done.stdout)


def test_what_is_written_is_formatted_typed_and_in_order(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "gnnmat", tmp_path / "gnnmat")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file, union = new_model("my_model", tmp_path / "gnnmat/models")
    for command in (
        ["check", "--quiet", str(file)],
        ["format", "--check", "--quiet", str(file)],
        ["check", "--fix", "--quiet", str(union)],
    ):
        done = in_copy(tmp_path, "-m", "ruff", *command)
        assert done.returncode == 0, done.stdout


def test_the_name_is_added_to_import_union_and_public_names(room: Path) -> None:
    new_model("my_model2", room)
    text = (room / "__init__.py").read_text()
    assert "from gnnmat.models.my_model2 import MyModel2\n" in text
    assert "Annotated[Cgcnn | MyModel2, Field(" in text
    assert '__all__ = ["MyModel2", "Cgcnn", "Model"]' in text


def test_a_second_model_joins_the_first(room: Path) -> None:
    new_model("one", room)
    new_model("two", room)
    assert "Annotated[Cgcnn | One | Two, Field(" in (room / "__init__.py").read_text()


@pytest.mark.parametrize("name", ["", "My Model", "2fast", "my-model", "class", "../evil", "é"])
def test_a_name_that_cannot_be_a_file_and_an_option_is_refused(room: Path, name: str) -> None:
    with pytest.raises(GnnmatError, match="lower-case letters, digits and underscores"):
        new_model(name, room)
    assert sorted(file.name for file in room.iterdir()) == ["__init__.py", "cgcnn.py"]


@pytest.mark.parametrize("name", ["cgcnn", "model"])
def test_a_name_that_is_taken_is_refused_and_nothing_is_changed(room: Path, name: str) -> None:
    with pytest.raises(GnnmatError, match="already"):
        new_model(name, room)
    assert (room / "__init__.py").read_text() == UNION


def test_a_union_that_cannot_be_read_is_told_of_before_anything_is_written(room: Path) -> None:
    (room / "__init__.py").write_text("Model = Cgcnn\n")
    with pytest.raises(GnnmatError, match="union 'Model' .* cannot be read"):
        new_model("my_model", room)
    assert not (room / "my_model.py").exists()


def test_a_mistake_ends_in_words_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cgcnn"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("Error: There is a gnnmat/models/cgcnn.py already.")
    assert "Choose another name" in told
