"""Makes the shipped model `pcsmo-exchange` from a trained ensemble, and its card.

    python tests/benchmarks/ship_exchange.py --run runs/pcsmo_exchange

The card repeats what ``exchange.py`` and ``foreign.py`` measured on the shipped model; run this
again after them, without ``--run``, to bring it up to date.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from gnnmat import zoo
from gnnmat.train.judge import load_judge
from gnnmat.workflows.shipping import ship
from gnnmat.zoo.card import ModelCard, Score, write_card

NAME = "pcsmo-exchange"
RESULTS = Path(__file__).parent / "results"
MADE_BY = (
    "gnnmat simulate configs/pcsmo.yaml -n 2600 -o pcsmo",
    "gnnmat train pcsmo_exchange --members 5 -o runs/pcsmo_exchange",
    "gnnmat trust runs/pcsmo_exchange --score confidence --score mutual_information "
    "--score disagreement --score duq --score distance --score neighbours",
    "python tests/benchmarks/ship_exchange.py --run runs/pcsmo_exchange",
)


def scores() -> tuple[Score, ...]:
    """What the benchmarks measured, as far as they have run."""
    found = []
    for name in ("exchange", "foreign"):
        path = RESULTS / f"{name}.json"
        if not path.is_file():
            continue
        for row in json.loads(path.read_text())["rows"]:
            where = row["note"] or "the same images"
            if name == "exchange" or row["what"].startswith(("AUROC by verdict", "own test")):
                value = float(np.round(row["value"], 4))
                found.append(Score(metric=row["what"], value=value, unit=row["unit"], on=where))
    return tuple(found)


def card() -> ModelCard:
    """The card with the scores of today."""
    return ModelCard(
        title="Goodenough or dimer, couplings, and whether to trust the answer",
        input="inelastic neutron spectra of Pr(Ca0.9Sr0.1)2Mn2O7: 6 incident energies (25, 35, 50, "
        "70, 100, 140 meV) x 10 slices of 40 x 40 pixels in (h, k), any scale, mask optional",
        output="the hypothesis with its probability, the six couplings of either hypothesis in meV "
        "with standard errors, and a verdict: in distribution or 'do not trust' with reasons",
        classes=("dimer", "goodenough"),
        training_data="4,680 simulated spectra (520 more fixed the thresholds), stable ground "
        "states only, couplings drawn evenly from the ranges of Butler et al.; noise, background, "
        "scale errors and detector gaps drawn anew in every epoch",
        made_by=MADE_BY,
        scores=scores(),
        limits=(
            "Spectra of other materials or layouts: other layouts are refused, most other "
            "materials are; see docs/benchmarks.md for the families that are not.",
            "A resolution twice too wide or four times too sharp is not noticed: the network "
            "answers as if it were right. A fit with its chi^2 (gnnmat fit-spectrum) is needed.",
            "Where both models make the same image (JFS = JFW with JA1 = JA2, or JF2 = JF3 = 0) "
            "there is no right answer. The network then names the model that had more such images "
            "in training, often with a probability above .9; the odds of gnnmat fit-spectrum tell.",
            "The couplings are a start for gnnmat fit-spectrum, not a result. Of D the network "
            "learns nothing: it answers the middle of the range with the error that this has; JA1 "
            "and JA2 it tells only roughly.",
            "A file without a mask gets the mask it was trained with only where GNNMAT_DATA names "
            "the data; without, every pixel counts, values move a little, and a note says so.",
            "The DUQ heads were trained without their gradient penalty (penalty: 0); as a score "
            "of its own DUQ misses families that the verdict finds.",
            "The verdict leaves out the score 'statistics' (plain intensity statistics): it also "
            "refuses the reference images of an independent program.",
        ),
        sources=(
            "Butler, Le, Thiyagalingam & Perring, J. Phys.: Condens. Matter 33, 194006 (2021)",
            "Johnstone et al., Phys. Rev. Lett. 109, 237202 (2012)",
        ),
    )


def main() -> None:
    """Ship, or bring the card up to date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="trained ensemble with trust.json")
    options = parser.parse_args()
    folder = Path(zoo.ROOT) / NAME
    if options.run:
        ship(options.run, folder, card(), data="pcsmo")
    write_card(folder, card())
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    members = len(load_judge(folder).members)
    print(f"{folder}: {members} members, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
