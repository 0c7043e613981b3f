"""Explanations of crystals on disk: a page a crystal, an index of several, tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.train.order_attribution import ORDERS
from gnnmat.workflows.explain_crystal import CrystalExplanation, CrystalExplanations
from gnnmat.workflows.explain_crystal_tables import (
    bond_kinds,
    element_sums,
    one_table,
    summary_table,
)
from gnnmat.workflows.page_names import file_name, page_names

if TYPE_CHECKING:
    from gnnmat.pages.crystal_explanation import CrystalPage

MOST_PAGES = 50  # pages of 5 MB each; tables hold every crystal
ATOMS_WORDS = {
    "exact": "Exact. The head is linear in the mean of the atoms' features, so the answer is the "
    "mean over atoms of each atom's own answer, bias and scale included; an atom's contribution "
    "is its own answer minus the baseline, divided by the number of atoms.",
    "features": "Integrated gradients over the atoms' features before pooling, from zero to what "
    "they are. What the network says to features of zero is shared alike by the atoms.",
    "elements": "Integrated gradients over the elements of the atoms, from the mean of all "
    "elements of the training data, through the whole network.",
}
BONDS_WORDS = (
    "Integrated gradients over the weights of all bonds, faded in together from 0 (no bond) to 1; "
    "both directions of a bond are added."
)
ORDERS_WORDS = (
    f"Shapley values: bonds are added one after another in {ORDERS} random orders, and the mean "
    "change with each is its contribution, averaged over bonds that the network cannot tell apart. "
    "The network divides by the number or weight of the bonds, so its "
    "answer jumps where they fade in together, and no path of gradients shares it out."
)


def write_explanations(
    found: CrystalExplanations, output: Path | None, *, model: str
) -> list[Path]:
    """What was written: a page, a table, or a folder with pages, index and tables.

    Args:
        found: to write.
        output: a file ending in .html for the page of one crystal, or in .csv for one table of
            atoms and bonds; else a folder. Default a page beside for one crystal, the folder
            ``explanations`` for several.
        model: name of the run, to show.

    Raises:
        GnnmatError: one page is asked for several crystals.
    """
    if output is None:
        one = len(found) == 1
        output = Path(f"{file_name(found[0].id)}-explanation.html" if one else "explanations")
    if output.suffix == ".csv":
        both = one_table(found.atoms, found.bonds)
        return [write_atomically(output, both.to_csv(index=False))]
    if output.suffix in (".html", ".htm"):
        check_page(output, len(found))
        return [write_page(found[0], output, model=model)]
    return _write_folder(found, output, model)


def check_page(output: Path, crystals: int) -> None:
    """Refuse one page for several crystals, and a folder where a file is.

    Raises:
        GnnmatError: in words.
    """
    if output.suffix not in (".csv", ".html", ".htm") and output.is_file():
        raise GnnmatError(
            f"{output} cannot be a folder: there is a file of that name.",
            fix="Choose another --output, or one that ends in .html or .csv.",
        )
    if output.suffix in (".html", ".htm") and crystals > 1:
        raise GnnmatError(
            f"{output} is one page, but there are {crystals} crystals.",
            fix="Give a folder: --output explanations",
        )


def write_page(one: CrystalExplanation, path: Path, *, model: str) -> Path:
    """The page of one crystal."""
    from gnnmat.pages.crystal_explanation import write_crystal_page

    return write_crystal_page(path, page_of(one, model=model))


def page_of(one: CrystalExplanation, *, model: str) -> CrystalPage:
    """What the page of one crystal shows."""
    from gnnmat.pages.crystal_explanation import CrystalPage
    from gnnmat.pages.crystal_scene import DrawnCrystal

    found, atoms, bonds = one.found, one.atoms, one.bonds
    target = found.answer.target
    drawn = DrawnCrystal(
        lattice=one.crystal.lattice,
        frac=one.crystal.frac,
        numbers=one.crystal.numbers,
        values=found.atoms.mean,
        first=found.bonds.first,
        second=found.bonds.second,
        offset=found.bonds.offset,
        length=found.bonds.length,
        bond_values=None if found.bonded is None else found.bonded.mean,
    )
    return CrystalPage(
        title=one.id,
        formula=one.formula,
        target=_target_words(one),
        prediction=_prediction_words(one),
        verdict=one.verdict,
        unit=found.answer.unit,
        explained=found.answer.words,
        crystal=drawn,
        atoms=atoms,
        bonds=bonds,
        kinds=bond_kinds(bonds),
        elements=element_sums(atoms),
        statements=statements(one),
        facts=_facts(one, model, target.unit),
        nearest=[(near.id, near.formula, near.distance) for near in one.nearest],
    )


def statements(one: CrystalExplanation) -> list[tuple[str, str]]:
    """What was computed and how well it adds up: name and sentences."""
    found = one.found
    atoms, bonded = found.atoms, found.bonded
    unit = f" {found.answer.unit}" if found.answer.unit else ""
    steps = f" {atoms.steps} points on the path." if atoms.steps else ""
    rows = [
        ("explained", _explained_words(one)),
        ("atoms", ATOMS_WORDS[found.method] + steps),
        ("atoms add up", _sum_words(atoms.baseline, atoms, unit, _baseline_words(one))),
    ]
    if bonded is not None:
        rows += [
            ("bonds", ORDERS_WORDS if found.by_orders else BONDS_WORDS),
            ("bonds add up", _sum_words(bonded.baseline, bonded, unit, "answer without any bond")),
        ]
    if one.beside:
        words = "half of the score is of trees, which know elements, packing and kind of structure"
        rows.append(("not explained", words))
    if one.state_words:
        rows.append(("held fixed", f"{one.state_words}: the state gets no contribution."))
    if len(atoms.members) > 1:
        many = len(atoms.members)
        words = f"Contributions are means over {many} members; ± is their standard deviation."
        rows.append(("ensemble", words))
    return rows


def _explained_words(one: CrystalExplanation) -> str:
    answer = one.found.answer
    unit = f" {answer.unit}" if answer.unit not in ("", "ln", "log-odds") else ""
    words = f"{answer.words} = {_value(one.found.atoms.answer)}{unit}."
    if answer.atom is not None:
        words += f" That of atom {answer.atom}."
    if answer.latent:
        words += " The run gives no less than zero; only before that contributions add up."
    if answer.logarithm:
        words += (
            " The run learned the logarithm, and only there contributions add up: a contribution "
            "of 0.1 multiplies the value by 1.105."
        )
        if len(one.found.constants) > 1:
            words += " Of an ensemble it is the mean of the logarithms."
    return words


def _baseline_words(one: CrystalExplanation) -> str:
    found = one.found
    if found.method == "elements":
        return "answer for atoms of average elements"
    constant = _value(float(found.constants.mean()))
    kind = "even odds" if found.answer.label is not None else "zero of the scale, as a rule the "
    kind += "" if found.answer.label is not None else "mean of the training labels"
    return f"{kind}; the network says {constant} to features of zero"


def _sum_words(baseline: float, parts: object, unit: str, words: str) -> str:
    from gnnmat.train.crystal_attribution import Parts

    assert isinstance(parts, Parts)
    total = float(parts.mean.sum())
    sentence = (
        f"Baseline {_value(baseline)}{unit} ({words}) plus contributions {_value(total)}{unit} "
        f"gives {_value(baseline + total)}{unit}; the answer is {_value(parts.answer)}{unit}. "
        f"Completeness error {abs(parts.error):.1e}{unit} ({parts.relative_error:.1e} relative)."
    )
    if parts.relative_error > 0.01:
        sentence += (
            " That is large: the answer jumps somewhere on the path, and the contributions are "
            "rough."
        )
    return sentence


def _value(value: float) -> str:
    return f"{value:.5g}".replace("-", "−")


def _target_words(one: CrystalExplanation) -> str:
    answer = one.found.answer
    return answer.target.name + (f" of atom {answer.atom}" if answer.atom is not None else "")


def _prediction_words(one: CrystalExplanation) -> str:
    if isinstance(one.prediction, str):
        return one.prediction
    unit = one.found.answer.target.unit
    return f"{one.prediction:.4g}".replace("-", "−") + (f" {unit}" if unit else "")


def _facts(one: CrystalExplanation, model: str, unit: str) -> list[tuple[str, str]]:
    group = str(one.space_group) if one.space_group else "not found"
    atoms = one.found.atoms
    facts = [("model", model), ("crystal", f"{one.id}, {one.formula}, space group {group}")]
    if len(atoms.members) > 1:
        answers = ", ".join(_value(value) for value in atoms.answers)
        facts.append(("answers of the members", answers))
    return facts


def _write_folder(found: CrystalExplanations, folder: Path, model: str) -> list[Path]:
    from gnnmat.pages.crystal_index import write_index

    folder.mkdir(parents=True, exist_ok=True)
    summary = summary_table(found)
    tables = {"atoms.csv": found.atoms, "bonds.csv": found.bonds, "summary.csv": summary}
    written = [
        write_atomically(folder / name, table.to_csv(index=False)) for name, table in tables.items()
    ]
    pages = page_names([one.id for one in list(found)[:MOST_PAGES]])
    written += [
        write_page(one, folder / pages[one.id], model=model) for one in list(found)[:MOST_PAGES]
    ]
    if len(found) > 1:
        index = folder / "index.html"
        written.insert(0, write_index(index, summary, pages, found.refused, model=model))
    return written
