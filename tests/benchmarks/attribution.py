"""Whether maps of attribution point to where the physics of two hypotheses differs.

    gnnmat simulate configs/pcsmo.yaml -n 4600 -o pcsmo-all
    python tests/benchmarks/attribution.py --run pcsmo-exchange --set pcsmo-all

Maps are made of the test images whose couplings are nearest to the reference, with noise and
masks, and of every image in a folder. Their mean size, in boxes of pixels and in slices, is
compared with the difference of the spectra of both hypotheses: at the reference couplings, and of
the means over the training set. Any map of gradient times intensity is large where the image is
bright, and so is any difference; the correlation with the brightness held fixed was added when the
plain one had shown no more than networks without training. Such networks, of the same config, and
maps whose boxes are shuffled say what a comparison gives for nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from results import row, write

from gnnmat.augment.augmentation import Draw
from gnnmat.sample import Batch
from gnnmat.simulation.hypotheses import Simulation, load_simulation
from gnnmat.simulation.layout import SliceLayout
from gnnmat.sources.records import Records
from gnnmat.sources.simulated import SimulatedSource
from gnnmat.sources.spectrum import read_spectrum
from gnnmat.train.attribution import Method, attribute
from gnnmat.train.checkpoint import Trained
from gnnmat.train.committee import load_committee
from gnnmat.workflows.attribution_checks import (
    BRIGHT,
    agreement,
    mean_images,
    shuffled,
    standing_out,
    untrained,
)
from gnnmat.workflows.explain import batch_of
from gnnmat.zoo import find_model

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
TOP = 70.0, (32.0, 41.0)  # Ei and energies of the top of the lower band, meV; Butler et al. 2021


@dataclass(frozen=True)
class Image:
    """One image to explain: its batch, its class, and whether noise is drawn for it."""

    batch: Batch
    label: int
    draw: Draw


def nearest(records: Records, simulation: Simulation, name: str, first: int, count: int) -> Any:
    """Rows of one hypothesis, from ``first`` on, nearest to its reference couplings."""
    columns = [f"{name}.{one}" for one in simulation.couplings(name)]
    table = records.table.iloc[first:]
    table = table[table["hypothesis"] == name]
    off = table[columns].to_numpy(float) - simulation.reference(name)
    distance = ((off / np.ptp(simulation.ranges(name), axis=1)) ** 2).sum(axis=1)
    return table.index[np.argsort(distance)[:count]]


def images(
    records: Records, classes: Sequence[str], rows: dict[str, Any], folder: Path | None
) -> list[Image]:
    """All images to explain; files of the folder are named after their hypothesis."""
    found = []
    for name, chosen in rows.items():
        for number in chosen:
            batch = batch_of(records.read(records.raws[number]))
            batch.row = torch.tensor([int(number)])
            found.append(Image(batch, classes.index(name), "fixed"))
    for path in sorted(folder.glob("*.npz")) if folder else ():
        name = next((one for one in classes if one in path.stem), None)
        if name is not None:
            found.append(Image(batch_of(read_spectrum(path)), classes.index(name), "none"))
    return found


def brightness(one: Trained, several: Sequence[Image]) -> tuple[Floats, Mask]:
    """(R, C) mean of the images as a network sees them, and the pixels that none sees."""
    seen = [one.augment(image.batch, image.draw) for image in several]
    count = sum(~each.mask[0, 0].numpy() for each in seen)
    total = sum(each.image[0, 0].double().numpy() for each in seen)
    return np.asarray(total / np.maximum(count, 1)), np.asarray(count == 0)


def mean_size(one: Trained, several: Sequence[Image], method: Method) -> Floats:
    """(R, C) mean absolute map over the images that see a pixel."""
    total: Any = 0
    count: Any = 0
    for image in several:
        found = attribute(
            [one], image.batch, label=image.label, method=method, draws=4, steps=8, draw=image.draw
        )
        total = total + np.abs(found.map)
        count = count + ~one.augment(image.batch, image.draw).mask[0, 0].numpy()
    mean: Floats = total / np.maximum(count, 1)
    return mean


def references(simulation: Simulation) -> Floats:
    """(R, C) size of the difference of the spectra at the reference couplings."""
    scaled = []
    for name in simulation.names:
        values = torch.tensor(simulation.reference(name))[None]
        image = simulation.simulator(name).images(values)[0].double().numpy()
        scaled.append(image / np.percentile(image, BRIGHT))
    difference: Floats = np.abs(scaled[0] - scaled[1])
    return difference


def compared(
    what: str, measure: Callable[[Floats], float], maps: dict[str, list[Floats]], **more: Any
) -> list[dict[str, Any]]:
    """Rows of one measure: trained, and as its anchor untrained, with the difference of both."""
    values = {name: [measure(one) for one in several] for name, several in maps.items()}
    low, high = min(values["untrained"]), max(values["untrained"])
    anchor = f"untrained {np.median(values['untrained']):.3g} [{low:.3g} .. {high:.3g}]"
    if "shuffled" in values:
        anchor += f"; shuffled {np.median(values['shuffled']):.2g}"
    ahead = [one - float(np.median(values["untrained"])) for one in values["trained"]]
    return [
        row(what, values["trained"], "", against=anchor, **more),
        row(f"{what}: trained less untrained", ahead, "", reach="> 0"),
    ]


PARTS = {
    "boxes": "boxes",
    "slices": "slices",
    "beyond": "boxes, brightness held fixed,",
}


def rows_of(
    method: Method,
    maps: dict[str, list[Floats]],
    expected: dict[str, Floats],
    layout: SliceLayout,
    seen: tuple[Floats, Mask],
) -> list[dict[str, Any]]:
    """All rows of one method."""
    rows = []
    bright, mask = seen
    chance = [shuffled(one, layout, number) for number, one in enumerate(maps["trained"])]
    for name, wanted in expected.items():
        for part, words in PARTS.items():

            def measure(found: Floats, part: str = part, wanted: Floats = wanted) -> float:
                told = agreement(found, wanted, layout, mask=mask, brightness=bright)
                return float(getattr(told, part))

            what = f"{method}, rank correlation over {words} with {name}"
            rows += compared(what, measure, {**maps, "shuffled": chance})
    top = f"{method}, Ei {TOP[0]:g} meV, {TOP[1][0]:g} to {TOP[1][1]:g} meV: map / its mean"
    return rows + compared(top, lambda one: standing_out(one, layout, *TOP, mask=mask), maps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="trained ensemble, or a shipped model")
    parser.add_argument("--set", type=Path, required=True, help="simulated set")
    parser.add_argument("--images", type=Path, help="folder of further spectra")
    parser.add_argument("--simulation", default="pcsmo", help="what the set was made with")
    parser.add_argument("--first", type=int, default=5200, help="first test image of the set")
    parser.add_argument("--count", type=int, default=20, help="test images a hypothesis")
    parser.add_argument("--untrained", type=int, default=5, help="networks without training")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    members = load_committee(find_model(options.run)).members
    classes = members[0].task.targets[0].classes
    simulation = load_simulation(options.simulation)
    records = SimulatedSource(path=str(options.set)).open()
    layout = SliceLayout.from_dict(dict(records.layout))
    means = mean_images(records, range(options.first), "hypothesis")
    first, second = (means[name] for name in simulation.names)
    expected = {
        "spectra at the reference couplings": references(simulation),
        "means of the training set": np.abs(first - second),
    }
    chosen = {
        name: nearest(records, simulation, name, options.first, options.count)
        for name in simulation.names
    }
    several = images(records, classes, chosen, options.images)
    networks = {
        "trained": list(members),
        "untrained": [untrained(members[0], seed) for seed in range(options.untrained)],
    }
    seen = brightness(members[0], several)
    rows = []
    for name, wanted in expected.items():
        out = standing_out(wanted, layout, *TOP)
        rows.append(row(f"difference of {name}, same slices / its mean", out, ""))
    for method in get_args(Method)[:2]:
        maps = {
            kind: [mean_size(one, several, method) for one in group]
            for kind, group in networks.items()
        }
        rows += rows_of(method, maps, expected, layout, seen)
    data = f"{len(several)} images, simulated near the reference couplings with noise and masks"
    write("attribution", data, rows, options.json)


if __name__ == "__main__":
    main()
