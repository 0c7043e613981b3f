"""Boosted trees on descriptors of crystals, which answer beside a network."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays
from torch import Tensor

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.tasks.task import Task

FILE = "trees.safetensors"
# Of each tree: its leaves, the share of rows and of columns it looks at, the rows of a leaf.
LEAVES, ROWS, COLUMNS, SMALLEST = 63, 1.0, 0.3, 20
STEPS, LONGEST = 30.0, 0.3  # learning rates of all trees together; the most of one
KINDS = {
    "column": np.int16, "threshold": np.float32, "child": np.int16, "value": np.float32,
    "roots": np.int32,
}  # fmt: skip
CHUNK = 4096  # rows at a time: each goes through every tree

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trees:
    """A sum of regression trees, as arrays over all their nodes.

    Args:
        column: (nodes,) of the features that a node asks for; -1 in a leaf.
        threshold: (nodes,) up to which a row goes to the first of two children.
        child: (nodes,) how far behind the node the first child stands; the second follows it.
        value: (nodes,) what a leaf adds.
        roots: (trees,) first node of each.
    """

    column: NDArray[np.int16]
    threshold: NDArray[np.float32]
    child: NDArray[np.int16]
    value: NDArray[np.float32]
    roots: NDArray[np.int32]

    @classmethod
    def grow(cls, features: Floats, positive: NDArray[np.bool_], count: int, seed: int) -> Trees:
        """Gradient boosting of the logistic loss; both classes weigh alike.

        Args:
            features: (rows, f), finite.
            positive: (rows,) some true and some false.
            count: trees.
            seed: of the rows and columns that each tree looks at.

        Source: Friedman, "Stochastic gradient boosting", Comput. Stat. Data Anal. 38, 367 (2002),
            as in scikit-learn.
        """
        from sklearn.ensemble import GradientBoostingClassifier

        half, rate = 0.5 * len(positive), min(LONGEST, STEPS / count)
        weight = np.where(positive, half / positive.sum(), half / (~positive).sum())
        grown = GradientBoostingClassifier(
            n_estimators=count,
            learning_rate=rate,
            max_depth=None,
            max_leaf_nodes=LEAVES,
            min_samples_leaf=min(SMALLEST, max(1, len(positive) // 50)),
            subsample=ROWS,
            max_features=COLUMNS,
            random_state=seed,
        ).fit(features, positive, sample_weight=weight)
        trees = [one.tree_ for one in grown.estimators_[:, 0]]
        sizes = np.array([one.node_count for one in trees])
        column = np.concatenate([one.feature for one in trees])
        child = np.concatenate([one.children_left - np.arange(one.node_count) for one in trees])
        # Both classes weigh alike, so that nothing is known before the first tree.
        return cls(
            np.where(column < 0, -1, column).astype(np.int16),
            _at_most(np.concatenate([one.threshold for one in trees])),
            np.where(column < 0, 0, child).astype(np.int16),
            (rate * np.concatenate([one.value[:, 0, 0] for one in trees])).astype(np.float32),
            (np.cumsum(sizes) - sizes).astype(np.int32),
        )

    def __len__(self) -> int:
        return len(self.roots)

    def logits(self, features: Floats) -> Floats:
        """(rows,) the log-odds of the positive class.

        Args:
            features: (rows, f) as they were grown on.
        """
        if features.shape[1] <= self.column.max(initial=-1):
            raise GnnmatError(
                f"Trees ask for column {self.column.max()} of {features.shape[1]} descriptors.",
                why="They were grown with another version of gnnmat.",
            )
        said = [self._chunk(features[n : n + CHUNK]) for n in range(0, len(features), CHUNK)]
        return np.concatenate(said) if said else np.empty(0)

    def _chunk(self, features: Floats) -> Floats:
        asked = features.astype(np.float32)
        rows = np.arange(len(asked))[:, None]
        at = np.broadcast_to(self.roots, (len(asked), len(self.roots)))
        while (inner := self.column[at] >= 0).any():
            second = asked[rows, self.column[at]] > self.threshold[at]
            at = at + np.where(inner, self.child[at] + second, 0)
        total: Floats = self.value[at].sum(axis=1, dtype=np.float64)
        return total

    def save(self, folder: Path) -> None:
        """Write them to a run folder."""
        write_atomically(folder / FILE, self.content())

    def content(self, *, small: bool = False) -> bytes:
        """What the file holds.

        Args:
            small: leaves in half precision and the narrowest whole numbers, half the size.
        """
        arrays = {one.name: getattr(self, one.name) for one in fields(self)}
        if small:
            if np.abs(self.value).max(initial=0) < np.finfo(np.float16).max:
                arrays["value"] = self.value.astype(np.float16)
            for name in ("column", "child"):
                if arrays[name].max(initial=0) <= np.iinfo(np.int8).max:
                    arrays[name] = arrays[name].astype(np.int8)
        found: bytes = save_arrays(arrays)
        return found


def mixed(chances: Floats, logits: Floats) -> Floats:
    """(...) the probability half way, on the scale of log-odds, between two answers.

    Args:
        chances: (...) probabilities of a network.
        logits: (...) log-odds of trees.
    """
    inside = np.clip(chances, 1e-7, 1 - 1e-7)
    between = (np.log(inside / (1 - inside)) + logits) / 2
    return np.asarray(1 / (1 + np.exp(-between)), dtype=np.float64)


def beside_trees(task: Task, decoded: Tensor, logits: Floats) -> Tensor:
    """(voices, rows, 2) what networks and trees say together of two classes.

    Args:
        task: of the members; the first class that it explains is the positive one.
        decoded: (voices, rows, 2) probabilities.
        logits: (voices, rows) log-odds of the positive class.
    """
    target = task.targets[0]
    place = target.classes.index(task.explained[target.name])
    chance = torch.from_numpy(mixed(decoded[..., place].double().numpy(), logits))
    both = torch.stack([1 - chance, chance] if place else [chance, 1 - chance], dim=-1)
    return both.to(decoded.dtype)


def load_trees(folder: Path) -> Trees | None:
    """The trees of a run folder; None where it has none.

    Raises:
        GnnmatError: the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        arrays = load_arrays(path.read_bytes())
        found = Trees(**{name: arrays[name].astype(kind) for name, kind in KINDS.items()})
    except (SafetensorError, KeyError, ValueError) as error:
        raise GnnmatError(f"{path} is damaged.", why=str(error)) from error
    _check(found, path)
    return found


def _check(trees: Trees, path: Path) -> None:
    """Refuse nodes that lead nowhere, or back."""
    nodes = len(trees.column)
    sizes = {len(one) for one in (trees.threshold, trees.child, trees.value)}
    if sizes != {nodes} or not ((trees.roots >= 0) & (trees.roots < nodes)).all():
        raise GnnmatError(f"{path} is damaged.", why="Its arrays do not fit together.")
    inner = np.flatnonzero(trees.column >= 0)
    following = inner + trees.child[inner]
    if not ((trees.child[inner] > 0) & (following + 1 < len(trees.column))).all():
        raise GnnmatError(f"{path} is damaged.", why="A node leads to none behind it.")


def _at_most(values: Floats) -> NDArray[np.float32]:
    """The largest float32 that are not above these: what float32 is up to them stays so."""
    near = values.astype(np.float32)
    below = np.nextafter(near, np.float32(-np.inf))
    return np.where(near.astype(np.float64) > values, below, near).astype(np.float32)
