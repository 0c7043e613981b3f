"""Structures as providers describe them: which are crystals, and why others are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gnnmat.errors import GnnmatError

from .optimade_answers import opened, page, salt
from .scripted_service import scripted_service


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))


FALSE: list[tuple[Any, str]] = [
    (None, "it is no JSON object"),
    ("text", "it is no JSON object"),
    ({"attributes": {}}, "it has no id"),
    ({"id": {}, "attributes": {}}, "it has no id"),
    ({"id": "x"}, "it has no attributes"),
    ({"id": "x", "attributes": []}, "it has no attributes"),
    ({"id": "x", "attributes": {}}, "cartesian_site_positions is missing"),
    (salt("x", lattice_vectors=None), "lattice_vectors is missing"),
    (salt("x", lattice_vectors="abc"), "lattice_vectors is a str, not a list"),
    (salt("x", lattice_vectors=[[1, 0, 0]]), "there are 1 lattice vectors, expected 3"),
    (salt("x", lattice_vectors=[[4, 0, 0], [0, 4, 0], None]), "a lattice vector is missing"),
    (salt("x", lattice_vectors=[["a", 0, 0], [0, 4, 0], [0, 0, 4]]), "not as OPTIMADE describes"),
    (salt("x", lattice_vectors=[[1e400, 0, 0], [0, 4, 0], [0, 0, 4]]), "vector is missing"),
    (salt("x", lattice_vectors=[[0, 0, 0]] * 3), "no periodic cell"),
    (salt("x", dimension_types=[0, 0, 0]), "no periodic cell"),
    (salt("x", dimension_types=[1]), "dimension_types is not a list of three"),
    (salt("x", cartesian_site_positions=[[0, 0, 0]]), "there are 1 positions, 2 species"),
    (salt("x", nsites=3), "there are 2 positions, 2 species and nsites 3"),
    (salt("x", nsites="two"), "and nsites two"),
    (salt("x", cartesian_site_positions=[[0, 0, 0], [None] * 3]), "position of atom 2 is unknown"),
    (salt("x", cartesian_site_positions=[[0, 0, 0], [1, 2]]), "position of atom 2 is unknown"),
    (salt("x", cartesian_site_positions=[[0, 0, 0]] * 2), "0.000 Å apart"),
    (salt("x", species_at_sites=["Cs", None]), "species of atom 2 is unknown"),
    (salt("x", species_at_sites=["Cs", "Xx"]), "atom 2 is 'Xx', which is not an element"),
    (salt("x", species=[{"name": "Cl", "chemical_symbols": "Cl"}]), "does not say which elements"),
    (salt("x", species=5), "not as OPTIMADE describes"),
    (salt("x", structure_features=["disorder"]), "partial occupancy"),
    (salt("x", structure_features=["unknown_positions"]), "positions of atoms are unknown"),
    (salt("x", structure_features=["implicit_atoms"]), "positions are unknown"),
    (
        salt("x", species=[{"name": "Cl", "chemical_symbols": ["Cl"], "concentration": [0.5]}]),
        "atom 2 has partial occupancy (Cl 0.5)",
    ),
    (
        salt(
            "x",
            species=[
                {"name": "Cl", "chemical_symbols": ["Cl", "vacancy"], "concentration": [0.9, 0.1]}
            ],
        ),
        "partial occupancy (Cl 0.9, vacancy 0.1)",
    ),
    (
        salt("x", species=[{"name": "Cl", "chemical_symbols": ["X"], "concentration": [1.0]}]),
        "atom 2 is 'X', which is not an element",
    ),
]


def test_a_bad_structure_is_refused_and_the_rest_is_taken() -> None:
    entries = [
        {**entry, "id": f"bad {row}"}
        if isinstance(entry, dict) and entry.get("id") == "x"
        else entry
        for row, (entry, _) in enumerate(FALSE)
    ]
    with scripted_service(lambda _: page(salt("a"), *entries, salt("b"))) as service:
        records = opened(service)
    assert records.ids == ["a", "b"]
    assert records.read(records.raws[1]).numbers.tolist() == [55, 17]
    assert len(records.refused) == len(FALSE)
    for (_, words), refusal in zip(FALSE, records.refused, strict=True):
        assert words in refusal.reason
    assert records.refused[0].id == "result 2"
    assert records.refused[-1].origin.endswith(f", bad {len(FALSE) - 1}")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2.5, None], [1.0, 2.5, None]),
        ([True, False, True], [True, False, True]),
        ([1, "2 eV", None], ["1", "2 eV", None]),
        ([{"a": 1}, "x", None], ['{"a": 1}', "x", None]),
        ([[1, 2], [3], None], [[1, 2], [3], None]),
        ([10**400, 1, 2], [None, 1.0, 2.0]),
    ],
)
def test_a_property_has_one_type(values: list[Any], expected: list[Any]) -> None:
    entries = [salt(str(row), _x_value=value) for row, value in enumerate(values)]
    with scripted_service(lambda _: page(*entries)) as service:
        found = opened(service, properties=["_x_value"]).table["_x_value"].tolist()
    assert [None if value != value else value for value in found] == expected


def test_a_property_that_nobody_has_is_an_error() -> None:
    with (
        scripted_service(lambda _: page(salt("a"))) as service,
        pytest.raises(GnnmatError, match=r"gives no '_x_gap'[\s\S]*/v1/info/structures"),
    ):
        opened(service, properties=["_x_gap"])
