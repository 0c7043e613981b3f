"""Measured powder patterns from Python objects and paths, as `predict` gets them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gnnmat.errors import GnnmatError
from gnnmat.simulation.diffraction.angles import emission
from gnnmat.sources.columns import check_ids
from gnnmat.sources.crystal_file import crystal_format
from gnnmat.sources.listing import numbered
from gnnmat.sources.paths import expand_path
from gnnmat.sources.pattern_listing import ARCHIVE, PatternFile, digest, is_meant, list_patterns
from gnnmat.sources.powder_files import FORMAT, PICTURES, READERS, parse_powder
from gnnmat.sources.powder_pattern import LONGEST, SHORTEST, PowderPattern
from gnnmat.sources.records import Records, Refusal


def is_pattern(item: Any) -> bool:
    """Whether an object is a pattern, or a path the file of one, an archive, or a folder of such.

    A folder with a crystal file in it is one of crystals, whose values or notes may lie beside them
    as text. Archives hold no crystals.
    """
    if not isinstance(item, (str, Path)):
        return isinstance(item, PowderPattern)
    try:
        path = expand_path(item)
    except GnnmatError:
        return False
    if not path.is_dir():
        # Pictures too: whoever reads them says what to do with those of a detector.
        known = {*READERS, ARCHIVE, *PICTURES}
        return path.suffix.lower() in known and not crystal_format(path)
    inside = [one for one in path.rglob("*") if is_meant(one.relative_to(path).as_posix())]
    files = [one for one in inside if one.is_file()]
    return any(one.suffix.lower() in READERS for one in files) and not any(
        crystal_format(one) for one in files
    )


def records_from_patterns(
    items: Sequence[Any],
    ids: Sequence[str] | None = None,
    *,
    wavelength: str | float | None = None,
) -> Records:
    """Records of patterns and of paths to files, folders or archives of patterns.

    What is no pattern is refused, with its reason, and does not stop the others.

    Args:
        items: in any mixture.
        ids: one an item; default the name of the file, or of the pattern.
        wavelength: of patterns that do not say theirs: ``CuKa`` for a tube with both lines,
            ``CuKa1`` for one line, or Å.

    Raises:
        GnnmatError: the lengths differ, an id appears twice, or there is no such wavelength.
    """
    if ids is not None:
        if len(ids) != len(items):
            raise GnnmatError(f"There are {len(items)} patterns but {len(ids)} ids.")
        check_ids([str(name) for name in ids], "ids")
    known = None if wavelength is None else emitted(wavelength)
    names: list[str] = []
    raws: list[object] = []
    refused: list[Refusal] = []
    sha = hashlib.sha256(repr((FORMAT, known)).encode())
    for place, item in enumerate(items):
        given = None if ids is None else str(ids[place])
        try:
            found, lost = _raws(item)
        except GnnmatError as error:
            name = given or (Path(item).stem if isinstance(item, (str, Path)) else str(place + 1))
            refused.append(Refusal(name, str(item)[:200], error.sentence))
            continue
        refused += lost
        for raw in found:
            stem = Path(raw.relative).stem if isinstance(raw, PatternFile) else raw.id
            names.append(given or stem)
            raws.append(raw)
            sha.update(_key(raw))
    return Records(
        ids=numbered(names),
        raws=raws,
        read=partial(read_pattern, known=known),
        fingerprint=sha.hexdigest(),
        table=pd.DataFrame(index=range(len(raws))),
        origins=[raw.origin if isinstance(raw, PatternFile) else name
                 for name, raw in zip(names, raws, strict=True)],
        refused=refused,
    )  # fmt: skip


def read_pattern(
    raw: PatternFile | PowderPattern, *, known: tuple[float, float | None] | None = None
) -> PowderPattern:
    """The pattern itself, or the one in a file.

    Args:
        raw: which one.
        known: K-alpha 1 and 2, or one line and None, in Å, of patterns that do not say theirs.
    """
    otherwise = None if known is None else known[0]
    found = (
        raw
        if isinstance(raw, PowderPattern)
        else parse_powder(raw.relative, raw.read(), otherwise=otherwise)
    )
    if known is None or found.wavelength is not None:
        return found
    return replace(found, wavelength=known[0], second=known[1])


def emitted(wavelength: str | float) -> tuple[float, float | None]:
    """The first line and the second one, if there is one, in Å."""
    try:
        given: str | float = float(wavelength)
    except ValueError:
        given = str(wavelength)
    lines = emission(given)
    if not SHORTEST <= lines[0][0] <= LONGEST:
        raise GnnmatError(
            f"A wavelength of {lines[0][0]:g} Å is out of range.",
            fix="Give it in Å: copper has 1.5406.",
        )
    return lines[0][0], lines[1][0] if len(lines) > 1 else None


def _raws(item: Any) -> tuple[list[Any], list[Refusal]]:
    if isinstance(item, PowderPattern):
        return [item], []
    if isinstance(item, (str, Path)):
        return list_patterns(str(item))
    raise GnnmatError(f"A {type(item).__name__} is no powder pattern.")


def _key(raw: PatternFile | PowderPattern) -> bytes:
    if isinstance(raw, PatternFile):
        return digest([raw]).encode()
    told = f"{raw.wavelength} {raw.second}".encode()
    return told + b"".join(
        np.ascontiguousarray(one).tobytes() for one in (raw.two_theta, raw.counts)
    )
