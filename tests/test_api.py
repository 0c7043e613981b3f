"""``gnnmat.fit``, ``load``, ``resume``, ``evaluate`` and ``cross_validate`` from Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gnnmat

from .train.tiny import (  # noqa: F401
    BASE,
    config,
    crystals,
    graph_cache,
    records,
    trained,
    volumes,
    write_cifs,
)

MADE = crystals(30)
VOLUME = volumes(MADE)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> gnnmat.api.Run:
    return gnnmat.fit(
        BASE,
        structures=MADE,
        targets={"volume": VOLUME},
        output=tmp_path_factory.mktemp("api") / "run",
        options={"trainer.epochs": 2, "optimizer.lr": 3e-4},
    )


def test_public_names_are_there() -> None:
    for name in gnnmat.__all__:
        assert getattr(gnnmat, name) is not None
    assert set(gnnmat.__all__) <= set(dir(gnnmat))
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        gnnmat.fitt  # noqa: B018


def test_import_does_not_wait_for_torch() -> None:
    code = "import sys, gnnmat; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_fit_learns_all_columns_unless_told(run: gnnmat.api.Run) -> None:
    chosen = gnnmat.load_config(run.folder / "config.yaml")
    assert chosen.data.targets == ("volume",)
    assert chosen.optimizer.lr == 3e-4
    assert run.value("MAE") > 0


def test_fit_equals_train(run: gnnmat.api.Run, tmp_path: Path) -> None:
    again = gnnmat.fit(
        config(optimizer__lr=3e-4),
        structures=MADE,
        targets=pd.DataFrame({"volume": VOLUME}),
        target="volume",
        output=tmp_path / "run",
    )
    assert again.metrics == run.metrics


def test_anything_that_is_a_crystal_is_predicted(tmp_path: Path) -> None:
    from ase import Atoms
    from pymatgen.core import Structure

    one = MADE[1]
    structure = Structure(one.lattice, one.numbers, one.frac)
    atoms = Atoms(numbers=one.numbers, scaled_positions=one.frac, cell=one.lattice, pbc=True)
    folder = write_cifs(tmp_path / "cifs", 2)
    bad = tmp_path / "empty.cif"
    bad.write_text("")
    given: list[Any] = [structure, str(folder / "c01.cif"), bad, atoms, folder / "c01.cif", one, 7]
    table = gnnmat.load(trained().folder).predict(given)
    columns = ["id", "formula", "target", "prediction", "unit", "in_domain", "verdict", "refused"]
    assert table.columns.tolist() == columns
    assert len(table) == len(given)
    good = [0, 1, 3, 4, 5]
    assert (table["refused"][good] == "").all()
    expected = trained().load().predict([one])["prediction"][0]
    assert table["prediction"][good].to_numpy() == pytest.approx([expected] * 5, rel=1e-4)
    assert table["formula"][good].nunique() == 1
    assert table["refused"][2]
    assert "int" in table["refused"][6]
    assert table["prediction"].isna().tolist() == [False, False, True, False, False, False, True]


def test_names_may_be_given() -> None:
    table = trained().load().predict(MADE[:2], ids=["first", "second"])
    assert table["id"].tolist() == ["first", "second"]
    with pytest.raises(gnnmat.GnnmatError, match="2 structures but 1 ids"):
        trained().load().predict(MADE[:2], ids=["first"])


def test_structures_without_targets_are_refused() -> None:
    with pytest.raises(gnnmat.GnnmatError, match="Structures were given without targets"):
        gnnmat.fit(BASE, structures=MADE)
    with pytest.raises(gnnmat.GnnmatError, match="Targets were given without structures"):
        gnnmat.fit(BASE, targets={"volume": VOLUME})
    with pytest.raises(gnnmat.GnnmatError, match="30 structures but 29 targets"):
        gnnmat.fit(BASE, structures=MADE, targets={"volume": VOLUME[:29]})


def test_unknown_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(gnnmat.GnnmatError, match="No column 'volum'") as caught:
        gnnmat.fit(
            BASE, structures=MADE, targets={"volume": VOLUME}, target="volum",
            output=tmp_path / "run",
        )  # fmt: skip
    assert caught.value.fix == "Did you mean 'volume'?"


def test_unknown_option_is_refused() -> None:
    with pytest.raises(gnnmat.GnnmatError, match=r"trainer\.epoch: unknown option"):
        gnnmat.fit(BASE, structures=MADE, targets={"volume": VOLUME},
                   options={"trainer.epoch": 3})  # fmt: skip


def test_evaluate_scores_new_data(run: gnnmat.api.Run) -> None:
    new = crystals(5, seed=9)
    found = gnnmat.evaluate(run.folder, structures=new, targets={"volume": volumes(new)})
    assert {row["metric"] for row in found.metrics} >= {"MAE", "RMSE", "R2"}
    assert len(found.predictions) == 5
    with pytest.raises(gnnmat.GnnmatError, match="evaluate needs structures and targets"):
        gnnmat.evaluate(run.folder)


def test_run_begun_in_python_is_not_taken_up_with_other_data(
    run: gnnmat.api.Run, tmp_path: Path
) -> None:
    """The command line has only the recipe, which does not hold the data."""
    import shutil

    shutil.copytree(run.folder, tmp_path / "run")
    (tmp_path / "run" / "metrics.json").unlink()
    other = np.arange(30.0)
    with pytest.raises(gnnmat.GnnmatError, match="The targets are not those") as caught:
        gnnmat.resume(tmp_path / "run", structures=MADE, targets={"volume": other})
    assert "gnnmat.resume(run, structures=..., targets=...)" in caught.value.fix
    again = gnnmat.resume(tmp_path / "run", structures=MADE, targets={"volume": VOLUME})
    assert again.metrics == run.metrics


def test_output_is_a_free_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = {"trainer.epochs": 1}
    for expected in ("runs/tiny", "runs/tiny-2"):
        run = gnnmat.fit(BASE, structures=MADE, targets={"volume": VOLUME}, options=options)
        assert run.folder == Path(expected)


def test_progress_is_silent_unless_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    trained().load().predict(MADE[:2])
    assert capfd.readouterr() == ("", "")


def test_cross_validation_by_recipe(tmp_path: Path) -> None:
    from .train.tiny import write_table

    path = write_table(tmp_path / "t.parquet", pd.DataFrame({"volume": VOLUME}))
    recipe = {**BASE, "data": {"source": {"kind": "table", "path": str(path)}, "workers": 0}}
    found = gnnmat.cross_validate(
        recipe, folds=2, output=tmp_path / "cv", options={"trainer.epochs": 1}
    )
    assert len(found.runs) == 2
    assert len(found.predictions) == 30
