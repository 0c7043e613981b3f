"""The page of an audit of labels."""

from __future__ import annotations

from gnnmat.pages.listing import Listing, listing_page
from gnnmat.pages.markup import formula_markup, number
from gnnmat.workflows.label_audit import LabelAudit

HEAD = ("", "id", "formula", "target", "label", "prediction", "spread", "score", "reason")


def audit_page(found: LabelAudit, top: int = 20) -> str:
    """The page as HTML text: the most suspect labels first.

    Args:
        found: by `gnnmat.workflows.label_audit.audit_labels`.
        top: rows to show.
    """
    rows = [
        (
            place + 1,
            row["id"],
            formula_markup(row["formula"]),
            row["target"],
            f"{row['label']:.4g} {row['unit']}".rstrip(),
            number(row["prediction"]),
            number(row["spread"]),
            f"{row['score']:.1f}",
            row["reason"],
        )
        for place, row in enumerate(found.table.head(top).to_dict("records"))
    ]
    lead = (
        f"{len(found.suspects):,} of {len(found.table):,} labels lie more than five usual errors "
        "away from every model that has not seen them. The score counts usual errors; the "
        "spread is the deviation among the models (a factor, where the logarithm was learned)."
    )
    lead = " ".join([lead, *found.notes])
    return listing_page(
        "Suspect labels", lead, [Listing("Most suspect first", HEAD, rows, (0, 4, 5, 6, 7))]
    )
