"""Inputs of first-principles calculations for the candidates that are left."""

from __future__ import annotations

import hashlib
import os
import shutil
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal

import pandas as pd
from pydantic import Field

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.sources.crystal import as_crystal
from gnnmat.workflows.page_names import file_name
from gnnmat.workflows.screening.relaxing import Trouble
from gnnmat.workflows.screening.stage import KEPT, Judged, Opened, Stage
from gnnmat.workflows.screening.table import ARRAYS

LONGEST = 48  # letters of a folder's name, of up to four bytes; file systems allow 255 bytes

NO_POTENTIAL = "failed: the input set has no potential for one of its elements"
TAKEN = "failed: other files lie where its inputs belong"
SPEC_ONLY = (
    "POTCARs are licensed: POTCAR.spec names those that are needed. With PMG_VASP_PSP_DIR set to "
    "your own (pymatgen's documentation says how), they are written as well."
)
SOME_MISSING = "Some POTCARs are not in PMG_VASP_PSP_DIR; there POTCAR.spec names them."


class DftInputs(Stage):
    """Write VASP inputs as the Materials Project makes them, a folder for each candidate.

    The last stage for the last twenty: INCAR, KPOINTS, POSCAR, and POTCAR.spec, which names the
    potentials; POTCAR itself where pymatgen finds licensed ones (PMG_VASP_PSP_DIR). The folders
    lie in the screen's folder, below the name of this stage; column ``inputs`` says where. What is
    there already is never written over: inputs of the same name that differ get a folder beside.

    Source: pymatgen's MPRelaxSet and MPStaticSet; Ong et al., Comput. Mater. Sci. 68, 314 (2013).
    """

    named: ClassVar[bool] = True
    kind: Literal["dft_inputs"] = "dft_inputs"
    input_set: Literal["MPRelaxSet", "MPStaticSet"] = Field(
        "MPRelaxSet", description="Relax atoms and cell, or the energy of the crystal as it is."
    )
    incar: dict[str, Any] = Field(
        {}, description="Settings of INCAR that replace those of the set, such as {NCORE: 4}."
    )

    @classmethod
    def example(cls) -> DftInputs:
        """A small instance for contract tests."""
        return cls()

    def gives(self) -> Sequence[str]:
        return ("inputs",)

    def fingerprint(self) -> str:
        """Digest of pymatgen's version, with which its input sets change."""
        return hashlib.sha256(version("pymatgen").encode()).hexdigest()

    def open(self, folder: Path) -> Opened:
        return _Writing(self, folder)


class _Writing:
    def __init__(self, stage: DftInputs, folder: Path) -> None:
        self.stage, self.folder = stage, folder
        self.below = safe_name(stage.title)

    def __call__(self, table: pd.DataFrame) -> Judged:
        places: list[str | None] = []
        reasons: list[str] = []
        notes: set[str] = set()
        for name, *arrays in zip(table["id"], *(table[one] for one in ARRAYS), strict=True):
            place, reason = self._row(str(name), arrays, notes)
            places.append(place)
            reasons.append(reason)
        return Judged.of(table, reasons=reasons, notes=sorted(notes), inputs=places)

    def _row(self, name: str, arrays: Sequence[object], notes: set[str]) -> tuple[str | None, str]:
        try:
            texts = self._texts(arrays, notes)
        except Trouble as trouble:
            return None, trouble.reason
        except Exception as error:
            notes.add(
                f"pymatgen raised {type(error).__name__}: {' '.join(str(error).split())[:200]}"
            )
            return None, f"failed: pymatgen raised {type(error).__name__}"
        place = _written(self.folder / self.below, safe_name(name), texts)
        return (None, TAKEN) if place is None else (f"{self.below}/{place}", KEPT)

    def _texts(self, arrays: Sequence[object], notes: set[str]) -> Mapping[str, str]:
        """Contents of the files by name."""
        from pymatgen.core import SETTINGS, Lattice, Structure
        from pymatgen.io.vasp import sets

        crystal = as_crystal(*arrays)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            structure = Structure(Lattice(crystal.lattice), crystal.numbers, crystal.frac)
            kind = getattr(sets, self.stage.input_set)
            if any(one.symbol not in kind.CONFIG["POTCAR"] for one in structure.elements):
                raise Trouble(NO_POTENTIAL)
            made = kind(structure, user_incar_settings=dict(self.stage.incar))
            files = made.get_input_set(potcar_spec=True)
            if SETTINGS.get("PMG_VASP_PSP_DIR"):
                try:
                    files = made.get_input_set(potcar_spec=False)
                except (OSError, ValueError):
                    notes.add(SOME_MISSING)
            else:
                notes.add(SPEC_ONLY)
        told = (one for one in caught if issubclass(one.category, sets.BadInputSetWarning))
        notes.update(f"pymatgen: {one.message}" for one in told)
        return {str(name): str(content) for name, content in files.items() if content is not None}


def safe_name(name: str) -> str:
    """A folder's name for an id: one part of a path, and another one for every other id.

    Names that lose letters on the way end in a digest of the id.
    """
    plain = file_name(name)[:LONGEST].rstrip(".-")
    if plain == name:
        return plain
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _written(folder: Path, name: str, texts: Mapping[str, str]) -> str | None:
    """Name of the folder that now holds the files, and nothing but them if it is new.

    A folder that holds other inputs, or in which a calculation was changed by hand, is left
    alone; the files then go beside it. None: there is something else as well.

    Raises:
        GnnmatError: it cannot be written.
    """
    digest = hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()[:8]
    try:
        for one in (name, f"{name}-{digest}"):
            place = folder / one
            if not os.path.lexists(place):
                _write(place, texts)
                return one
            if _holds(place, texts):
                return one
    except OSError as error:
        raise GnnmatError(
            f"The inputs in {folder} cannot be written.",
            why=error.strerror or str(error),
            fix="Make room, then give the same command: it goes on where it stopped.",
        ) from error
    return None


def _write(place: Path, texts: Mapping[str, str]) -> None:
    # Its name is fixed, so that what a killed process left is made anew and not left behind; the
    # name of an id never begins with a dot.
    scratch = place.with_name(f".{place.name}.unfinished")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        for name, text in texts.items():
            write_atomically(scratch / name, text)
        os.rename(scratch, place)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _holds(place: Path, texts: Mapping[str, str]) -> bool:
    """Whether the files are there and say the same; others may lie beside them."""
    if place.is_symlink():
        return False
    return all(
        (place / name).is_file() and (place / name).read_bytes() == text.encode()
        for name, text in texts.items()
    )
