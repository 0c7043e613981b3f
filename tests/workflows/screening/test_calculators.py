"""Calculators by name: what is found, and what is said where it is not."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from gnnmat.errors import GnnmatError
from gnnmat.workflows.screening.calculators import calculator_fingerprint, open_calculator
from gnnmat.workflows.screening.stages.elastic import Elastic
from gnnmat.workflows.screening.stages.relax import Relax

OWN = """
def made(**options):
    print("hello")
    import types
    return types.SimpleNamespace(get_potential_energy=None, options=options, **options)

number = 3

def nothing():
    return None

def failing():
    raise RuntimeError("no weights")
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of calculators in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "own_calculators", raising=False)
    path = tmp_path / "own_calculators.py"
    path.write_text(OWN)
    return path


def test_names_that_are_nearly_right_are_answered_with_the_right_one() -> None:
    with pytest.raises(GnnmatError, match=r"'chgent' is not known(.|\n)*Did you mean 'chgnet'"):
        Relax(calculator="chgent").open(Path())


@pytest.mark.parametrize(
    ("name", "module", "fix"),
    [
        ("chgnet", "chgnet", r"pip install 'gnnmat\[relax\]'"),
        ("mace", "mace", "pip install mace-torch"),
        ("sevenn", "sevenn", "pip install sevenn"),
    ],
)
def test_a_library_that_is_absent_is_named(
    name: str, module: str, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(GnnmatError, match=fix):
        open_calculator(name, {}, stress=True)


def test_networks_get_their_options_and_say_which_elements_they_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, Any]] = []

    def made(**options: Any) -> Any:
        asked.append(options)
        return SimpleNamespace(get_potential_energy=None, **facts)

    for name, path, function in (
        ("chgnet", "chgnet.model.dynamics", "CHGNetCalculator"),
        ("mace", "mace.calculators", "mace_mp"),
        ("sevenn", "sevenn.calculator", "SevenNetCalculator"),
    ):
        facts: dict[str, Any] = {
            "mace": {"z_table": SimpleNamespace(zs=[1, 6])},
            "sevenn": {"type_map": {1: 0, 6: 1}},
        }.get(name, {})
        module = ModuleType(path)
        setattr(module, function, made)
        monkeypatch.setitem(sys.modules, path.split(".")[0], ModuleType(path.split(".")[0]))
        if path.count(".") == 2:
            monkeypatch.setitem(sys.modules, "chgnet.model", ModuleType("chgnet.model"))
        monkeypatch.setitem(sys.modules, path, module)
        loaded = open_calculator(name, {"device": "cpu"}, stress=True)
        assert loaded.knows([1, 6, 6])
        assert not loaded.knows([1, 95])
    assert asked[0] == {"on_isolated_atoms": "error", "device": "cpu"}
    assert asked[1] == {"default_dtype": "float64", "device": "cpu"}
    assert asked[2] == {"device": "cpu"}


@pytest.mark.usefixtures("own")
def test_a_function_of_ones_own_is_found_in_the_current_folder(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = list(sys.path)
    loaded = open_calculator("own_calculators:made", {"model": "x"}, stress=True)
    assert loaded.calculator.options == {"model": "x"}
    assert loaded.knows([1, 200])  # it does not say
    assert sys.path == before
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("own_calculator:made", "module 'own_calculator' could not be imported"),
        ("own_calculators:mode", "has no function 'mode'"),
        ("own_calculators:number", "has no function 'number'"),
        ("own_calculators:", "has no function ''"),
        (":made", "could not be imported"),
        ("own_calculators:nothing", "returned NoneType, expected an ASE calculator"),
        ("own_calculators:failing", r"could not be built(.|\n)*RuntimeError: no weights"),
    ],
)
def test_paths_that_lead_nowhere_are_explained(name: str, said: str) -> None:
    with pytest.raises(GnnmatError, match=said):
        open_calculator(name, {}, stress=False)


@pytest.mark.usefixtures("own")
def test_a_calculator_without_stress_relaxes_atoms_only() -> None:
    given = {"calculator": "own_calculators:made"}
    plain = {"implemented_properties": ["energy", "forces"]}
    Relax(cell=False, calculator_options=plain, **given).open(Path())
    for stage in (Relax, Elastic):
        with pytest.raises(GnnmatError, match="gives no stress"):
            stage(calculator_options=plain, **given).open(Path())


@pytest.mark.parametrize(("name", "wrong"), [("emt", "asap_cutof"), ("lj", "sigm")])
def test_options_that_ase_would_keep_in_silence_are_refused(name: str, wrong: str) -> None:
    with pytest.raises(GnnmatError, match=f"'{wrong}' is not known(.|\n)*Did you mean"):
        open_calculator(name, {wrong: 1}, stress=True)


def test_fingerprint_follows_the_source_of_ones_own_calculator(own: Path) -> None:
    first = calculator_fingerprint("own_calculators:made")
    own.write_text(OWN + "\n# changed\n")
    assert calculator_fingerprint("own_calculators:made") != first
    assert calculator_fingerprint("emt") != calculator_fingerprint("lj")
    assert calculator_fingerprint("nowhere:made") != calculator_fingerprint("sevenn")
