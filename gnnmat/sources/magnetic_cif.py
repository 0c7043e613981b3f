"""Magnetic CIF: the cell, ions and ordered spins of a magnet, for a spin Hamiltonian."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from gnnmat.errors import GnnmatError
from gnnmat.simulation.form_factors import coefficients
from gnnmat.simulation.spin_waves.model import Bonds, Coupling, Onsite, Site, SpinModel, Vector

# Moments below this are zero by symmetry, or rounding, Bohr magnetons.
NO_MOMENT = 0.01
_COLUMNS = ("label", "type_symbol")


@dataclass(frozen=True)
class MagneticStructure:
    """What a magnetic CIF says; exchange it does not.

    Args:
        lattice: three vectors of the magnetic cell in Å.
        sites: every ion with a moment, called by its label and a number, such as ``Mn1_0``.
    """

    lattice: tuple[Vector, Vector, Vector]
    sites: tuple[Site, ...]

    def model(
        self,
        couplings: Mapping[str, float],
        bonds: Sequence[Mapping[str, Any]],
        onsite: Sequence[Mapping[str, Any]] = (),
    ) -> SpinModel:
        """The spin Hamiltonian with exchange of your own.

        Args:
            couplings: reference values by name, meV.
            bonds: as in YAML, such as ``{"coupling": "J", "distance": 3.9}``.
            onsite: as in YAML, such as ``{"coupling": "D", "axis": [0, 0, 1]}``.
        """
        return SpinModel(
            lattice=self.lattice,
            sites=self.sites,
            couplings={name: Coupling(reference=value) for name, value in couplings.items()},
            bonds=tuple(Bonds.model_validate(dict(rule)) for rule in bonds),
            onsite=tuple(Onsite.model_validate(dict(rule)) for rule in onsite),
        )


def read_magnetic_cif(
    path: str | Path,
    *,
    ions: Mapping[str, str] | None = None,
    spins: Mapping[str, float] | None = None,
) -> MagneticStructure:
    """The magnetic cell of a commensurate magnetic CIF, all sites of it, and their spins.

    A spin points against its moment, as the charge of the electron is negative.

    Args:
        path: the file.
        ions: ion by element or by label, such as ``{"Mn": "Mn3+"}``; default: the charge in
            the file.
        spins: spin quantum number by element or by label; default: half the moment, g = 2.

    Raises:
        GnnmatError: no such file, not a magnetic CIF, incommensurate, disordered, an ion whose
            charge is not known.
    """
    structure, symbols = _structure(Path(path))
    sites, counts = [], dict[str, int]()
    for site in structure:
        moment = np.asarray(site.properties["magmom"].global_moment, dtype=float)
        size = float(np.linalg.norm(moment))
        if size < NO_MOMENT:
            continue
        if not site.is_ordered:
            raise GnnmatError(
                f"{path}: a site with a moment is not full: {site.species_string}.",
                why="Spin waves are computed of ordered magnets.",
            )
        label, element = str(site.label), str(site.specie.symbol)
        number = counts[label] = counts.get(label, -1) + 1
        x, y, z = (-moment / size + 0.0).tolist()  # no -0
        a, b, c = site.frac_coords.tolist()
        sites.append(
            Site(
                name=f"{label}_{number}",
                ion=_ion(symbols.get(label, ""), element, label, ions or {}, path),
                spin=float(_chosen(spins or {}, element, label) or size / 2),
                position=(a, b, c),
                direction=(x, y, z),
            )
        )
    if not sites:
        raise GnnmatError(f"{path}: no site has a magnetic moment.")
    first, second, third = (
        (float(row[0]), float(row[1]), float(row[2]))
        for row in np.round(structure.lattice.matrix, 12) + 0.0
    )
    return MagneticStructure((first, second, third), tuple(sites))


def _structure(path: Path) -> tuple[Any, dict[str, str]]:
    """The structure with its moments, and the type symbol, such as ``Cu2+``, of every label."""
    from pymatgen.io.cif import CifFile, CifParser

    try:
        # Names of authors come in any encoding; numbers and keys are ASCII.
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise GnnmatError(f"{path} cannot be read.", why=str(error)) from error
    if "moment" not in text:
        raise GnnmatError(
            f"{path} is not a magnetic CIF.", why="It has no _atom_site_moment entries."
        )
    if any(name in text for name in ("_cell_modulation_dimension", "_cell_wave_vector")):
        raise GnnmatError(
            f"{path}: the magnetic order is incommensurate.",
            why="Spin waves are computed in a magnetic cell, which such an order has not.",
            fix="Write down a commensurate cell close to it.",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the file leaves out
            parser = CifParser(StringIO(text))
            (structure,) = parser.parse_structures(primitive=False, check_occu=True)
            blocks = CifFile.from_str(text).data.values()
    except Exception as error:  # the library raises whatever the file makes it
        raise GnnmatError(f"{path} is not a readable magnetic CIF.", why=str(error)) from error
    if "magmom" not in structure.site_properties:
        raise GnnmatError(f"{path}: no site has a magnetic moment.")
    symbols: dict[str, str] = {}
    for block in blocks:
        labels, kinds = (block.data.get(f"_atom_site_{name}", []) for name in _COLUMNS)
        symbols |= dict(zip(labels, kinds, strict=False))
    return structure, symbols


def _chosen(given: Mapping[str, Any], element: str, label: str) -> Any:
    return given.get(label, given.get(element))


def _ion(symbol: str, element: str, label: str, ions: Mapping[str, str], path: object) -> str:
    ion = _chosen(ions, element, label)
    if ion is None and not re.fullmatch(r"[A-Za-z]{1,2}[1-9]\+", symbol):
        raise GnnmatError(
            f"{path}: the charge of {label} is not given.",
            fix=f"Name its ion, for the form factor: ions={{'{element}': '{element}3+'}}",
        )
    coefficients(ion or symbol)  # refuses an ion without a form factor
    return str(ion or symbol)
