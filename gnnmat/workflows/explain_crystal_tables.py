"""Contributions as tidy tables: a row an atom, a bond, a kind of bond, an element, a crystal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from gnnmat.workflows.explain_crystal import CrystalExplanation

ALIKE = 0.02  # Å: bonds of one pair of elements whose lengths differ by less stand together


def atom_table(one: CrystalExplanation) -> pd.DataFrame:
    """``id``, ``target``, ``atom`` (from 0), ``element``, ``wyckoff``, ``orbit``, fractional ``a``,
    ``b``, ``c``, ``contribution``, ``spread`` over the members, and ``unit``.
    """
    parts, answer = one.found.atoms, one.found.answer
    return pd.DataFrame(
        {
            "id": one.id,
            "target": answer.target.name,
            "atom": np.arange(len(parts.mean)),
            "element": one.symbols,
            "wyckoff": one.wyckoff,
            "orbit": one.orbit,
            **{axis: one.crystal.frac[:, i] for i, axis in enumerate("abc")},
            "contribution": parts.mean,
            "spread": parts.spread,
            "unit": answer.unit,
        }
    )


def bond_table(one: CrystalExplanation) -> pd.DataFrame:
    """``id``, ``target``, ``first`` and ``second`` atom, their elements, the cell of the second,
    ``length`` in Å, ``contribution``, ``spread`` over the members, and ``unit``.

    NaN stands for contributions if the encoder cannot fade edges out.
    """
    bonds, parts, symbols = one.found.bonds, one.found.bonded, np.array(one.symbols)
    missing = np.full(len(bonds), np.nan)
    return pd.DataFrame(
        {
            "id": one.id,
            "target": one.found.answer.target.name,
            "first": bonds.first,
            "second": bonds.second,
            "first_element": symbols[bonds.first],
            "second_element": symbols[bonds.second],
            "cell": [" ".join(str(part) for part in cell) for cell in bonds.offset],
            "length": bonds.length,
            "contribution": missing if parts is None else parts.mean,
            "spread": missing if parts is None else parts.spread,
            "unit": one.found.answer.unit,
        }
    )


def bond_kinds(bonds: pd.DataFrame) -> pd.DataFrame:
    """Bonds by elements and length: ``pair``, ``length`` (mean, Å), ``count``, ``each``, ``total``.

    Args:
        bonds: of one crystal, from `bond_table`.
    """
    pair = [
        "–".join(sorted(both))
        for both in zip(bonds["first_element"], bonds["second_element"], strict=True)
    ]
    table = bonds.assign(pair=pair).sort_values(["pair", "length"], kind="stable")
    apart = (table["pair"] != table["pair"].shift()) | (table["length"].diff() > ALIKE)
    kinds = table.groupby(apart.cumsum(), sort=False).agg(
        pair=("pair", "first"),
        length=("length", "mean"),
        count=("length", "size"),
        each=("contribution", "mean"),
        total=("contribution", "sum"),
    )
    return kinds.sort_values(["length", "pair"]).reset_index(drop=True)


def element_sums(atoms: pd.DataFrame) -> pd.DataFrame:
    """Atoms by element: ``element``, ``count``, ``each`` (mean), ``total``, largest total first.

    Args:
        atoms: of one crystal, from `atom_table`.
    """
    sums = (
        atoms.groupby("element", sort=False)["contribution"]
        .agg(count="size", each="mean", total="sum")
        .reset_index()
    )
    return sums.sort_values("total", ascending=False, kind="stable").reset_index(drop=True)


def summary_table(each: Iterable[CrystalExplanation]) -> pd.DataFrame:
    """A row a crystal: what was explained, from which baseline, and how well it adds up."""
    return pd.DataFrame([_summary(one) for one in each])


def _summary(one: CrystalExplanation) -> dict[str, Any]:
    found, bonded = one.found, one.found.bonded
    none = float("nan")
    return {
        "id": one.id,
        "formula": one.formula,
        "target": found.answer.target.name,
        "prediction": one.prediction,
        "explained": found.answer.words,
        "value": found.atoms.answer,
        "baseline": found.atoms.baseline,
        "without_features": float(found.constants.mean()),
        "without_bonds": none if bonded is None else bonded.baseline,
        "method": found.method,
        "atoms_error": found.atoms.error,
        "bonds_error": none if bonded is None else bonded.error,
        "members": len(found.constants),
        "unit": found.answer.unit,
    }


def one_table(atoms: pd.DataFrame, bonds: pd.DataFrame) -> pd.DataFrame:
    """Atoms and bonds below each other, told apart by ``part``."""
    left = atoms.rename(columns={"atom": "first", "element": "first_element"})
    columns = ["id", "target", "part", "first", "first_element", "second", "second_element"]
    columns += ["cell", "length", "contribution", "spread", "unit"]
    both = pd.concat([left.assign(part="atom"), bonds.assign(part="bond")], ignore_index=True)
    both["second"] = both["second"].astype("Int64")
    return both.sort_values("id", kind="stable", key=_first_seen)[columns].reset_index(drop=True)


def _first_seen(ids: pd.Series) -> pd.Series:
    return pd.Series(pd.factorize(ids)[0], index=ids.index)
