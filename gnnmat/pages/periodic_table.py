"""The periodic table as a coloured grid: what a number looks like over the elements."""

from __future__ import annotations

import re
from collections.abc import Mapping

from plotly.colors import sequential

from gnnmat.pages.markup import Markup, join, number, plural, tag

# Positions as printed on the IUPAC table (2022), lanthanides and actinides below; "." is empty.
LAYOUT = """
H  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  He
Li Be .  .  .  .  .  .  .  .  .  .  B  C  N  O  F  Ne
Na Mg .  .  .  .  .  .  .  .  .  .  Al Si P  S  Cl Ar
K  Ca Sc Ti V  Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
Rb Sr Y  Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I  Xe
Cs Ba .  Hf Ta W  Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn
Fr Ra .  Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
.  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
.  .  La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu .
.  .  Ac Th Pa U  Np Pu Am Cm Bk Cf Es Fm Md No Lr .
"""

POSITIONS: dict[str, tuple[int, int]] = {
    symbol: (row, column)
    for row, line in enumerate(LAYOUT.strip().splitlines(), start=1)
    for column, symbol in enumerate(line.split(), start=1)
    if symbol != "."
}

# Isotopes that formulas write with letters of their own.
ISOTOPES = {"D": "H", "T": "H"}

# Readable with any colour vision.
# Source: viridis of van der Walt & Smith, matplotlib 1.5 (2015), as shipped by plotly.
VIRIDIS: list[str] = sequential.Viridis


def elements_of(formula: str) -> tuple[str, ...]:
    """Symbols in ``formula``, each once, in order; letters that are no element are passed over."""
    found = (ISOTOPES.get(symbol, symbol) for symbol in re.findall(r"[A-Z][a-z]?", formula))
    return tuple(dict.fromkeys(symbol for symbol in found if symbol in POSITIONS))


def colour(share: float) -> str:
    """Viridis at ``share`` (0 dark, 1 light) as ``#rrggbb``."""
    place = min(max(share, 0.0), 1.0) * (len(VIRIDIS) - 1)
    low = min(int(place), len(VIRIDIS) - 2)
    weight = place - low
    channels = zip(_channels(VIRIDIS[low]), _channels(VIRIDIS[low + 1]), strict=True)
    return "#" + "".join(f"{round(a + weight * (b - a)):02x}" for a, b in channels)


def ink(background: str) -> str:
    """Black or white, whichever reads better on ``background``.

    Source: relative luminance and contrast, WCAG 2.2, definitions.
    """
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (channel / 255 for channel in _channels(background))
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "#000000"


def _channels(code: str) -> tuple[int, int, int]:
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


def periodic_table(
    values: Mapping[str, float], counts: Mapping[str, int], label: str, unit: str = ""
) -> Markup:
    """A grid of the 118 elements, coloured by ``values``; elements without a value are grey.

    Colours start at zero, so that noise does not look like a pattern, and end at the 95th
    percentile of the elements shown, so that one odd element does not flatten the rest; every
    cell prints its value.

    Args:
        values: a number that is not negative for each element, say a mean absolute error.
        counts: how many crystals stand behind it.
        label: what the number is, for the legend.
        unit: its unit, may be empty.
    """
    ordered = sorted(values.values())
    top = ordered[round(0.95 * (len(ordered) - 1))] if ordered else 0.0
    cells = join(
        _cell(symbol, values.get(symbol), counts.get(symbol, 0), top, unit) for symbol in POSITIONS
    )
    more = "≥ " if ordered and ordered[-1] > top else ""
    scale = tag(
        "div",
        tag("span", f"{label} / {unit}" if unit else label, class_="scale-label"),
        tag("span", "0"),
        tag("span", class_="scale-bar", style=f"--map:{','.join(VIRIDIS)}"),
        tag("span", more + number(top)),
        class_="scale",
    )
    grid = tag("div", scale, cells, class_="elements", aria_label=f"{label} by element")
    return tag("div", grid, class_="scroll")


def _cell(symbol: str, value: float | None, count: int, top: float, unit: str) -> Markup:
    row, column = POSITIONS[symbol]
    place = f"grid-area:{row}/{column}"
    if value is None:
        return tag("div", tag("b", symbol), class_="absent", style=place, title=f"{symbol}: none")
    background = colour(value / top if top > 0 else 0.0)
    title = f"{symbol}: {number(value)} {unit}".rstrip() + f" over {plural(count, 'crystal')}"
    return tag(
        "div",
        tag("b", symbol),
        tag("span", number(value, 2)),
        tag("i", f"n {count:,}"),
        style=f"{place};background:{background};color:{ink(background)}",
        title=title,
        data_element=symbol,
        data_count=count,
    )
