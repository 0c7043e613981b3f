"""An encoder is refused data that it would misread or pass over in silence."""

from __future__ import annotations

import pytest

from gnnmat.errors import GnnmatError
from gnnmat.inputs import CrystalGraph
from gnnmat.models import Cgcnn, Gated, check_reads
from gnnmat.sample import DataSpec
from gnnmat.state import StateAttribute, StateSpec

STATE = StateSpec((StateAttribute("temperature", "K"),))
SPECS = {
    "folded": DataSpec(CrystalGraph(fold=True).fields),
    "angles": DataSpec(CrystalGraph(angles=2).fields, moments=4),
    "state": DataSpec((*CrystalGraph().fields, "state"), state=STATE),
}
WORDS = {
    "folded": "does not take folded graphs(.|\n)*input.fold=false, or model.kind=gated",
    "angles": "does not read angles(.|\n)*input.angles=0, or model.kind=gated",
    "state": r"does not read the state(.|\n)*data.state=\[\], or model.kind=gated",
}


@pytest.mark.parametrize("name", SPECS)
def test_what_is_not_read_is_refused(name: str) -> None:
    with pytest.raises(GnnmatError, match=WORDS[name]):
        check_reads(Cgcnn.example().build(SPECS[name]), SPECS[name])


@pytest.mark.parametrize("name", SPECS)
def test_what_is_read_is_not(name: str) -> None:
    check_reads(Gated.example().build(SPECS[name]), SPECS[name])
    check_reads(
        Cgcnn.example().build(DataSpec(CrystalGraph().fields)), DataSpec(CrystalGraph().fields)
    )
