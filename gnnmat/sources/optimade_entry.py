"""One structure as OPTIMADE describes it, and what of it is a crystal.

Source: OPTIMADE specification 1.2, "Structures Entries".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gnnmat.errors import GnnmatError
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.entries import Entry
from gnnmat.sources.read import read_crystal
from gnnmat.sources.structure import FULL

FIELDS = (
    "lattice_vectors",
    "dimension_types",
    "cartesian_site_positions",
    "species",
    "species_at_sites",
    "structure_features",
    "nsites",
)
FEATURES = {
    "disorder": "the crystal is disordered: a site has partial occupancy",
    "assemblies": "the crystal is disordered: sites are occupied in groups",
    "implicit_atoms": "atoms are missing: their positions are unknown",
    "site_attachments": "atoms are missing: some are attached to sites without a position",
    "unknown_positions": "positions of atoms are unknown",
}


def entry_of(resource: Any, properties: Sequence[str]) -> Entry:
    """The entry of one resource of an answer; what cannot be a crystal says why.

    Args:
        resource: an object of the list ``data``.
        properties: attributes to keep as values.
    """
    if not isinstance(resource, Mapping):
        return Entry("", None, "it is no JSON object")
    name = resource.get("id")
    if not isinstance(name, (str, int)) or isinstance(name, bool) or not str(name).strip():
        return Entry("", None, "it has no id")
    name = str(name).strip()
    attributes = resource.get("attributes")
    if not isinstance(attributes, Mapping):
        return Entry(name, None, "it has no attributes")
    values = {one: attributes[one] for one in properties if attributes.get(one) is not None}
    try:
        return Entry(name, crystal_of(attributes), "", values)
    except GnnmatError as error:
        return Entry(name, None, error.sentence, values)
    except (TypeError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())[:200]
        return Entry(name, None, f"it is not as OPTIMADE describes a structure: {reason}", values)


def crystal_of(attributes: Mapping[str, Any]) -> Crystal:
    """The checked crystal of the attributes of a structure; layers and wires get vacuum.

    Raises:
        GnnmatError: what is missing or of a wrong type or length, partial occupancy, unknown
            positions, no periodic cell, or no crystal at all.
        TypeError, ValueError, OverflowError: something that is no number where one belongs.
    """
    for feature in attributes.get("structure_features") or ():
        if feature in FEATURES:
            raise GnnmatError(f"{FEATURES[feature]}.")
    places = _list(attributes, "cartesian_site_positions")
    names = _list(attributes, "species_at_sites")
    count = attributes.get("nsites")
    if len(places) != len(names) or (count is not None and count != len(names)):
        said = f" and nsites {count}" if count is not None else ""
        raise GnnmatError(f"there are {len(places)} positions, {len(names)} species{said}.")
    elements = _elements(attributes)
    symbols = [_symbol(name, elements, site) for site, name in enumerate(names)]
    for site, place in enumerate(places):
        if not isinstance(place, list) or len(place) != 3 or None in place:
            raise GnnmatError(f"the position of atom {site + 1} is unknown.")
    return read_crystal(_atoms(attributes, symbols, places))


def _atoms(attributes: Mapping[str, Any], symbols: list[str], places: list[Any]) -> Any:
    """ASE's atoms; a lattice vector that is null, or of a direction without period, is free."""
    from ase import Atoms

    vectors = _list(attributes, "lattice_vectors")
    if len(vectors) != 3:
        raise GnnmatError(f"there are {len(vectors)} lattice vectors, expected 3.")
    known = [isinstance(one, list) and len(one) == 3 and None not in one for one in vectors]
    periods = attributes.get("dimension_types") or [1, 1, 1]
    if not isinstance(periods, list) or len(periods) != 3:
        raise GnnmatError("dimension_types is not a list of three numbers.")
    periodic = [period == 1 for period in periods]
    if any(period and not vector for period, vector in zip(periodic, known, strict=True)):
        raise GnnmatError("a lattice vector is missing.")
    cell = [one if given else [0.0, 0.0, 0.0] for one, given in zip(vectors, known, strict=True)]
    return Atoms(
        symbols,
        positions=np.array(places, dtype=np.float64),
        cell=np.array(cell, dtype=np.float64),
        pbc=periodic,
    )


def _list(attributes: Mapping[str, Any], name: str) -> list[Any]:
    found = attributes.get(name)
    if found is None:
        raise GnnmatError(f"{name} is missing.")
    if not isinstance(found, list):
        raise GnnmatError(f"{name} is a {type(found).__name__}, not a list.")
    return found


def _elements(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The species by name; what is malformed is found when a site asks for it."""
    return {
        one["name"]: one
        for one in attributes.get("species") or ()
        if isinstance(one, Mapping) and isinstance(one.get("name"), str)
    }


def _symbol(name: Any, elements: Mapping[str, Any], site: int) -> str:
    """The element that fills a site."""
    from ase.data import atomic_numbers

    if not isinstance(name, str):
        raise GnnmatError(f"the species of atom {site + 1} is unknown.")
    species = elements.get(name, {"chemical_symbols": [name], "concentration": [1.0]})
    symbols, shares = species.get("chemical_symbols"), species.get("concentration")
    if not isinstance(symbols, list) or not isinstance(shares, list) or len(symbols) != len(shares):
        raise GnnmatError(f"species '{name}' does not say which elements it has, and how much.")
    if len(symbols) != 1 or abs(float(shares[0]) - 1.0) > FULL or species.get("attached"):
        content = ", ".join(f"{one} {share}" for one, share in zip(symbols, shares, strict=True))
        raise GnnmatError(
            f"the crystal is disordered: atom {site + 1} has partial occupancy ({content})."
        )
    if not isinstance(symbols[0], str) or atomic_numbers.get(symbols[0], 0) < 1:
        raise GnnmatError(f"atom {site + 1} is '{symbols[0]}', which is not an element.")
    return symbols[0]
