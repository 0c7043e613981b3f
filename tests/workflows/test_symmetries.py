"""Couplings that no image tells apart are named before a network learns them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from gnnmat.simulation.hypotheses import Simulation, load_simulation, parse_simulation
from gnnmat.sources.simulated_set import read_manifest
from gnnmat.workflows import symmetries
from gnnmat.workflows.set_folder import simulation_text
from gnnmat.workflows.simulating import simulate
from gnnmat.workflows.symmetries import undeclared_exchanges

from .square_lattice import square, stripes

SMALL = {"images": 4, "shard_size": 4, "workers": 1, "device": "cpu"}
FOLDED = ({"exchange": [["X", "Y"]], "larger": "X"},)


def with_lines(simulation: Simulation, name: str, sentence: str) -> Simulation:
    """The simulation with the lines added that a warning ends with."""
    plain = yaml.safe_load(simulation_text(simulation))
    plain["hypotheses"][name] |= yaml.safe_load(sentence.partition("\n")[2])
    return parse_simulation(plain)


def pcsmo(*settings: str) -> Simulation:
    """The shipped simulation without its table of the resolution."""
    widths = "resolution={kind: widths, q: 0.02, energy: 0.03}"
    return load_simulation("pcsmo", ["layout.incident_energies=[70]", widths, *settings])


def test_bonds_that_twins_exchange_are_named_with_the_lines_to_add() -> None:
    (sentence,) = undeclared_exchanges(stripes())
    assert sentence.startswith("Hypothesis 'stripes': the image stays the same when")
    assert "exchanged: X with Y." in sentence
    assert sentence.endswith("same_image: [{exchange: [[X, Y]], larger: X}]")
    assert "under hypotheses.stripes:" in sentence
    assert undeclared_exchanges(with_lines(stripes(), "stripes", sentence)) == []


@pytest.mark.parametrize(
    "simulation",
    [stripes(twins=False), stripes(same_image=FOLDED), square()],
    ids=["without twins", "declared", "other ranges"],
)
def test_nothing_is_said_where_draws_are_told_apart(simulation: Simulation) -> None:
    assert undeclared_exchanges(simulation) == []


def test_what_is_declared_stays_in_the_lines_to_add() -> None:
    wrong = stripes(same_image=[{"exchange": [["X", "Z"]], "larger": "Z"}])
    (sentence,) = undeclared_exchanges(wrong)
    rules = "[{exchange: [[X, Z]], larger: Z}, {exchange: [[X, Y]], larger: X}]"
    assert sentence.endswith(f"same_image: {rules}")


def test_the_dimer_swap_of_pcsmo_is_found_without_its_declaration() -> None:
    declared = pcsmo()
    assert undeclared_exchanges(declared) == []
    bare = parse_simulation(
        {
            **declared.model_dump(by_alias=True),
            "hypotheses": {
                name: {**one.model_dump(by_alias=True), "same_image": ()}
                for name, one in declared.hypotheses.items()
            },
        }
    )
    (sentence,) = undeclared_exchanges(bare)
    assert "'dimer'" in sentence
    mended = with_lines(bare, "dimer", sentence)
    values = np.random.default_rng(0).uniform(-3, 3, (20, 6))
    np.testing.assert_array_equal(
        np.sort(np.abs(mended.canonical("dimer", values)), axis=1),
        np.sort(np.abs(declared.canonical("dimer", values)), axis=1),
    )
    swapped = values[:, [3, 2, 1, 0, 4, 5]]  # JFW with JFS, JA1 with JA2
    np.testing.assert_array_equal(
        mended.canonical("dimer", swapped), mended.canonical("dimer", values)
    )


def test_of_very_many_exchanges_only_some_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def watched(simulator: object, space: object, *, most: int) -> list[object]:
        tried.append(most)
        return []

    monkeypatch.setattr(symmetries, "find_exchanges", watched)
    assert undeclared_exchanges(stripes()) == []
    assert tried == [200]


def test_ranges_without_a_stable_draw_are_left_to_the_draws_of_the_set() -> None:
    upside_down = {name: {"range": [2.0, 8.0]} for name in "XYZ"}
    assert undeclared_exchanges(stripes(couplings=upside_down)) == []


def test_fixed_couplings_are_not_exchanged() -> None:
    fixed = {name: {"reference": -2.0} for name in "XYZ"}
    assert undeclared_exchanges(stripes(couplings=fixed)) == []


def test_a_set_tells_it_at_once_and_keeps_it(tmp_path: Path) -> None:
    told: list[str] = []
    made = simulate(stripes(), tmp_path / "set", **SMALL, warn=told.append)
    assert made.manifest.warnings[0] == told[0]
    assert "X with Y" in told[0]
    assert read_manifest(made.folder).warnings == made.manifest.warnings
    assert "X with Y" in made.overview.read_text()
    before = len(told)
    again = simulate(stripes(), tmp_path / "set", **SMALL, warn=told.append)
    assert (len(told), again.manifest) == (before, made.manifest)
