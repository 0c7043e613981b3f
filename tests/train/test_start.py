"""Runs that begin with another: what is taken, what stays, what is refused, and after a kill."""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gnnmat
from gnnmat.data.symmetry import formulas
from gnnmat.errors import GnnmatError, GnnmatWarning
from gnnmat.models.cgcnn import CgcnnEncoder
from gnnmat.sample import DataSpec, TargetSpec
from gnnmat.state import StateAttribute, StateSpec
from gnnmat.train.checkpoint import load_run_config, read_tensors
from gnnmat.train.config import (
    OptimizerConfig,
    RunConfig,
    StartConfig,
    find_recipe,
    load_config,
    parse_config,
)
from gnnmat.train.hall import Hall, make_optimizer, make_schedule
from gnnmat.train.start import Learned, read_learned, spec_as_begun
from gnnmat.workflows.assembly import make_hall
from gnnmat.workflows.cross_validation import cross_validate
from gnnmat.workflows.ensemble import train_ensemble
from gnnmat.workflows.preparation import prepare
from gnnmat.workflows.start_notes import describe_start, warn_of_known_rows
from gnnmat.workflows.training import resume_training, train
from gnnmat.workflows.transfer import find_start, with_start

from .tiny import (  # noqa: F401
    BASE,
    assert_same_weights,
    config,
    crystals,
    graph_cache,
    records,
    trained,
    volumes,
    weights,
)

# A target with another name, for which nothing leaks.
OTHER = {"twice": 2 * volumes(crystals(30)) + 1}


def begun(target: str = "twice", **options: Any) -> RunConfig:
    return config(target, start__run=str(options.pop("run", trained().folder)), **options)


def hall_of(chosen: RunConfig, learned: Learned | None = None) -> Hall:
    targets = OTHER if chosen.data.targets == ("twice",) else None
    found = read_learned(trained().folder, "old") if learned is None else learned
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GnnmatWarning)
        return make_hall(chosen, prepare(chosen, records(targets=targets)), learned=found)[0]


def encoder_of(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: one for name, one in tensors.items() if name.startswith("encoder.")}


def test_another_target_takes_the_encoder_and_draws_the_head() -> None:
    old = weights(trained().folder)
    hall = hall_of(begun())
    new = hall.state_dict()
    assert all(new[name].equal(one) for name, one in encoder_of(old).items())
    assert not any(
        new[name].equal(one)
        for name, one in old.items()
        if name.endswith("weight") and "task" in name
    )
    labels = OTHER["twice"]
    assert float(hall.task.state_dict()["shift"]) == pytest.approx(labels.mean(), rel=0.2)


def test_same_target_takes_everything_with_its_scale() -> None:
    old = weights(trained().folder)
    new = hall_of(begun("volume")).state_dict()
    assert all(new[name].equal(one) for name, one in old.items())


def test_encoder_alone_where_that_is_asked_for() -> None:
    old = weights(trained().folder)
    new = hall_of(begun("volume", start__weights="encoder")).state_dict()
    name = "task.head.layers.1.weight"
    assert not new[name].equal(old[name])


def test_all_weights_for_another_target_keep_the_scale_of_its_labels() -> None:
    old = weights(trained().folder)
    new = hall_of(begun(start__weights="all")).state_dict()
    name = "task.head.layers.1.weight"
    assert new[name].equal(old[name])
    assert not new["task.shift"].equal(old["task.shift"])


def test_frozen_encoder_stays_to_the_last_bit(tmp_path: Path) -> None:
    old = encoder_of(weights(trained().folder))
    options = {"trainer__ema": 0.7, "optimizer__weight_decay": 0.1}
    run = train(
        begun(start__freeze=True, **options), tmp_path / "f", records=records(targets=OTHER)
    )
    new = encoder_of(weights(run.folder))
    assert new.keys() == old.keys()
    assert all(new[name].equal(old[name]) for name in old)
    # The twin: what moves without --freeze, running statistics among it.
    run = train(begun(**options), tmp_path / "m", records=records(targets=OTHER))
    moved = {k for k, v in encoder_of(weights(run.folder)).items() if not v.equal(old[k])}
    assert "encoder.layers.0.centre" in moved
    assert "encoder.layers.0.sum_norm.running_mean" in moved


def test_frozen_encoder_gets_no_gradient_and_the_head_does() -> None:
    hall = hall_of(begun(start__freeze=True)).train()
    assert not hall.encoder.training
    assert hall.task.training
    prepared = prepare(begun(), records(targets=OTHER))
    batch = prepared.dataset.__getitems__([0, 1, 2])
    hall._learn(batch).mean().backward()
    assert all(one.grad is None for one in hall.encoder.parameters())
    assert all(one.grad is not None for one in hall.task.parameters())


def test_body_learns_at_its_share_of_the_rate_along_the_whole_schedule() -> None:
    hall = hall_of(begun(start__body_lr=0.1))
    options = OptimizerConfig(lr=0.5, schedule="one_cycle")
    optimizer = make_optimizer(hall, options, hall.encoder, 0.1)
    schedule = make_schedule(optimizer, options, steps=10, epochs=2)
    inside = {id(one) for one in hall.encoder.parameters()}
    for _ in range(11):
        rates = {
            id(one): group["lr"] for group in optimizer.param_groups for one in group["params"]
        }
        body = {rate for one, rate in rates.items() if one in inside}
        head = {rate for one, rate in rates.items() if one not in inside}
        assert len(rates) == len(list(hall.parameters()))
        assert [0.1 * rate for rate in head] == pytest.approx(list(body), rel=1e-12)
        optimizer.step()
        schedule.step()


def test_input_and_model_come_from_the_other_run_where_none_are_given(tmp_path: Path) -> None:
    plain = {name: value for name, value in BASE.items() if name not in ("input", "model")}
    chosen = parse_config(plain, ["data.targets=[twice]", f"start.run={trained().folder}"])
    found = with_start(chosen, find_start(chosen, tmp_path))
    old = load_run_config(trained().folder)
    assert (found.input, found.model) == (old.input, old.model)
    assert found == with_start(found, find_start(found, tmp_path))
    partly = parse_config(plain, ["input.cutoff=5.0", f"start.run={trained().folder}"])
    assert with_start(partly, find_start(partly, tmp_path)).input == old.input


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"input__cutoff": 4.0}, r"input.cutoff: 5.0 there, 4.0 here"),
        (
            {"input__neighbours": 3, "model__width": 9},
            r"neighbours: 6 there, 3 here\nmodel.width: 8",
        ),
        ({"model__kind": "gated"}, r"model.kind: cgcnn there, gated here"),
        ({"start__run": "nowhere"}, r"nowhere is not a finished run"),
    ],
)
def test_what_differs_is_named_and_nothing_is_left(
    options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    chosen = config("twice", **{"start__run": str(trained().folder), **options})
    with pytest.raises(GnnmatError, match=words):
        train(chosen, tmp_path / "new", records=records(targets=OTHER))
    assert not (tmp_path / "new").exists()


def test_refused_start_leaves_the_run_that_was_to_be_replaced(tmp_path: Path) -> None:
    shutil.copytree(trained().folder, tmp_path / "run")
    before = content(tmp_path / "run")
    for chosen in (begun(input__cutoff=4.0), begun(run=tmp_path / "run")):
        with pytest.raises(GnnmatError, match="other settings|lies in the output folder"):
            train(chosen, tmp_path / "run", records=records(targets=OTHER), overwrite=True)
    assert content(tmp_path / "run") == before


def content(folder: Path) -> dict[Path, bytes]:
    return {one: one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def test_other_heads_are_named() -> None:
    with pytest.raises(GnnmatError, match=r"(?s)head of old.*\(8, 8\) there and \(5, 8\) here"):
        hall_of(begun("volume", task__head__hidden="[5]", start__weights="all"))
    hall_of(begun("volume", task__head__hidden="[5]"))  # by itself it takes the encoder


def test_other_tensors_of_the_encoder_are_named() -> None:
    old = read_learned(trained().folder, "old")
    cut = {name: one for name, one in old.tensors.items() if name != "encoder.layers.0.edge"}
    with pytest.raises(GnnmatError, match=r"layers.0.edge is only here"):
        hall_of(begun(), replace(old, tensors=cut))


def test_options_of_a_start_need_a_run() -> None:
    with pytest.raises(GnnmatError, match=r"freeze needs start.run"):
        config(start__freeze=True)


@pytest.mark.parametrize("atoms", ["both", "learned"])
def test_new_elements_begin_plainly(atoms: str, tmp_path: Path) -> None:
    made = crystals(30)
    seen = [n for n, one in enumerate(made) if 35 not in one.numbers]
    old = train(
        config(model__atoms=atoms, split__test=0, split__val=0.1, trainer__epochs=1),
        tmp_path / "old", records=records().take(seen),
    )  # fmt: skip
    learned = read_learned(old.folder, "old")
    assert 35 not in learned.spec.elements
    chosen = begun(run=old.folder, model__atoms=atoms, split__test=0, split__val=0.1)
    prepared = prepare(chosen, records(targets=OTHER))
    hall, taken = make_hall(chosen, prepared, learned=learned)
    assert taken is not None
    assert taken["new_elements"] == [35]
    table = hall.encoder.state_dict()["embedding.learned.weight"]
    kept = learned.tensors["encoder.embedding.learned.weight"]
    known = list(learned.spec.elements)
    expected = kept[known].mean(0) if atoms == "learned" else torch.zeros(8)
    assert table[35].equal(expected)
    assert table[known].equal(kept[known])


def test_frozen_encoder_says_what_it_never_saw(tmp_path: Path) -> None:
    old = read_learned(trained().folder, "old")
    hidden = replace(old, spec=replace(old.spec, elements=(3, 9, 11, 12, 17, 19, 29)))
    hidden.tensors["encoder.embedding.learned.weight"][35] = 0
    chosen = begun(start__freeze=True)
    with pytest.warns(GnnmatWarning, match="has never seen Br"):
        make_hall(chosen, prepare(chosen, records(targets=OTHER)), learned=hidden)


def test_number_of_neighbours_is_that_of_the_other_run(tmp_path: Path) -> None:
    run = train(begun(data__limit=20), tmp_path / "run", records=records(targets=OTHER))
    kept, old = (
        json.loads((one / "spec.json").read_text()) for one in (run.folder, trained().folder)
    )
    assert kept["neighbours"] == old["neighbours"]
    drawn = train(config("twice", data__limit=20), tmp_path / "d", records=records(targets=OTHER))
    assert json.loads((drawn.folder / "spec.json").read_text())["neighbours"] != old["neighbours"]
    assert "encoder of" in run.report.read_text()


def test_state_attributes_have_to_be_the_same() -> None:
    old, new = DataSpec(()), DataSpec(())
    there = StateSpec((StateAttribute("temperature", "K", mean=300.0, spread=50.0),))
    here = StateSpec((StateAttribute("temperature", "K", mean=20.0, spread=3.0),))
    begun_with = spec_as_begun(replace(new, state=here), 12.0, there)
    assert (begun_with.neighbours, begun_with.state) == (12.0, there)
    with pytest.raises(GnnmatError, match="There: temperature; here: none"):
        spec_as_begun(old, 12.0, there)


def test_leak_through_the_other_run_is_said(tmp_path: Path) -> None:
    leaking = begun("volume", split__seed=5)
    with pytest.warns(GnnmatWarning, match="too good"):
        make_hall(
            leaking, prepare(leaking, records()),
            learned=read_learned(trained().folder, str(trained().folder)),
        )  # fmt: skip


def test_another_unit_of_the_same_target_is_said(tmp_path: Path) -> None:
    learned = read_learned(trained().folder, str(trained().folder))
    targets = tuple(replace(one, unit="nm3") for one in learned.spec.targets.targets)
    other = replace(learned, spec=replace(learned.spec, targets=TargetSpec(targets)))
    chosen = begun("volume")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make_hall(chosen, prepare(chosen, records()), learned=other)
    said = [str(one.message) for one in caught if "nm3" in str(one.message)]
    assert said == [
        f"{learned.name} learned volume in nm3, this run in no unit: its head is left out."
    ]


@pytest.mark.parametrize("name", ["pcsmo-exchange", "hf://owner/model", "/gone/run"])
def test_model_without_training_rows_cannot_be_checked(name: str, tmp_path: Path) -> None:
    words = f"{name} was trained on, .* cannot be checked: .*not come with its training rows"
    chosen = begun("volume")
    with pytest.warns(GnnmatWarning, match=words):
        make_hall(chosen, prepare(chosen, records()), learned=read_learned(trained().folder, name))
    # The twin: another target.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chosen = begun()
        made = prepare(chosen, records(targets=OTHER))
        make_hall(chosen, made, learned=read_learned(trained().folder, name))


def test_intervals_that_rest_on_known_labels_are_noted(tmp_path: Path) -> None:
    shutil.copytree(trained().folder, tmp_path / "run")
    path = tmp_path / "run" / "config.yaml"
    for seed, targets in ((5, ("volume",)), (5, ("twice",)), (0, ("volume",))):
        chosen = begun("volume", split__seed=seed)
        path.write_text(chosen.to_yaml())
        values = volumes(crystals(30))
        prepared = prepare(
            config(list(targets), split__seed=seed),
            records(targets=dict.fromkeys(targets, values)),
        )
        known = trained().predictions.query("split == 'train'")["formula"]
        names = formulas(prepared.dataset)
        expected = sum(names[row] in set(known) for row in prepared.rows("val"))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warn_of_known_rows(tmp_path / "run", prepared)
        words = [str(one.message) for one in caught]
        if targets == ("twice",):
            assert not words
        elif expected:
            assert words[0].startswith(f"{expected} of 6 validation rows may be training rows")
            assert words[0].endswith("intervals may be too narrow.")
        else:
            assert not words


def test_options_without_a_kind_are_those_of_the_other_run(tmp_path: Path) -> None:
    old = train(
        config(model__kind="gated", model__width=8, model__layers=1, trainer__epochs=1),
        tmp_path / "old", records=records(),
    )  # fmt: skip
    plain = {name: value for name, value in BASE.items() if name not in ("input", "model")}

    def with_options(*options: str) -> RunConfig:
        lines = ["data.targets=[twice]", f"start.run={old.folder}", *options]
        chosen = parse_config(plain, lines)
        return with_start(chosen, find_start(chosen, tmp_path / "new"))

    assert with_options("model.width=8").model == load_run_config(old.folder).model
    with pytest.raises(GnnmatError, match="model.width: 8 there, 32 here") as caught:
        with_options("model.width=32")
    assert "model.kind" not in str(caught.value)
    for options in (["model.kind=cgcnn"], ["model.kind=cgcnn", "model.form=paper"]):
        with pytest.raises(GnnmatError, match="model.kind: gated there"):
            with_options(*options)


class Killed(Exception):
    """Stands for a kill."""


def interrupted(chosen: RunConfig, folder: Path, steps: int, monkeypatch: Any) -> None:
    """The run, ended in this training step."""
    taken = {"steps": 0}
    original = CgcnnEncoder.local

    def local(self: CgcnnEncoder, batch: Any) -> Any:
        taken["steps"] += self.training
        if taken["steps"] == steps:
            raise Killed
        return original(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(CgcnnEncoder, "local", local)
        with pytest.raises(Killed):
            train(chosen, folder, records=records(targets=OTHER))


@pytest.mark.parametrize("steps", [2, 8])  # three steps an epoch
def test_resumed_run_needs_the_other_no_more(
    steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"trainer__epochs": 4, "start__body_lr": 0.3, "trainer__ema": 0.7}
    old = tmp_path / "old"
    shutil.copytree(trained().folder, old)
    chosen = begun(run=old, **options)
    whole = train(chosen, tmp_path / "whole", records=records(targets=OTHER))
    interrupted(chosen, tmp_path / "run", steps, monkeypatch)
    shutil.rmtree(old)
    if steps < 3:  # the twin: without its copy a run that has no checkpoint cannot begin
        shutil.copytree(tmp_path / "run", tmp_path / "twin")
        shutil.rmtree(tmp_path / "twin" / "checkpoints")
        with pytest.raises(GnnmatError, match="is not a finished run"):
            resume_training(tmp_path / "twin", records=records(targets=OTHER))
    resume_training(tmp_path / "run", records=records(targets=OTHER))
    assert_same_weights(whole.folder, tmp_path / "run")
    environments = [
        json.loads((one / "environment.json").read_text())
        for one in (whole.folder, tmp_path / "run")
    ]
    assert environments[0]["start"] == environments[1]["start"]


def test_drawn_weights_end_elsewhere(tmp_path: Path) -> None:
    """The twin of all tests of what was taken: the start matters."""
    one = train(begun(), tmp_path / "one", records=records(targets=OTHER))
    two = train(config("twice"), tmp_path / "two", records=records(targets=OTHER))
    name = "encoder.layers.0.centre"
    assert not weights(one.folder)[name].equal(weights(two.folder)[name])


def test_folds_begin_with_a_copy_and_go_on_without_the_run(tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(trained().folder, old)
    chosen = begun(run=old, trainer__epochs=1)
    found = cross_validate(chosen, tmp_path / "cv", folds=2, records=records(targets=OTHER))
    shutil.rmtree(old)
    shutil.rmtree(tmp_path / "cv" / "fold-1")
    again = cross_validate(chosen, tmp_path / "cv", folds=2, records=records(targets=OTHER))
    with pytest.raises(GnnmatError, match="is a cross-validation, 2 runs"):
        train(begun(run=tmp_path / "cv"), tmp_path / "x", records=records(targets=OTHER))
    assert np.allclose(found.predictions["prediction"], again.predictions["prediction"])


def test_members_begin_with_one_member_each(tmp_path: Path) -> None:
    old = train_ensemble(config(trainer__epochs=1), tmp_path / "old", members=2, records=records())
    chosen = begun(run=old.folder, start__freeze=True, trainer__epochs=1)
    new = train_ensemble(chosen, tmp_path / "new", members=2, records=records(targets=OTHER))
    for mine, theirs in zip(new.members, old.members, strict=True):
        ours, kept = (encoder_of(read_tensors(one.folder)) for one in (mine, theirs))
        assert all(ours[name].equal(kept[name]) for name in kept)


def test_shipped_recipe_leaves_input_and_model_to_the_run() -> None:
    assert "model" in load_config("matbench_phonons").model_fields_set
    chosen = load_config("matbench_phonons", ["start.run=runs/x"])
    assert not {"model", "input"} & chosen.model_fields_set
    kept = load_config("matbench_phonons", ["start.run=runs/x", "model.width=32"])
    assert kept.model.width == 32  # type: ignore[union-attr]


def test_fit_takes_a_start(tmp_path: Path) -> None:
    run = gnnmat.fit(
        {**BASE, "trainer": {**BASE["trainer"], "epochs": 1}},
        structures=crystals(30),
        targets=OTHER,
        start={"run": str(trained().folder), "freeze": True},
        output=tmp_path / "run",
    )
    assert load_run_config(run.folder).start.freeze


def test_shipped_recipe_is_known_by_its_path_too() -> None:
    chosen = load_config(find_recipe("matbench_phonons"), ["start.run=runs/x"])
    assert "model" not in chosen.model_fields_set


@pytest.mark.parametrize(
    ("weights", "scale", "options", "words"),
    [
        ("encoder", False, {"freeze": True}, "x: the encoder, frozen; the head is drawn anew."),
        ("all", True, {}, "x: all weights."),
        ("all", False, {"body_lr": 0.1}, "x: all weights, the encoder learning at 0.1 of the rate; "
         "the scale is that of the new labels."),
    ],
)  # fmt: skip
def test_user_is_told_what_was_taken(
    weights: str, scale: bool, options: dict[str, Any], words: str
) -> None:
    taken = {"run": "x", "weights": weights, "scale": scale, "new_elements": [35, 92]}
    lines = describe_start(taken, StartConfig(run="x", **options))
    assert lines[0] == f"Begins with {words}"
    assert "it has not seen: Br, U." in lines[1]
