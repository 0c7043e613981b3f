"""A trained run made ready to be shipped: the files that prediction needs, and a card."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.train.checkpoint import CONFIG, SPEC, STATE, WEIGHTS
from gnnmat.train.committee import ENSEMBLE, MEMBERS, is_ensemble, member_folders
from gnnmat.train.judge import Judge, load_judge, load_model
from gnnmat.train.landmarks import FILE as LANDMARKS
from gnnmat.train.landmarks import load_landmarks
from gnnmat.train.learned import LEARNED
from gnnmat.train.trees import FILE as TREES
from gnnmat.train.trees import load_trees
from gnnmat.train.trust import TRUST_TENSORS, has_trust
from gnnmat.workflows.run_folder import TRUST, open_run
from gnnmat.workflows.screening.held_out import HELD_OUT
from gnnmat.zoo.card import ModelCard, write_card

NEEDED = (CONFIG, SPEC, WEIGHTS, STATE)
LARGEST = 5_000_000  # bytes
KEPT = 1_500  # known crystals of a model that tells the nearest of them
GOLDEN, GOLDEN_SEED = "golden.json", 2021
GOLDEN_TABLE = "golden.csv"
GOLDEN_COLUMNS = (
    "id", "target", "prediction", "probability", "score", "standard_error", "interval_low",
    "interval_high", "unit",
)  # fmt: skip


def ship(
    run: Path,
    folder: Path,
    card: ModelCard,
    *,
    data: str = "",
    crystals: Sequence[Path] = (),
    largest: int = LARGEST,
) -> Path:
    """``folder``, now holding what prediction needs of a finished run or ensemble, and its card.

    Weights and what whitens features are kept in half precision, as which they are half as large;
    networks compute in single precision all the same. What the augmentation read from files, noise
    and masks, stays behind: prediction does without, and other uses read the files again.

    Args:
        run: folder of the run.
        folder: new; its name is the name of the model.
        card: for people.
        data: what the shipped configuration calls its training data; the path that the run was
            given is of no use elsewhere.
        crystals: files whose predictions are written down, see `golden_table`.
        largest: bytes that all files together may have.

    Raises:
        GnnmatError: the run is not finished, the folder is taken, or it would be too large.
    """
    open_run(run)
    if folder.exists() and any(folder.iterdir()):
        raise GnnmatError(f"{folder} is not empty.", fix="Choose another name.")
    files = [name for name in (*TRUST, LANDMARKS, LEARNED, HELD_OUT) if (run / name).is_file()]
    if is_ensemble(run):
        files += [CONFIG, ENSEMBLE]
        for member in member_folders(run):
            own = [*NEEDED, TREES] if (member / TREES).is_file() else NEEDED
            files += [f"{MEMBERS}/{member.name}/{name}" for name in own]
    else:
        files += NEEDED
    contents = {name: _content(run / name, data) for name in files}
    size = sum(map(len, contents.values()))
    if size > largest:
        raise GnnmatError(
            f"{run} takes {size / 1e6:.1f} MB, more than {largest / 1e6:.1f} MB.",
            fix="Use a smaller model, or fewer members.",
        )
    for name, content in contents.items():
        write_atomically(folder / name, content)
    _write_golden(folder, crystals)
    write_card(folder, card)
    return folder


def _write_golden(folder: Path, crystals: Sequence[Path]) -> None:
    """What the model says today of a made-up image, or of the crystals given."""
    if crystals:
        table = golden_table(folder, crystals)
        write_atomically(folder / GOLDEN_TABLE, table.to_csv(index=False))
    elif has_trust(folder):
        judge = load_judge(folder)
        if judge.trained.spec.image_shape:
            golden = {"seed": GOLDEN_SEED, "scores": golden_scores(judge, GOLDEN_SEED)}
            write_atomically(folder / GOLDEN, json.dumps(golden, indent=1))


def golden_table(folder: Path, crystals: Sequence[Path]) -> pd.DataFrame:
    """Predictions of a model for some crystal files, with intervals where it has them.

    Written down when a model is shipped, they tell later whether it still computes the same.

    Raises:
        GnnmatError: one of the crystals cannot be predicted.
    """
    names = [path.name for path in crystals]
    table = load_model(folder).predict([str(path) for path in crystals], ids=names)
    refused = table[table["refused"] != ""]
    if len(refused):
        first = refused.iloc[0]
        raise GnnmatError(f"{first['id']} cannot be predicted.", why=str(first["refused"]))
    return table[[name for name in GOLDEN_COLUMNS if name in table]]


def half_precision_error(run: Path, folder: Path, samples: Any) -> dict[str, float]:
    """By target, how far halved weights move predictions, over the spread of the target.

    Args:
        run: as trained.
        folder: as shipped.
        samples: files or records to predict with both.

    Returns:
        The largest difference over the standard deviation of the truths the run knows.
    """
    whole, halved = (load_model(one).predict(samples) for one in (run, folder))
    columns = [name for name in whole if name == "score" or name.startswith("probability_")]
    if columns:  # between 0 and 1, as wide as a spread can be
        both = (whole[columns].astype(float) - halved[columns].astype(float)).abs().max(axis=1)
        moved = both.groupby(whole["target"]).max()
        return {str(name): float(value) for name, value in moved.items()}
    truths = open_run(run).predictions.groupby("target")["truth"].std()
    moved = (whole["prediction"] - halved["prediction"]).abs().groupby(whole["target"]).max()
    return {str(name): float(moved[name] / truths[name]) for name in moved.index}


def _content(path: Path, data: str) -> bytes:
    landmarks = load_landmarks(path.parent) if path.name == LANDMARKS else None
    if landmarks is not None:
        return landmarks.thinned(KEPT).content()
    if path.name == TREES:
        trees = load_trees(path.parent)
        assert trees is not None
        return trees.content(small=True)
    if path.name in (WEIGHTS, STATE, TRUST_TENSORS):
        tensors = load_tensors(path.read_bytes())
        content: bytes = save_tensors(
            {name: _shipped(name, tensor, path.name) for name, tensor in tensors.items()}
        )
        return content
    if path.name == CONFIG:
        plain: dict[str, Any] = yaml.safe_load(path.read_text())
        return yaml.safe_dump(_portable(plain, data), sort_keys=False).encode()
    return path.read_bytes()


def _portable(plain: dict[str, Any], data: str) -> dict[str, Any]:
    """A configuration without places on the machine that it was written on."""
    source = _named(plain["data"]["source"])
    if data and "path" in source:
        source["path"] = data
    out = {**plain, "data": {**plain["data"], "source": source}}
    if (plain.get("start") or {}).get("run"):  # the path that it was begun with means nothing
        out["start"] = {**plain["start"], "run": Path(plain["start"]["run"]).name}
    if plain.get("before"):
        out["before"] = Path(plain["before"]).name
    return out


def _named(value: Any) -> Any:
    """An absolute path as the name of its file, wherever it stands; anything else as it is."""
    if isinstance(value, dict):
        return {name: _named(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_named(one) for one in value]
    absolute = isinstance(value, str) and Path(value).expanduser().is_absolute()
    return Path(value).name if absolute else value


def _shipped(name: str, tensor: Any, file: str) -> Any:
    if name.startswith("augment."):
        return tensor * 0
    if file == TRUST_TENSORS and not name.endswith(".whitening"):
        return tensor
    if file == STATE or not tensor.is_floating_point():
        return tensor
    halved = tensor.half()
    # What half precision cannot hold is kept whole; no sound network has such weights.
    return halved if torch.isfinite(halved).all() else tensor


def golden_scores(judge: Judge, seed: int) -> dict[str, float]:
    """The scores of a made-up image of the shape that a model was trained on.

    Written down when a model is shipped, they tell later whether it still computes the same.
    """
    from gnnmat.sample import Sample, collate

    spec = judge.trained.spec
    if not spec.image_shape:
        raise GnnmatError("Only models of images have scores of a made-up image.")
    shape = (1, spec.channels, *spec.image_shape)
    image = torch.from_numpy(np.random.default_rng(seed).gamma(0.3, size=shape)).float()
    fields = {"image": image, "row": torch.zeros(1, dtype=torch.int64)}
    if "mask" in spec.fields:
        fields["mask"] = torch.zeros(shape, dtype=torch.bool)
    scores = judge.batch_scores([collate([Sample(**fields, num_nodes=1)])])
    return {name: float(value[0]) for name, value in scores.items()}
