"""Crystals explained by trained runs, from file to tables and pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gnnmat
from gnnmat.errors import GnnmatError
from gnnmat.train.judge import load_model
from gnnmat.workflows.explain_crystal import (
    CrystalExplanation,
    CrystalExplanations,
    explain_crystals,
)
from gnnmat.workflows.explain_crystal_checks import check_explanations
from gnnmat.workflows.explain_crystal_files import file_name, statements, write_explanations
from gnnmat.workflows.explain_crystal_tables import bond_kinds, element_sums, summary_table

from ..train.tiny import config, crystals, graph_cache, records, trained  # noqa: F401
from .explained_crystals import (
    CRYSTALS,
    SALT,
    classes,
    linear_ensemble,
    uneven,
    with_state,
)


@pytest.fixture(scope="module")
def salt(graph_cache: Any) -> CrystalExplanation:  # noqa: F811
    return explain_crystals(linear_ensemble(), [SALT])[0]


@pytest.fixture(scope="module")
def several(graph_cache: Any) -> CrystalExplanations:  # noqa: F811
    return explain_crystals(linear_ensemble(), [SALT, CRYSTALS / "absent.cif", *crystals(3)])


def test_contributions_sum_to_what_predict_says(salt: CrystalExplanation) -> None:
    said = load_model(linear_ensemble()).predict([SALT])["prediction"].iloc[0]
    assert salt.prediction == pytest.approx(said)
    total = salt.found.atoms.baseline + salt.atoms["contribution"].sum()
    assert total == pytest.approx(said, rel=1e-4)
    assert salt.found.method == "exact"
    assert salt.found.atoms.relative_error < 1e-9


def test_atoms_are_a_tidy_table_with_their_sites(salt: CrystalExplanation) -> None:
    table = salt.atoms
    assert list(table)[:6] == ["id", "target", "atom", "element", "wyckoff", "orbit"]
    assert table["element"].value_counts().to_dict() == {"Na": 4, "Cl": 4}
    # Rock salt, space group 225: both elements on positions of their own.
    assert salt.space_group == 225
    assert sorted(set(table["wyckoff"])) == ["a", "b"]
    spread = table.groupby("orbit")["contribution"].agg(np.ptp)
    assert spread.max() < 1e-9
    assert (table["spread"] > 0).all()


def test_bonds_are_a_tidy_table_of_the_unfolded_graph(salt: CrystalExplanation) -> None:
    table = salt.bonds
    short = table[table["length"] < 3]
    assert len(short) == 24  # 6 neighbours of 8 atoms, each bond once
    assert set(short["first_element"] + short["second_element"]) <= {"NaCl", "ClNa"}
    bonded = salt.found.bonded
    assert bonded is not None
    assert table["contribution"].sum() == pytest.approx(bonded.answer - bonded.baseline, rel=1e-6)
    assert table["unit"].unique().tolist() == [salt.found.answer.unit]


def test_kinds_and_elements_lose_nothing(salt: CrystalExplanation) -> None:
    kinds, elements = bond_kinds(salt.bonds), element_sums(salt.atoms)
    assert kinds["pair"].iloc[0] == "Cl–Na"
    assert kinds["count"].sum() == len(salt.bonds)
    assert kinds["total"].sum() == pytest.approx(salt.bonds["contribution"].sum())
    assert elements["total"].sum() == pytest.approx(salt.atoms["contribution"].sum())
    assert elements["total"].is_monotonic_decreasing


def test_what_cannot_be_read_is_refused_and_the_others_explained(
    several: CrystalExplanations,
) -> None:
    assert len(several) == 4
    assert [one.id for one in several.refused] == ["absent"]
    assert set(several.atoms["id"]) == {one.id for one in several}
    summary = summary_table(several)
    assert summary["atoms_error"].abs().max() < 1e-9
    assert (summary["members"] == 2).all()


def test_a_folder_holds_pages_index_and_tables(
    several: CrystalExplanations, tmp_path: Path
) -> None:
    written = write_explanations(several, tmp_path / "out", model="mine")
    names = {path.name for path in written}
    assert names == {
        "index.html", "atoms.csv", "bonds.csv", "summary.csv",
        *(f"{one.id}.html" for one in several),
    }  # fmt: skip
    index = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert 'href="./NaCl.html"' in index
    assert "absent" in index
    atoms = pd.read_csv(tmp_path / "out" / "atoms.csv")
    np.testing.assert_allclose(atoms["contribution"], several.atoms["contribution"])


def test_one_table_holds_atoms_and_bonds(several: CrystalExplanations, tmp_path: Path) -> None:
    (path,) = write_explanations(several, tmp_path / "x.csv", model="mine")
    table = pd.read_csv(path)
    assert table["part"].value_counts().to_dict() == {
        "atom": len(several.atoms), "bond": len(several.bonds),
    }  # fmt: skip
    assert table["id"].drop_duplicates().tolist() == [one.id for one in several]
    atoms = table[table["part"] == "atom"]
    assert atoms["second"].isna().all()
    assert atoms["first_element"].tolist() == several.atoms["element"].tolist()


def test_one_page_for_several_crystals_is_refused(
    several: CrystalExplanations, tmp_path: Path
) -> None:
    with pytest.raises(GnnmatError, match="one page, but there are 4 crystals"):
        write_explanations(several, tmp_path / "x.html", model="mine")


def test_statements_name_baseline_constant_and_error(salt: CrystalExplanation) -> None:
    said = dict(statements(salt))
    assert said["atoms"].startswith("Exact.")
    assert "mean of the training labels" in said["atoms add up"]
    assert "Completeness error" in said["bonds add up"]
    assert "2 members" in said["ensemble"]


def test_the_logarithm_is_named_where_contributions_add_up_only_there(tmp_path: Path) -> None:
    from gnnmat.workflows.training import train

    options = {"task__scale": "log", "trainer__epochs": 1}
    run = train(config(**options), tmp_path / "run", records=records())
    one = explain_crystals(run.folder, [SALT])[0]
    said = dict(statements(one))
    assert said["explained"].startswith("ln(volume) = ")
    assert "multiplies the value by 1.105" in said["explained"]
    value = one.found.atoms.answer
    assert np.exp(value) == pytest.approx(float(one.prediction), rel=1e-4)


def test_classes_are_explained_as_log_odds() -> None:
    one = explain_crystals(classes(), [SALT])[0]
    assert one.prediction in ("large", "small")
    assert one.found.answer.words == f"log-odds of '{one.prediction}' as size"
    other = "small" if one.prediction == "large" else "large"
    against = explain_crystals(classes(), [SALT], label=other)[0]
    assert against.found.atoms.answer == pytest.approx(-one.found.atoms.answer)


def test_a_single_deep_run_is_explained_by_integrated_gradients() -> None:
    one = gnnmat.explain(trained().folder, SALT)
    assert isinstance(one, CrystalExplanation)
    assert one.found.method == "features"
    assert one.found.atoms.relative_error < 1e-5
    assert one.atoms["spread"].isna().all()


def test_a_list_gives_several_explanations_and_files(tmp_path: Path) -> None:
    found = gnnmat.explain(
        trained().folder, crystals(2), output=tmp_path / "out", method="elements"
    )
    assert isinstance(found, CrystalExplanations)
    assert len(found) == 2
    assert (tmp_path / "out" / "index.html").is_file()


def test_spectra_options_are_refused_for_crystals() -> None:
    with pytest.raises(GnnmatError, match="belongs to a spectrum"):
        gnnmat.explain(trained().folder, SALT, fit=object())  # type: ignore[arg-type]
    with pytest.raises(GnnmatError, match="no method 'cam' for crystals"):
        gnnmat.explain(trained().folder, SALT, method="cam")


def test_checks_of_a_sound_map_pass() -> None:
    found = explain_crystals(linear_ensemble(), uneven(3))
    checks = {one.name: one for one in check_explanations(linear_ensemble(), found, seeds=1)}
    assert len(checks) == 5
    assert checks["contributions of atoms add up"].verdict == "ok"
    assert checks["contributions of bonds add up"].verdict == "ok"
    for name, check in checks.items():
        assert np.isfinite(check.value), name
    assert abs(checks["random weights give other maps (bonds)"].value) < 0.95


def test_taking_away_what_the_map_calls_strong_changes_more_than_what_it_calls_weak() -> None:
    from dataclasses import replace

    from gnnmat.workflows.explain_crystal import members_of
    from gnnmat.workflows.explain_crystal_checks import without_strongest

    member = members_of(load_model(trained().folder))[0]
    right = list(explain_crystals(trained().folder, uneven(4)))
    wrong = []
    for one in right:
        bonded = one.found.bonded
        assert bonded is not None
        turned = replace(bonded, members=1 / bonded.members)
        wrong.append(replace(one, found=replace(one.found, bonded=turned)))
    good, bad = without_strongest(member, right), without_strongest(member, wrong)
    assert good.value > bad.value


def test_checks_see_a_map_that_does_not_add_up(several: CrystalExplanations) -> None:
    from dataclasses import replace

    from gnnmat.workflows.explain_crystal_checks import sums

    one = several[0]
    wrong = replace(one.found.atoms, members=one.found.atoms.members[::-1] + 0.01)
    broken = replace(one, found=replace(one.found, atoms=wrong))
    assert [check.verdict for check in sums([broken])] == ["look", "ok"]


def test_checks_see_a_map_that_random_weights_give_as_well() -> None:
    from gnnmat.workflows.attribution_checks import untrained
    from gnnmat.workflows.explain_crystal import members_of
    from gnnmat.workflows.explain_crystal_checks import against_random

    member = members_of(load_model(trained().folder))[0]
    each = list(explain_crystals(trained().folder, uneven(3)))
    same = against_random(untrained(member, 0), each, seeds=1)
    assert [check.verdict for check in same] == ["look", "look"]
    assert same[1].value == pytest.approx(1.0)


def test_too_few_atoms_say_nothing(salt: CrystalExplanation) -> None:
    from gnnmat.workflows.explain_crystal import members_of
    from gnnmat.workflows.explain_crystal_checks import against_random

    member = members_of(load_model(linear_ensemble()))[0]
    atoms = against_random(member, [salt], seeds=1)[0]
    assert atoms.verdict == "too few parts to say"


def test_folded_graphs_are_unfolded() -> None:
    from dataclasses import replace

    from gnnmat.sources.read import read_crystal
    from gnnmat.workflows.explain_crystal import crystal_batch, members_of

    member = members_of(load_model(trained().folder))[0]
    config = member.config.input.model_copy(update={"fold": True})
    folded = replace(member, config=member.config.model_copy(update={"input": config}))
    batch = crystal_batch(folded, read_crystal(str(SALT)))
    assert "edge_offset" in batch
    assert "orbit_index" not in batch
    assert len(batch.edge_length) == len(crystal_batch(member, read_crystal(str(SALT))).edge_length)


def test_names_of_files_are_safe() -> None:
    assert file_name("../../etc/passwd") == "etc-passwd"
    assert file_name("Fe2O3 (alpha)#1") == "Fe2O3-alpha-1"
    assert file_name("//") == "crystal"


WARM = {"temperature": "900", "functional": "SCAN"}


def test_the_state_is_held_fixed() -> None:
    predictor = load_model(with_state())
    one = gnnmat.explain(with_state(), SALT, state=WARM)
    expected = predictor.predict([SALT], state=WARM)["prediction"].iloc[0]
    cold = predictor.predict([SALT], state={**WARM, "temperature": 0})["prediction"].iloc[0]
    assert one.found.atoms.answer == pytest.approx(expected, rel=1e-4)
    assert abs(cold - expected) > 1e-3 * abs(expected)
    assert one.state == (900, 1)
    assert dict(statements(one))["held fixed"].startswith("temperature 900, functional SCAN:")
    checks = check_explanations(with_state(), CrystalExplanations((one,)), seeds=1)
    assert checks[0].passed


def test_each_crystal_may_have_a_state_of_its_own() -> None:
    state = {"temperature": [0, 900], "functional": "PBE"}
    found = explain_crystals(with_state(), crystals(2), state=state)
    assert [one.state for one in found] == [(0, 0), (900, 0)]
    right = load_model(with_state()).predict(crystals(2), state=state)["prediction"]
    answers = [one.found.atoms.answer for one in found]
    assert answers == pytest.approx(right.to_list(), rel=1e-4)


def test_a_state_that_is_not_given_is_asked_for() -> None:
    with pytest.raises(GnnmatError, match="trained with the state 'temperature'"):
        explain_crystals(with_state(), [SALT])
