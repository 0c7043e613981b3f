"""The HTML around a page with interactive figures: one file, no request ever leaves it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template
from typing import Any

from plotly.offline import get_plotlyjs

from gnnmat.pages.figures import Figure
from gnnmat.pages.markup import Markup, escape, script_json


def shell(
    title: str,
    header: Markup,
    sections: Markup,
    figures: Mapping[str, Figure],
    counts: Mapping[str, Any],
    *,
    style: str = "",
    script: str | Sequence[str] = "report.js",
) -> str:
    """The whole page as HTML text.

    Args:
        title: of the window.
        header: above all sections.
        sections: with places for figures, see `gnnmat.pages.sections.plot`; of elements of the
            class ``panel`` one is shown at a time.
        figures: plotly JSON by name.
        counts: numbers behind the page, for programs and tests.
        style: CSS beside that of all pages.
        script: file of the script that draws the figures, or several that make one script in this
            order.
    """
    package = resources.files("gnnmat.pages")
    # Newlines as the HTML parser will see them, or the hashes below would not fit.
    plotly = get_plotlyjs().replace("\r\n", "\n")
    files = [script] if isinstance(script, str) else script
    drawing = "\n".join(package.joinpath(file).read_text("utf-8") for file in files)
    template = Template(package.joinpath("report.html").read_text("utf-8"))
    return template.substitute(
        title=escape(title),
        policy=_policy(plotly, drawing),
        style=package.joinpath("report.css").read_text("utf-8") + style,
        header=header,
        sections=sections,
        counts=script_json(counts),
        figures=script_json(figures),
        plotly=plotly,
        script=drawing,
    )


def _policy(*scripts: str) -> str:
    """Content security policy: only these scripts run, and no request leaves the page."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in scripts
    )
    # plotly.js 3, which plotly 6 ships, compiles its WebGL code at run time; all versions keep
    # style rules and images in the page.
    return (
        f"default-src 'none'; script-src {hashes} 'unsafe-eval'; style-src 'unsafe-inline'; "
        "img-src data: blob:; worker-src blob:; base-uri 'none'; form-action 'none'"
    )
