"""Space groups of measured halide films, each series of films judged by what other series taught.

The films of Oviedo et al., npj Computational Materials 5, 60 (2019), in classes with at least
three films. A network is taught on simulated patterns of parent structures, in which no film has a
part (``configs/halide_films.yaml``), and then tuned, one series left out at a time, on the other
films and as many simulated patterns. Probabilities are the mean over three seeds.

``--by film`` leaves out a seventh of the films at random, so that sister films stand on both sides.
``--confirm ARCHIVE`` tunes on all films and judges those of another archive.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accuracy import finished
from film_records import (
    COLUMN,
    Films,
    drawn_patterns,
    fold_records,
    frequent,
    open_films,
)
from film_rivals import RIVALS, Answer
from film_scores import Scored, compared, score_rows
from numpy.typing import NDArray
from results import row, shared_data, write
from rich.console import Console
from sklearn.model_selection import KFold

from gnnmat.data.split_folds import ColumnSplit
from gnnmat.sources.halide_parents import PARENTS
from gnnmat.train.checkpoint import load_trained
from gnnmat.train.config import DataConfig, OptimizerConfig, RunConfig, StartConfig, TrainerConfig
from gnnmat.train.hall import Hall
from gnnmat.train.predictor import load
from gnnmat.workflows.cross_validation import finish_run
from gnnmat.workflows.evaluation import Evaluation
from gnnmat.workflows.preparation import Prepared
from gnnmat.workflows.training import predicted

Floats = NDArray[np.float64]

SEEDS = (0, 1, 2)
DRAWN = 150  # simulated patterns of each class, beside which films are learned
DRAWN_SEED = 77
FOLDS = 7  # of --by film
ANCHORS = {
    "accuracy": "majority 52, nearest neighbour 83.5, Oviedo 2019 89",
    "balanced accuracy": "nearest neighbour 55.8",
}


def parents(seed: int, classes: list[str], folder: Path) -> Path:
    """The run of the recipe with this seed."""
    options = [
        f"data.source.classes=[{','.join(classes)}]",
        *(f"{name}={seed}" for name in ("data.source.seed", "trainer.seed")),
        "trainer.threads=1",
    ]
    return finished(f"parents-{seed}", "halide_films", options, folder).folder.resolve()


def tuned(seed: int, start: Path) -> RunConfig:
    """What a fold does: three passes, from the weights of ``start``."""
    first = load_trained(start).config
    return RunConfig(
        name="films",
        data=DataConfig(targets=(COLUMN,)),
        input=first.input,
        augment=first.augment,
        split=ColumnSplit(column="split"),
        start=StartConfig(run=str(start)),
        model=first.model,
        task=first.task,
        optimizer=OptimizerConfig(lr=1e-3, weight_decay=1e-2),
        trainer=TrainerConfig(epochs=3, batch_size=48, clip=1.0, threads=1, seed=seed, logs=()),
    )


def judge_test(prepared: Prepared, hall: Hall) -> Evaluation:
    """What the network says of the films that were held out, and nothing else."""
    table = predicted(prepared, hall, prepared.rows("test"))
    return Evaluation(table.drop(columns="row").assign(crystal_system=""), [], [], [])


class Network:
    """Three networks, as they were taught on parents, and tuned on films.

    Args:
        films: all of them.
        folder: for the runs.
    """

    def __init__(self, films: Films, folder: Path) -> None:
        self.films = films
        self.folder = folder
        self.classes = sorted(set(films.groups) & set(PARENTS))
        self.starts = [parents(seed, self.classes, folder) for seed in SEEDS]
        first = load_trained(self.starts[0])
        self.drawn = drawn_patterns(first, self.classes, DRAWN, DRAWN_SEED)

    def untuned(self, films: Films) -> Floats:
        """(n, classes) probabilities of networks that have seen no film."""
        ids = [str(place) for place in range(len(films))]
        tables = [load(start).predict(list(films.patterns), ids=ids) for start in self.starts]
        return np.mean([self._columns(table) for table in tables], axis=0)

    def fold(self, name: str, test: NDArray[np.bool_]) -> Floats:
        """(n, classes) probabilities of the films held out, by networks tuned on the others."""
        records = fold_records(self.films, test, *self.drawn)
        found = []
        for seed, start in zip(SEEDS, self.starts, strict=True):
            place = self.folder / "folds" / name / str(seed)
            run = finish_run(tuned(seed, start), place, records, False, None, judge=judge_test)
            table = run.predictions
            order = table["id"].str.partition("-")[0].astype(int).to_numpy().argsort()
            found.append(self._columns(table.iloc[order]))
        return np.mean(found, axis=0)

    def _columns(self, table: Any) -> Floats:
        names = [f"probability_{one}" for one in self.classes]
        return np.asarray(table[names].to_numpy(dtype=np.float64))


def cut(films: Films, by: str) -> dict[str, NDArray[np.bool_]]:
    """By name of a fold, the films that it holds out."""
    if by == "series":
        return {one.replace("/", "-"): films.series == one for one in sorted(set(films.series))}
    folds = KFold(FOLDS, shuffle=True, random_state=0).split(films.names)
    return {
        f"random-{place}": np.isin(np.arange(len(films)), test)
        for place, (_, test) in enumerate(folds)
    }


def held_out(
    folds: dict[str, NDArray[np.bool_]], answer: Callable[[str, NDArray[np.bool_]], NDArray[Any]]
) -> NDArray[Any]:
    """What each fold says of the films that it holds out, in the order of the films."""
    parts = {name: answer(name, test) for name, test in folds.items()}
    first = next(iter(parts.values()))
    found = np.empty((len(next(iter(folds.values()))), *first.shape[1:]), dtype=first.dtype)
    for name, test in folds.items():
        found[test] = parts[name]
    return found


def asked(films: Films, rival: Answer, _: str, test: NDArray[np.bool_]) -> NDArray[np.str_]:
    """What a rival says of the films of a fold, knowing the others."""
    return rival(films.take(~test), films.take(test))


def validated(films: Films, by: str, folder: Path, console: Console) -> list[dict[str, Any]]:
    """Rows of a cross-validation: the networks and their rivals."""
    folds = cut(films, by)
    answers = {
        name: held_out(folds, partial(asked, films, rival)) for name, rival in RIVALS.items()
    }  # fmt: skip
    network = Network(films, folder)
    classes = np.array(network.classes)
    answers["network, parents alone"] = classes[network.untuned(films).argmax(axis=1)]
    chances = held_out(folds, network.fold)
    answers["network, tuned on films"] = classes[chances.argmax(axis=1)]
    return told(films, answers, by, console, chances)


def confirmed(films: Films, others: Films, folder: Path, console: Console) -> list[dict[str, Any]]:
    """Rows of films that nothing was learned from or chosen by."""
    others = others.take(np.isin(others.groups, films.groups))
    others = others.take(~np.isin(others.names, films.names))
    both = Films(
        np.concatenate([films.names, others.names]),
        (*films.patterns, *others.patterns),
        np.concatenate([films.groups, others.groups]),
        np.concatenate([films.series, others.series]),
    )
    test = np.arange(len(both)) >= len(films)
    network = Network(both, folder)
    classes = np.array(network.classes)
    answers = {name: rival(films, others) for name, rival in RIVALS.items()}
    answers["network, parents alone"] = classes[network.untuned(others).argmax(axis=1)]
    chances = network.fold("confirm", test)
    answers["network, tuned on films"] = classes[chances.argmax(axis=1)]
    return told(others, answers, "confirm", console, chances)


def told(
    films: Films, answers: dict[str, Any], by: str, console: Console, chances: Floats
) -> list[dict[str, Any]]:
    """Scores of all answers, the last of which is the one that was chosen."""
    scored = {name: Scored(films, found) for name, found in answers.items()}
    chosen = list(scored)[-1]
    rows: list[dict[str, Any]] = []
    for name, one in scored.items():
        anchors = ANCHORS if name == chosen and by == "series" else {}
        rows += score_rows(name, one, anchors)
    rivals = {name: one for name, one in scored.items() if name in RIVALS}
    rows += compared(scored[chosen], rivals)
    wrong = np.flatnonzero(answers[chosen] != films.groups)
    for place in wrong:
        name, group, said = films.names[place], films.groups[place], answers[chosen][place]
        console.print(name, group, said, chances[place].round(2))
    note = "; ".join(str(films.names[place]) for place in wrong)
    rows.append(row(f"wrong films: {chosen}", len(wrong), "", note=note))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--by", choices=("series", "film"), default="series")
    parser.add_argument("--confirm", type=Path, help="archive of films of which nothing is known")
    parser.add_argument("--folder", type=Path, default=Path("runs/films"), help="of the runs")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    console = Console(stderr=True)
    films = frequent(open_films(shared_data() / "powder_xrd_halides" / "patterns.zip"))
    name, data = "film_classes", "powder_xrd_halides/patterns.zip"
    if options.confirm is not None:
        rows = confirmed(films, open_films(options.confirm), options.folder, console)
        name, data = f"{name}_confirm", options.confirm.name
    else:
        rows = validated(films, options.by, options.folder, console)
        name += "" if options.by == "series" else "_by_film"
    write(name, data, rows, options.json)


if __name__ == "__main__":
    main()
