"""Why a trained network answers as it does for crystals: contributions of atoms and bonds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from gnnmat.data.state import read_state
from gnnmat.errors import GnnmatError
from gnnmat.inputs.crystal_graph import CrystalGraph
from gnnmat.models.encoder import Encoder
from gnnmat.sample import Batch, Sample, collate
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.prototype_label import SYMBOLS, formula, orbits
from gnnmat.sources.records import Refusal
from gnnmat.state import StateSpec
from gnnmat.train.atom_attribution import AtomMethod
from gnnmat.train.checkpoint import Trained
from gnnmat.train.committee import Committee
from gnnmat.train.crystal_attribution import CrystalAttribution, attribute_crystal
from gnnmat.train.judge import load_model
from gnnmat.train.landmarks import Neighbour, load_landmarks
from gnnmat.train.predictor import Predictor


@dataclass(frozen=True)
class CrystalExplanation:
    """What was found out about one crystal.

    Args:
        id: of the crystal.
        crystal: as it was read.
        space_group: number, 0 if none was found.
        orbit: (atoms,) number of the atom that stands for all that are equivalent by symmetry.
        wyckoff: (atoms,) letter; empty where no symmetry was found.
        found: contributions, see `CrystalAttribution`.
        prediction: as `gnnmat predict` gives it, text for a class.
        verdict: in words, empty if no thresholds were fixed.
        state: (s,) beside the crystal, as the network got it; it is held fixed.
        state_words: the same in words; empty without a state.
        nearest: known positives that the network finds most like it, of a run that has them.
        beside: whether trees answer beside the networks, of which nothing is explained.
    """

    id: str
    crystal: Crystal
    space_group: int
    orbit: tuple[int, ...]
    wyckoff: tuple[str, ...]
    found: CrystalAttribution
    prediction: float | str
    verdict: str = ""
    state: tuple[float, ...] = ()
    state_words: str = ""
    nearest: tuple[Neighbour, ...] = ()
    beside: bool = False

    @property
    def formula(self) -> str:
        """Reduced formula."""
        return formula(self.crystal.numbers)

    @property
    def symbols(self) -> list[str]:
        """(atoms,) symbols of the elements."""
        return [SYMBOLS[number - 1] for number in self.crystal.numbers]

    @property
    def atoms(self) -> pd.DataFrame:
        """A row an atom, see `explain_crystal_tables.atom_table`."""
        from gnnmat.workflows.explain_crystal_tables import atom_table

        return atom_table(self)

    @property
    def bonds(self) -> pd.DataFrame:
        """A row a bond, see `explain_crystal_tables.bond_table`."""
        from gnnmat.workflows.explain_crystal_tables import bond_table

        return bond_table(self)


@dataclass(frozen=True)
class CrystalExplanations:
    """Several explained crystals, and those that could not be read.

    Args:
        each: in the order they were given.
        refused: with the reason.
    """

    each: tuple[CrystalExplanation, ...]
    refused: tuple[Refusal, ...] = ()

    def __len__(self) -> int:
        return len(self.each)

    def __iter__(self) -> Iterator[CrystalExplanation]:
        return iter(self.each)

    def __getitem__(self, place: int) -> CrystalExplanation:
        return self.each[place]

    @property
    def atoms(self) -> pd.DataFrame:
        """A row an atom of each crystal."""
        return pd.concat([one.atoms for one in self.each], ignore_index=True)

    @property
    def bonds(self) -> pd.DataFrame:
        """A row a bond of each crystal."""
        return pd.concat([one.bonds for one in self.each], ignore_index=True)


def explain_crystals(
    run: str | Path,
    samples: Sequence[Any],
    *,
    target: str | None = None,
    label: str | None = None,
    method: AtomMethod | None = None,
    atom: int | None = None,
    state: Mapping[str, Any] | None = None,
    model: Encoder | None = None,
) -> CrystalExplanations:
    """Explanations of crystals by a trained run, an ensemble or a shipped model.

    Args:
        run: folder, or name of a shipped model.
        samples: files, folders, pymatgen ``Structure``, ASE ``Atoms`` or `Crystal`.
        target: to explain; default the first of the run.
        label: class to explain; default the predicted one.
        method: of the atoms, see `attribute_crystal`.
        atom: whose value is explained, of a run that predicts one an atom.
        state: what a model with a state must know beside the crystals, by name: one value for
            all, or one each. It is held fixed, and gets no contribution.
        model: the user's own encoder, if the run was trained with one.

    Raises:
        GnnmatError: the run was not trained on crystals, nothing could be read, or no such
            target, class, method or atom.
    """
    from gnnmat.zoo import find_model

    folder = find_model(run)
    predictor, landmarks = load_model(folder, model=model), load_landmarks(folder)
    unfolded_input(predictor.trained)
    records = predictor.records(samples)
    table = predictor.predict(records, state=state)
    members, spec = members_of(predictor), predictor.trained.spec.state
    states = read_state(records, spec.names, np.arange(len(records)), known=spec, given=state)[0]
    refused, each = list(records.refused), []
    for name, raw, values in zip(records.ids, records.raws, states.tolist(), strict=True):
        rows = table[table["id"] == name]
        if (rows["refused"] != "").any():
            refused.append(Refusal(name, str(raw), str(rows["refused"].iloc[0])))
            continue
        crystal = records.read(raw)
        batch = crystal_batch(members[0], crystal, values)
        found = attribute_crystal(
            members,
            batch,
            target=target,
            label=label,
            method=method,
            atom=atom,
        )
        one = _explanation(name, crystal, found, rows)
        near = () if landmarks is None else landmarks.near(members[0].encoder, batch)
        words = state_words(spec, values)
        told = replace(one, state=tuple(values), state_words=words, nearest=near)
        trees = isinstance(predictor, Committee) and bool(predictor.trees)
        each.append(replace(told, beside=trees))
    return CrystalExplanations(tuple(each), tuple(refused))


def members_of(predictor: Predictor) -> tuple[Trained, ...]:
    """The networks that answer."""
    return predictor.members if isinstance(predictor, Committee) else (predictor.trained,)


def unfolded_input(trained: Trained) -> CrystalGraph:
    """The input of a run with one edge for every bond.

    Raises:
        GnnmatError: the run was not trained on crystals.
    """
    config = trained.config.input
    if not isinstance(config, CrystalGraph):
        raise GnnmatError(
            "This run was not trained on crystals, so there are no atoms to explain.",
            why=f"Its input is '{config.kind}'.",
        )
    return config.model_copy(update={"fold": False})


def crystal_batch(trained: Trained, crystal: Crystal, state: Sequence[float] = ()) -> Batch:
    """A batch of one crystal in float64, with one edge for every bond and direction.

    Args:
        trained: whose input it is.
        crystal: one.
        state: (s,) beside it; empty without one.
    """
    fields = {
        name: torch.from_numpy(np.array(array))
        for name, array in unfolded_input(trained).sample(crystal).items()
    }
    if len(state):
        fields["state"] = torch.tensor([list(state)])
    row = torch.zeros(1, dtype=torch.int64)
    return collate([Sample(**fields, row=row, num_nodes=len(crystal.numbers))])


def _explanation(
    name: str, crystal: Crystal, found: CrystalAttribution, rows: pd.DataFrame
) -> CrystalExplanation:
    own = rows[rows["target"] == found.answer.target.name]
    if found.answer.atom is not None:
        own = own[own["atom"] == found.answer.atom]
    value = own["prediction"].iloc[0]
    symmetry = orbits(crystal)
    count = len(crystal.numbers)
    group, orbit, letters = symmetry or (0, range(count), [""] * count)
    return CrystalExplanation(
        id=name,
        crystal=crystal,
        space_group=group,
        orbit=tuple(int(one) for one in orbit),
        wyckoff=tuple(letters),
        found=found,
        # Of a curve the mean over its points.
        prediction=value if isinstance(value, str) else float(np.mean(value)),
        verdict=str(own["verdict"].iloc[0]) if "verdict" in own else "",
    )


def state_words(spec: StateSpec, values: Sequence[float]) -> str:
    """``temperature 300 K, functional PBE``."""
    words = []
    for one, value in zip(spec.attributes, values, strict=True):
        shown = one.categories[int(value)] if one.categories else f"{value:g} {one.unit}".strip()
        words.append(f"{one.name} {shown}")
    return ", ".join(words)
