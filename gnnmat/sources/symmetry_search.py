"""What spglib finds in a crystal, asked in one place: quietly, and nothing where it fails."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from gnnmat.sources.crystal import Crystal


def symmetry_dataset(crystal: Crystal, symprec: float) -> Any | None:
    """spglib's dataset: ``number``, ``international``, ``wyckoffs``, ``crystallographic_orbits``.

    None where no symmetry is found.

    Args:
        crystal: ordered crystal.
        symprec: tolerance on positions, Å.
    """
    return _asked(crystal, lambda spglib, cell: spglib.get_symmetry_dataset(cell, symprec=symprec))


def standard_cell(crystal: Crystal, symprec: float) -> Crystal | None:
    """The conventional cell in spglib's standard setting; None where no symmetry is found.

    Args:
        crystal: ordered crystal.
        symprec: tolerance on positions, Å.
    """
    found = _asked(crystal, lambda spglib, cell: spglib.standardize_cell(cell, symprec=symprec))
    if found is None:
        return None
    lattice, frac, numbers = found
    return Crystal(
        np.array(lattice, dtype=np.float64),
        np.array(numbers, dtype=np.int64),
        np.array(frac, dtype=np.float64),
    )


def _asked(crystal: Crystal, ask: Callable[[Any, Any], Any]) -> Any | None:
    cell = (crystal.lattice, crystal.frac, crystal.numbers)
    with plain_spglib() as spglib:
        failures = (
            getattr(spglib, "SpglibError", RuntimeError), RuntimeError, TypeError, ValueError,
        )  # fmt: skip
        try:
            return ask(spglib, cell)
        except failures:
            return None


@contextmanager
def plain_spglib() -> Iterator[Any]:
    """spglib, without what it says of its own plans."""
    # It prints every failed attempt to standard error unless told not to before its import.
    os.environ.setdefault("SPGLIB_WARNING", "OFF")
    import spglib

    with warnings.catch_warnings():
        # spglib 2.7 and 2.8 announce with every call that failures will raise one day.
        warnings.simplefilter("ignore", DeprecationWarning)
        yield spglib
