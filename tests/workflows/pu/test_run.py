"""A PU run: nobody scores what it has learned from, and a killed run goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from gnnmat.errors import GnnmatError
from gnnmat.sources.objects import records_from_objects
from gnnmat.train.committee import Committee, member_folders
from gnnmat.train.config import RunConfig
from gnnmat.workflows import trust as trusting
from gnnmat.workflows.ensemble import resume_ensemble
from gnnmat.workflows.preparation import Prepared
from gnnmat.workflows.pu import run as running
from gnnmat.workflows.pu.card import pu_commands, pu_scores
from gnnmat.workflows.pu.folder import PuRun, open_pu
from gnnmat.workflows.pu.run import learn_pu
from gnnmat.workflows.run_folder import Run, open_run
from gnnmat.workflows.training import train
from gnnmat.workflows.trust import fit_trust

from ...train.tiny import crystals, graph_cache, weights  # noqa: F401
from .made import COUNT, halide, labels, learned, made_records, recipe


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> PuRun:
    return learned(tmp_path_factory.mktemp("pu") / "run", "pu.compare=[hull]")


def ages(folder: Path) -> list[int]:
    """When the weights of the fits were written."""
    return [(one / "weights.safetensors").stat().st_mtime_ns for one in member_folders(folder)]


def members(folder: Path) -> list[Run]:
    return [open_run(one) for one in member_folders(folder)]


def learned_formulas(run: Run, everything: pd.DataFrame) -> set[str]:
    """Formulas of the rows that a fit trained on: those it neither tests nor chooses by."""
    rest = everything[~everything["id"].isin(run.predictions["id"])]
    return set(rest["formula"])


def test_no_fit_scores_a_formula_it_has_learned(found: PuRun) -> None:
    for run in members(found.folder):
        test = run.predictions[run.predictions["split"] == "test"]
        assert not learned_formulas(run, found.scores) & set(test["formula"])


def test_every_row_is_scored_once_a_round_but_those_that_choose_epochs(found: PuRun) -> None:
    chosen = [
        run.predictions.query("split == 'val'")["id"].tolist() for run in members(found.folder)
    ]
    assert all(one == chosen[0] for one in chosen)
    counts = found.scores.set_index("id")["fits"]
    assert (counts[chosen[0]] == 0).all()
    assert (counts.drop(chosen[0]) == 2).all()


def test_score_and_error_are_mean_and_error_of_the_mean(found: PuRun) -> None:
    tables = [run.predictions.query("split == 'test'") for run in members(found.folder)]
    by_id = pd.concat(tables).groupby("id")["score"]
    rows = found.scores.set_index("id").loc[list(by_id.groups)]
    np.testing.assert_allclose(rows["score"], by_id.mean(), rtol=1e-6)
    np.testing.assert_allclose(rows["standard_error"], by_id.std() / 2**0.5, rtol=1e-5)


def test_scores_find_the_positives_nobody_labelled(tmp_path: Path) -> None:
    count = 120
    run = learned(tmp_path, "pu.fits=2", "trainer.epochs=25", records=made_records(count=count))
    table = run.scores.dropna(subset="score")
    truth = halide(count)[[int(name) for name in table["id"]]]
    unlabelled = (table["label"] == "0").to_numpy()
    ranked = roc_auc_score(truth[unlabelled], table["score"][unlabelled])
    assert ranked > 0.75


def test_the_curve_has_an_interval_around_it(found: PuRun) -> None:
    own = found.summary["models"][0]
    band, curve = own["band"], own["curve"]
    value = np.interp(band["flagged"], curve["flagged"], curve["recall"])
    low, high = np.array(band["low"]), np.array(band["high"])
    assert ((low <= value + 1e-9) & (value <= high + 1e-9)).mean() > 0.9
    assert (high - low).max() > 0.1
    page = (found.folder / "report.html").read_text()
    assert "toself" in page


def test_rivals_stand_beside_the_model(found: PuRun) -> None:
    names = [one["name"] for one in found.summary["models"]]
    assert names == ["this model", "composition alone", "hull alone"]


def test_new_crystals_get_a_score_with_an_error_and_a_verdict(found: PuRun, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(found.folder, tmp_path / "copy"))
    committee = open_pu(copy).load()
    assert isinstance(committee, Committee)
    table = committee.predict(crystals(3))
    each = [one.load().predict(crystals(3))["score"] for one in members(copy)]
    np.testing.assert_allclose(table["score"], np.mean(each, axis=0), rtol=1e-5)
    np.testing.assert_allclose(
        table["standard_error"], np.std(each, axis=0, ddof=1) / 2, rtol=1e-4, atol=1e-9
    )
    told = fit_trust(copy, false_refusal=0.2, records=made_records())
    assert set(told.used) == {"distance", "neighbours"}
    assert told.temperature == 1.0


def test_the_same_call_again_reads_and_more_fits_add_what_is_missing(
    found: PuRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(found.folder, tmp_path / "copy"))
    old = weights(copy / "members" / "0")
    added = []
    again = learned(
        copy, "pu.compare=[hull]", "pu.fits=6", on_fit=lambda number, _: added.append(number)
    )
    assert len(member_folders(copy)) == 6
    assert (again.scores["fits"].max(), added) == (3, list(range(6)))
    assert all(old[name].equal(value) for name, value in weights(copy / "members" / "0").items())
    monkeypatch.setattr(running, "find_rows", lambda *_, **__: pytest.fail("read again"))
    pd.testing.assert_frame_equal(
        learned(copy, "pu.compare=[hull]", "pu.fits=6").scores, again.scores, check_dtype=False
    )
    with pytest.raises(GnnmatError, match="begun with 6 fits"):
        learned(copy, "pu.compare=[hull]")
    with pytest.raises(GnnmatError, match="another recipe"):
        learned(copy, "pu.compare=[hull]", "pu.fits=6", "trainer.epochs=3")


def test_a_card_tells_the_command_and_what_the_scores_are_worth(found: PuRun) -> None:
    (command,) = pu_commands(found.folder, "synthesizability")
    words = command.split()
    assert words[:3] == ["gnnmat", "pu", "synthesizability"]
    assert "--set=pu.folds=2" in words
    recall, ranked = pu_scores(found.folder)
    assert recall.value == found.summary["models"][0]["recall_at"][3]["value"]
    assert set(ranked.baselines) == {"composition alone", "hull alone"}


def test_resuming_as_an_ensemble_is_answered_with_the_command(found: PuRun) -> None:
    with pytest.raises(GnnmatError, match="holds a PU run") as error:
        resume_ensemble(found.folder)
    assert str(error.value.fix).startswith("gnnmat pu ")


class Killed(Exception):
    """What a test throws in place of a kill."""


def test_a_run_killed_between_fits_ends_as_if_it_had_not_been(found: PuRun, tmp_path: Path) -> None:
    def kill(number: int, _: Run) -> None:
        if number == 1:
            raise Killed

    folder = tmp_path / "run"
    with pytest.raises(Killed):
        learned(folder, "pu.compare=[hull]", on_fit=kill)
    assert not (folder / "metrics.json").exists()
    first = ages(folder)
    assert len(first) == 2
    again = learned(folder, "pu.compare=[hull]")
    pd.testing.assert_frame_equal(again.scores, found.scores, check_dtype=False)
    assert ages(folder)[:2] == first


def test_a_fit_killed_between_epochs_goes_on(
    found: PuRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gnnmat.train.callbacks import History

    usual, calls = History.on_train_epoch_end, []

    def kill(self: History, *args: object) -> None:
        usual(self, *args)  # type: ignore[arg-type]
        calls.append(1)
        if len(calls) == 4:  # after the first epoch of the second fit is on disk
            raise Killed

    folder = tmp_path / "run"
    monkeypatch.setattr(History, "on_train_epoch_end", kill)
    with pytest.raises(Killed):
        learned(folder, "pu.compare=[hull]")
    monkeypatch.undo()
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))
    again = learned(folder, "pu.compare=[hull]")
    pd.testing.assert_frame_equal(again.scores, found.scores, check_dtype=False)


def test_bags_score_what_is_held_out_left_out_and_not_drawn(tmp_path: Path) -> None:
    options = ["pu.method=bags", "pu.fits=3", "pu.held_out=0.2", "pu.ratio=0.5"]
    run = learned(tmp_path / "run", *options)
    table = run.scores
    counted = dict.fromkeys(table["id"], 0)
    for one in members(run.folder):
        test = one.predictions[one.predictions["split"] == "test"]
        for name in test["id"]:
            counted[name] += 1
    assert table["fits"].tolist() == [counted[name] for name in table["id"]]
    judged = table[(table["label"] == "1") & (table["fits"] > 0)]
    assert run.summary["judged_positives"] == len(judged)
    assert 3 in judged["fits"].to_numpy()


def test_without_any_positive_to_judge_nothing_is_said(tmp_path: Path) -> None:
    options = ["pu.method=bags", "pu.fits=2", "pu.held_out=0", "pu.left_out=0", "pu.ratio=0.5"]
    run = learned(tmp_path / "run", *options)
    assert run.summary["judged_positives"] == 0
    for found in (run.summary, open_pu(run.folder).summary):
        assert np.isnan(found["models"][0]["ranking"]["value"])
        assert np.isnan(found["prior_at_most"]["value"])
    assert "NaN" not in (run.folder / "pu.json").read_text()


def test_other_data_are_not_mixed_with_those_a_run_was_begun_with(
    found: PuRun, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(found.folder, tmp_path / "copy"))
    changed = labels()
    changed[changed.index(1)] = 0
    for options in (["pu.compare=[hull]"], ["pu.compare=[hull]", "pu.fits=6"]):
        with pytest.raises(GnnmatError, match="labels are not those"):
            learned(copy, *options, records=made_records(changed))


def test_other_columns_to_compare_need_no_new_fit(found: PuRun, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(found.folder, tmp_path / "copy"))
    old_ages = ages(copy)
    run = learned(copy, "pu.compare=[-hull]")
    assert ages(copy) == old_ages
    old, new = (one.summary["models"][2]["ranking"]["value"] for one in (found, run))
    assert old + new == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ({"note": ["a"] * COUNT}, "holds 'a' for '0'"),
        ({"score": [0.0] * COUNT}, "a column of their own"),
        ({"known": [1.0 if one else None for one in labels()]}, "no value for a positive or none"),
    ],
)
def test_columns_that_cannot_rank_are_refused_before_training(
    column: dict[str, list[object]], words: str, tmp_path: Path
) -> None:
    (name,) = column
    ids = [str(number) for number in range(COUNT)]
    given = records_from_objects(crystals(COUNT), ids=ids, targets={"made": labels(), **column})
    with pytest.raises(GnnmatError, match=words):
        learned(tmp_path / "run", f"pu.compare=[{name}]", records=given)
    assert not (tmp_path / "run").exists()


def test_an_ordinary_run_in_its_place_leaves_nothing_of_it(found: PuRun, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(found.folder, tmp_path / "copy"))
    train(
        recipe().fits()[0], copy, records=made_records([str(x) for x in labels()]), overwrite=True
    )
    left = {"pu.yaml", "pu.json", "scores.csv", "twins.csv", "landmarks.safetensors"}
    assert not left & {one.name for one in copy.iterdir()}


def test_thresholds_are_fixed_on_rows_that_no_fit_has_learned(tmp_path: Path) -> None:
    made = crystals(COUNT)
    values, ids = [*labels(), 0, 0], [str(number) for number in range(COUNT + 2)]
    first = [place for place, one in enumerate(labels()) if one][:2]
    table = {"made": values, "hull": [0.0] * len(values)}
    given = records_from_objects([*made, *(made[one] for one in first)], ids=ids, targets=table)
    run = learned(tmp_path / "run", "pu.spies=0.2", records=given)
    seen: list[list[str]] = []
    usual = trusting.Looking

    def looking(committee: Committee, config: RunConfig, prepared: Prepared, **more: Any) -> Any:
        seen.append([prepared.dataset.ids[row] for row in prepared.rows("val")])
        return usual(committee, config, prepared, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trusting, "Looking", looking)
        fit_trust(run.folder, false_refusal=0.2, records=given)
    for one in members(run.folder):
        assert set(seen[0]) == set(one.predictions.query("split == 'val'")["id"])


def test_spies_are_told_to_the_fits_as_unlabelled(tmp_path: Path) -> None:
    run = learned(tmp_path / "run", "pu.spies=0.3")
    spies = set(run.scores[run.scores["spy"]]["id"])
    assert spies
    assert set(run.scores[run.scores["spy"]]["label"]) == {"1"}
    for one in members(run.folder):
        told = one.predictions[one.predictions["id"].isin(spies)]
        assert set(told["truth"]) == {"0"}
    assert run.summary["models"][-1]["name"] == "this model, spies"


def test_an_unlabelled_twin_of_a_positive_is_left_out_and_named(tmp_path: Path) -> None:
    made = crystals(COUNT)
    values = [*labels(), 0]
    first = values.index(1)
    table = {"made": values, "hull": [0.0] * len(values)}
    ids = [str(number) for number in range(COUNT + 1)]
    given = records_from_objects([*made, made[first]], ids=ids, targets=table)
    run = learned(tmp_path / "run", records=given)
    twins = pd.read_csv(run.folder / "twins.csv", dtype=str)
    assert twins.to_dict("records") == [{"id": str(COUNT), "positive": str(first)}]
    assert str(COUNT) not in set(run.scores["id"])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda one: ["maybe", *one[1:]], r"'maybe' \(1 rows\), first for '0'"),
        (lambda one: [2, *one[1:]], "'2'"),
        (lambda one: [1 if x else None for x in one], "no unlabelled row"),
        (lambda one: [0 for _ in one], "no positive row"),
    ],
)
def test_other_labels_are_refused_before_anything_is_written(
    spoil: Callable[[list[int]], list[object]], words: str, tmp_path: Path
) -> None:
    with pytest.raises(GnnmatError, match=words):
        learned(tmp_path / "run", records=made_records(spoil(labels())))
    assert not (tmp_path / "run").exists()


def test_true_and_false_are_labels_too_and_empty_rows_are_not_used(tmp_path: Path) -> None:
    values: list[object] = [bool(one) for one in labels()]
    values[5] = None
    run = learned(tmp_path / "run", "pu.fits=2", records=made_records(values))
    assert len(run.scores) == COUNT - 1
    assert set(run.scores["label"]) == {"0", "1"}


def test_more_positives_than_unlabelled_rows_make_no_bag(tmp_path: Path) -> None:
    many = [0 if number % 5 == 0 else 1 for number in range(COUNT)]
    with pytest.raises(GnnmatError, match="leaves none") as error:
        learned(tmp_path / "run", "pu.method=bags", records=made_records(many))
    assert "pu.method=folds" in str(error.value.fix)
    assert not (tmp_path / "run").exists()


def test_fits_that_are_no_multiple_of_the_folds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="no multiple") as error:
        learn_pu(recipe("pu.fits=5"), tmp_path / "run", records=made_records())
    assert error.value.fix == "pu.fits=4"
