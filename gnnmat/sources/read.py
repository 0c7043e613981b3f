"""One door for crystals: a path, CIF text, plain arrays, a pymatgen or ASE object.

Whatever comes in, a checked `Crystal` comes out, or a `GnnmatError` that says in one plain
sentence why not.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from gnnmat.errors import GnnmatError
from gnnmat.sources.check import check_crystal
from gnnmat.sources.crystal import Crystal, as_crystal
from gnnmat.sources.crystal_file import ASE_FORMATS, SUFFIXES, FilePart, crystal_format, read_text
from gnnmat.sources.structure import from_atoms, from_structure

__all__ = ["CifText", "check_crystal", "read_crystal"]


@dataclass(frozen=True)
class CifText:
    """The text of a CIF, told apart from a path by its type."""

    text: str


def read_crystal(raw: Any) -> Crystal:
    """The checked crystal behind any kind of input.

    Args:
        raw: a path (CIF, magnetic CIF, POSCAR, CONTCAR, extended XYZ, pymatgen JSON, and what ASE
            reads of ``.traj``, ``.db``, ``.xsf``, ``.gen``, ``.res``), `FilePart`, `CifText`,
            `Crystal`, pymatgen ``Structure`` or its dictionary, ASE ``Atoms``, or a tuple of
            lattice (3, 3) in Å, atomic numbers (atoms,) and fractional coordinates (atoms, 3).

    Raises:
        GnnmatError: it cannot be read, is disordered, has no periodic cell, or is no crystal.
    """
    if isinstance(raw, (str, Path)):
        return _read_file(FilePart(str(raw), -1))
    if isinstance(raw, FilePart):
        return _read_file(raw)
    return check_crystal(_from_object(raw))


def _from_object(raw: Any) -> Crystal:
    if isinstance(raw, Crystal):
        return raw
    if isinstance(raw, tuple) and len(raw) == 3:
        return from_arrays(*raw)
    if isinstance(raw, CifText):
        from gnnmat.sources.cif import read_cif

        return read_cif(raw.text)
    if isinstance(raw, Mapping):
        return _from_dictionary(raw)
    # By module, so that a library that is not loaded is not loaded either.
    origin = {kind.__module__.split(".")[0] for kind in type(raw).__mro__}
    if "ase" in origin and hasattr(raw, "positions"):
        return from_atoms(raw)
    if "pymatgen" in origin and hasattr(raw, "frac_coords"):
        return from_structure(raw)
    if "pymatgen" in origin and hasattr(raw, "cart_coords"):
        raise GnnmatError("The structure has no periodic cell (it is a molecule).")
    raise GnnmatError(
        f"A {type(raw).__name__} is not a crystal.",
        fix="give a path, a pymatgen Structure, an ASE Atoms, or (lattice, numbers, frac).",
    )


def from_arrays(lattice: Any, numbers: Any, frac: Any) -> Crystal:
    """The crystal of three arrays, flat or not; their lengths are checked."""
    try:
        cell = np.asarray(lattice, dtype=np.float64)
        exact = np.asarray(numbers, dtype=np.float64).reshape(-1)
        places = np.asarray(frac, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise GnnmatError("Lattice, numbers and frac must be plain numbers.") from error
    if cell.size != 9:
        raise GnnmatError(f"The lattice has {cell.size} numbers, expected 9.")
    if places.size != 3 * exact.size:
        raise GnnmatError(
            f"There are {exact.size} atomic numbers but {places.size} coordinates, "
            f"expected {3 * exact.size}."
        )
    if not np.isfinite(exact).all() or (exact != np.round(exact)).any():
        raise GnnmatError("The atomic numbers are not whole numbers.")
    return as_crystal(cell, exact, places)


def _from_dictionary(plain: Mapping[str, Any]) -> Crystal:
    from pymatgen.core import Structure

    if plain.get("@class") not in {"Structure", "IStructure", "Slab"} and "lattice" not in plain:
        found = plain.get("@class") or ", ".join(list(map(str, plain))[:5]) or "nothing"
        raise GnnmatError(f"The JSON is not a pymatgen structure (it holds: {found}).")
    try:
        return from_structure(Structure.from_dict(_without_properties(plain)))
    except (KeyError, TypeError, ValueError) as error:
        raise GnnmatError(f"The JSON is not a pymatgen structure: {error}.") from error


def _without_properties(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The dictionary with nothing but lattice and sites.

    pymatgen decodes properties with monty, which imports whatever module they name; a file from
    elsewhere must not run code.
    """
    sites = []
    for site in plain["sites"]:
        kept = {name: site[name] for name in ("abc", "xyz", "label") if name in site}
        species = [
            {name: one[name] for name in ("element", "occu", "oxidation_state") if name in one}
            for one in site["species"]
        ]
        sites.append({**kept, "species": species})
    return {"lattice": {"matrix": plain["lattice"]["matrix"]}, "sites": sites}


def _read_file(part: FilePart) -> Crystal:
    name = Path(part.path).name if part.index < 0 else f"{Path(part.path).name}#{part.index + 1}"
    try:
        return check_crystal(_parse_file(part))
    except GnnmatError as error:
        raise GnnmatError(f"{name}: {error.what}", why=error.why, fix=error.fix) from error
    except Exception as error:
        text = " ".join(str(error).split()) or "no reason given"
        raise GnnmatError(f"{name}: could not be read: {type(error).__name__}: {text}") from error


def _parse_file(part: FilePart) -> Crystal:
    kind = crystal_format(part.path)
    if not Path(part.path).is_file():
        raise GnnmatError(f"There is no file '{part.path}'.")
    if kind == "cif":
        from gnnmat.sources.cif import read_cif

        return read_cif(read_text(part.path), None if part.index < 0 else part.index)
    if kind == "poscar":
        return _from_poscar(read_text(part.path))
    if kind == "json":
        return _from_json(part)
    if kind == "xyz":
        from gnnmat.sources.parts import xyz_frame

        return _with_ase(StringIO(xyz_frame(part.path, part.index, part.offset)), "extxyz", 0)
    if kind == "db":
        from gnnmat.sources.parts import database_row

        return from_atoms(database_row(part.path, part.index).toatoms())
    if kind in ASE_FORMATS:
        return _with_ase(part.path, kind, part.index)
    raise GnnmatError(
        "The file is not of a known kind.",
        fix=f"name it POSCAR or CONTCAR, or end its name in one of {', '.join(SUFFIXES)}.",
    )


def _with_ase(source: Any, kind: str, index: int) -> Crystal:
    from ase.io import read

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frames = read(source, index=":" if index < 0 else slice(index, index + 1), format=kind)
    if len(frames) != 1:
        raise GnnmatError(f"The file holds {len(frames)} structures, where one was expected.")
    return from_atoms(frames[0])


def _from_poscar(text: str) -> Crystal:
    from pymatgen.io.vasp import Poscar

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        poscar = Poscar.from_str(text)
    if any("cannot be determined" in str(warning.message) for warning in caught):
        # pymatgen then calls the first kind of atom hydrogen, the second helium, ...
        raise GnnmatError("The POSCAR does not name its elements (VASP 4 format).")
    return from_structure(poscar.structure)


def _from_json(part: FilePart) -> Crystal:
    from gnnmat.sources.parts import database_row, is_ase_database

    plain = json.loads(read_text(part.path))
    if is_ase_database(plain):
        return from_atoms(database_row(part.path, part.index).toatoms())
    if isinstance(plain, list):
        if part.index < 0 and len(plain) != 1:
            raise GnnmatError(f"The file holds {len(plain)} structures, where one was expected.")
        plain = plain[max(part.index, 0)]
    if not isinstance(plain, dict):
        raise GnnmatError("The JSON is not a pymatgen structure.")
    return _from_dictionary(plain)
