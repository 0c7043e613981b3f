"""Whether the names of couplings in a hypothesis fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gnnmat.errors import GnnmatError, did_you_mean

if TYPE_CHECKING:
    from gnnmat.simulation.hypotheses import Hypothesis


def check_names(name: str, hypothesis: Hypothesis) -> None:
    """Refuse names of couplings that are not there, and couplings that nothing uses.

    Raises:
        GnnmatError: with the name that was probably meant.
    """
    known = hypothesis.couplings
    rules = [rule.coupling for rule in hypothesis.bonds] + [
        rule.coupling for rule in hypothesis.onsite
    ]
    alike = [
        coupling
        for rule in hypothesis.same_image
        for coupling in (*(one for pair in rule.exchange for one in pair), rule.larger)
    ]
    for coupling in (*rules, *alike):
        if coupling not in known:
            raise GnnmatError(
                f"Hypothesis '{name}': no coupling is called '{coupling}'.",
                fix=did_you_mean(coupling, known),
            )
    for rule in hypothesis.same_image:
        if not any(rule.larger in pair for pair in rule.exchange):
            raise GnnmatError(
                f"Hypothesis '{name}': same_image.larger is '{rule.larger}', which is in none of "
                "the pairs that are exchanged."
            )
    for coupling in known:
        if coupling not in rules:
            raise GnnmatError(
                f"Hypothesis '{name}': nothing uses the coupling '{coupling}'.",
                why="Neither a bond nor a single-ion term names it.",
                fix="Name it under bonds or onsite, or leave it out.",
            )
