"""Makes a shipped crystal model and its card from a trained run or ensemble with thresholds.

    python tests/benchmarks/ship_crystals.py mp-formation-energy --run runs/mp_formation_energy

Every number of the card comes from the files of the run. Without ``--run`` the texts below are
brought into the card of the shipped model, whose numbers stay.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from gnnmat import zoo
from gnnmat.errors import GnnmatError
from gnnmat.shipped import recipes
from gnnmat.train.checkpoint import PU_RECIPE, load_run_config, read_spec
from gnnmat.train.committee import load_committee, member_folders
from gnnmat.train.config import find_recipe, load_config
from gnnmat.workflows.card_facts import commands, elements_of, run_scores, split_words
from gnnmat.workflows.pu.card import pu_commands, pu_scores
from gnnmat.workflows.pu.options import load_pu
from gnnmat.workflows.run_folder import open_run
from gnnmat.workflows.shipping import half_precision_error, ship
from gnnmat.zoo.card import CARD, ModelCard, read_card, write_card

CRYSTALS = Path(__file__).parents[1] / "crystals"
GOLDEN = ("NaCl.cif", "Si.vasp", "CsCl.extxyz", "strained.extxyz", "graphene_slab.vasp")
TOLERATED = 3e-3  # of the spread of a target, that halved weights may move a prediction

STRUCTURES = (
    "structures of at most 40 atoms, Materials Project database v2025.02.12 without ids from "
    "mp-2000000 on, CC-BY-4.0"
)
MATERIALS_PROJECT = (
    "Jain et al., APL Materials 1, 011002 (2013), doi:10.1063/1.4812323 (the structures)"
)
MEGNET_SPLIT = (
    "Chen, Ye, Zuo, Zheng & Ong, Chem. Mater. 31, 3564 (2019), doi:10.1021/acs.chemmater.9b01294 "
    "(the labels of 2018 and their split)"
)
JARVIS = "labels: Materials Project of 2018 by way of usnistgov/jarvis_leaderboard, NIST terms"
ELASTICITY = (
    "de Jong et al., Scientific Data 2, 150009 (2015), doi:10.1038/sdata.2015.9 (elastic tensors)"
)
RELAXED = (
    "Structures that are not relaxed: see gnnmat sensitivity for how far that moves an answer."
)
PBE = "Anything that PBE is wrong about: these are its answers, not those of an experiment."
OTHERS = (
    "Disordered crystals, molecules, surfaces and defects: nothing of the kind was in training, "
    "and not all of it is flagged out of domain."
)
EARLIER = (
    "Labels are of 2018 and geometries of 2025; one volume in twenty has changed by more than "
    "5%. Scores are not comparable with those published on geometries of 2018."
)


@dataclass(frozen=True)
class Words:
    """What people must say about a model; every number comes from its run."""

    recipe: str
    title: str
    output: str
    data: str
    limits: tuple[str, ...]
    sources: tuple[str, ...]
    cite: tuple[str, ...]
    before: tuple[str, ...] = ()
    path: str = ""
    error: str = "an interval"
    input: str = "a crystal: cell, elements, positions (CIF, POSCAR, extxyz, pymatgen, ASE)"


MODELS = {
    "mp-formation-energy": Words(
        recipe="mp_formation_energy",
        title="formation energy of crystals, eV/atom (PBE)",
        output="formation energy in eV/atom from the elements, as in the Materials Project of 2018",
        data="Materials Project, the ids on which CGCNN was measured",
        limits=(
            RELAXED,
            PBE,
            EARLIER,
            "Stability: small errors of energies reorder phases.",
            OTHERS,
        ),
        sources=(STRUCTURES, JARVIS),
        cite=(MATERIALS_PROJECT, MEGNET_SPLIT),
    ),
    "mp-band-gap": Words(
        recipe="mp_band_gap",
        title="band gap of crystals, eV (PBE)",
        output="band gap in eV as PBE has it, which is about half of the measured one",
        data="Materials Project, the ids on which CGCNN was measured",
        limits=(
            RELAXED,
            PBE,
            EARLIER,
            "Metal or not: many gaps are exactly zero, and the network answers a number near it.",
            OTHERS,
        ),
        sources=(STRUCTURES, JARVIS),
        cite=(MATERIALS_PROJECT, MEGNET_SPLIT),
    ),
    "elastic-moduli": Words(
        recipe="elastic_moduli",
        title="bulk and shear modulus of crystals, GPa (PBE)",
        output="Voigt-Reuss-Hill averages of bulk (K_vrh) and shear modulus (G_vrh) in GPa",
        data="binaries, elastic tensors, and moduli joined to structures by formula",
        limits=(
            RELAXED,
            PBE,
            "Moduli below 1 GPa: there was none in training. Of the rows joined by formula one in "
            "ten is off by more than 5%; they were training rows only.",
            "Temperature: the moduli are those of 0 K.",
            OTHERS,
        ),
        sources=(
            "matcalc elastic binaries, BSD-3, from the Materials Project, CC-BY-4.0",
            "elastic tensors of the Materials Project, CC-BY-4.0",
            "Matbench moduli by way of CrabNet, MIT",
            STRUCTURES,
        ),
        cite=(MATERIALS_PROJECT, ELASTICITY),
        before=("python tests/benchmarks/elastic_set.py .",),
        path="elastic.parquet",
    ),
    "diffraction-prototype": Words(
        recipe="diffraction_fingerprint",
        title="structure type from a diffraction fingerprint",
        output="one of 13 structure types, with its probability",
        error="whether such a fingerprint was seen in training",
        data="crystals of 13 structure types drawn with random elements and lengths",
        limits=(
            "Structure types other than these 13: most are refused, and some are given a wrong "
            "name with confidence.",
            "Species alike: it learned from crystals whose species differ by a third of the atomic "
            "number; below that rock salt passes for simple cubic.",
            "Orientation: clusters lie along the axes of the conventional cell, turned by at most "
            "10 degrees.",
            "Measured diffraction images: simulated ones of clusters of 190 atoms alone were seen.",
        ),
        sources=("no data: the crystals are drawn by gnnmat itself",),
        cite=(
            "Ziletti et al., Nature Communications 9, 2775 (2018), "
            "doi:10.1038/s41467-018-05169-6 (the idea)",
        ),
    ),
    "powder-crystal-system": Words(
        recipe="powder_crystal_system",
        title="crystal system and space group from a powder pattern",
        input="a measured pattern (.xy, .xye, .csv, .xrdml, .ras, .brml) from 10 to 60 degrees of "
        "copper radiation, or any other wavelength that reaches as far; or a crystal, whose "
        "pattern is simulated",
        output="crystal system and space group, each with its probability",
        error="whether such a pattern was seen in training",
        data="simulated patterns of crystals of the Materials Project",
        limits=(
            "Mixtures of phases: it was taught with one phase and at most a few foreign lines.",
            "Space groups are right in half of the cases at best: on simulated patterns a forest "
            "that knows the composition and no pattern is right nearly as often.",
            "Thin films: on measured halide films it is worse than always answering cubic (powder "
            "in docs/benchmarks.md), as it was taught with powders of mild texture. Its scores are "
            "those on simulated patterns; search with gnnmat match before you believe it.",
            "Crystals whose space group changes between tolerances of 0.01 and 0.1 Å were left "
            "out.",
        ),
        sources=(STRUCTURES,),
        cite=(
            MATERIALS_PROJECT,
            "Park et al., IUCrJ 4, 486 (2017), doi:10.1107/S205225251700714X (the idea)",
        ),
    ),
    "synthesizability": Words(
        recipe="synthesizability",
        title="how much a crystal looks like those that were made",
        output="a score from 0 to 1 that ranks, and is no probability",
        error="its standard error",
        data="Materials Project, positive where the ICSD lists a crystal, else unlabelled",
        limits=(
            "Families of crystals that the data do not know: ranks fall far without them.",
            "As a probability: how many of the crystals that nobody made could be made is unknown.",
            "As advice on a synthesis: it knows nothing of routes, temperatures or pressures.",
            "Crystals listed in the ICSD need not be stable, nor made under usual conditions.",
            "The nearest known crystals are those of a sample of 1,500 of the positives.",
            RELAXED,
            OTHERS,
        ),
        sources=(
            STRUCTURES,
            "which crystals the ICSD lists: antoniuk1/SynthNN, MIT",
        ),
        cite=(
            MATERIALS_PROJECT,
            "Jang et al., J. Am. Chem. Soc. 142, 18836 (2020), doi:10.1021/jacs.0c07384 (the idea)",
            "Antoniuk et al., npj Comput. Mater. 9, 155 (2023), doi:10.1038/s41524-023-01114-4 "
            "(the labels)",
        ),
    ),
}


def make_card(name: str, run: Path) -> ModelCard:
    """The card: the words above, and the numbers of the run."""
    words, counts = MODELS[name], open_run(run).counts
    is_pu = (run / PU_RECIPE).is_file()
    made = (pu_commands if is_pu else commands)(run, words.recipe)
    first = (member_folders(run) or [run])[0]
    _, spec, _ = read_spec(first)
    several = f"{len(member_folders(run))} members, seeds in a row; " if member_folders(run) else ""
    formats = [load_run_config(one).trainer.precision for one in member_folders(run)]
    several += f"trained in {', '.join(formats)}; " if len(set(formats)) > 1 else ""
    again = f"python tests/benchmarks/ship_crystals.py {name} --run runs/{words.recipe}"
    return ModelCard(
        title=words.title,
        input=words.input,
        output=f"{words.output}; with {words.error}"
        + (", and whether the crystal is in domain" if spec.elements else ""),
        training_data=f"{words.data}; {several}{counts['train']:,} training rows"
        + (", each fit without those of one fold" if is_pu else " each"),
        split=split_words(run),
        elements=elements_of(run),
        made_by=(*words.before, *made, again),
        scores=pu_scores(run) if is_pu else run_scores(run),
        limits=(
            *(f"Elements other than the {len(spec.elements)} listed above: flagged out of domain.",)
            * bool(spec.elements),
            *words.limits,
        ),
        sources=words.sources,
        cite=words.cite,
    )


def ship_model(name: str, run: Path, folder: Path) -> dict[str, float]:
    """How far halved weights move predictions, by target; the model is then in ``folder``.

    Raises:
        GnnmatError: too far, too large, or the run is not finished; the folder is then as before.
    """
    crystals = [CRYSTALS / one for one in GOLDEN]
    card, data = make_card(name, run), MODELS[name].path
    with TemporaryDirectory() as scratch:
        made = ship(run, Path(scratch) / folder.name, card, data=data, crystals=crystals)
        moved = half_precision_error(run, made, [str(one) for one in crystals])
        if max(moved.values()) > TOLERATED:
            raise GnnmatError(
                f"Half precision moves predictions of {name} by {max(moved.values()):.1e} of the "
                f"spread, more than {TOLERATED:g}."
            )
        if (folder / CARD).is_file():
            shutil.rmtree(folder)
        shutil.copytree(made, folder)
    return moved


def check_targets(name: str, run: Path) -> None:
    """Refuse a run that learned something else than the model is called."""
    recipe = MODELS[name].recipe
    is_pu = recipe in recipes("pu")
    wanted = (load_pu(recipe).run if is_pu else load_config(find_recipe(recipe))).data.targets
    found = load_run_config((member_folders(run) or [run])[0]).data.targets
    if found != wanted:
        raise GnnmatError(f"{run} learned {', '.join(found)}, not {', '.join(wanted)}.")


def refresh(name: str, folder: Path) -> None:
    """Bring the words above into the card of a shipped model."""
    words = MODELS[name]
    old = read_card(folder)
    own = tuple(one for one in old.limits if one.startswith("Elements other than"))
    limits = (*own, *words.limits)
    texts = {"title": words.title, "limits": limits, "sources": words.sources, "cite": words.cite}
    write_card(folder, old.model_copy(update=texts))


def main() -> None:
    """Ship, or bring the texts of a card up to date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(MODELS))
    parser.add_argument("--run", type=Path, help="finished run or ensemble, after gnnmat trust")
    parser.add_argument("--folder", type=Path, help="default: its place among the shipped models")
    options = parser.parse_args()
    folder = options.folder or Path(zoo.ROOT) / options.name
    if options.run:
        if options.folder is None:
            check_targets(options.name, options.run)
        for target, moved in ship_model(options.name, options.run, folder).items():
            print(f"{target}: half precision moves predictions by {moved:.1e} of the spread")
    else:
        refresh(options.name, folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    members = len(load_committee(folder).members)
    print(f"{folder}: {members} members, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
