"""Predictions for anything that can be read, without targets or side files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gnnmat
from gnnmat.errors import GnnmatError

from .tiny import crystals, graph_cache, trained, write_cifs  # noqa: F401


def test_order_is_kept_and_reasons_stand_beside(tmp_path: Path) -> None:
    made = crystals(3)
    folder = write_cifs(tmp_path / "cifs", 3)
    bad = tmp_path / "bad.cif"
    bad.write_text("this is no crystal")
    table = gnnmat.load(trained().folder).predict([folder / "c02.cif", bad, made[0], "absent.cif"])
    assert table["id"].tolist() == ["c02", "bad", "structure-3", "absent"]
    assert (
        table["formula"].tolist()[::2] == trained().load().predict(made)["formula"].tolist()[::-2]
    )
    assert table["refused"].tolist()[::2] == ["", ""]
    assert all(reason for reason in table["refused"].tolist()[1::2])
    assert table["prediction"].isna().tolist() == [False, True, False, True]


def test_file_and_object_of_one_crystal_get_one_prediction(tmp_path: Path) -> None:
    folder = write_cifs(tmp_path / "cifs", 4)
    predictor = trained().load()
    from_files = predictor.predict([folder])["prediction"].to_numpy()
    from_objects = predictor.predict(crystals(4))["prediction"].to_numpy()
    assert from_files == pytest.approx(from_objects, rel=1e-4)


def test_batches_do_not_matter() -> None:
    predictor = trained().load()
    alone = predictor.predict(crystals(7), batch_size=1)["prediction"]
    joined = predictor.predict(crystals(7), batch_size=7)["prediction"]
    np.testing.assert_allclose(alone, joined, rtol=1e-5)


def test_predicting_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    trained().load().predict(crystals(2))
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_predict_is_said(tmp_path: Path) -> None:
    predictor = trained().load()
    with pytest.raises(GnnmatError, match="There is nothing to predict") as caught:
        predictor.predict([])
    assert caught.value.why == "No structure was given."
    bad = tmp_path / "bad.cif"
    bad.write_text("this is no crystal")
    with pytest.raises(
        GnnmatError, match="There is nothing to predict|Not one structure"
    ) as caught:
        predictor.predict([bad])
    assert caught.value.why


def test_targets_are_named() -> None:
    assert trained().load().targets == ("volume",)
