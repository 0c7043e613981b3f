"""Everything about one target: figures, error by element and crystal system, the worst ten."""

from __future__ import annotations

from typing import Any

import pandas as pd

from gnnmat.pages import class_figures, curve_figures, figures
from gnnmat.pages.figures import Figure
from gnnmat.pages.markup import (
    Markup,
    aligned,
    formula_markup,
    join,
    number,
    plural,
    signed,
    table,
    tag,
)
from gnnmat.pages.periodic_table import periodic_table
from gnnmat.pages.results import (
    TargetResults,
    error_by_crystal_system,
    error_by_element,
    worst,
)
from gnnmat.pages.sections import empty, plot, section


def target_panel(results: TargetResults, prefix: str) -> tuple[Markup, dict[str, Figure]]:
    """HTML of one target and its figures by name; ``prefix`` keeps names apart."""
    if results.shown.empty:
        words = "No row of this target has both a truth and a prediction."
        return tag("div", empty(words), class_="panel", id=prefix, data_target=results.name), {}
    builders = {"classes": _class_figures, "curves": _curve_figures, "numbers": _number_figures}
    first, made = builders[results.kind](results, prefix)
    systems = error_by_crystal_system(results)
    if not systems.empty:
        made[f"{prefix}-systems"] = figures.crystal_systems(results)
    parts = [
        # Seen on paper only, where all targets follow one another and no button names them.
        tag("h2", results.name, class_="panel-name"),
        first,
        *(
            [_elements(results), _systems(f"{prefix}-systems" if not systems.empty else "")]
            if _are_crystals(results)
            else []
        ),
        _worst(results),
    ]
    return tag("div", *parts, class_="panel", id=prefix, data_target=results.name), made


def _number_figures(results: TargetResults, prefix: str) -> tuple[Markup, dict[str, Figure]]:
    made = {
        f"{prefix}-parity": figures.parity(results),
        f"{prefix}-residuals": figures.residuals(results),
    }
    plots = tag(
        "div",
        plot(f"{prefix}-parity", "prediction against truth", "tall"),
        plot(f"{prefix}-residuals", "histogram of errors", "tall"),
        class_="pair",
    )
    return section("Prediction and truth", plots, lead=_parity_words(results)), made


def _parity_words(results: TargetResults) -> str:
    rows = figures.drawn_rows(results)
    words = f"Every point is one row of the {results.shown_split} split"
    words += "; point at one to see which."
    if len(rows) > 1:
        words += " Click a split in the legend to show or hide it."
    if len(rows.get("train", ())) < results.counts.get("train", 0):
        words += (
            f" Of {results.counts['train']:,} train rows a random {len(rows['train']):,} are drawn;"
            " all other rows are."
        )
    return words + _left_out(results)


def _left_out(results: TargetResults) -> str:
    if not results.incomplete:
        return ""
    return f" {plural(results.incomplete, 'row')} without truth or prediction left out."


def _class_figures(results: TargetResults, prefix: str) -> tuple[Markup, dict[str, Figure]]:
    made = {f"{prefix}-confusion": class_figures.confusion(results)}
    shown = results.shown
    right = int((shown["error"] == 0).sum())
    lead = f"{right:,} of {plural(len(shown), f'{results.shown_split} row')} right."
    lead += " Cells hold counts and are shaded by the share of each true class."
    places = [plot(f"{prefix}-confusion", "confusion matrix", "tall")]
    if shown["probability"].notna().any():
        made[f"{prefix}-reliability"] = class_figures.reliability(results)
        made[f"{prefix}-probabilities"] = class_figures.probabilities(results)
        places.append(plot(f"{prefix}-reliability", "reliability curve", "tall"))
        wide = plot(f"{prefix}-probabilities", "histogram of stated probabilities", "low")
        lead += " On the dotted line, a stated 80% is right 80 times in 100; whiskers: 95%."
    else:
        wide = empty("No probabilities were recorded, so there is no reliability curve.")
    plots = tag("div", *places, class_="pair")
    return section("Prediction and truth", plots, wide, lead=lead + _left_out(results)), made


def _curve_figures(results: TargetResults, prefix: str) -> tuple[Markup, dict[str, Figure]]:
    chosen = curve_figures.chosen_rows(results)
    made = {
        f"{prefix}-{name}": curve_figures.one_curve(results, name, place)
        for name, place in chosen.items()
    }
    made[f"{prefix}-along"] = curve_figures.along_axis(results)
    made[f"{prefix}-errors"] = curve_figures.errors(results)
    places = [plot(f"{prefix}-{name}", f"{name} curve", "tall") for name in chosen]
    places.append(plot(f"{prefix}-along", "error along the axis", "tall"))
    wide = plot(f"{prefix}-errors", "histogram of errors", "low")
    lead = (
        f"Of {plural(len(results.shown), f'{results.shown_split} row')} those with the smallest, "
        "the middle and the largest mean absolute error."
    )
    pairs = [tag("div", *places[start : start + 2], class_="pair") for start in (0, 2)]
    return section("Prediction and truth", *pairs, wide, lead=lead + _left_out(results)), made


def _are_crystals(results: TargetResults) -> bool:
    """Whether any row has a formula; spectra and images have none."""
    return bool((results.shown["formula"] != "").any())


def _elements(results: TargetResults) -> Markup:
    found = error_by_element(results)
    if found.empty:
        return section("Error by element", empty("No formula names an element."))
    label = "share of wrong classes" if results.is_classes else "mean absolute error"
    grid = periodic_table(
        found["error"].to_dict(), found["count"].astype(int).to_dict(), label, results.unit
    )
    whom = "crystals that contain the element"
    if results.is_per_atom and (results.shown["element"] != "").all():
        whom = "atoms of the element"
    lead = f"Over the {results.shown_split} {whom}; n counts them. Grey: none."
    return section("Error by element", grid, lead=lead)


def _systems(name: str) -> Markup:
    if not name:
        return section("Error by crystal system", empty("No crystal systems were recorded."))
    return section("Error by crystal system", plot(name, "error by crystal system", "low"))


def _worst(results: TargetResults) -> Markup:
    rows = worst(results)
    shown = results.shown
    if rows.empty:
        words = f"All {plural(len(shown), f'{results.shown_split} row')} were classified right."
        return section("Worst ten", empty(words))
    numbers = _columns(rows, results)
    columns: dict[str, list[Any]] = {
        "id": [_identity(row, results) for row in rows.to_dict("records")],
        **_formulas(rows, results),
        **numbers,
    }
    if (rows["crystal_system"] != "").any():
        columns["crystal system"] = rows["crystal_system"].tolist()
    lines = list(zip(*columns.values(), strict=True))
    first = 2 if _are_crystals(results) else 1
    numeric = (first + 2,) if results.is_classes else range(first, first + len(numbers))
    title = "Worst ten" if len(rows) == 10 else f"Worst {len(rows)}"
    lead = "The surest mistakes first." if results.is_classes else "The largest errors first."
    return section(title, table(list(columns), lines, numeric, class_="worst"), lead=lead)


def _formulas(rows: pd.DataFrame, results: TargetResults) -> dict[str, list[Any]]:
    if not _are_crystals(results):
        return {}
    return {"formula": [formula_markup(formula) for formula in rows["formula"]]}


def _columns(rows: pd.DataFrame, results: TargetResults) -> dict[str, list[str]]:
    """What the table of the worst says of each row, by its kind."""
    if results.is_classes:
        return _class_columns(rows)
    if results.is_curves:
        ending = f" / {results.unit}" if results.unit else ""
        errors = rows["error"].tolist()
        return {f"mean absolute error{ending}": aligned(errors, errors)}
    return _number_columns(rows, results.unit)


def _number_columns(rows: pd.DataFrame, unit: str) -> dict[str, list[str]]:
    ending = f" / {unit}" if unit else ""
    errors = rows["error"].tolist()
    written = {name: aligned(rows[name].tolist(), errors) for name in ("truth", "prediction")}
    written["error"] = [signed(text) for text in aligned(errors, errors)]
    return {name + ending: texts for name, texts in written.items()}


def _class_columns(rows: pd.DataFrame) -> dict[str, list[str]]:
    return {
        "truth": rows["truth"].tolist(),
        "prediction": rows["prediction"].tolist(),
        "probability": [number(p) for p in rows["probability"]],
    }


def _identity(row: dict[str, object], results: TargetResults) -> Markup:
    name = tag("span", row["id"], class_="id", data_id=row["id"])
    if not results.is_per_atom:
        return name
    return join([name, f" atom {row['atom']:.0f} {row['element']}".rstrip()])
