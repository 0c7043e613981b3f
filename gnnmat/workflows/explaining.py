"""An answer explained, by what the run was trained on: crystals, patterns or spectra."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.inputs.cluster import Cluster
from gnnmat.inputs.crystal_graph import CrystalGraph
from gnnmat.inputs.powder import Powder
from gnnmat.train.atom_attribution import ATOM_METHODS
from gnnmat.train.attribution import METHODS
from gnnmat.train.checkpoint import load_run_config
from gnnmat.train.committee import member_folders
from gnnmat.zoo import find_model

if TYPE_CHECKING:
    from gnnmat.models.encoder import Encoder
    from gnnmat.train.atom_attribution import AtomMethod
    from gnnmat.train.attribution import Method
    from gnnmat.workflows.explain import Explanation
    from gnnmat.workflows.explain_crystal import CrystalExplanation, CrystalExplanations
    from gnnmat.workflows.explain_pattern import PatternExplanation
    from gnnmat.workflows.fit_result import SpectrumFit

Kind = Literal["crystals", "patterns", "spectra"]


def kind_of(run: str | Path) -> Kind:
    """What a run, an ensemble or a shipped model was trained on: crystals, patterns or spectra.

    Raises:
        GnnmatError: there is no such run.
    """
    folder = find_model(run)
    config = load_run_config((member_folders(folder) or [folder])[0])
    if isinstance(config.input, CrystalGraph):
        return "crystals"
    return "patterns" if isinstance(config.input, Powder | Cluster) else "spectra"


def check_method(method: str | None, kind: Kind) -> None:
    """Refuse a method that is not one for these samples."""
    known = ATOM_METHODS if kind == "crystals" else METHODS
    if method is not None and method not in known:
        raise GnnmatError(
            f"There is no method '{method}' for {kind}.", fix=did_you_mean(method, known)
        )


def explain_any(
    run: str | Path,
    sample: Any,
    *,
    output: str | Path | None = None,
    method: str | None = None,
    fit: SpectrumFit | None = None,
    target: str | None = None,
    label: str | None = None,
    atom: int | None = None,
    state: Mapping[str, Any] | None = None,
    wavelength: str | float | None = None,
    model: Encoder | None = None,
) -> Explanation | CrystalExplanation | CrystalExplanations | PatternExplanation:
    """The explanation of what the run was trained on; see `gnnmat.explain`."""
    kind = kind_of(run)
    check_method(method, kind)
    if kind != "spectra" and fit is not None:
        raise GnnmatError(f"A fit of couplings belongs to a spectrum, and this run knows {kind}.")
    if kind != "patterns" and wavelength is not None:
        raise GnnmatError(f"A wavelength belongs to a powder pattern; this run knows {kind}.")
    if kind == "spectra":
        return _spectrum(run, sample, output, method, fit, (target, label, atom, state, model))
    if kind == "patterns":
        return _pattern(
            run, sample, output, method, label, wavelength, (target, atom, state, model)
        )
    from gnnmat.workflows.explain_crystal import explain_crystals
    from gnnmat.workflows.explain_crystal_files import write_explanations

    samples = list(sample) if is_several(sample) else [sample]
    found = explain_crystals(
        run,
        samples,
        target=target,
        label=label,
        method=cast("AtomMethod | None", method),
        atom=atom,
        state=state,
        model=model,
    )
    if output is not None:
        write_explanations(found, Path(output), model=str(run))
    return found[0] if len(found) == 1 and not is_several(sample) else found


def is_several(sample: Any) -> bool:
    """Whether these are several crystals: a list or a tuple, not a structure."""
    return isinstance(sample, (list, tuple))


def _spectrum(
    run: str | Path,
    sample: Any,
    output: str | Path | None,
    method: str | None,
    fit: SpectrumFit | None,
    others: tuple[Any, ...],
) -> Explanation:
    from gnnmat.workflows.explain import explain, write_page

    if any(one is not None for one in others):
        raise GnnmatError(
            "Target, class, atom, state and model are chosen for crystals, and this run knows "
            "spectra."
        )
    found = explain(run, sample, method=method or "gradient_x_input", fit=fit)  # type: ignore[arg-type]
    if output is not None:
        write_page(found, Path(output), model=str(run))
    return found


def _pattern(
    run: str | Path,
    sample: Any,
    output: str | Path | None,
    method: str | None,
    label: str | None,
    wavelength: str | float | None,
    others: tuple[Any, ...],
) -> PatternExplanation:
    from gnnmat.workflows.beside import check_beside
    from gnnmat.workflows.explain_pattern import explain_pattern
    from gnnmat.workflows.explain_pattern_files import write_pattern

    if any(one is not None for one in others):
        raise GnnmatError(
            "Target, atom, state and model are chosen for crystals, and this run knows patterns."
        )
    if output is not None:
        check_beside(output, [sample])
    chosen = cast("Method | None", method)
    found = explain_pattern(run, sample, label=label, method=chosen, wavelength=wavelength)
    if output is not None:
        write_pattern(found, Path(output), model=str(run))
    return found
