"""Where maps of attribution lie: on known Bragg peaks, or anywhere.

Fingerprints of drawn crystals with 40% vacancies, whose spots are those of the whole crystal; and
simulated powder patterns with background, texture and noise, whose peaks are those of the crystal.
A map at random has the share of the area; an untrained network shows what the pattern alone does.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fingerprints import CLEAN, SEED, drawn_like
from results import row, write

from gnnmat.data.dataset import SampleDataset, open_dataset
from gnnmat.sample import collate
from gnnmat.sources.crystal import Crystal, as_crystal
from gnnmat.train.attribution import METHODS, Method, attribute
from gnnmat.train.checkpoint import Trained, build, load_trained
from gnnmat.workflows.preparation import prepare
from gnnmat.workflows.spots import Spots, peaks_of_crystal, peaks_of_image

STILL = {"lattice": 0.0, "strain": 0.0, "shift": 0.0, "height": 0.0, "spurious": 0.0}
VACANT = {"vacancies": (0.4, 0.4)}


def untrained(trained: Trained) -> Trained:
    """The same network with the weights that it began with."""
    torch.manual_seed(1)
    encoder, task = build(trained.config, trained.spec)
    return Trained(trained.config, trained.spec, encoder.eval(), task.eval(), trained.augment)


def shared(trained: Trained, settings: dict[str, Any]) -> Trained:
    """The run with these settings of its instrument."""
    augment = trained.config.augment.model_copy(update=settings).build(trained.spec)
    return Trained(trained.config, trained.spec, trained.encoder, trained.task, augment)


def shares(
    trained: Trained, data: SampleDataset, spots: list[Spots], method: Method
) -> list[float]:
    """Share of each sample's map that lies on its spots."""
    found = []
    for place, each in enumerate(spots):
        batch = collate([data[place]])
        size = np.abs(attribute([trained], batch, method=method, draw="fixed").channels)
        found.append(float(size[each.where].sum() / max(size.sum(), 1e-30)))
    return found


def scores(
    title: str, trained: Trained, data: SampleDataset, spots: list[Spots]
) -> list[dict[str, Any]]:
    """Rows of one network: every method, trained and not."""
    area = float(np.mean([one.area for one in spots]))
    rows = [row(f"{title}: share of the pattern on Bragg peaks, as of a map at random", area, "")]
    for method in METHODS:
        if method == "cam":  # exact only for a linear head on a mean
            continue
        for name, one in (("trained", trained), ("untrained", untrained(trained))):
            each = shares(one, data, spots, method)
            half = 1.96 * float(np.std(each)) / len(each) ** 0.5
            mean = float(np.mean(each))
            rows.append(
                row(
                    f"{title}: {method}, {name}", mean, "", low=mean - half, high=mean + half,
                    note=f"share of the map on Bragg peaks, {len(each)} samples",
                )
            )  # fmt: skip
    return rows


def fingerprints(run: Path, count: int, folder: Path) -> list[dict[str, Any]]:
    """Rows of the network for fingerprints."""
    trained = load_trained(run)
    whole, missing = shared(trained, CLEAN), shared(trained, CLEAN | VACANT)
    records = drawn_like(trained, -(-count // 13), SEED).open()
    data = open_dataset(records, trained.config.input, folder=folder, quiet=True)
    # Every class counts: the crystals lie class by class.
    spots = [
        peaks_of_image(whole.augment(collate([data[place]]), "none").image[0].double().numpy())
        for place in range(len(data))
    ]
    return scores("fingerprints, 40% vacancies", missing, data, spots)


def powders(run: Path, count: int) -> list[dict[str, Any]]:
    """Rows of the network for powder patterns."""
    trained = shared(load_trained(run), STILL)
    prepared = prepare(trained.config, quiet=True)
    options = trained.config.input
    at = np.linspace(*options.two_theta, options.points)  # type: ignore[union-attr]
    rows = prepared.rows("test")[:count]
    data: Any = [prepared.dataset[int(item)] for item in rows]
    spots = [peaks_of_crystal(_crystal(one), options, at) for one in data]  # type: ignore[arg-type]
    return scores("powder patterns", trained, data, spots)


def _crystal(sample: Any) -> Crystal:
    """The crystal of a stored sample."""
    lattice = sample["lattice"][0].double().numpy()
    frac = sample["pos"].double().numpy() @ np.linalg.inv(lattice)
    return as_crystal(lattice, sample["z"].numpy(), frac)


def main() -> None:
    from tempfile import TemporaryDirectory

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fingerprints", type=Path, default=Path("runs/fingerprints/aligned"))
    parser.add_argument("--powder", type=Path, default=Path("runs/powder/formula"))
    parser.add_argument("-n", type=int, default=130, help="samples of each")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as place:
        rows += fingerprints(options.fingerprints, options.n, Path(place))
    rows += powders(options.powder, options.n)
    write("response_maps", "drawn prototypes; materials_project", rows, options.json)


if __name__ == "__main__":
    main()
