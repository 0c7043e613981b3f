"""How near the autoencoder brings a noisy spectrum with gaps to the clean one.

    gnnmat simulate configs/pcsmo.yaml -n 2600 -o pcsmo
    GNNMAT_DATA=/path/to/data python tests/benchmarks/denoising.py --set pcsmo

Errors are root mean squares against the calculated image on the same scale, over the test rows,
relative to the root mean square of the image. The baselines leave the spectrum as it is, or smooth
every slice by a Gaussian of the width that does best on the same rows.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from results import row, write
from scipy.ndimage import gaussian_filter

from gnnmat.shipped import recipes
from gnnmat.simulation.layout import SliceLayout
from gnnmat.tasks.reconstruction import ReconstructionTask
from gnnmat.train.checkpoint import load_run_config, load_trained
from gnnmat.train.config import load_config
from gnnmat.workflows.preparation import prepare
from gnnmat.workflows.training import train

WIDTHS = (0.5, 0.75, 1.0, 1.5, 2.0)  # pixels
Floats = Any


def smoothed(image: Floats, seen: Floats, layout: SliceLayout, width: float) -> Floats:
    """(n, R, C) the images, every slice smoothed over the pixels that were seen."""
    sigma = (0, 0, 0, width, width)
    top, weight = (
        gaussian_filter(layout.to_tiles(one), sigma, mode="nearest")
        for one in (image * seen, seen.astype(float))
    )
    return layout.to_image(top / np.maximum(weight, 1e-3))


def looked_at(folder: Path, count: int) -> tuple[Floats, Floats, Floats, Floats, SliceLayout]:
    """Noisy, cleaned, clean (n, R, C) images of test rows, where there is a detector, axes."""
    trained = load_trained(folder)
    task = trained.task
    assert isinstance(task, ReconstructionTask)
    prepared = prepare(load_run_config(folder), None, quiet=True)
    noisy, cleaned, clean, seen = [], [], [], []
    for row_number in prepared.rows("test")[:count]:
        batch = prepared.dataset.store.batch(np.array([row_number]))
        drawn = trained.augment(batch, "fixed")
        with torch.no_grad():
            found = task.clean(task(trained.encoder(drawn), drawn))
        noisy.append(drawn.image[0, 0].numpy())
        cleaned.append(found[0, 0].numpy())
        clean.append(drawn["clean"][0, 0].numpy())
        seen.append(~drawn.mask[0, 0].numpy())
    layout = SliceLayout.from_dict(trained.spec.layout)
    return np.array(noisy), np.array(cleaned), np.array(clean), np.array(seen), layout


def main() -> None:
    """Train, look, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", type=Path, required=True, help="simulated set")
    parser.add_argument("--limit", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--count", type=int, default=100, help="test images")
    parser.add_argument("--run", type=Path, default=Path("runs/clean"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    config = load_config(
        recipes("training")["spectra_clean"],
        [
            f"data.source.path={options.set}",
            f"data.limit={options.limit}",
            f"trainer.epochs={options.epochs}",
            "augment.noise_table=$GNNMAT_DATA/ins_pcsmo/measured_noise.csv",
            "augment.mask=$GNNMAT_DATA/ins_pcsmo/detector_mask.npz",
            "model={kind: stack, width: 48, features: 64}",
        ],
    )
    if not (options.run / "metrics.json").is_file():
        train(config, options.run, overwrite=True)
    noisy, cleaned, clean, seen, layout = looked_at(options.run, options.count)

    def off(image: Floats, where: Floats) -> list[float]:
        """Relative error of every image."""
        return [
            float(np.sqrt(np.mean((a - b)[w] ** 2) / np.mean(b[w] ** 2)))
            for a, b, w in zip(image, clean, where, strict=True)
            if w.any()
        ]

    best = min(WIDTHS, key=lambda width: np.median(off(smoothed(noisy, seen, layout, width), seen)))
    filtered = smoothed(noisy, seen, layout, best)
    note = f"{options.count} test images, {options.limit} to learn from"
    rows = [
        row("as measured, error", off(noisy, seen), "", note=note),
        row(f"Gaussian filter of {best:g} pixels, error", off(filtered, seen), ""),
        row("autoencoder, error", off(cleaned, seen), ""),
        row("Gaussian filter, error in the gaps", off(filtered, ~seen), ""),
        row("autoencoder, error in the gaps", off(cleaned, ~seen), ""),
    ]
    write("denoising", "simulated; noise table and mask of ins_pcsmo", rows, options.json)


if __name__ == "__main__":
    main()
