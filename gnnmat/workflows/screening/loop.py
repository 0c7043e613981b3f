"""Active learning on known data: labels are hidden, and only what is asked for is revealed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import RandomForestRegressor

from gnnmat.errors import GnnmatError
from gnnmat.workflows.baselines import COLUMNS_A_SPLIT, TREES
from gnnmat.workflows.screening.acquisition import KAPPA, METHODS, Beliefs, check_method
from gnnmat.workflows.screening.batch import DIVERSITY, choose_batch, standardised

Floats = NDArray[np.float64]

# (known rows, f), (known rows,), (open rows, f), seed -> (members, open rows): what each member of
# an ensemble, taught with the known rows, says of the open ones.
Surrogate = Callable[[Floats, Floats, Floats, int], Floats]


def forest(features: Floats, values: Floats, asked: Floats, seed: int) -> Floats:
    """(trees, asked rows) what each tree of a random forest says.

    Source: the spread over the trees as uncertainty is that of SMAC, Hutter, Hoos & Leyton-Brown,
        LION 2011, section 4.
    """
    taught = RandomForestRegressor(TREES, max_features=COLUMNS_A_SPLIT, random_state=seed, n_jobs=1)
    taught.fit(features, values)
    rows = np.ascontiguousarray(asked, dtype=np.float32)  # as trees want them: checked once
    said: Floats = np.stack([tree.predict(rows, check_input=False) for tree in taught.estimators_])
    return said


@dataclass(frozen=True)
class Campaign:
    """What was computed, in which order.

    Args:
        method: how rows were chosen.
        seed: of the start, the surrogate and the choice.
        order: (computed,) rows, in the order in which they were asked for.
        start: how many of them were drawn before the first choice.
    """

    method: str
    seed: int
    order: NDArray[np.int64]
    start: int

    def found(self, wanted: ArrayLike) -> Floats:
        """(computed + 1,) share of the wanted rows among the first 0, 1, 2, ... computed.

        Args:
            wanted: rows, as `best_rows` gives them.
        """
        rows = np.asarray(wanted, dtype=np.int64)
        hits = np.isin(self.order, rows).cumsum() / max(1, len(rows))
        return np.concatenate([[0.0], hits])


def best_rows(truth: ArrayLike, top: int | float, *, maximise: bool = True) -> NDArray[np.int64]:
    """The rows with the best true numbers, best first.

    Args:
        truth: (rows,) NaN where it is not known.
        top: how many; below 1 it is a share of the rows that are known, rounded up.
        maximise: whether larger is better.
    """
    values = np.asarray(truth, dtype=np.float64)
    there = np.flatnonzero(np.isfinite(values))
    count = int(np.ceil(top * len(there))) if top < 1 else int(top)
    if not 1 <= count <= len(there):
        raise GnnmatError(f"The best {top} of {len(there):,} rows were asked for.")
    signed = -values[there] if maximise else values[there]
    return there[np.argsort(signed, kind="stable")[:count]]


def simulate_loop(
    features: ArrayLike,
    truth: ArrayLike,
    method: str = "expected_improvement",
    *,
    start: int = 50,
    batch: int = 20,
    rounds: int = 10,
    maximise: bool = True,
    surrogate: Surrogate = forest,
    diversity: float = DIVERSITY,
    kappa: float = KAPPA,
    seed: int = 0,
) -> Campaign:
    """Reveal true numbers batch by batch, each batch chosen by what a surrogate has learned so far.

    All methods begin with the same rows where seeds are equal.

    Args:
        features: (rows, f) that the surrogate learns from and that say what is alike, such as
            `gnnmat.workflows.screening.features.candidate_features`.
        truth: (rows,) numbers that are revealed; NaN: the computation fails, which is learned only
            by asking, and teaches nothing.
        method: see `gnnmat.workflows.screening.propose.propose`.
        start: rows drawn at random at first.
        batch: rows asked for at once.
        rounds: how often.
        maximise: whether larger is better.
        surrogate: taught anew every round.
        diversity: see `gnnmat.workflows.screening.batch.choose_batch`.
        kappa: of the confidence bound.
        seed: of everything.

    Raises:
        GnnmatError: no such method, shapes that do not agree, numbers below 1, or a start that
            reveals nothing.
    """
    check_method(method)
    x, y = np.asarray(features, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    _check(x, y, start, batch, rounds)
    places = standardised(x) if diversity > 0 else None
    random = np.random.default_rng(seed)
    asked = random.choice(len(y), min(start, len(y)), replace=False)
    for number in range(rounds):
        left = np.setdiff1d(np.arange(len(y)), asked)
        if not len(left):
            break
        known = asked[np.isfinite(y[asked])]
        if not len(known):
            raise GnnmatError(
                f"The first {start} rows have no true number.", fix="Start with more."
            )
        members = np.zeros((1, len(left)))  # chance needs no surrogate
        if method != "random":
            members = _asked(surrogate, x[known], y[known], x[left], seed + number)
        best = float(y[known].max() if maximise else y[known].min())
        beliefs = Beliefs(members.mean(axis=0), members.std(axis=0), best, maximise, kappa)
        key = METHODS[method](beliefs, random)
        near = None if places is None or method == "random" else places[left]
        chosen, _ = choose_batch(key, near, batch, diversity=diversity, random=random)
        asked = np.concatenate([asked, left[chosen]])
    return Campaign(method, seed, asked, min(start, len(y)))


def compare_loops(
    features: ArrayLike,
    truth: ArrayLike,
    methods: Iterable[str],
    seeds: Iterable[int],
    *,
    tops: Iterable[int | float] = (50, 0.01),
    maximise: bool = True,
    **settings: object,
) -> pd.DataFrame:
    """Found-best curves of several methods: ``method, seed, top, computed, found``.

    Args:
        features: see `simulate_loop`.
        truth: likewise.
        methods: likewise.
        seeds: each is a start and a surrogate of its own, shared by the methods.
        tops: what is to be found, see `best_rows`.
        maximise: whether larger is better.
        settings: of `simulate_loop`.
    """
    wanted = {top: best_rows(truth, top, maximise=maximise) for top in tops}
    tables = [
        _curve(campaign, top, rows)
        for campaign in _campaigns(features, truth, methods, list(seeds), maximise, settings)
        for top, rows in wanted.items()
    ]
    return pd.concat(tables, ignore_index=True)


def _campaigns(
    features: ArrayLike,
    truth: ArrayLike,
    methods: Iterable[str],
    seeds: list[int],
    maximise: bool,
    settings: dict[str, object],
) -> Iterator[Campaign]:
    for method in methods:
        for seed in seeds:
            yield simulate_loop(
                features,
                truth,
                method,
                maximise=maximise,
                seed=seed,
                **settings,  # type: ignore[arg-type]
            )


def _curve(campaign: Campaign, top: int | float, wanted: NDArray[np.int64]) -> pd.DataFrame:
    found = campaign.found(wanted)
    return pd.DataFrame(
        {
            "method": campaign.method,
            "seed": campaign.seed,
            "top": top,
            "computed": np.arange(len(found)),
            "found": found,
        }
    )


def _asked(surrogate: Surrogate, x: Floats, y: Floats, hidden: Floats, seed: int) -> Floats:
    """(members, hidden rows) what a surrogate says, checked."""
    members = np.asarray(surrogate(x, y, hidden, seed), dtype=np.float64)
    if members.ndim != 2 or members.shape[1] != len(hidden):
        raise GnnmatError(
            f"The surrogate gave {members.shape}, expected (members, {len(hidden)}).",
            fix="Return what each member says of every asked row.",
        )
    return members


def _check(x: Floats, y: Floats, start: int, batch: int, rounds: int) -> None:
    if x.ndim != 2 or y.shape != (len(x),):
        raise GnnmatError(f"Expected (rows, f) and (rows,), got {x.shape} and {y.shape}.")
    for name, value in (("start", start), ("batch", batch), ("rounds", rounds)):
        if value < 1:
            raise GnnmatError(f"{name} is {value}.", fix="Give 1 or more.")
