"""Crystals from CIF text: read by pymatgen, checked against what the file says of itself.

A reader that guesses gives a wrong crystal without a word, so whatever had to be guessed is
compared with the stated formula, and refused where the two disagree or nothing is stated.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping
from io import StringIO
from typing import Any

import numpy as np

from gnnmat.errors import GnnmatError
from gnnmat.sources.crystal import Crystal, as_crystal
from gnnmat.sources.structure import FULL, from_atoms, from_structure

COUNT_TOLERANCE = 0.05  # atoms; formulas are printed with two decimals at least
RATIO_TOLERANCE = 0.005  # relative; two decimals on a coefficient of one
UNKNOWN = {"?", "."}
GROUP_NAMES = (
    "_symmetry_space_group_name_H-M",
    "_space_group_name_H-M_alt",
    "_symmetry_Int_Tables_number",
    "_space_group_IT_number",
    "_symmetry_space_group_name_Hall",
    "_space_group_name_Hall",
)
OPERATIONS = ("_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz")


def cif_blocks(text: str) -> list[str]:
    """The data blocks of a CIF that hold atomic coordinates, as text."""
    starts: list[int] = []
    in_text_field = False
    for match in re.finditer(r"^(;|[ \t]*data_)", text, flags=re.MULTILINE | re.IGNORECASE):
        if match.group() == ";":
            in_text_field = not in_text_field
        elif not in_text_field:
            starts.append(match.start())
        else:
            # Words in a text field; pymatgen would begin a block here.
            text = f"{text[: match.end() - 1]}-{text[match.end() :]}"
    ends = [*starts[1:], len(text)]
    blocks = (text[start:end] for start, end in zip(starts, ends, strict=False))
    return [block for block in blocks if "_atom_site_fract_x" in block]


def read_cif(text: str, index: int | None = None) -> Crystal:
    """The crystal of a CIF.

    Args:
        text: the whole file.
        index: which structure, counted from 0; None: there must be one only.

    Raises:
        GnnmatError: no structure, several, or one that is disordered or contradicts its formula.
    """
    blocks = cif_blocks(text)
    if not blocks:
        mmcif = "_atom_site.Cartn_x" in text
        why = "It is a macromolecular CIF (mmCIF), which is not read." if mmcif else ""
        raise GnnmatError(
            "The CIF holds no crystal structure (no fractional coordinates).", why=why
        )
    if index is None and len(blocks) > 1:
        raise GnnmatError(
            f"The CIF holds {len(blocks)} structures, where one was expected.",
            fix="give the file to a data source, which lists them as name#1, name#2, ...",
        )
    if not 0 <= (index or 0) < len(blocks):
        raise GnnmatError(f"The CIF holds {len(blocks)} structures, so there is no #{index}.")
    return _read_block(blocks[index or 0])


def _read_block(block: str) -> Crystal:
    from pymatgen.io.cif import CifParser

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # Our own comparison with the formula replaces check_cif, which only warns.
            parser = CifParser.from_str(block, check_cif=False)
            fields = next(iter(parser.as_dict().values()))
            _check_fields(fields)
            structures = parser.parse_structures(primitive=False, on_error="raise")
        except GnnmatError:
            raise
        except NotImplementedError as error:  # of pymatgen
            raise GnnmatError(f"The CIF could not be read: {error}") from error
        except ValueError as error:
            reason = str(error).strip().splitlines()[-1]
            raise GnnmatError(f"The CIF could not be read: {reason}") from error
        except Exception as error:
            return _read_with_ase(block, error)
    if len(structures) != 1:
        raise GnnmatError(f"The CIF block holds {len(structures)} structures, expected one.")
    crystal = from_structure(structures[0])
    implicit = "implicit_hydrogens" in structures[0].site_properties
    _check_guesses(fields, parser.warnings)
    _check_formula(crystal, fields, implicit)
    return crystal


def _check_fields(fields: Mapping[str, Any]) -> None:
    """Refuse what pymatgen would read as something else, without an error."""
    for axis in "xyz":
        values = fields.get(f"_atom_site_fract_{axis}", [])
        if any(value.strip() in UNKNOWN for value in _listed(values)):
            # pymatgen reads "." as zero
            raise GnnmatError("The CIF leaves coordinates of some atoms unknown ('?' or '.').")
    if not any(name.startswith("_cell_length") for name in fields):
        raise GnnmatError("The CIF has no periodic cell.")
    if str(fields.get("_cell_modulation_dimension", "0")).strip() not in {"0", "?", "."}:
        raise GnnmatError("The CIF describes a modulated structure, which has no periodic cell.")


def _check_guesses(fields: Mapping[str, Any], notes: list[str]) -> None:
    stated = [str(fields[name]).strip(" '\"") for name in GROUP_NAMES if name in fields]
    named = [name for name in stated if name.replace(" ", "") not in {"P1", "1", "?", ".", ""}]
    many = any(len(_listed(fields.get(name, []))) > 1 for name in OPERATIONS)
    if any("Defaulting to P1" in note for note in notes) and named:
        raise GnnmatError(f"The CIF names space group '{named[0]}', which is not understood.")
    if any("No magnetic symmetry" in note for note in notes) and (named or many):
        raise GnnmatError("The CIF gives magnetic moments without magnetic symmetry operations.")
    guessed = [note for note in notes if " parsed as " in note]
    if guessed and "_atom_site_type_symbol" not in fields and _formula(fields) is None:
        raise GnnmatError(
            f"The element of an atom would have to be guessed from its label ({guessed[0]}).",
            why="The CIF gives neither _atom_site_type_symbol nor a formula to check against.",
        )


def _check_formula(crystal: Crystal, fields: Mapping[str, Any], implicit: bool) -> None:
    """Refuse a crystal whose composition is not the one the file states.

    Hydrogens that are only implied (water written as its oxygen) make a wrong crystal too.
    """
    attached = _listed(fields.get("_atom_site_attached_hydrogens", []))
    implicit = implicit or any(count.strip() not in {"0", "?", "."} for count in attached)
    stated = _formula(fields)
    found = Counter(crystal.numbers.tolist())
    if stated is None:
        if implicit:
            raise GnnmatError("Hydrogens of the CIF are implicit: they have no coordinates.")
        return
    scale = len(crystal.numbers) / sum(stated.values())
    for number in {*stated, *found}:
        expected = scale * stated.get(number, 0.0)
        if abs(found[number] - expected) > COUNT_TOLERANCE + RATIO_TOLERANCE * expected:
            text = " ".join(str(fields["_chemical_formula_sum"]).strip(" '\"").split())
            why = "Its hydrogens are implicit: they have no coordinates." if implicit else ""
            raise GnnmatError(
                f"The CIF states the formula {text}, but its atoms are {_printed(found)}.", why=why
            )


def _formula(fields: Mapping[str, Any]) -> dict[int, float] | None:
    """Atoms by atomic number as stated by the CIF; None if not stated, or not in plain form."""
    from pymatgen.core import Element

    text = str(fields.get("_chemical_formula_sum", "")).strip().strip("'\"").strip()
    terms = re.findall(r"([A-Z][a-z]?)\s*([0-9.]*)", text)
    if not terms or "".join(a + b for a, b in terms) != re.sub(r"\s", "", text):
        return None
    counts: dict[int, float] = {}
    for symbol, count in terms:
        if not Element.is_valid_symbol(symbol):
            return None
        number = Element(symbol).Z
        try:
            counts[number] = counts.get(number, 0.0) + float(count or 1)
        except ValueError:
            return None
    return counts if sum(counts.values()) > 0 else None


def _printed(counts: Mapping[int, int]) -> str:
    from pymatgen.core import Element

    return " ".join(f"{Element.from_Z(number).symbol}{counts[number]}" for number in sorted(counts))


def _read_with_ase(block: str, error: Exception) -> Crystal:
    """The crystal as ASE reads it, for files that pymatgen stumbles over (an empty loop, say).

    ASE knows neither partial occupancy nor magnetic symmetry, so these are refused first.
    """
    from ase.io.cif import parse_cif

    refusal = GnnmatError(f"The CIF could not be read: {type(error).__name__}: {error}")
    if "_magn" in block:
        raise refusal from error
    try:
        (parsed,) = parse_cif(StringIO(block))
        fields = {name: parsed[name] for name in parsed}
        atoms = parsed.get_atoms(primitive_cell=False)
    except Exception:
        raise refusal from error
    occupancies = [float(value) for value in fields.get("_atom_site_occupancy") or [1.0]]
    if not np.allclose(occupancies, 1.0, atol=FULL):
        raise GnnmatError(f"The CIF is disordered: an occupancy is {min(occupancies):g}.")
    crystal = from_atoms(atoms)
    _check_formula(
        crystal, {"_chemical_formula_sum": fields.get("_chemical_formula_sum") or ""}, False
    )
    return as_crystal(crystal.lattice, crystal.numbers, crystal.frac)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(part) for part in value]
