"""ASE calculators by name: what gives energies, forces and stresses to the stages of physics."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import io
import sys
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gnnmat.errors import GnnmatError, closest

CALCULATOR_HELP = (
    "What gives energies, forces and stresses. 'emt': effective medium theory for Al, Ni, Cu, Pd, "
    "Ag, Pt and Au, fast and rough. 'lj': one Lennard-Jones potential for all elements, to try a "
    "recipe out. 'chgnet' (pip install 'gnnmat[relax]'), 'mace' (pip install mace-torch) and "
    "'sevenn' (pip install sevenn): networks for nearly all elements; the last two fetch their "
    "weights on first use. Or 'module:function', which returns an ASE calculator: your own code, "
    "which is run as it is; so is that of a recipe from somebody else."
)
OPTIONS_HELP = (
    "Given to the calculator by name, such as {sigma: 2.3, epsilon: 0.2} for 'lj', "
    "{use_device: cpu} for 'chgnet' or {model: small} for 'mace'."
)


@dataclass(frozen=True)
class Loaded:
    """A calculator, ready to work.

    Args:
        calculator: of ASE; energies in eV, lengths in Å.
        elements: atomic numbers it knows; None: it does not say.
    """

    calculator: Any
    elements: Collection[int] | None

    def knows(self, numbers: Collection[int]) -> bool:
        """Whether it can treat these atomic numbers, as far as it says."""
        return self.elements is None or set(map(int, numbers)) <= set(self.elements)


@dataclass(frozen=True)
class _Known:
    """Where a calculator is found.

    Args:
        path: ``module:function``.
        package: that has it, as it is called on PyPI.
        install: what to do where it is absent.
        defaults: options unless others are given.
        elements: atomic numbers; None: it says itself, or knows all.
    """

    path: str
    package: str
    install: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    elements: Collection[int] | None = None


# EMT has parameters for H, C, N and O as well, which its authors call "just for fun".
KNOWN = {
    "emt": _Known(
        "ase.calculators.emt:EMT",
        "ase",
        "pip install ase",
        elements=frozenset({13, 28, 29, 46, 47, 78, 79}),
    ),
    "lj": _Known("ase.calculators.lj:LennardJones", "ase", "pip install ase"),
    "chgnet": _Known(
        "chgnet.model.dynamics:CHGNetCalculator",
        "chgnet",
        "pip install 'gnnmat[relax]'",
        {"on_isolated_atoms": "error"},
        frozenset(range(1, 95)),
    ),
    "mace": _Known(
        "mace.calculators:mace_mp",
        "mace-torch",
        "pip install mace-torch",
        {"default_dtype": "float64"},
    ),
    "sevenn": _Known("sevenn.calculator:SevenNetCalculator", "sevenn", "pip install sevenn"),
}


def open_calculator(name: str, options: Mapping[str, Any], *, stress: bool) -> Loaded:
    """The calculator of this name.

    Args:
        name: a key of `KNOWN`, or ``module:function``.
        options: given to it by name.
        stress: whether it has to give stresses.

    Raises:
        GnnmatError: no such calculator, its library is absent, it does not take the options, or
            it gives no stress.
    """
    known = None if ":" in name else _known(name)
    build = _own(name) if known is None else _imported(name, known)
    if known is not None:
        _refuse_unknown(build, options)
        options = {**known.defaults, **options}
    calculator = _built(name, build, options)
    if not hasattr(calculator, "get_potential_energy"):
        raise GnnmatError(
            f"'{name}' returned {type(calculator).__name__}, expected an ASE calculator.",
            fix="Return an object such as ase.calculators.emt.EMT().",
        )
    given = getattr(calculator, "implemented_properties", None)
    if stress and given is not None and "stress" not in given:
        raise GnnmatError(
            f"Calculator '{name}' gives no stress.",
            why="Stress is needed to relax a cell, and for elastic constants.",
            fix="Take another calculator, or relax with cell: false.",
        )
    return Loaded(calculator, _elements(calculator, known))


def calculator_fingerprint(name: str) -> str:
    """Digest of the calculator's version, or of the source of a calculator of one's own."""
    if ":" in name:
        with _here():
            try:
                found = importlib.util.find_spec(name.partition(":")[0])
            except (ImportError, ValueError):
                found = None
        source = Path(found.origin) if found is not None and found.origin else None
        said = source.read_bytes() if source is not None and source.is_file() else b""
    else:
        try:
            said = version(_known(name).package).encode()
        except PackageNotFoundError:
            said = b""
    return hashlib.sha256(name.encode() + b"\0" + said).hexdigest()


def _known(name: str) -> _Known:
    if name not in KNOWN:
        raise GnnmatError(
            f"Calculator '{name}' is not known.",
            why=f"Known: {', '.join(KNOWN)}, or your own as module:function.",
            fix=closest(name, KNOWN),
        )
    return KNOWN[name]


def _imported(name: str, known: _Known) -> Callable[..., Any]:
    module, _, function = known.path.partition(":")
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            found: Callable[..., Any] = getattr(importlib.import_module(module), function)
            return found
    except (ImportError, AttributeError) as error:
        raise GnnmatError(
            f"Calculator '{name}' needs {known.package}, which is absent or cannot be imported.",
            why=f"{error}.",
            fix=known.install,
        ) from error


def _own(name: str) -> Callable[..., Any]:
    """A function by its dotted path; modules of the current folder are found as well."""
    module, _, function = name.partition(":")
    fix = "Write module:function, with the module on PYTHONPATH or in the current folder."
    try:
        with _here():
            found = importlib.import_module(module)
    except Exception as error:
        raise GnnmatError(
            f"Calculator '{name}': module '{module}' could not be imported.",
            why=f"{type(error).__name__}: {error}",
            fix=fix,
        ) from error
    build: object = getattr(found, function, None) if function else None
    if not callable(build):
        raise GnnmatError(f"Calculator '{name}': {module} has no function '{function}'.", fix=fix)
    return build


@contextlib.contextmanager
def _here() -> Iterator[None]:
    """With the current folder behind all other places where modules are looked for."""
    folder = str(Path.cwd())
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _built(name: str, build: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    try:
        # Networks announce themselves on standard output, which belongs to the command line.
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            return build(**options)
    except GnnmatError:
        raise
    except Exception as error:
        raise GnnmatError(
            f"Calculator '{name}' could not be built.",
            why=f"{type(error).__name__}: {error}",
            fix="Look at its options; weights that are fetched on first use need a network.",
        ) from error


def _elements(calculator: Any, known: _Known | None) -> Collection[int] | None:
    """What it knows: as listed here, or as MACE (z_table) and SevenNet (type_map) say."""
    if known is not None and known.elements is not None:
        return known.elements
    said = getattr(getattr(calculator, "z_table", None), "zs", None)
    if said is None:
        said = getattr(calculator, "type_map", None)
    return None if said is None else frozenset(int(one) for one in said)


def _refuse_unknown(build: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Calculators that list their options keep those they do not know in silence."""
    known: Collection[str] = getattr(build, "default_parameters", ())
    for one in options:
        if known and one not in known:
            raise GnnmatError(
                f"calculator_options: '{one}' is not known.",
                why=f"Known: {', '.join(sorted(known))}.",
                fix=closest(one, known),
            )
