"""A trained run made ready to be shipped: the files that prediction needs, and a card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.train.checkpoint import CONFIG, SPEC, STATE, WEIGHTS
from gnnmat.train.committee import ENSEMBLE, MEMBERS, is_ensemble, member_folders
from gnnmat.train.judge import Judge, load_judge
from gnnmat.train.trust import has_trust
from gnnmat.workflows.run_folder import TRUST, open_run
from gnnmat.zoo.card import ModelCard, write_card

NEEDED = (CONFIG, SPEC, WEIGHTS, STATE)
LARGEST = 5_000_000  # bytes
GOLDEN, GOLDEN_SEED = "golden.json", 2021


def ship(
    run: Path, folder: Path, card: ModelCard, *, data: str = "", largest: int = LARGEST
) -> Path:
    """``folder``, now holding what prediction needs of a finished run or ensemble, and its card.

    Weights are kept in half precision, as which they are half as large; networks compute in
    single precision all the same. What the augmentation read from files, noise and masks, stays
    behind: prediction does without, and other uses read the files again.

    Args:
        run: folder of the run.
        folder: new; its name is the name of the model.
        card: for people.
        data: what the shipped configuration calls its training data; the path that the run was
            given is of no use elsewhere.
        largest: bytes that all files together may have.

    Raises:
        GnnmatError: the run is not finished, the folder is taken, or it would be too large.
    """
    open_run(run)
    if folder.exists() and any(folder.iterdir()):
        raise GnnmatError(f"{folder} is not empty.", fix="Choose another name.")
    files = [name for name in TRUST if (run / name).is_file()]
    if is_ensemble(run):
        files += [CONFIG, ENSEMBLE]
        for member in member_folders(run):
            files += [f"{MEMBERS}/{member.name}/{name}" for name in NEEDED]
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
    write_card(folder, card)
    if has_trust(run):
        scores = golden_scores(load_judge(folder), GOLDEN_SEED)
        golden = {"seed": GOLDEN_SEED, "scores": scores}
        write_atomically(folder / GOLDEN, json.dumps(golden, indent=1))
    return folder


def _content(path: Path, data: str) -> bytes:
    if path.name in (WEIGHTS, STATE):
        tensors = load_tensors(path.read_bytes())
        content: bytes = save_tensors(
            {name: _shipped(name, tensor, path.name) for name, tensor in tensors.items()}
        )
        return content
    if path.name == CONFIG:
        plain: dict[str, Any] = yaml.safe_load(path.read_text())
        source = plain["data"]["source"]
        if data and "path" in source:
            source["path"] = data
        start = plain.get("start") or {}
        if start.get("run"):
            start["run"] = Path(start["run"]).name  # the path that it was begun with means nothing
        return yaml.safe_dump(plain, sort_keys=False).encode()
    return path.read_bytes()


def _shipped(name: str, tensor: Any, file: str) -> Any:
    if name.startswith("augment."):
        return tensor * 0
    return tensor.half() if file == WEIGHTS and tensor.is_floating_point() else tensor


def golden_scores(judge: Judge, seed: int) -> dict[str, float]:
    """The scores of a made-up image of the shape that a model was trained on.

    Written down when a model is shipped, they tell later whether it still computes the same.
    """
    import torch

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
