"""The Materials Project against a service on this machine that speaks its REST interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.sources import json_service, materials_project
from gnnmat.sources.materials_project import MaterialsProjectSource
from gnnmat.sources.materials_project_entry import number_of

from .scripted_service import Asked, Said, Scripted, scripted_service
from .summary_service import KEY, ROWS, answer, row, structure


@pytest.fixture(autouse=True)
def waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    made: list[float] = []
    monkeypatch.setattr(json_service, "sleep", made.append)
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MP_API_KEY", KEY)
    return made


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    with scripted_service(answer) as running:
        monkeypatch.setenv("MP_API_ENDPOINT", running.address)
        yield running


@pytest.mark.usefixtures("service")
def test_rows_become_crystals_with_columns() -> None:
    fields = ("energy_above_hull", "bulk_modulus.vrh", "theoretical")
    records = MaterialsProjectSource(fields=fields).open()
    assert records.ids == ["mp-1", "mp-2", "mp-3"]
    crystal = records.read(records.raws[0])
    assert crystal.numbers.tolist() == [55, 17]
    np.testing.assert_allclose(crystal.frac, [[0, 0, 0], [0.5, 0.5, 0.5]])
    np.testing.assert_allclose(crystal.lattice, np.eye(3) * 4)
    assert records.table["energy_above_hull"].tolist() == [0.0, 0.1, 0.2]
    np.testing.assert_array_equal(records.table["bulk_modulus.vrh"], [100, 100, np.nan])
    assert records.table["theoretical"].tolist() == [False] * 3
    assert records.units == {"energy_above_hull": "eV/atom", "bulk_modulus.vrh": "GPa"}
    assert records.origin(0) == "Materials Project, mp-1"


def test_rows_of_gnome_are_left_out_unless_they_are_asked_for(service: Scripted) -> None:
    records = MaterialsProjectSource(fields=()).open()
    assert service.asked[0].params["batch_id_not_eq"] == "gnome_r2scan_statics"
    assert {one.id for one in records.refused} == {"mp-2000000", "mp-ejupc", "mp-1999999"}
    assert {one.reason for one in records.refused} == {
        "it is a row of GNoME, whose licence forbids commercial use"
    }
    everything = MaterialsProjectSource(fields=(), gnome=True).open()
    assert "batch_id_not_eq" not in service.asked[-1].params
    assert len(everything) == 6


@pytest.mark.parametrize(
    ("name", "number"),
    [("mp-149", 149), ("mp-ft", 149), ("mp-ejupc", 2_000_000), ("mvc-12", 12), ("x", None)],
)
def test_ids_are_numbers_in_either_spelling(name: str, number: int | None) -> None:
    assert number_of(name) == number  # the pairs are those of emmet.core.mpid.AlphaID


def test_criteria_travel_by_the_names_of_the_interface(service: Scripted) -> None:
    source = MaterialsProjectSource(
        elements=("Cl",),
        exclude_elements=("Na", "Fe"),
        chemsys=("Cs-Cl", "Na-Cl"),
        formula=("AB",),
        e_above_hull=(0, 0.05),
        band_gap=(None, 3.5),
        num_sites=(1, 2),
        theoretical=False,
        fields=("band_gap",),
    )
    assert source.open().ids == ["mp-1"]
    params = service.asked[0].params
    assert params["chemsys"] == "Cs-Cl,Na-Cl"
    assert params["formula"] == "AB"
    assert (params["energy_above_hull_min"], params["energy_above_hull_max"]) == ("0.0", "0.05")
    assert "band_gap_min" not in params
    assert params["band_gap_max"] == "3.5"
    assert (params["nsites_min"], params["nsites_max"]) == ("1", "2")
    assert (params["theoretical"], params["deprecated"]) == ("false", "false")
    assert params["_fields"] == "material_id,structure,builder_meta,band_gap"


def test_pages_are_skipped_through_and_kept(
    service: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(materials_project, "PAGE", 2)
    source = MaterialsProjectSource(fields=(), gnome=True, limit=None)
    assert len(source.open()) == 6
    assert [one.params["_skip"] for one in service.asked] == ["0", "2", "4"]
    monkeypatch.delenv("MP_API_KEY")
    assert len(source.open()) == 6  # neither network nor key is needed for what is kept
    assert len(service.asked) == 3


def test_a_service_that_ignores_the_page_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    said = Said({"data": ROWS[:2], "meta": {"total_doc": 50}})
    with scripted_service(lambda _: said) as service:
        monkeypatch.setenv("MP_API_ENDPOINT", service.address)
        with pytest.raises(GnnmatError, match="same page again"):
            MaterialsProjectSource().open()
    assert len(service.asked) == 2


@pytest.mark.parametrize("total", [None, "many", -1, 0])
def test_a_number_of_results_that_cannot_be_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, total: Any
) -> None:
    def pages(asked: Asked) -> Said:
        skip = int(asked.params["_skip"])
        return Said({"data": ROWS[skip : skip + 1][:3], "meta": {"total_doc": total}})

    with scripted_service(pages) as service:
        monkeypatch.setenv("MP_API_ENDPOINT", service.address)
        assert len(MaterialsProjectSource(fields=(), gnome=True).open()) == 6


FALSE: list[tuple[Any, str]] = [
    (7, "no JSON object"),
    ({"structure": {}}, "no material_id"),
    (row("bad", ["Fe"], 0, structure=None), "it has no structure"),
    (row("bad", ["Fe"], 0, structure="Fe"), "it has no structure"),
    (row("bad", ["Fe"], 0, structure={"@class": "Molecule"}), "not a pymatgen structure"),
    (row("bad", ["Fe"], 0, structure={"lattice": 5, "sites": 7}), "structure"),
    (row("bad", ["Fe"], 0, structure=structure(["Xx"], 4, [[0, 0, 0]])), "not a valid Element"),
    (row("bad", ["Fe"], 0, structure=structure(["Fe"], 0, [[0, 0, 0]])), "no volume"),
    (row("bad", ["Fe"], 0, structure=structure(["Fe"] * 2, 4, [[0, 0, 0]] * 2)), "0.000 Å apart"),
]


def test_bad_rows_are_refused_and_the_rest_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {**one, "material_id": f"bad-{place}"} if isinstance(one, dict) and len(one) > 1 else one
        for place, (one, _) in enumerate(FALSE)
    ]
    said = Said({"data": [*rows, ROWS[0]], "meta": {"total_doc": len(rows) + 1}})
    with scripted_service(lambda _: said) as service:
        monkeypatch.setenv("MP_API_ENDPOINT", service.address)
        records = MaterialsProjectSource(fields=()).open()
    assert records.ids == ["mp-1"]
    for (_, words), refusal in zip(FALSE, records.refused, strict=True):
        assert words in refusal.reason
