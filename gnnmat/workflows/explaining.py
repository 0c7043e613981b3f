"""An answer explained, by what the run was trained on: pixels of a spectrum, or atoms and bonds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.inputs.crystal_graph import CrystalGraph
from gnnmat.train.atom_attribution import ATOM_METHODS
from gnnmat.train.attribution import METHODS
from gnnmat.train.checkpoint import load_run_config
from gnnmat.train.committee import member_folders
from gnnmat.zoo import find_model

if TYPE_CHECKING:
    from gnnmat.models.encoder import Encoder
    from gnnmat.train.atom_attribution import AtomMethod
    from gnnmat.workflows.explain import Explanation
    from gnnmat.workflows.explain_crystal import CrystalExplanation, CrystalExplanations
    from gnnmat.workflows.fit_result import SpectrumFit


def knows_crystals(run: str | Path) -> bool:
    """Whether a run, an ensemble or a shipped model was trained on crystals.

    Raises:
        GnnmatError: there is no such run.
    """
    folder = find_model(run)
    config = load_run_config((member_folders(folder) or [folder])[0])
    return isinstance(config.input, CrystalGraph)


def check_method(method: str | None, *, crystals: bool) -> None:
    """Refuse a method that is not one for these samples."""
    known = ATOM_METHODS if crystals else METHODS
    if method is not None and method not in known:
        kind = "crystals" if crystals else "spectra"
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
    model: Encoder | None = None,
) -> Explanation | CrystalExplanation | CrystalExplanations:
    """The explanation of what the run was trained on; see `gnnmat.explain`."""
    crystals = knows_crystals(run)
    check_method(method, crystals=crystals)
    if crystals and fit is not None:
        raise GnnmatError("A fit of couplings belongs to a spectrum, and this run knows crystals.")
    if not crystals:
        return _spectrum(run, sample, output, method, fit, (target, label, atom, state, model))
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
