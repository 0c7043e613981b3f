"""OPTIMADE against a real server on this machine: crystals, columns, limits and what is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.sources import optimade
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.optimade import PROVIDERS, OptimadeSource
from gnnmat.sources.read import read_crystal
from gnnmat.sources.table import TableSource

from .optimade_server import attributes_of, optimade_server

# Looked for and not imported: the server's module starts a server with data of its own.
NEEDED = ("optimade", "mongomock", "uvicorn", "fastapi")
pytestmark = pytest.mark.skipif(
    not all(find_spec(name) for name in NEEDED), reason="needs optimade[server] and mongomock"
)

CRYSTALS = Path(__file__).parents[1] / "crystals"
SMALL = '_exmpl_origin = "small"'
FILES = {"salt": "NaCl.cif", "chloride": "CsCl.extxyz", "silicon": "Si.vasp"}


def small() -> dict[str, Crystal]:
    return {name: read_crystal(CRYSTALS / file) for name, file in FILES.items()}


def served() -> dict[str, dict[str, Any]]:
    """Three crystals, and four structures that are none: each says so in its own way."""
    crystals = small()
    gaps = {"salt": 8.5, "chloride": 8.3}
    known = {
        name: attributes_of(crystal, band_gap=gaps.get(name), remark=f"<b>{name}</b>")
        for name, crystal in crystals.items()
    }
    brass = [
        {"name": "Si", "chemical_symbols": ["Si", "Ge"], "concentration": [0.6, 0.4]},
    ]
    silicon = crystals["silicon"]
    holes = [[None, None, None], *silicon.positions.tolist()[1:]]
    known["alloy"] = attributes_of(silicon, species=brass, structure_features=["disorder"])
    known["vague"] = attributes_of(silicon, cartesian_site_positions=holes)
    known["molecule"] = attributes_of(silicon, dimension_types=[0, 0, 0], nperiodic_dimensions=0)
    known["layer"] = attributes_of(silicon, dimension_types=[1, 1, 0], nperiodic_dimensions=2)
    return {name: {**one, "origin": "small"} for name, one in known.items()}


def real() -> dict[str, Crystal]:
    """Fifty crystals of the Materials Project, where they are; none elsewhere."""
    path = Path(os.environ.get("GNNMAT_DATA", "")) / "materials_project" / "structures.parquet"
    if not path.is_file():
        return {}
    table = TableSource(path=str(path)).open()
    some = table.take(range(0, len(table), len(table) // 50)[:50])
    return {name: some.read(raw) for name, raw in zip(some.ids, some.raws, strict=True)}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that gives 20 structures a page unless told otherwise, and at most 30."""
    folder = tmp_path_factory.mktemp("optimade")
    structures = {
        **served(),
        **{name: attributes_of(one, origin="real") for name, one in real().items()},
    }
    options = {"page_limit": 20, "page_limit_max": 30, "validate_api_response": False}
    fields = ["band_gap", "remark", "origin"]
    with optimade_server(folder, structures, fields, **options) as base:
        yield base


@pytest.fixture
def pages_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimade, "PAGE", 2)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "queries"


def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("requests.Session.get", refuse)


def test_crystals_are_those_that_the_server_was_given(address: str) -> None:
    properties = ("_exmpl_band_gap", "_exmpl_remark")
    units = {"_exmpl_band_gap": "eV"}
    source = OptimadeSource(provider=address, filter=SMALL, properties=properties, units=units)
    records = source.open()
    assert records.ids == ["salt", "chloride", "silicon", "layer"]
    for name, expected in small().items():
        found = records.read(records.raws[records.ids.index(name)])
        assert found.numbers.tolist() == expected.numbers.tolist()
        np.testing.assert_allclose(found.lattice, expected.lattice, atol=1e-12)
        np.testing.assert_allclose(found.positions, expected.positions, atol=1e-9)
    np.testing.assert_array_equal(records.table["_exmpl_band_gap"], [8.5, 8.3, np.nan, np.nan])
    assert records.table["_exmpl_remark"][0] == "<b>salt</b>"
    assert records.units == {"_exmpl_band_gap": "eV"}
    assert records.origin(1) == f"{address}, chloride"
    assert [one.id for one in records.refused] == ["alloy", "vague", "molecule"]
    for refusal, words in zip(
        records.refused, ("partial occupancy", "atom 1 is unknown", "molecule"), strict=True
    ):
        assert words in refusal.reason


def test_a_layer_gets_vacuum(address: str) -> None:
    records = OptimadeSource(provider=address, filter='id = "layer"').open()
    lattice = records.read(records.raws[0]).lattice
    assert np.linalg.norm(lattice[2]) > 20


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ('elements HAS "Cl"', ["salt", "chloride"]),
        ('elements HAS ALL "Na", "Cl" AND nsites < 20', ["salt"]),
        ("_exmpl_band_gap > 8.4", ["salt"]),
    ],
)
def test_the_filter_is_that_of_optimade(address: str, filter: str, expected: list[str]) -> None:
    only = f"{SMALL} AND {filter}"
    assert OptimadeSource(provider=address + "/v1/", filter=only).open().ids == expected


@pytest.mark.usefixtures("pages_of_two")
def test_a_second_opening_needs_no_network(
    address: str, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    source = OptimadeSource(provider=address, filter=SMALL, properties=("_exmpl_band_gap",))
    first = source.open()
    assert len(list(cache.glob("*/*.parquet"))) == 4
    no_network(monkeypatch)
    second = source.open()
    assert second.ids == first.ids
    assert second.fingerprint == first.fingerprint
    assert second.refused == first.refused
    assert second.table.equals(first.table)
    with pytest.raises(AssertionError, match="network was asked"):
        source.model_copy(update={"refresh": True}).open()


@pytest.mark.usefixtures("pages_of_two")
def test_pages_say_what_was_asked_and_when(address: str, cache: Path) -> None:
    OptimadeSource(provider=address, filter=SMALL).open()
    first = min(cache.glob("*/*.parquet"))
    said = json.loads(pyarrow.parquet.read_schema(first).metadata[b"gnnmat"])
    assert said["query"]["filter"] == SMALL
    assert said["query"]["address"] == address
    assert said["total"] == 7
    assert said["date"].startswith("20")


def test_a_longer_page_than_the_server_allows_is_not_insisted_on(address: str) -> None:
    assert optimade.PAGE > 30  # which the server answers with 403
    assert len(OptimadeSource(provider=address, filter=SMALL, limit=None).open()) == 4


def test_the_limit_is_kept_and_said(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    records = OptimadeSource(provider=address, filter=SMALL, limit=1).open()
    assert records.ids == ["salt"]
    assert "1 of 7 results are taken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"filter": "elements HAS"}, r"refused the request \(HTTP 400\)"),
        ({"filter": 'elements HAS "Au" AND nsites > 999'}, "has not one crystal that fits"),
        ({"properties": ("_exmpl_gap",)}, r"_exmpl_gap"),
    ],
)
def test_what_the_server_cannot_answer_is_an_error(
    address: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(GnnmatError, match=words):
        OptimadeSource(provider=address, **options).open()


def test_known_providers_are_named_by_their_id() -> None:
    assert {"mp", "oqmd", "aflow", "alexandria", "cod"} <= set(PROVIDERS)
    source = OptimadeSource(provider="oqmd")
    assert source.address == "https://oqmd.org/optimade"
    assert source.name == "oqmd"


@pytest.mark.usefixtures("shared_data")
def test_real_crystals_come_back_as_they_went(address: str) -> None:
    records = OptimadeSource(provider=address, filter='_exmpl_origin = "real"').open()
    assert records.ids == list(real())
    assert len(records) == 50
    assert records.refused == []
    for raw, expected in zip(records.raws, real().values(), strict=True):
        found = records.read(raw)
        assert found.numbers.tolist() == expected.numbers.tolist()
        np.testing.assert_allclose(found.positions, expected.positions, atol=1e-6)
