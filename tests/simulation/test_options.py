"""Mistakes in the options of a simulation, said in words."""

from __future__ import annotations

import shutil
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.simulation.hypotheses import find_simulation, load_simulation

J = "hypotheses.frustrated.couplings.J1"
BOND = "coupling: J1, vectors: [[0.5, 0.5, 0]]"


def refused(*settings: str, name: Any = "square_lattice") -> GnnmatError:
    with pytest.raises(GnnmatError) as caught:
        load_simulation(name, settings)
    return caught.value


def bonds(rule: str, hypothesis: str = "neighbours") -> str:
    return f"hypotheses.{hypothesis}.bonds=[{{{rule}}}]"


@pytest.mark.parametrize(
    ("setting", "what", "fix"),
    [
        ("layout.pixls=3", "layout.pixls: unknown option.", "Did you mean 'pixels'?"),
        (f"{J}.rnge=[1, 2]", f"{J}.rnge: unknown option.", "Did you mean 'range'?"),
        ("hypothesis.x=1", "hypothesis: unknown option.", "Did you mean 'hypotheses'?"),
        (
            bonds(f"{BOND}, form: [up]"),
            "hypotheses.neighbours.bonds, item 1, form: unknown option.",
            "Did you mean 'from'?",
        ),
        (
            bonds(f"{BOND}, exchange: {{matrx: 1}}"),
            "hypotheses.neighbours.bonds, item 1, exchange.matrx: unknown option.",
            "Did you mean 'matrix'?",
        ),
        (
            "resolution.kind=width",
            "resolution.kind: 'width' is none of the kinds there are.",
            "Did you mean 'widths'?",
        ),
        ("resolution={q: 0.1}", "resolution.kind: missing.", "Known: table, widths."),
        (
            bonds("coupling: JJ, distance: 4.2"),
            "Hypothesis 'neighbours': no coupling is called 'JJ'.",
            "Known: D, J1.",
        ),
        (
            "hypotheses.frustrated.same_image=[{exchange: [[J1, J3]], larger: J1}]",
            "Hypothesis 'frustrated': no coupling is called 'J3'.",
            "Known: D, J1, J2.",
        ),
    ],
)
def test_a_name_that_is_not_there_gets_a_hint(setting: str, what: str, fix: str) -> None:
    error = refused(setting)
    assert error.what == what
    assert error.fix.startswith(fix)


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("layout.pixels=abc", "layout.pixels: expected a whole number, got 'abc'."),
        ("layout.pixels=-3", "layout.pixels: expected more than 1, got -3."),
        (
            "rendering.physics=ful",
            "rendering.physics: expected 'full' or 'horace_2021', got 'ful'.",
        ),
        ("rendering.grid=7", "rendering.grid: expected a multiple of 2, got 7."),
        (f"{J}.range=3", f"{J}.range: expected a list, got 3."),
        (f"{J}.range=[3, 1]", f"{J}.range: 3 to 1 runs downwards; write [1, 3]."),
        (f"{J}.range=[.nan, 1]", f"{J}.range, item 1: expected a finite number, got nan."),
        ("layout.incident_energies=[8, 8]", "layout.incident_energies: 8 meV is given twice."),
        (
            "layout.incident_energies=[-8]",
            "layout.incident_energies: -8 meV is no incident energy.",
        ),
        ("magnet.lattice=[4, x, 9]", "magnet.lattice, item 2: expected a number, got 'x'."),
        (
            bonds(f"{BOND}, exchange: heisenburg"),
            "hypotheses.neighbours.bonds, item 1, exchange: expected 'heisenberg' or options by "
            "name, got 'heisenburg'.",
        ),
        (
            "hypotheses.frustrated.same_image=[{exchange: [[J1, J2]], larger: D}]",
            "Hypothesis 'frustrated': same_image.larger is 'D', which is in none of the pairs that "
            "are exchanged.",
        ),
        (bonds(BOND, "frustrated"), "Hypothesis 'frustrated': nothing uses the coupling 'J2'."),
        ("hypotheses.more={}", "hypotheses.more.couplings is missing."),
        ("layout.first", "--set layout.first: expected a dotted option and a value."),
        ("layout.first=[1", "--set layout.first=[1: '[1' is not a value."),
        ("magnet.sites.0.spin=1", "--set magnet.sites.0.spin=1: 'sites' is a list."),
        ("name.x=1", "--set name.x=1: 'name' has no options below it."),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_what_is_expected(setting: str, what: str) -> None:
    assert refused(setting).what == what


def test_another_kind_drops_the_options_of_the_first() -> None:
    table = load_simulation("square_lattice", ["resolution.path=x.npz", "resolution.kind=table"])
    assert table.resolution.kind == "table"
    # Exponents without a dot are text in YAML 1.1.
    fine = load_simulation("square_lattice", ["resolution.q=2e-2"])
    assert fine.resolution.model_dump()["q"] == 0.02


def test_what_is_no_simulation_is_said(tmp_path: Any) -> None:
    assert "'spectra' is a recipe for training" in refused(name="spectra").what
    assert refused(name="sqare_lattice").fix == "Did you mean 'square_lattice'?"
    assert find_simulation("square_lattice").name == "square_lattice.yaml"


def test_a_simulated_set_names_its_simulation(tmp_path: Any) -> None:
    assert f"no simulation '{tmp_path}'" in refused(name=tmp_path).what
    shutil.copy(find_simulation("square_lattice"), tmp_path / "simulation.yaml")
    assert load_simulation(tmp_path) == load_simulation("square_lattice")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (bonds("coupling: J1, distance: 4.5"), "are 4.5 Å apart; there are 4.2, 5.94"),
        (bonds("coupling: J1, vectors: [[0.3, 0, 0]]"), r"the vector \[0.3, 0, 0\] leads from no"),
        (bonds("coupling: J1, distance: 4.2, to: [left]"), "no site is called left"),
        (
            bonds("coupling: J1, from: [up], to: [up], spin: opposite, distance: 4.2"),
            "No two spins from 'up' to 'up' point along opposite directions",
        ),
        ("magnet.lattice=[4, 4, -4]", "has a length that is not positive"),
    ],
)
def test_bonds_that_join_nothing_tell_what_is_near(setting: str, words: str) -> None:
    simulation = load_simulation(
        "square_lattice", [setting, "hypotheses.neighbours.onsite=[{coupling: D}]"]
    )
    with pytest.raises(GnnmatError, match=words) as caught:
        simulation.simulator("neighbours")
    assert caught.value.what.startswith("Hypothesis 'neighbours': ")


def test_an_unknown_ion_is_refused_before_anything_is_drawn() -> None:
    site = "name: up, ion: Mnn2+, spin: 2.5, position: [0, 0, 0], direction: [0, 0, 1]"
    other = "name: down, ion: Mn2+, spin: 2.5, position: [0.5, 0.5, 0], direction: [0, 0, -1]"
    setting = f"magnet.sites=[{{{site}}}, {{{other}}}]"
    simulation = load_simulation("square_lattice", [setting])
    with pytest.raises(GnnmatError, match="no magnetic form factor of 'Mnn2") as caught:
        simulation.simulator("neighbours")
    assert caught.value.fix == "Did you mean 'Mn2+'?"


def array_file() -> bytes:
    buffer = BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


@pytest.mark.parametrize("content", [b"PK\x03\x04 cut off", b"", b"some text", array_file()])
def test_a_damaged_resolution_table_is_refused(tmp_path: Any, content: bytes) -> None:
    (tmp_path / "table.npz").write_bytes(content)
    resolution = f"resolution={{kind: table, path: {tmp_path}/table.npz}}"
    simulation = load_simulation("square_lattice", [resolution])
    with pytest.raises(GnnmatError, match=r"table.npz is not a readable .npz file") as caught:
        simulation.simulator("neighbours")
    assert "pickle" not in str(caught.value)
