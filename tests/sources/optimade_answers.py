"""Answers of an OPTIMADE provider, as a test makes them up."""

from __future__ import annotations

from typing import Any

from gnnmat.sources.optimade import OptimadeSource
from gnnmat.sources.records import Records

from .scripted_service import Said, Scripted


def salt(name: str, **changes: Any) -> dict[str, Any]:
    """CsCl as OPTIMADE describes it."""
    attributes = {
        "lattice_vectors": [[4.12, 0, 0], [0, 4.12, 0], [0, 0, 4.12]],
        "dimension_types": [1, 1, 1],
        "cartesian_site_positions": [[0, 0, 0], [2.06, 2.06, 2.06]],
        "species": [
            {"name": "Cs", "chemical_symbols": ["Cs"], "concentration": [1.0]},
            {"name": "Cl", "chemical_symbols": ["Cl"], "concentration": [1.0]},
        ],
        "species_at_sites": ["Cs", "Cl"],
        "structure_features": [],
        "nsites": 2,
    }
    return {"id": name, "type": "structures", "attributes": {**attributes, **changes}}


def page(*entries: Any, after: Any = None, total: Any = None, **meta: Any) -> Said:
    """An answer with these entries and a link to the next one."""
    return Said(
        {
            "data": list(entries),
            "links": {"next": after},
            "meta": {"data_returned": total, **meta},
        }
    )


def opened(service: Scripted, **options: Any) -> Records:
    """The records of the service."""
    return OptimadeSource(provider=service.address, **{"timeout": 5, **options}).open()
