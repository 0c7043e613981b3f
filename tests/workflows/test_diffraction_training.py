"""Networks for diffraction are trained, resumed and asked like all others."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.sources.objects import records_from_objects
from gnnmat.sources.powder_pattern import powder_pattern
from gnnmat.train.checkpoint import build
from gnnmat.train.config import parse_config
from gnnmat.train.hall import Hall
from gnnmat.train.predictor import load
from gnnmat.workflows.evaluating import evaluate_run
from gnnmat.workflows.evaluation import Evaluation
from gnnmat.workflows.preparation import Prepared, truth_table
from gnnmat.workflows.training import predicted, train

from ..contracts import crystals

KINDS: dict[str, dict[str, Any]] = {
    "powder": {
        "input": {"kind": "powder", "points": 96, "reflections": 16},
        "augment": {"kind": "powder_measurement"},
    },
    "fingerprint": {
        "input": {"kind": "cluster", "atoms": 20},
        "augment": {"kind": "fingerprint", "pixels": 8, "widest": 9.0},
    },
}
COMMON: dict[str, Any] = {
    "data": {"targets": ["type"]},
    "model": {"kind": "cnn", "widths": [4]},
    "task": {"kind": "classification"},
    "split": {"kind": "random", "val": 0.2, "test": 0.2},
    "trainer": {"epochs": 2, "batch_size": 4, "accelerator": "cpu", "logs": []},
}


def unjudged(prepared: Prepared, hall: Hall) -> Evaluation:
    """Predictions alone: forests and symmetries are tested elsewhere."""
    rows = np.arange(len(prepared.dataset))
    table = truth_table(prepared, predicted(prepared, hall, rows))
    return Evaluation(table.drop(columns="row"), [], [], [])


def records() -> Any:
    made = [(crystals.copper(a), "fcc") for a in np.linspace(3.5, 3.8, 5)]
    made += [(crystals.iron(a), "bcc") for a in np.linspace(2.7, 3.0, 5)]
    return records_from_objects([one for one, _ in made], targets={"type": [t for _, t in made]})


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_trained_resumed_and_asked(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))
    config = parse_config(COMMON | KINDS[kind])
    run = tmp_path / "run"
    train(config, run, records=records(), judge=unjudged)
    before = (run / "weights.safetensors").read_bytes()
    for name in ("metrics.json", "weights.safetensors"):
        (run / name).unlink()
    train(config, run, records=records(), resume=True, judge=unjudged)
    assert (run / "weights.safetensors").read_bytes() == before
    predictor = load(run)
    assert "image" not in predictor.trained.spec.fields
    table = predictor.predict([crystals.copper(), crystals.iron()])
    assert list(table["refused"]) == ["", ""]
    if kind == "powder":
        assert list(table["formula"]) == ["Cu", "Fe"]
        _ask_of_measurements(predictor, run, tmp_path)


def _ask_of_measurements(predictor: Any, run: Path, folder: Path) -> None:
    angles = np.linspace(9, 81, 900)
    counts = 10 + 900 * np.exp(-(((angles - 44.7) / 0.3) ** 2))
    pattern = powder_pattern("film", angles, counts, wavelength=1.5406)
    file, bare = folder / "film.xy", folder / "bare.xy"
    columns = np.stack([angles, counts], axis=1)
    np.savetxt(file, columns, header="wavelength = 1.5406")
    np.savetxt(bare, columns)
    table = predictor.predict([pattern, file, bare])
    assert list(table["id"]) == ["film", "film (2)", "bare"]
    probabilities = table["probability"].to_numpy()
    assert probabilities[0] == pytest.approx(probabilities[1], abs=1e-6)
    assert "nobody said at which wavelength" in table["refused"].iloc[2]
    turned = powder_pattern("turned", angles[::-1], counts[::-1], wavelength=1.5406)
    notes = predictor.predict([pattern, turned, bare])["notes"].tolist()
    assert notes == ["", "angles fell, and were turned around", ""]
    _ask_of_both_kinds(predictor, pattern, file, folder)
    labelled = predictor.records([pattern])
    labelled = type(labelled)(**{**vars(labelled), "table": labelled.table.assign(type=["fcc"])})
    assert len(evaluate_run(run, labelled).predictions) == 1


def _ask_of_both_kinds(predictor: Any, pattern: Any, file: Path, folder: Path) -> None:
    copper = folder / "film.cif"
    lattice, frac = 3.6, ("0 0 0", "0 .5 .5", ".5 0 .5", ".5 .5 0")
    sites = "".join(f"Cu{n} Cu {one}\n" for n, one in enumerate(frac))
    copper.write_text(
        f"data_a\n_cell_length_a {lattice}\n_cell_length_b {lattice}\n_cell_length_c {lattice}\n"
        "_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\nloop_\n"
        "_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n"
        f"_atom_site_fract_z\n{sites}"
    )
    bad, packed = folder / "bad.cif", folder / "films.zip"
    bad.write_text("this is no crystal")
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(file, "top/other.xy")
    table = predictor.predict([bad, copper, file, packed, crystals.iron(), pattern])
    names = ["bad", "film", "film (2)", "other", "structure-5", "film (3)"]
    assert list(table["id"]) == names
    assert list(table["formula"]) == ["", "Cu", "", "", "Fe", ""]
    assert [bool(one) for one in table["refused"]] == [True, *[False] * 5]
    assert table["notes"].tolist() == [""] * 6  # of crystals too
    alone = predictor.predict([copper])["probability"].iloc[0]
    assert table["probability"].iloc[1] == pytest.approx(alone, abs=1e-6)
    measured = predictor.predict([pattern])["probability"].iloc[0]
    assert table["probability"].iloc[[2, 3, 5]].tolist() == pytest.approx([measured] * 3, abs=1e-6)
    with pytest.raises(GnnmatError, match="Crystals and measured powder patterns"):
        predictor.records([copper, file])


def test_the_encoder_is_built_for_what_the_augmentation_hands_on() -> None:
    from gnnmat.sample import DataSpec, Target, TargetSpec

    config = parse_config(COMMON | KINDS["fingerprint"])
    targets = TargetSpec((Target("type", classes=("bcc", "fcc")),))
    encoder, _ = build(config, DataSpec(fields=("z", "pos"), targets=targets))
    assert next(encoder.parameters()).shape[1] == 3
