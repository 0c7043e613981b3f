"""README and docs: links lead somewhere, commands parse, options and Python names exist."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shlex
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import yaml

import gnnmat
from gnnmat.errors import GnnmatError
from gnnmat.train.config import find_recipe, load_config, parse_config
from gnnmat.workflows.screening.config import parse_screen

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
# Rendered by `make bench`, so that it is there only after the benchmarks were run once.
RENDERED = {"docs/benchmarks.md"}
# The model that first-hour.md has the reader make is not there yet.
NEW_MODEL = "model.kind=ripple"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def page_blocks(language: str) -> list[Any]:
    """Every block of a language in the pages, with the page as the test's name."""
    return [
        pytest.param(match[2], id=f"{page.name}-{number}")
        for page in PAGES
        for number, match in enumerate(BLOCK.finditer(page.read_text()))
        if match[1] == language
    ]


def lines_of(text: str, program: str) -> list[str]:
    """Lines of a page's blocks that call a program, joined where they are broken."""
    found = []
    for match in BLOCK.finditer(text):
        joined = match[2].replace("\\\n", " ")
        found += [line.removeprefix("$ ").strip() for line in joined.splitlines()]
    return [line for line in found if line.split()[:1] == [program]]


COMMANDS = sorted({line for page in PAGES for line in lines_of(page.read_text(), "gnnmat")})
MAKES = sorted({line for page in PAGES for line in lines_of(page.read_text(), "make")})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_a_file(page: Path) -> None:
    text = BLOCK.sub("", page.read_text())
    for link in LINK.findall(text):
        if link.startswith(("https://", "#")):
            continue
        target = (page.parent / link.partition("#")[0]).resolve()
        if target.relative_to(ROOT).as_posix() not in RENDERED:
            assert target.exists(), link


@pytest.fixture(scope="module")
def program() -> Any:
    """The installed command, as typer made it."""
    from typer.main import get_command

    return get_command(entry_points(group="console_scripts", name="gnnmat")["gnnmat"].load())


def parse(program: Any, line: str) -> dict[str, Any]:
    """The options of a command line, or the parser's complaint; nothing is run."""
    words = shlex.split(line.partition(" > ")[0], comments=True)[1:]
    command = program
    while hasattr(command, "commands"):
        assert words, line
        name = words.pop(0)
        if " ".join([name, *words[:1]]) in command.commands:  # a command of two words
            name = f"{name} {words.pop(0)}" if words else name
        if name.startswith("-"):
            assert any(name in option.opts for option in command.params), f"{line}: {name}"
            return {}
        command = command.commands[name]
    return dict(command.make_context(command.name, words).params)


def settings_of(line: str) -> tuple[str, list[str]]:
    """The recipe a command line begins with, and its ``--set`` options."""
    words = shlex.split(line, comments=True)
    settings = [after for word, after in zip(words, words[1:], strict=False) if word == "--set"]
    if "--structures" in words:
        files = ["data.source.kind=files", "data.source.structures=cifs/"]
        return "crystals", files + settings
    named = [word for word in words[2:3] if not word.startswith("-")]
    return (named or ["known_crystals"])[0], settings


@pytest.mark.parametrize("line", COMMANDS)
def test_command_lines_parse(program: Any, line: str) -> None:
    parse(program, line)


@pytest.mark.parametrize("line", [line for line in COMMANDS if "--set" in line])
def test_options_that_are_set_exist(line: str) -> None:
    recipe, settings = settings_of(line)
    if NEW_MODEL in settings:
        settings.remove(NEW_MODEL)
    load_config(recipe, settings)


def test_wrong_lines_are_noticed(program: Any) -> None:
    for line in ("gnnmat train --epoch-count 3", "gnnmat predict", "gnnmat datasets sho x"):
        with pytest.raises(Exception, match=r"--epoch-count|[Mm]issing|sho"):
            parse(program, line)
    with pytest.raises(GnnmatError, match="unknown option"):
        load_config(*settings_of("gnnmat train --set optimizer.rate=1"))


def test_the_pages_hold_enough_commands() -> None:
    shown = {line.split()[1] for line in COMMANDS}
    assert {"train", "predict", "evaluate", "crossval", "config", "datasets"} <= shown
    assert {"make demo", "make test"} <= set(MAKES)


@pytest.mark.parametrize("line", MAKES)
def test_targets_of_make_exist(line: str) -> None:
    target = line.split()[1]
    assert re.search(rf"^{re.escape(target)}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


OPTION = re.compile(r"`(trainer\.\w+=[^`]+)`")


@pytest.mark.parametrize("option", OPTION.findall((ROOT / "README.md").read_text()))
def test_options_in_the_table_of_devices_exist(option: str) -> None:
    load_config("known_crystals", [option])


@pytest.mark.parametrize("text", page_blocks("yaml"))
def test_yaml_blocks_are_yaml_and_recipes_are_valid(text: str) -> None:
    plain = yaml.safe_load(text)
    if "columns" not in plain:  # a card
        if "data" in plain:
            parse_config({"data": plain["data"]})
        else:  # a screen, or its source
            parse_screen({"stages": [{"kind": "best", "by": "volume"}], **plain})


def test_the_shown_recipe_is_what_config_prints() -> None:
    from gnnmat.train.annotate import annotated_yaml

    printed = annotated_yaml(load_config(find_recipe("crystals"))).splitlines()
    shown = [
        line
        for match in BLOCK.finditer((ROOT / "README.md").read_text())
        for line in match[2].splitlines()
        if re.match(r"[\w ]+:.* # ", line)
    ]
    assert len(shown) >= 3
    assert [line for line in shown if line not in printed] == []


def missing_names(code: str) -> list[str]:
    """Names of libraries and keywords of gnnmat's functions that do not exist."""
    tree = ast.parse(code)
    wrong = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            wrong += [name.name for name in node.names if not hasattr(module, name.name)]
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
            continue
        if node.value.id == "gnnmat" and not hasattr(gnnmat, node.attr):
            wrong.append(f"gnnmat.{node.attr}")
    for node in ast.walk(tree):
        call = node if isinstance(node, ast.Call) else None
        if call and ast.unparse(call.func).startswith("gnnmat.") and not wrong:
            known = inspect.signature(getattr(gnnmat, ast.unparse(call.func)[7:])).parameters
            wrong += [one.arg for one in call.keywords if one.arg and one.arg not in known]
    return wrong


@pytest.mark.parametrize("code", page_blocks("python"))
def test_names_in_python_blocks_exist(code: str) -> None:
    assert missing_names(code) == []


def test_a_name_that_does_not_exist_is_noticed() -> None:
    assert missing_names("import gnnmat\ngnnmat.fitt()") == ["gnnmat.fitt"]
    assert missing_names("import gnnmat\ngnnmat.fit(epochs=3)") == ["epochs"]
    assert missing_names("from gnnmat.sources.files import Files") == ["Files"]


def test_the_picture_is_small_enough_to_load() -> None:
    assert 20_000 < (ROOT / "docs" / "report.png").stat().st_size <= 250_000


@pytest.mark.slow
def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ase.io import write

    from gnnmat.sources.card import CardSource

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))
    records = CardSource(name="known_crystals").open()
    (tmp_path / "cifs").mkdir()
    for name in ("Al-fcc", "GaAs-zincblende", "NaCl-rocksalt"):
        crystal = records.read(records.raws[list(records.ids).index(name)])
        atoms = importlib.import_module("ase").Atoms(
            crystal.numbers, scaled_positions=crystal.frac, cell=crystal.lattice, pbc=True
        )
        write(tmp_path / "cifs" / f"{name}.cif", atoms)
    text = (ROOT / "README.md").read_text()
    space: dict[str, Any] = {}
    for code in (match[2] for match in BLOCK.finditer(text) if match[1] == "python"):
        exec(compile(code, "README.md", "exec"), space)
    assert sorted(space["found"].shortlist["id"]) == [
        "Al-fcc", "GaAs-zincblende", "NaCl-rocksalt"
    ]  # fmt: skip
    assert list(space["table"]["id"][:3]) == ["Al-fcc", "GaAs-zincblende", "NaCl-rocksalt"]
    assert len(space["table"]) == 5
