from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnnmat.pages.markup import (
    aligned,
    formula_markup,
    number,
    plot_text,
    script_json,
    shortened,
    signed,
    table,
    tag,
)

WILD_TEXT = st.text() | st.sampled_from(["<img src=x onerror=alert(1)>", "</script>", "&amp;", '"'])


class Reader(HTMLParser):
    """What a browser would see: text and tags."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.tags, self.attributes = "", [], []
        self.feed(page)
        self.close()

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


@given(WILD_TEXT)
def test_any_text_and_attribute_comes_through_a_tag_unchanged(text: str) -> None:
    seen = Reader(tag("p", text, title=text))
    assert (seen.text, seen.tags, seen.attributes) == (text, ["p"], [("title", text)])


@given(WILD_TEXT)
def test_no_formula_adds_an_element_but_sub(text: str) -> None:
    seen = Reader(formula_markup(text))
    assert seen.text == text
    assert set(seen.tags) <= {"sub"}


@given(st.lists(WILD_TEXT))
def test_json_in_a_script_comes_back_and_holds_no_angle_bracket(texts: list[str]) -> None:
    written = script_json(texts)
    assert json.loads(written) == texts
    assert "<" not in written


def test_json_in_a_script_writes_nan_as_null() -> None:
    assert json.loads(script_json({"x": [1.0, float("nan")]})) == {"x": [1.0, None]}


@given(WILD_TEXT)
def test_text_in_a_figure_holds_no_tag_and_no_placeholder(text: str) -> None:
    written = plot_text(text)
    assert "<" not in written
    assert "%{" not in written


def test_formula_numbers_stand_low_and_charges_of_words_do_not() -> None:
    assert formula_markup("Ce2(SO4)3") == "Ce<sub>2</sub>(SO<sub>4</sub>)<sub>3</sub>"
    assert formula_markup("Li0.5CoO2") == "Li<sub>0.5</sub>CoO<sub>2</sub>"
    assert formula_markup("2D") == "2D"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.08731, "0.0873"),
        (12345.6, "12,346"),
        (-1.5, "−1.50"),
        (0, "0"),
        (1.234e-7, "1.23e-07"),
        (-1.234e-7, "−1.23e-07"),
        (None, "–"),
        (float("nan"), "–"),
        (float("inf"), "–"),
        ("text", "–"),
    ],
)
def test_a_number_has_three_digits_or_is_a_dash(value: object, text: str) -> None:
    assert number(value) == text


def test_aligned_numbers_share_their_decimals() -> None:
    assert aligned([10.0, 0.123456, -1.0], decide=[0.5, 0.1]) == ["10.000", "0.123", "−1.000"]


def test_a_signed_number_shows_plus() -> None:
    assert [signed(text) for text in ("0.1", "−0.1", "0")] == ["+0.1", "−0.1", "0"]


def test_a_long_name_ends_in_an_ellipsis() -> None:
    assert shortened("abcdefgh", 5) == "abcd…"
    assert shortened("abcde", 5) == "abcde"


def test_numeric_columns_are_marked_in_head_and_body() -> None:
    page = table(["id", "error"], [["<a>", "0.1"]], numeric=[1])
    assert page.count('class="number"') == 2
    assert "&lt;a&gt;" in page
