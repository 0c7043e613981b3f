"""Real awkward files: each gives the crystal that was counted elsewhere, or a stated reason."""

from __future__ import annotations

import csv
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ase.data import atomic_numbers

from gnnmat.errors import GnnmatError
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.files import FilesSource
from gnnmat.sources.read import CifText, read_crystal

# Atoms as pymatgen's command line (or, for mp-23155, the file's only line of atoms) gives them.
RIGHT = {
    "cif_finite_precision_frac_coord_error.cif": "N72",
    "OneLineSymmP1.cif": "Ga4 Pb2 O8",
    "garnet.cif": "Ca24 Al16 Si24 O96",
    "Li2O.cif": "Li8 O4",
    "Fe.cif": "Fe2",
    "rhomb_3478.cif": "Al1 Cu1 O2",
    "orac_632475.cif": "Nb2 S4",
    "LaMnO3_magnetic.mcif": "La4 Mn4 O12",
    "bad-unicode-gh-2947.mcif": "Ni32 O32",
    "magnetic.example.CuO.mcif": "Cu16 O16",
    "Be_gb_fin.cif": "Be112",
    "POSCAR_symbols_natoms_multilines": "Fe35 Cr16 Ni2",
    "gemmi_1011031.cif": "Si4 C4",
    "mp-30857.cif": "Zn192 Pt112",
    "mp-32584.cif": "Ti19 N25",
    "mp-23155.cif": "Ar1",
    "mp-1879.cif": "Sm2 S2",
    "mp-1.cif": "Cs8",
}
REFUSED = {
    "Senegalite_implicit_hydrogen.cif": (
        "states the formula Al2 P O8 H5, but its atoms are O32 Al8 P4. Its hydrogens are implicit"
    ),
    "Li10GeP2S12.cif": "disordered: site 1 'Li1' has partial occupancy (Li 0.691)",
    "Cod_2100513.cif": "has partial occupancy (Al 0.059, Nb 0.941)",
    "Cu7Te5.cif": "has partial occupancy (Cu 0.4)",
    "Ba2Cu3Dy0.2Pr0.8O7-MP-mp-20936-synth_doped.cif": "has partial occupancy (Pr 0.8, Dy 0.2)",
    "EDI_voro.xyz": "has no periodic cell",
    "c60.xyz": "has no periodic cell",
    "gemmi_eol-test.cif": "holds no crystal structure",
    "gemmi_misc.cif": "holds no crystal structure",
    "gemmi_cc12-hkl.cif": "holds no crystal structure",
    "gemmi_SO3.cif": "holds no crystal structure",
    "gemmi_3dg1_final.cif": "macromolecular CIF (mmCIF), which is not read",
}


def counts(crystal: Crystal) -> dict[int, int]:
    numbers, amounts = np.unique(crystal.numbers, return_counts=True)
    return dict(zip(numbers.tolist(), amounts.tolist(), strict=True))


def formula(text: str) -> dict[int, int]:
    terms = re.findall(r"([A-Z][a-z]?)(\d+)", text)
    return {atomic_numbers[symbol]: int(count) for symbol, count in terms}


@pytest.fixture(scope="module")
def manifest(shared_data: Path) -> dict[str, str]:
    with (shared_data / "robustness" / "MANIFEST.csv").open(newline="") as stream:
        return {row["file"]: row["pymatgen_outcome"] for row in csv.DictReader(stream)}


def test_every_file_of_the_manifest_is_expected_here(manifest: dict[str, str]) -> None:
    assert set(manifest) == set(RIGHT) | set(REFUSED)


@pytest.mark.parametrize("name", RIGHT)
def test_a_readable_file_gives_the_right_crystal(
    name: str, shared_data: Path, manifest: dict[str, str]
) -> None:
    crystal = read_crystal(shared_data / "robustness" / name)
    assert counts(crystal) == formula(RIGHT[name])
    stated = re.match(r"ok n=(\d+) ordered=True", manifest[name])
    assert len(crystal.numbers) == (int(stated.group(1)) if stated else 1)


@pytest.mark.parametrize("name", REFUSED)
def test_an_unreadable_file_is_refused_in_one_sentence(name: str, shared_data: Path) -> None:
    with pytest.raises(GnnmatError) as caught:
        read_crystal(shared_data / "robustness" / name)
    assert REFUSED[name] in caught.value.sentence
    assert caught.value.sentence.startswith(name)
    assert "\n" not in caught.value.sentence


def test_the_folder_opens_as_a_whole(shared_data: Path, manifest: dict[str, str]) -> None:
    records = FilesSource(structures=str(shared_data / "robustness")).open()
    assert len(records) == len(manifest)
    assert [refusal.id for refusal in records.refused] == ["doped_cifs_3dsc.zip"]
    assert records.refused[0].reason == "not a crystal file"


def multiplicities(text: str) -> dict[int, int]:
    """Atoms of a CIF by adding up the multiplicities it states, without reading symmetry."""
    rows = text.split("_atom_site_occupancy\n")[1].split("loop_")[0].strip().splitlines()
    found: dict[int, int] = {}
    for row in rows:
        symbol, _, multiplicity = row.split()[:3]
        number = atomic_numbers[re.sub(r"[^A-Za-z]", "", symbol)]
        found[number] = found.get(number, 0) + int(multiplicity)
    return found


def test_of_209_doped_crystals_only_the_two_ordered_ones_are_read(shared_data: Path) -> None:
    read: dict[str, dict[int, int]] = {}
    with zipfile.ZipFile(shared_data / "robustness" / "doped_cifs_3dsc.zip") as archive:
        for name in archive.namelist():
            text = archive.read(name).decode()
            try:
                read[name] = counts(read_crystal(CifText(text)))
            except GnnmatError as error:
                assert "has partial occupancy" in error.sentence  # noqa: PT017
                assert re.search(r" 0\.\d+$", text, flags=re.MULTILINE), name
            else:
                assert read[name] == multiplicities(text)
        assert len(archive.namelist()) == 209
    assert sorted(read) == [
        "Rb0.25W1O3-MP-mp-1219848-synth_doped.cif",
        "W1O2-MP-mp-1245020-synth_doped.cif",
    ]


@pytest.mark.slow
def test_a_thousand_raw_cifs_give_the_atoms_they_list(shared_data: Path) -> None:
    path = shared_data / "materials_project" / "raw_cifs_1000.zip"
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            text = archive.read(name).decode()
            assert counts(read_crystal(CifText(text))) == multiplicities(text), name
        assert len(archive.namelist()) == 1000
