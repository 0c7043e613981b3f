"""Pages of explanations do not overwrite one another."""

from __future__ import annotations

from gnnmat.workflows.page_names import file_name, page_names


def test_ids_that_differ_in_what_no_file_is_called_by_get_pages_of_their_own() -> None:
    ids = ["a b", "a/b", "a-b", "A-b", "a-b-2", "../.."]
    pages = page_names(ids)
    assert list(pages) == ids
    assert len({one.lower() for one in pages.values()}) == len(ids)
    assert pages["a b"] == "a-b.html"
    assert pages["../.."] == "crystal.html"


def test_names_are_fit_for_files() -> None:
    assert file_name("Na Cl (1).cif") == "Na-Cl-1-.cif"
    assert file_name("..") == "crystal"
