"""A PU recipe: that of a run, with a section ``pu`` on how rows are shared out among fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gnnmat.data.split_bag import BagSplit
from gnnmat.data.split_folds import FoldsSplit
from gnnmat.data.splits import GroupSplit
from gnnmat.dotted import copied, set_option
from gnnmat.errors import GnnmatError
from gnnmat.shipped import recipes
from gnnmat.tasks import Pu
from gnnmat.train.config import RunConfig, parse_config
from gnnmat.train.recipe import read_recipe
from gnnmat.train.unions import plain_error
from gnnmat.workflows.cross_validation import on_its_own

SECTION = "pu"


class PuOptions(BaseModel):
    """How rows are shared out among fits, and what stands beside the scores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["folds", "bags", "heads"] = Field(
        "folds",
        description="'folds': every fit learns from all rows but one fold, and scores that fold; "
        "'bags': every fit learns from positives and as many unlabelled rows, and scores what it "
        "left out and did not draw (transductive bagging); 'heads': such bags of small heads on "
        "the frozen encoder of start.run, in minutes, for scores alone.",
    )
    fits: int = Field(6, gt=1, description="Fits in all: bags, heads, or rounds times folds.")
    folds: int = Field(3, gt=1, description="Folds of a round, for 'folds'.")
    by: str = Field(
        "formula", description="Kept together: formula, prototype or the name of a column."
    )
    ratio: float = Field(1.0, gt=0, description="Unlabelled rows for each positive, for 'bags'.")
    held_out: float = Field(
        0.1, ge=0, lt=1, description="Share of the rows no fit learns from, for 'bags'."
    )
    left_out: float = Field(
        0.2, ge=0, lt=1, description="Share of the rows that one bag leaves out, for 'bags'."
    )
    val: float = Field(
        0.05, gt=0, lt=1, description="Share of the rows that choose the epoch of every fit."
    )
    trees: int = Field(
        300,
        ge=0,
        description="Boosted trees beside the network of every fit ('folds' and 'bags'), which "
        "learn from elements, packing and the kind of structure; a score is half theirs. 0: none. "
        "Networks of other inputs than crystal_graph have none.",
    )
    spies: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="Share of the positives, by group, that is hidden among the unlabelled rows: "
        "what is found of them is what would be found of positives nobody labelled.",
    )
    compare: tuple[str, ...] = Field(
        (),
        description="Columns that rank rows, smallest first, such as e_above_hull; with a minus "
        "before the name largest first.",
    )
    seed: int = Field(0, ge=0, description="Of folds, bags, held-out rows and spies.")


@dataclass(frozen=True)
class PuConfig:
    """A run's config, and how its rows are shared out."""

    run: RunConfig
    options: PuOptions

    def splits(self) -> list[FoldsSplit | BagSplit]:
        """The split of each fit.

        Raises:
            GnnmatError: the number of fits is no multiple of the folds.
        """
        one = self.options
        if one.method != "folds":
            return [
                BagSplit(
                    index=number,
                    ratio=one.ratio,
                    held_out=one.held_out,
                    left_out=one.left_out,
                    by=one.by,
                    val=one.val,
                    seed=one.seed,
                )
                for number in range(one.fits)
            ]
        if one.fits % one.folds:
            raise GnnmatError(
                f"pu.fits={one.fits} is no multiple of pu.folds={one.folds}.",
                why="A round has one fit a fold, and every row is scored once a round.",
                fix=f"pu.fits={one.folds * max(1, round(one.fits / one.folds))}",
            )
        return [
            FoldsSplit(
                k=one.folds,
                index=number % one.folds,
                by=one.by,
                val=one.val,
                seed=one.seed + number // one.folds,
                val_seed=one.seed,
            )
            for number in range(one.fits)
        ]

    @property
    def trees(self) -> int:
        """Trees beside each network: of crystals whose networks are kept, none of others."""
        kept = self.options.method != "heads"
        return self.options.trees if kept and self.run.input.kind == "crystal_graph" else 0

    def together(self) -> RunConfig:
        """The config of all fits together: their common val rows, and what none learns from."""
        one = self.options
        held_out = 0.0 if one.method == "folds" else one.held_out
        split = GroupSplit(by=one.by, val=one.val, test=held_out, seed=one.seed)
        return self.run.model_copy(update={"split": split})

    def fits(self) -> list[RunConfig]:
        """The config of each fit: its rows, and a seed of its own."""
        seed = self.run.trainer.seed
        return [
            self.run.model_copy(
                update={
                    "name": f"{self.run.name}-{number}",
                    "split": split,
                    "trainer": on_its_own(
                        self.run.trainer.model_copy(update={"seed": seed + number})
                    ),
                }
            )
            for number, split in enumerate(self.splits())
        ]

    def to_yaml(self) -> str:
        """The recipe as YAML that reads back to the same."""
        plain = {**self.run.model_dump(mode="json"), SECTION: self.options.model_dump(mode="json")}
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def load_pu(path: str | Path, overrides: Sequence[str] = ()) -> PuConfig:
    """A PU recipe: a file, or the name of a shipped one; ``pu.fits=12`` and the like override it.

    Raises:
        GnnmatError: no such recipe, not YAML, an unknown or unfit option.
    """
    names = recipes(SECTION)
    found = Path(path) if Path(path).is_file() else names.get(Path(path).stem)
    if found is None:
        raise GnnmatError(
            f"There is no PU recipe '{path}'.", why=f"Shipped: {', '.join(names) or 'none'}."
        )
    return parse_pu(read_recipe(found, "pu", overrides), overrides)


def parse_pu(plain: Mapping[str, Any], overrides: Sequence[str] = ()) -> PuConfig:
    """The recipe of plain dictionaries, with ``a.b=c`` overrides.

    Raises:
        GnnmatError: an unknown or unfit option, or another task than ``pu``.
    """
    tree: dict[str, Any] = copied(plain)
    own = [one for one in overrides if one.partition("=")[0].strip().startswith(f"{SECTION}.")]
    for override in own:
        set_option(tree, override, "pu.fits=12")
    section = tree.pop(SECTION, None) or {}
    tree.setdefault("task", {"kind": "pu"})
    try:
        options = PuOptions.model_validate(section)
    except ValidationError as error:
        raise plain_error(error, PuOptions) from None
    run = parse_config(tree, [one for one in overrides if one not in own])
    if options.method == "heads" and run.start.run is None:
        raise GnnmatError(
            "pu.method=heads needs start.run, the run whose encoder is used.", fix="--from RUN"
        )
    if not isinstance(run.task, Pu):
        raise GnnmatError(f"A PU recipe learns task.kind=pu, not {run.task.kind}.")
    if run.task.positive not in (None, "1"):
        raise GnnmatError(
            f"task.positive={run.task.positive}: in a PU run 1 is positive and 0 unlabelled.",
            fix="Leave task.positive out.",
        )
    return PuConfig(run, options)
