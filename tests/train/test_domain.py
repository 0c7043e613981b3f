"""Elements that no training crystal has, in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gnnmat
from gnnmat.sources.crystal import Crystal
from gnnmat.train.domain import KNOWN_ELEMENTS, domain_words, reason, unseen_elements
from gnnmat.train.predictor import Predictor

from .tiny import FCC, crystals, graph_cache, trained, write_cifs  # noqa: F401


def neptunium() -> Crystal:
    return Crystal(FCC * 6.0, np.array([93]), np.zeros((1, 3)))


def test_new_elements_are_named_in_order_of_their_number() -> None:
    salt = [np.array([11, 17]), np.array([93, 17, 92, 93]), np.array([94])]
    assert unseen_elements(salt, [11, 17]) == [(), ("U", "Np"), ("Pu",)]
    assert unseen_elements(salt, []) == [(), (), ()]


def test_reasons_are_sentences() -> None:
    assert reason(("Np",)) == "Np occurs in no training crystal"
    assert reason(("U", "Np", "Pu")) == "U, Np and Pu occur in no training crystal"
    assert reason(()) == ""
    assert domain_words("in distribution", ()) == "in domain"
    assert domain_words("do not trust: far away; alone", ("Np",)) == (
        "out of domain: Np occurs in no training crystal; far away; alone"
    )
    assert domain_words("do not trust: far away", ()) == "out of domain: far away"


def test_unseen_element_is_flagged_without_any_calibration() -> None:
    predictor = gnnmat.load(trained().folder)
    table = predictor.predict([crystals(1)[0], neptunium()])
    assert table["in_domain"].tolist() == [True, False]
    assert table["verdict"].tolist() == [
        KNOWN_ELEMENTS,
        "out of domain: Np occurs in no training crystal",
    ]
    assert np.isfinite(table["prediction"]).all()
    assert "interval_low" not in table
    # The twin that has seen everything flags nothing.
    spec = replace(predictor.trained.spec, elements=tuple(range(1, 119)))
    blind = Predictor(replace(predictor.trained, spec=spec))
    assert blind.predict([neptunium()])["in_domain"].tolist() == [True]


def test_refused_files_have_no_verdict(tmp_path: Path) -> None:
    bad = tmp_path / "bad.cif"
    bad.write_text("this is no crystal")
    good = write_cifs(tmp_path / "cifs", 1) / "c00.cif"
    table = gnnmat.load(trained().folder).predict([bad, good])
    assert table["verdict"].isna().tolist() == [True, False]
    assert pytest.approx(1) == table["in_domain"].iloc[1]
