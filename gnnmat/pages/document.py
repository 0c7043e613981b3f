"""The HTML around a page without interactive figures: one file, no request ever leaves it."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from gnnmat.pages.markup import Markup, escape


def document(title: str, body: Markup, *, style: str = "", script: str = "", data: str = "") -> str:
    """The whole page as HTML text; its policy lets no script run but the one given.

    Args:
        title: of the window.
        body: what is inside ``body``, escaped.
        style: CSS beside that of all pages.
        script: JavaScript that runs at the end of the page.
        data: JSON for the script, in the element ``facts``.
    """
    style = resources.files("gnnmat.pages").joinpath("report.css").read_text("utf-8") + style
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    policy += "base-uri 'none'; form-action 'none'"
    end = ""
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy += f"; script-src 'sha256-{digest}'"
        # "<" cannot end the script element early.
        facts = data.replace("<", "\\u003c")
        end = f'<script type="application/json" id="facts">{facts}</script>\n'
        end += f"<script>{script}</script>\n"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="generator" content="gnnmat">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}\n</style>\n</head>\n"
        f"<body>\n{body}\n{end}</body>\n</html>\n"
    )
