"""The page of a search over options."""

from __future__ import annotations

import pandas as pd

from gnnmat.pages.listing import Listing, listing_page


def tune_page(table: pd.DataFrame, shares: dict[str, float], name: str) -> str:
    """The page as HTML text: all trials, and how much each option matters.

    Args:
        table: of the trials.
        shares: importance by option; empty where there are too few trials to tell.
        name: of the recipe.
    """
    columns = [column for column in table.columns if column != "error" or table["error"].any()]
    ordered = table.sort_values("value", na_position="last")[columns]
    rows = [[_words(value) for value in row] for row in ordered.itertuples(index=False)]
    listings = [Listing("Trials, the best first", tuple(columns), rows)]
    if shares:
        told = [[option, f"{share:.2f}"] for option, share in shares.items()]
        listings.append(Listing("Importance", ("option", "share"), told))
    return listing_page(
        f"Search over {name}",
        "Scores are those of the best epoch on the validation rows, in deviations of the labels; "
        "the lower the better. Test rows were not looked at.",
        listings,
    )


def _words(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
