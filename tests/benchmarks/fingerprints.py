"""Structure types from diffraction fingerprints, where atoms are missing, moved or turned.

Two networks are trained on drawn crystals of 13 structure types: one as the recipe says, for
crystals turned by up to 10 degrees, and one for any orientation. They are scored on crystals of
another seed, with one kind of defect at a time, each at one level.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accuracy import finished
from fingerprint_rivals import TOLERANCES, found_group, nearest_class, order_parameters
from numpy.typing import NDArray
from results import row, write
from sklearn.ensemble import RandomForestClassifier

from gnnmat.augment.augmentation import stream
from gnnmat.data.dataset import SampleDataset, open_dataset
from gnnmat.data.loading import EpochBatches, loader
from gnnmat.inputs import Cluster
from gnnmat.sources.prototype_set import PrototypesSource
from gnnmat.sources.records import Records
from gnnmat.train.checkpoint import Trained, load_trained
from gnnmat.train.predictor import predict_rows

SEED = 77  # of the crystals that are scored; the recipe draws with 0
CLEAN: dict[str, Any] = {
    "vacancies": (0.0, 0.0), "displacement": (0.0, 0.0), "strain": (0.0, 0.0),
    "orientation": "none",
}  # fmt: skip
VACANCIES = {0.25: ">= 99", 0.4: ">= 99", 0.5: ">= 98", 0.6: ">= 98", 0.7: ">= 96"}
REPLICA = {0.25: "100", 0.4: "95.8", 0.5: "94.8", 0.6: "94.8", 0.7: "91.7"}
MOVED = {0.02: ">= 98", 0.05: ">= 98", 0.1: ">= 98", 0.2: ""}
TURNED = {2: ">= 98", 5: ">= 97", 10: ">= 95"}
REPLICA_TURNED = {2: "86", 5: "62", 10: "38"}
WEAK = 0.15  # contrast of species, below that of the recipe, at which networks are tried as well
LEARNED = 6  # draws of each training crystal that the rivals learn from


def levels() -> list[tuple[str, dict[str, Any], str, str, bool]]:
    """Title, settings, reach, anchor, and whether the rivals are asked, too."""
    found: list[tuple[str, dict[str, Any], str, str, bool]] = [("no defects", {}, "", "", True)]
    for share, reach in VACANCIES.items():
        settings = {"vacancies": (share, share)}
        found.append((f"{share:.0%} vacancies", settings, reach, REPLICA[share], True))
    for moved, reach in MOVED.items():
        settings = {"displacement": (moved, moved)}
        found.append((f"atoms moved by {moved} Å", settings, reach, "", True))
    for turn, reach in TURNED.items():
        settings = {"orientation": "misorientation", "misorientation": (turn, turn)}
        found.append((f"turned by {turn} degrees", settings, reach, REPLICA_TURNED[turn], False))
    found.append(("any orientation", {"orientation": "random"}, ">= 90", "18", False))
    return found


class Scored:
    """The crystals that are scored, and those that the rivals learn from.

    Args:
        samples: crystals a class.
        trained: whose input and instrument are used.
        folder: for the samples.
        seed: of the crystals.
        contrast: of their species; None: that of the recipe.
    """

    def __init__(
        self,
        samples: int,
        trained: Trained,
        folder: Path,
        seed: int,
        contrast: float | None = None,
    ) -> None:
        source = drawn_like(trained, samples, seed)
        if contrast is not None:
            source = source.model_copy(update={"contrast": contrast})
        self.records: Records = source.open()
        self.input: Cluster = trained.config.input  # type: ignore[assignment]
        self.data: SampleDataset = open_dataset(self.records, self.input, folder=folder, quiet=True)
        self.truth: NDArray[np.str_] = self.records.table["prototype"].to_numpy(dtype=str)
        self.groups: NDArray[np.int64] = self.records.table["space_group_number"].to_numpy()

    def predicted(self, trained: Trained, settings: dict[str, Any]) -> NDArray[np.str_]:
        """The class that a network gives each crystal."""
        augment = trained.config.augment.model_copy(update={**CLEAN, **settings})
        found = predict_rows(
            trained.encoder, trained.task, self.data, np.arange(len(self.data)),
            augment=augment.build(trained.spec), draw="fixed",
        )  # fmt: skip
        return np.asarray(trained.task.targets[0].classes)[found.argmax(dim=1).numpy()]

    def first(self, count: int) -> Records:
        """So many crystals of each class."""
        places = [np.flatnonzero(self.truth == one)[:count] for one in sorted(set(self.truth))]
        return self.records.take(np.concatenate(places).tolist())

    def seen(
        self, trained: Trained, settings: dict[str, Any], seed: int = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Images and order parameters; settings take the place of those of the network."""
        module = trained.config.augment.model_copy(update=settings).build(trained.spec)
        images, features = [], []
        for batch in loader(self.data, EpochBatches(np.arange(len(self.data)), 64, shuffle=False)):
            images.append(module(batch, "fixed", seed).image.numpy())
            sizes = (batch["ptr"][1:] - batch["ptr"][:-1]).tolist()
            each = (batch["row"].tolist(), batch["pos"].split(sizes), batch["z"].split(sizes))
            parts = zip(*each, strict=True)
            for number, pos, z in parts:
                found = module.cluster(pos.float(), z, stream("fixed", seed, 0, number))
                features.append(order_parameters(*(one.double().numpy() for one in found)))
        return np.concatenate(images), np.stack(features)


def drawn_like(trained: Trained, samples: int, seed: int) -> PrototypesSource:
    """The source that a network learned from, with other crystals."""
    source = trained.config.data.source
    assert isinstance(source, PrototypesSource)
    return source.model_copy(update={"samples": samples, "seed": seed})


def rivals(trained: Trained, samples: int, folder: Path) -> dict[str, Callable[..., Any]]:
    """Nearest neighbour and forest, taught with what the network was taught with."""
    known = Scored(samples, trained, folder, seed=0)
    drawn = [known.seen(trained, {}, seed) for seed in range(LEARNED)]
    images = np.concatenate([one[0] for one in drawn])
    classes = np.tile(known.truth, LEARNED)
    forest = RandomForestClassifier(300, random_state=0, n_jobs=1)
    forest.fit(np.concatenate([one[1] for one in drawn]), classes)
    return {
        "nearest neighbour": lambda seen: nearest_class(images, classes, seen[0]),
        "order parameters, forest": lambda seen: forest.predict(seen[1]),
    }


def spglib_share(records: Records, settings: dict[str, Any], tolerance: float) -> float:
    """Share of crystals, %, whose space group spglib finds in a supercell with these defects."""
    vacancies = settings.get("vacancies", (0.0, 0.0))[0]
    moved = settings.get("displacement", (0.0, 0.0))[0]
    groups = records.table["space_group_number"]
    right = [
        found_group(records.read(raw), vacancies, moved, tolerance, place) == groups.iloc[place]
        for place, raw in enumerate(records.raws)
    ]
    return 100 * float(np.mean(right))


def best_spglib(
    source: PrototypesSource, settings: dict[str, Any], records: Records
) -> tuple[float, float]:
    """Its share right at the tolerance that is best on other crystals, and that tolerance."""
    others = source.open()
    best = max(TOLERANCES, key=lambda one: spglib_share(others, settings, one))
    return spglib_share(records, settings, best), best


def scores(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Rows of all levels: both networks and their rivals."""
    recipe = "diffraction_fingerprint"
    runs = {
        "network": finished("aligned", recipe, options.set, options.folder),
        "network for any orientation": finished(
            "random", recipe, ["augment.orientation=random", *options.set], options.folder
        ),
    }
    trained = {name: load_trained(run.folder) for name, run in runs.items()}
    first = trained["network"]
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        scored = Scored(options.n, first, Path(place) / "scored", SEED)
        weak = Scored(options.n, first, Path(place) / "weak", SEED, contrast=WEAK)
        others = drawn_like(first, options.spglib, SEED + 1)
        asked = {
            name: rivals(one, options.taught, Path(place) / f"taught {name}")
            for name, one in trained.items()
        }
        for title, settings, reach, anchor, all_of_them in levels():
            best = "network for any orientation" if "any" in title else "network"
            for name, one in trained.items():
                share = 100 * float(np.mean(scored.predicted(one, settings) == scored.truth))
                mine = name == best
                rows.append(
                    row(
                        f"{title}: {name}", share, "%", reach=reach if mine else "",
                        against=f"replica of the paper: {anchor}" if anchor and mine else "",
                        low=interval(share, len(scored.truth))[0],
                        high=interval(share, len(scored.truth))[1],
                    )
                )  # fmt: skip
            if all_of_them:
                share = 100 * float(np.mean(weak.predicted(first, settings) == weak.truth))
                name = f"{title}: network, species that differ by {WEAK:.0%} or more"
                rows.append(row(name, share, "%"))
            seen = scored.seen(first, {**CLEAN, **settings}, SEED)
            for name, answer in asked[best].items():
                rows.append(
                    row(f"{title}: {name}", 100 * np.mean(answer(seen) == scored.truth), "%")
                )
            if all_of_them:
                share, tolerance = best_spglib(others, settings, scored.first(options.spglib))
                note = f"space group in a supercell, tolerance {tolerance:g} Å, "
                note += f"{options.spglib} crystals a class"
                rows.append(row(f"{title}: spglib", share, "%", note=note))
        majority = 100 / len(set(scored.truth))
        rows.append(row("one class for all", majority, "%", note=f"{len(scored.truth)} crystals"))
    return rows


def interval(share: float, count: int) -> tuple[float, float]:
    """95% interval of a share in %, by Wilson, J. Am. Stat. Assoc. 22, 209 (1927)."""
    p, z = share / 100, 1.96
    middle = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z * np.sqrt(p * (1 - p) / count + z * z / (4 * count**2)) / (1 + z * z / count)
    return 100 * (middle - half), 100 * (middle + half)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/fingerprints"))
    parser.add_argument("-n", type=int, default=60, help="crystals a class that are scored")
    parser.add_argument("--taught", type=int, default=100, help="crystals a class for the rivals")
    parser.add_argument(
        "--spglib",
        type=int,
        default=5,
        help="crystals a class that spglib is asked of, and as many others for its tolerance",
    )
    parser.add_argument("--set", action="append", default=[], help="option of every run")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    write("fingerprints", "drawn prototypes", scores(options), options.json)


if __name__ == "__main__":
    main()
