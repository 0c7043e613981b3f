"""The experiment of Butler et al.: a network that has learned too sharp a resolution.

    gnnmat simulate pcsmo -n 800 -o coarse-all --set resolution.sharpen=4 \
        --set rendering.grid=40 --set rendering.samples=4
    gnnmat train pcsmo_exchange --members 3 --set data.source.path=coarse -o runs/coarse_clean \
        --set 'augment={kind: robust_scale}' --set trainer.epochs=25
    gnnmat train pcsmo_exchange --members 3 --set data.source.path=coarse -o runs/coarse_noisy \
        --set augment.mosaic=0 --set augment.misset=0 --set trainer.epochs=40
    gnnmat trust runs/coarse_clean; gnnmat trust runs/coarse_noisy
    python tests/benchmarks/headline.py --clean runs/coarse_clean --noisy runs/coarse_noisy \
        --own coarse-all --set pcsmo-all

Both runs were trained on 1,400 images of a coarse grid with a resolution four times too sharp
(``coarse``, -n 700, the first of ``coarse-all``): one on clean images, as the paper did, the other
on images with the noise of a measurement. Images of the second set have the true resolution: the
verdict on them must be "do not trust".

Source: Butler et al., J. Phys.: Condens. Matter 33, 194006 (2021).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from results import row, shared_data, write

from gnnmat.data.dataset import open_dataset
from gnnmat.simulation.hypotheses import load_simulation
from gnnmat.sources.simulated import SimulatedSource
from gnnmat.sources.spectra import records_from_spectra
from gnnmat.sources.spectrum import Spectrum
from gnnmat.train.judge import Judge, load_judge
from gnnmat.workflows.foreign import VERDICT, separation


def scores(judge: Judge, path: Path, first: int, count: int) -> dict[str, Any]:
    """Scores of some images of a set, with the noise of the run, and how often it was right."""
    records = SimulatedSource(path=str(path)).open()
    chosen = np.linspace(first, len(records) - 1, count).astype(int)
    dataset = open_dataset(records.take(chosen.tolist()), judge.trained.config.input)
    table = judge.rows_table(dataset, np.arange(count), draw="fixed", batch_size=64)
    named = table[table["target"] == "hypothesis"]
    truth = dataset.table["hypothesis"].to_numpy()
    columns = [name for name in named if name.startswith("score_")]
    found = {name.removeprefix("score_"): named[name].to_numpy(float) for name in columns}
    return {"scores": found, "right": float((named["prediction"].to_numpy() == truth).mean())}


def references(judge: Judge, layout: Any) -> int:
    """How many of the two reference images of the original programs are refused."""
    spectra: list[Spectrum | str | Path] = []
    for name in ("goodenough", "dimer"):
        path = shared_data() / "ins_pcsmo" / f"horace_reference_{name}.npz"
        with np.load(path, allow_pickle=False) as archive:
            image = np.maximum(archive["image"].reshape(layout.image_shape), 0).astype(np.float32)
        spectra.append(Spectrum(image, np.zeros(image.shape, bool), layout, name))
    table = judge.predict(records_from_spectra(spectra, layout))
    return int((~table[table["target"] == "hypothesis"]["in_distribution"].astype(bool)).sum())


def rows_of(judge: Judge, trained: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """What one run says of images like its own and of those with the true resolution."""
    own = scores(judge, options.own, options.first, options.count)
    true = scores(judge, options.set, options.set_first, options.count)
    table = separation(judge, own["scores"], {"true": true["scores"]})
    foreign = table[table["family"] == "true"].sort_values("auroc", ascending=False)
    known = table[(table["family"] == "test rows") & (table["score"] == VERDICT)].iloc[0]
    verdict = foreign[foreign["score"] == VERDICT].iloc[0]
    refused = references(judge, load_simulation("pcsmo").layout.build())
    note = f"{options.count} images"
    rows = [
        row(f"{trained}: true resolution refused", float(verdict["refused"]), "", reach="all",
            note=note),
        row(f"{trained}: as it was trained, refused", float(known["refused"]), "", reach=".05",
            note=note),
        row(f"{trained}: published reference images refused", float(refused), "of 2", reach="2"),
        row(f"{trained}: accuracy, true resolution", true["right"], ""),
        row(f"{trained}: accuracy, as it was trained", own["right"], ""),
    ]  # fmt: skip
    for _, one in foreign.iterrows():
        note = f"{100 * one['refused']:.0f}% beyond the threshold"
        what = f"{trained}: AUROC by {one['score']}"
        rows.append(row(what, float(one["auroc"]), "", note=note))
    return rows


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clean", type=Path, required=True, help="trained on clean images")
    parser.add_argument("--noisy", type=Path, required=True, help="trained on noisy ones")
    parser.add_argument("--own", type=Path, required=True, help="set of too sharp images")
    parser.add_argument("--first", type=int, default=1400, help="first test image of it")
    parser.add_argument("--set", type=Path, required=True, help="set with the true resolution")
    parser.add_argument("--set-first", type=int, default=5200)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = [
        *rows_of(load_judge(options.clean), "trained clean, as the paper", options),
        *rows_of(load_judge(options.noisy), "trained with noise", options),
    ]
    write("headline", "simulated; noise table and mask of ins_pcsmo", rows, options.json)


if __name__ == "__main__":
    main()
