"""Crystals from files, folders and tables, each with its name, or the reason why not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnnmat.engine import Failure, iter_items
from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.prototype_label import SYMBOLS, formula
from gnnmat.sources.records import Records, Refusal

TABLES = {".parquet", ".jsonl", ".ndjson", ".csv", ".tsv"}


@dataclass(frozen=True)
class Phase:
    """A crystal with its name."""

    id: str
    crystal: Crystal

    @property
    def formula(self) -> str:
        """Reduced formula."""
        return formula(self.crystal.numbers)

    @property
    def elements(self) -> frozenset[str]:
        """Symbols of its elements."""
        return frozenset(SYMBOLS[int(number) - 1] for number in set(self.crystal.numbers))


def read_phases(
    structures: Sequence[Any],
    *,
    elements: Collection[str] = (),
    workers: int | None = None,
    quiet: bool = True,
) -> tuple[list[Phase], list[Refusal]]:
    """Every crystal that could be read, and what could not.

    Args:
        structures: files, folders, patterns and tables (.parquet, .jsonl, .csv), or objects:
            `Crystal`, pymatgen ``Structure``, ASE ``Atoms``.
        elements: symbols; crystals with any other element are passed over, without a word.
        workers: processes that read; None chooses.
        quiet: no progress bar.

    Raises:
        GnnmatError: nothing is there at all, an unknown element, or no crystal is made of them.
    """
    allowed = check_elements(elements)
    phases: list[Phase] = []
    refused: list[Refusal] = []
    passed = 0
    for records in _opened(structures):
        refused += records.refused
        places = [place for place in range(len(records)) if _may_be(records.raws[place], allowed)]
        passed += len(records) - len(places)
        raws = [records.raws[place] for place in places]
        found = iter_items(
            records.read, raws, workers=workers, label="Reading crystals", quiet=quiet
        )
        for place, one in zip(places, found, strict=True):
            if isinstance(one, Failure):
                refused.append(Refusal(records.ids[place], records.origin(place), one.reason))
                continue
            phase = Phase(records.ids[place], one)
            if allowed and not phase.elements <= allowed:
                passed += 1
            else:
                phases.append(phase)
    if passed and not phases:
        raise GnnmatError(
            f"None of {passed:,} crystals is made of {', '.join(sorted(allowed))} alone.",
            fix="Name all elements that may be in the sample, or other crystals.",
        )
    return _named_apart(phases), refused


def check_elements(elements: Collection[str]) -> frozenset[str]:
    """The symbols, checked.

    Raises:
        GnnmatError: one that no element has.
    """
    for one in elements:
        if one not in SYMBOLS:
            raise GnnmatError(f"'{one}' is no element.", fix=did_you_mean(one, SYMBOLS[:96]))
    return frozenset(elements)


def _opened(structures: Sequence[Any]) -> list[Records]:
    from gnnmat.sources.files import FilesSource
    from gnnmat.sources.objects import records_from_objects
    from gnnmat.sources.table import TableSource

    paths = [str(one) for one in structures if isinstance(one, (str, Path))]
    objects = [one for one in structures if not isinstance(one, (str, Path))]
    tables = [path for path in paths if Path(path).suffix.lower() in TABLES]
    files = [path for path in paths if path not in tables]
    opened = [FilesSource(structures=tuple(files)).open()] if files else []
    opened += [TableSource(path=path).open() for path in tables]
    if objects:
        opened.append(records_from_objects(objects))
    if not opened:
        raise GnnmatError("No crystal was given.", fix="Name files, folders or a table.")
    return opened


def _may_be(raw: Any, allowed: frozenset[str]) -> bool:
    """Whether a row of arrays has these elements alone; of anything else nobody knows yet."""
    if not allowed or not isinstance(raw, tuple) or len(raw) != 3:
        return True
    known = range(1, len(SYMBOLS) + 1)
    return all(int(z) in known and SYMBOLS[int(z) - 1] in allowed for z in set(raw[1]))


def _named_apart(phases: list[Phase]) -> list[Phase]:
    """The phases with `` (2)``, `` (3)`` behind a name that comes again from another place."""
    from gnnmat.sources.listing import numbered

    names = numbered([phase.id for phase in phases])
    return [Phase(name, phase.crystal) for name, phase in zip(names, phases, strict=True)]
