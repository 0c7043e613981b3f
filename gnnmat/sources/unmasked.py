"""Spectra that do not say where there was no detector."""

from __future__ import annotations

import warnings

from gnnmat.errors import GnnmatWarning
from gnnmat.sources.records import Records
from gnnmat.sources.spectrum import Spectrum


def name_unmasked(records: Records) -> None:
    """A warning that names the spectra in which every pixel counts as measured."""
    bare = [
        str(name)
        for name, one in zip(records.ids, records.raws, strict=True)
        if isinstance(one, Spectrum) and not one.mask.any()
    ]
    if bare:
        named = ", ".join(bare[:3]) + (f" and {len(bare) - 3:,} more" if len(bare) > 3 else "")
        warnings.warn(
            f"no mask came with {named}, and that of the instrument is not at hand or does not "
            "fit: every pixel counts as measured. If some had no detector, set them to NaN or add "
            "an array 'mask'.",
            GnnmatWarning,
            stacklevel=4,
        )
