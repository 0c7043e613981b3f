"""k fits on k folds: every row judged once, and a fold that is finished stays finished."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gnnmat.data.split_folds import FoldsSplit
from gnnmat.errors import GnnmatError
from gnnmat.models.cgcnn import CgcnnEncoder
from gnnmat.sources.card import CardSource
from gnnmat.train.config import parse_config
from gnnmat.workflows import cross_validation
from gnnmat.workflows.cross_validation import (
    CrossValidation,
    cross_validate,
    fold_config,
    fold_split,
)

from ..train.tiny import config, graph_cache, records  # noqa: F401


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> CrossValidation:
    folder = tmp_path_factory.mktemp("folds") / "cv"
    return cross_validate(config(), folder, folds=3, records=records())


def test_every_row_is_held_out_once(found: CrossValidation) -> None:
    assert sorted(found.predictions["id"]) == sorted(records().ids)
    assert found.predictions["fold"].value_counts().to_dict() == {0: 10, 1: 10, 2: 10}


def test_summary_is_the_mean_over_the_folds(found: CrossValidation) -> None:
    values = [run.value("MAE") for run in found.runs]
    (row,) = [r for r in found.summary if r["metric"] == "MAE" and not r["baseline"]]
    assert row["folds"] == values
    assert row["mean"] == found.value("MAE") == pytest.approx(np.mean(values))
    assert row["std"] == pytest.approx(np.std(values, ddof=1))
    assert "mean" in {r["baseline"] for r in found.summary}
    stored = json.loads((found.folder / "metrics.json").read_text())
    assert stored["summary"] == found.summary


def test_unknown_score_is_said(found: CrossValidation) -> None:
    with pytest.raises(GnnmatError, match="There is no MEA"):
        found.value("MEA")


def test_interrupted_folds_go_on(tmp_path: Path) -> None:
    """The first fold is finished, the second was interrupted in its second epoch."""
    steps = {"taken": 0}
    epoch = 3  # steps: 18 of 20 rows train, in batches of 6
    original = CgcnnEncoder.local

    def local(self: CgcnnEncoder, batch: object) -> object:
        if self.training:
            steps["taken"] += 1
            if steps["taken"] == 2 * epoch + epoch + 2:
                raise KeyboardInterrupt
        return original(self, batch)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CgcnnEncoder, "local", local)
        with pytest.raises(KeyboardInterrupt):
            cross_validate(config(), tmp_path / "cv", folds=3, records=records())
    first = (tmp_path / "cv" / "fold-0" / "weights.safetensors").stat().st_mtime_ns
    assert (tmp_path / "cv" / "fold-1" / "checkpoints" / "last.ckpt").is_file()
    steps["taken"] = -(10**6)
    told: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CgcnnEncoder, "local", local)
        again = cross_validate(
            config(),
            tmp_path / "cv",
            folds=3,
            records=records(),
            on_fold=lambda index, _: told.append(index),
        )
    # One epoch of the second fold and two of the third.
    assert steps["taken"] + 10**6 == 3 * epoch
    assert (tmp_path / "cv" / "fold-0" / "weights.safetensors").stat().st_mtime_ns == first
    assert told == [0, 1, 2]
    whole = cross_validate(config(), tmp_path / "whole", folds=3, records=records())
    assert again.summary == whole.summary


def test_folds_of_another_config_are_refused(found: CrossValidation) -> None:
    with pytest.raises(GnnmatError, match="holds a fold of another configuration") as caught:
        cross_validate(config(optimizer__lr=0.5), found.folder, folds=3, records=records())
    assert "--overwrite" in caught.value.fix


def test_data_set_with_official_folds_uses_them() -> None:
    phonons = parse_config({"data": {"source": {"kind": "card", "name": "matbench_phonons"}}})
    split = fold_split(phonons, 3)
    # Dunn et al., npj Comput. Mater. 6, 138 (2020): KFold(5, shuffle=True, random_state=18012019)
    assert (split.k, split.shuffle, split.seed) == (5, True, 18012019)
    assert not split.stratified
    metal = parse_config({"data": {"source": {"kind": "card", "name": "matbench_mp_is_metal"}}})
    assert fold_split(metal, 3).stratified


def test_folds_keep_the_groups_of_the_split() -> None:
    grouped = config(split__kind="group", split__by="formula")
    assert isinstance(grouped.data.source, CardSource)
    plain = grouped.model_copy(update={"data": grouped.data.model_copy(update={"source": None})})
    assert fold_split(plain, 4) == FoldsSplit(k=4, by="formula", seed=0)


@pytest.mark.parametrize(
    ("devices", "strategy", "expected"),
    [(1, "auto", "auto"), (2, "ddp", "ddp_spawn"), ("auto", "auto", "ddp_spawn")],
)
def test_devices_are_started_anew_for_every_fold(
    devices: int | str, strategy: str, expected: str
) -> None:
    chosen = config(trainer__devices=devices, trainer__strategy=strategy)
    fold = fold_config(chosen, FoldsSplit(k=3), 2)
    assert fold.trainer.strategy == expected
    assert fold.name == "tiny-fold-2"
    assert isinstance(fold.split, FoldsSplit)
    assert fold.split.index == 2


def test_only_scores_on_held_out_rows_are_averaged(found: CrossValidation) -> None:
    kept = {row["split"] for run in found.runs for row in run.metrics}
    assert kept == {"test"} or kept == {"val", "test"}
    rows = cross_validation.summarise(found.runs[:1])
    assert all(row["std"] is None and len(row["folds"]) == 1 for row in rows)
