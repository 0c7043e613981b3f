"""Figures and pages of powder patterns."""

from __future__ import annotations

import json
import re

import numpy as np

from gnnmat.pages.diffraction import SimulatedPage, SimulatedPanel, simulated_page
from gnnmat.pages.diffraction_figures import Tick, miller, refined_figure, tick_words
from gnnmat.pages.diffraction_match import CandidatePanel, MatchPage, match_page

AT = np.linspace(10, 20, 11)
WILD = '</script><script>alert("%{x}")</script>'


def test_what_is_left_over_is_measured_minus_calculated() -> None:
    measured, calculated = np.arange(11.0), np.full(11, 2.0)
    made = refined_figure(AT, measured, calculated, np.zeros(11), [Tick(12.0, "(1 1 1)")])
    named = {trace["name"]: trace for trace in made["data"]}
    assert list(named["measured − calculated"]["y"]) == (measured - calculated).tolist()
    assert named["measured − calculated"]["yaxis"] == "y3"
    assert list(named["Bragg peaks"]["x"]) == [12.0]
    assert list(named["Bragg peaks"]["text"]) == ["(1 1 1)"]


def test_indices_are_written_with_minus_signs() -> None:
    assert miller(1, 0, -2) == "1 0 −2"
    assert tick_words((1, 1, 1), 3.2563, 8) == "(1 1 1), d 3.256 Å, 8 reflections"


def scripts(page: str) -> list[str]:
    return re.findall(r"<script[^>]*>", page)


def test_names_from_files_cannot_run_on_either_page() -> None:
    panel = SimulatedPanel(WILD, "NaCl", [(WILD, np.ones(11))], [Tick(12.0, WILD)], [])
    first = SimulatedPage(WILD, WILD, "2θ", AT, [panel], refused=[(WILD, WILD)])
    candidate = CandidatePanel(
        id=WILD,
        formula="NaCl",
        space_group=WILD,
        similarity=0.9,
        score=0.8,
        r_wp=0.1,
        lattice=WILD,
        calculated=np.ones(11),
        background=np.zeros(11),
        ticks=[Tick(12.0, WILD)],
        parameters=[(WILD, "1", "2", "3", "Å", "")],
        remarks=[WILD],
    )
    second = MatchPage(WILD, WILD, AT, np.ones(11), [candidate], notes=[WILD], facts={"p": WILD})
    for page in (simulated_page(first), match_page(second)):
        assert 'alert("' not in page
        assert len(scripts(page)) == len(scripts(simulated_page(plain())))
        figures = re.search(r'id="report-figures">(.*?)</script>', page, re.DOTALL)
        assert figures is not None
        text = json.loads(figures[1])
        shown = json.dumps(text)
        assert "<script" not in shown
        assert '%{x}\\")' not in shown


def plain() -> SimulatedPage:
    return SimulatedPage("a", "b", "2θ", AT, [SimulatedPanel("a", "Cu", [("a", AT)], [], [])])
