"""HTML pieces: every string from outside passes through here, so nothing in a file name runs."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from plotly.utils import PlotlyJSONEncoder

ABSENT = "–"


class Markup(str):
    """HTML that is already safe; a plain ``str`` is text and gets escaped."""


def escape(value: object) -> Markup:
    """``value`` as HTML text, escaped unless it is ``Markup`` already."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value), quote=True))


def join(parts: Iterable[object], between: str = "") -> Markup:
    """All parts escaped and put side by side."""
    return Markup(between.join(escape(part) for part in parts))


def tag(name: str, *content: object, **attributes: object) -> Markup:
    """One element with escaped content; ``class_`` is written ``class``, ``data_x`` ``data-x``."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{join(content)}</{name}>")


def plot_text(value: object) -> str:
    """``value`` as text inside a figure, where plotly reads a few HTML tags and ``%{...}``.

    Quotes stay as they are: plotly does not decode ``&quot;`` and sets the text as text.
    """
    text = str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("%{", "&#37;{").replace("\n", " ").replace("\r", " ")


def shortened(value: object, length: int) -> str:
    """``value`` cut to ``length`` characters with an ellipsis."""
    text = str(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def formula_plot_text(formula: object) -> str:
    """A formula for a figure, numbers set low: ``Li2O`` gives ``Li<sub>2</sub>O``."""
    return "".join(
        f"<sub>{part}</sub>" if is_low else plot_text(part) for part, is_low in _parts(formula)
    )


def formula_markup(formula: object) -> Markup:
    """A formula for a table, numbers set low."""
    return join(tag("sub", part) if is_low else part for part, is_low in _parts(formula))


def _parts(formula: object) -> list[tuple[str, bool]]:
    # Split before escaping: "&#x27;" holds a number too.
    parts = re.split(r"(?<=[A-Za-z)\]])([0-9]+(?:\.[0-9]+)?)", str(formula))
    return [(part, i % 2 == 1) for i, part in enumerate(parts)]


def number(value: object, digits: int = 3) -> str:
    """``value`` with ``digits`` significant digits: ``0.0873``, ``12,345``, or a dash."""
    try:
        x = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ABSENT
    if not math.isfinite(x):
        return ABSENT
    if x == 0:
        return "0"
    size = math.floor(math.log10(abs(x)))
    if size < -4 or size > 8:
        return f"{x:.{digits - 1}e}".replace("-", "−", 1 if x < 0 else 0)
    return f"{x:,.{max(digits - 1 - size, 0)}f}".replace("-", "−")


def signed(text: str) -> str:
    """A written number with its sign in front: ``+0.12``, ``−0.12``, ``0``."""
    return text if text in (ABSENT, "0") or text.startswith("−") else f"+{text}"


def aligned(values: Sequence[float], decide: Sequence[float], digits: int = 3) -> list[str]:
    """``values`` with as many decimals each as ``digits`` digits of the largest ``decide`` need."""
    largest = max((abs(x) for x in decide if math.isfinite(x)), default=0.0)
    size = math.floor(math.log10(largest)) if largest > 0 else 0
    if not -5 < size < 9:
        return [number(x, digits) for x in values]
    return [f"{x:,.{max(digits - 1 - size, 0)}f}".replace("-", "−") for x in values]


def count(value: object) -> str:
    """A whole number with thousands separators, or a dash."""
    text = number(value, 1)
    return text if text == ABSENT else f"{round(float(value)):,}"  # type: ignore[arg-type]


def plural(n: int, word: str) -> str:
    """``1 crystal``, ``2 crystals``."""
    return f"{n:,} {word}" + ("" if n == 1 else "s")


def table(
    head: Sequence[object],
    rows: Iterable[Sequence[object]],
    numeric: Sequence[int] = (),
    **kind: object,
) -> Markup:
    """A table that scrolls sideways when narrow; columns in ``numeric`` stand flush right."""

    def line(cells: Sequence[object], cell: str) -> Markup:
        return tag(
            "tr",
            *(
                tag(cell, value, class_="number" if i in numeric else None)
                for i, value in enumerate(cells)
            ),
        )

    body = join(line(cells, "td") for cells in rows)
    inner = tag("table", tag("thead", line(head, "th")), tag("tbody", body), **kind)
    return tag("div", inner, class_="scroll")


def script_json(value: Any) -> Markup:
    """``value`` as JSON that may stand inside a ``<script>``: no ``<`` can end it early."""
    # plotly's encoder knows numpy arrays and writes NaN as null.
    text = json.dumps(value, cls=PlotlyJSONEncoder, ensure_ascii=True)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
