"""Ways in which a screen could be wrong without anybody noticing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

import gnnmat
from gnnmat.errors import GnnmatError
from gnnmat.sources.objects import records_from_objects
from gnnmat.sources.records import Records
from gnnmat.workflows.screening.config import load_screen
from gnnmat.workflows.screening.gathering import strangers
from gnnmat.workflows.screening.paging import csv_text, safe_name
from gnnmat.workflows.screening.result import open_screen
from gnnmat.workflows.screening.run import screen
from gnnmat.workflows.screening.stage import Judged
from gnnmat.workflows.screening.stages.best import Best
from gnnmat.workflows.screening.stages.filter import Filter
from gnnmat.zoo import find_model

from .small import recipe, some_crystals, some_records

ALL = {"kind": "filter", "keep": "atoms > 0"}
BEST = {"kind": "best", "by": "volume", "keep": 3}
MODULI = {"kind": "predict", "run": "elastic-moduli"}


def with_values(names: list[str] | None = None, **columns: list[Any]) -> Records:
    """Six candidates with ids and values of one's own."""
    crystals = list(some_crystals(6).values())
    return records_from_objects(crystals, names or [f"i{n}" for n in range(6)], columns or None)


def run(
    folder: Path, *stages: dict[str, Any], records: Records | None = None, **options: Any
) -> Any:
    given = some_records(12) if records is None else records
    return screen(recipe(*stages, **options), folder, records=given, workers=1)


def test_other_ids_and_values_are_seen(tmp_path: Path) -> None:
    cheap = {"kind": "filter", "keep": "price < 3"}
    first = run(tmp_path, cheap, records=with_values(price=[1, 2, 3, 4, 5, 6]))
    assert list(first.shortlist["id"]) == ["i0", "i1"]
    second = run(tmp_path, cheap, records=with_values(price=[6, 5, 4, 3, 2, 1]))
    assert list(second.shortlist["id"]) == ["i4", "i5"]
    names = [f"j{n}" for n in range(6)]
    third = run(tmp_path, cheap, records=with_values(names, price=[6, 5, 4, 3, 2, 1]))
    assert list(third.shortlist["id"]) == ["j4", "j5"]


def test_a_model_that_was_trained_again_is_asked_again(tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(find_model("elastic-moduli"), model)
    (model / "learned.parquet").unlink()
    predict = {"kind": "predict", "run": str(model)}
    before = run(tmp_path / "out", predict, records=some_records(3)).candidates["K_vrh"]
    # Another member in the place of the first one is another ensemble.
    first, second = model / "members" / "0", model / "members" / "1"
    shutil.copytree(second, first, dirs_exist_ok=True)
    after = run(tmp_path / "out", predict, records=some_records(3)).candidates["K_vrh"]
    fresh = gnnmat.load(model).predict(list(some_crystals(3).values()))
    wanted = fresh[fresh["target"] == "K_vrh"]["prediction"]
    np.testing.assert_allclose(after, wanted, rtol=1e-5)
    assert not np.allclose(before, after, rtol=1e-3)


def test_a_stage_for_all_that_breaks_ends_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(table: pd.DataFrame) -> Any:
        raise ZeroDivisionError("nobody is the best")

    monkeypatch.setattr(Best, "open", lambda self, folder: breaks)
    with pytest.raises(GnnmatError, match="Stage 'b' failed"):
        run(tmp_path, {**BEST, "name": "b"})


def test_a_second_answer_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    one = {"kind": "derive", "properties": ["pugh"]}
    again = run(
        tmp_path, MODULI, one, {**MODULI, "model": "b", "columns": {"G_vrh": "other"}}, BEST
    )
    assert "K_vrh_low" in again.candidates
    with pytest.raises(GnnmatError, match="is called 'elastic_moduli'"):
        run(tmp_path, MODULI, MODULI)


def test_a_column_of_the_source_is_not_taken_for_an_answer(tmp_path: Path) -> None:
    records = with_values(K_vrh=[1000.0] * 6)
    found = run(tmp_path, {"kind": "filter", "keep": "volume < 7.8"}, MODULI, records=records)
    table = found.candidates
    assert (table["given_K_vrh"] == 1000).all()
    left = table["dropped_by"] == ""
    assert 0 < left.sum() < 6
    assert table.loc[~left, "K_vrh"].isna().all()
    assert (table.loc[left, "K_vrh"] < 600).all()


def test_proposals_follow_the_order_and_leave_out_what_was_dropped(tmp_path: Path) -> None:
    low = {"kind": "filter", "name": "soft", "keep": "K_vrh < 200"}
    found = run(tmp_path, MODULI, low, {"kind": "best", "by": "K_vrh", "largest": False})
    table = found.candidates.set_index("id")
    proposed = found.propose(1, method="greedy")
    assert (table.loc[proposed["id"], "K_vrh"] < 200).all()
    new = table[(table["dropped_by"] == "") & (table["elastic_moduli_learned"] == "")]
    assert proposed["id"][0] == new["K_vrh"].idxmin()


def test_two_screens_do_not_share_a_folder(tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"), pytest.raises(GnnmatError, match="Another screen"):
        run(tmp_path, ALL)
    (tmp_path / "file").write_text("")
    with pytest.raises(GnnmatError, match="is no folder"):
        run(tmp_path / "file", ALL)


def test_a_screen_that_was_begun_again_is_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, ALL)
    assert len(open_screen(tmp_path).shortlist) == 12

    def stopped(self: Filter, folder: Path) -> Any:
        def stop(table: pd.DataFrame) -> Any:
            raise KeyboardInterrupt

        return stop

    monkeypatch.setattr(Filter, "open", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, {"kind": "filter", "keep": "atoms > 1"})
    with pytest.raises(GnnmatError, match="no finished screen"):
        open_screen(tmp_path)


def test_no_page_is_no_error_where_nothing_came_so_far(tmp_path: Path) -> None:
    none = {"kind": "filter", "keep": "atoms > 99"}
    page = {"x": "K_vrh", "y": "G_vrh"}
    assert len(run(tmp_path, none, MODULI, page=page).shortlist) == 0
    with pytest.raises(GnnmatError, match="The page needs a column 'hardnes'"):
        run(tmp_path, MODULI, page={"x": "hardnes"})


def test_marks_of_the_page_are_about_its_axes() -> None:
    from gnnmat.workflows.screening.paging import _marks_of_others

    other = {"kind": "predict", "run": "mp-band-gap"}
    config = recipe(MODULI, {"kind": "derive", "properties": ["hardness", "toughness"]}, other)
    names = [f"{model}_{end}" for model in ("elastic_moduli", "mp_band_gap")
             for end in ("learned", "in_domain")]  # fmt: skip
    table = pd.DataFrame(columns=["hardness", "toughness", "band_gap", *names])
    dropped = _marks_of_others(config, table, ("hardness", "toughness"))
    assert dropped == ["mp_band_gap_learned", "mp_band_gap_in_domain"]
    assert _marks_of_others(config, table, ("hardness", "band_gap")) == []
    assert _marks_of_others(config, table, ("volume", "mass")) == []


def test_ids_stay_words(tmp_path: Path) -> None:
    found = run(tmp_path, ALL, records=with_values(["001", "1", "2", "1e3", "x y", "=SUM(1,2)"]))
    assert list(found.shortlist["id"]) == ["001", "1", "2", "1e3", "x y", "'=SUM(1,2)"]
    assert list(found.candidates["id"])[-1] == "=SUM(1,2)"


def test_no_cell_is_a_formula() -> None:
    table = pd.DataFrame({"id": ["=1+1", "@x", "-", "mp-1", None], "x": [-1.5, 2, 3, 4, 5]})
    assert csv_text(table).splitlines()[1:] == [
        "'=1+1,-1.5",
        "'@x,2.0",
        "'-,3.0",
        "mp-1,4.0",
        ",5.0",
    ]


@pytest.mark.parametrize(
    ("keep", "left"),
    [("flag == true", ["a"]), ("flag != true", ["b"]), ("word == NaN", ["a"]), ("id == a", ["a"]),
     ("number == 1", ["b"]), ("word == 1", ["b"])],
)  # fmt: skip
def test_conditions_mean_what_they_say(keep: str, left: list[str]) -> None:
    table = pd.DataFrame({"id": ["a", "b"], "flag": [True, False], "word": ["NaN", "1"]})
    judged = Filter(keep=keep).open(Path())(table.assign(number=[0.0, 1.0]))
    assert [one for one, why in zip(table["id"], judged.reasons, strict=True) if not why] == left


def test_a_recipe_that_is_not_there_is_not_another_one(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="no screening recipe"):
        load_screen(tmp_path / "superhard.yaml")
    assert load_screen("configs/superhard.yaml").name == "superhard"


@pytest.mark.parametrize("name", ["../evil/x", "a/b", "..", "", "C:\\x"])
def test_a_title_is_no_way_out_of_the_folder(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert Path(safe).name == safe
    assert safe not in (".", "..")


def test_strangers_on_the_shortlist_are_counted() -> None:
    assert strangers(pd.DataFrame({"m_in_domain": [True, False, False]}))[0].startswith(
        "2 of the 3"
    )
    assert strangers(pd.DataFrame({"m_in_domain": [True]})) == []


def test_small_is_good_where_it_is() -> None:
    assert not Best(by="e_above_hull").up
    assert Best(by="hardness").up
    assert Best(by="e_above_hull", largest=True).up
    assert Best(by="price").title == "best by price, smallest first"


def test_one_structure_alone_is_asked_for_as_a_list() -> None:
    from pymatgen.core import Lattice, Structure

    with pytest.raises(GnnmatError, match="structures is a Structure"):
        gnnmat.screen(structures=Structure(Lattice.cubic(4), ["Po"], [[0, 0, 0]]))


def test_a_stage_may_refuse_one_candidate_and_not_all(tmp_path: Path) -> None:
    from gnnmat.workflows.screening.work import judge

    def refuses(table: pd.DataFrame) -> Any:
        if "b" in set(table["id"]):
            raise GnnmatError("It has no spin.", why="b")
        return Judged.of(table, spin=1.0)

    table = pd.DataFrame({"id": ["a", "b", "c"]})
    judged = judge(refuses, table)
    assert list(judged.reasons) == ["", "failed: It has no spin. b", ""]
    assert judged.columns["spin"].tolist()[::2] == [1.0, 1.0]
    with pytest.raises(GnnmatError, match="no spin"):
        judge(refuses, table.iloc[[1]])
