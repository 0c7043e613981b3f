"""gnnmat: graph and image networks for materials science.

The public names below are imported when first used, so that ``import gnnmat`` and
``gnnmat --help`` do not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnnmat.api import (
        cross_validate,
        evaluate,
        fit,
        load,
        resume,
        trust,
    )
    from gnnmat.diffraction_api import match_pattern, simulate_diffraction
    from gnnmat.errors import GnnmatError
    from gnnmat.models.encoder import Encoder
    from gnnmat.sample import Batch, DataSpec, Features, Sample
    from gnnmat.screen_api import screen
    from gnnmat.search_api import audit, learn_pu, tune
    from gnnmat.sources.crystal import Crystal
    from gnnmat.sources.spectrum import Spectrum, read_spectrum, write_spectrum
    from gnnmat.spectra_api import explain, fit_spectrum, simulate
    from gnnmat.train.config import RunConfig, load_config

_PLACES = {
    "fit": "gnnmat.api",
    "explain": "gnnmat.spectra_api",
    "fit_spectrum": "gnnmat.spectra_api",
    "load": "gnnmat.api",
    "resume": "gnnmat.api",
    "simulate": "gnnmat.spectra_api",
    "match_pattern": "gnnmat.diffraction_api",
    "simulate_diffraction": "gnnmat.diffraction_api",
    "evaluate": "gnnmat.api",
    "trust": "gnnmat.api",
    "cross_validate": "gnnmat.api",
    "audit": "gnnmat.search_api",
    "tune": "gnnmat.search_api",
    "learn_pu": "gnnmat.search_api",
    "screen": "gnnmat.screen_api",
    "GnnmatError": "gnnmat.errors",
    "Encoder": "gnnmat.models.encoder",
    "Batch": "gnnmat.sample",
    "DataSpec": "gnnmat.sample",
    "Features": "gnnmat.sample",
    "Sample": "gnnmat.sample",
    "Crystal": "gnnmat.sources.crystal",
    "Spectrum": "gnnmat.sources.spectrum",
    "read_spectrum": "gnnmat.sources.spectrum",
    "write_spectrum": "gnnmat.sources.spectrum",
    "RunConfig": "gnnmat.train.config",
    "load_config": "gnnmat.train.config",
}

__all__ = [
    "Batch",
    "Crystal",
    "DataSpec",
    "Encoder",
    "Features",
    "GnnmatError",
    "RunConfig",
    "Sample",
    "Spectrum",
    "audit",
    "cross_validate",
    "evaluate",
    "explain",
    "fit",
    "fit_spectrum",
    "learn_pu",
    "load",
    "load_config",
    "match_pattern",
    "read_spectrum",
    "resume",
    "screen",
    "simulate",
    "simulate_diffraction",
    "trust",
    "tune",
    "write_spectrum",
]

__version__ = _version("gnnmat")


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'gnnmat' has no attribute '{name}'")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
