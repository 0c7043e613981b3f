"""What the page of a screen is made of, without a browser."""

from __future__ import annotations

import base64
import io
import json
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.pages.screen import screen_page, write_screen_page
from gnnmat.pages.screen_crystals import cif, drawing, elements
from gnnmat.pages.screen_data import (
    FRONT,
    IN_DOMAIN,
    LEARNED,
    OUT_OF_FOLD,
    SHORTLISTED,
    Quantity,
    csv_lines,
    flags,
    packed_numbers,
    packed_strings,
)
from gnnmat.pages.screen_tables import duration, funnel_table
from gnnmat.sources.crystal import Crystal

from .drawn_crystal import ROCK_SALT
from .drawn_screen import funnel, screen

HOSTILE = ("<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "%{x} & 'q\" =1")


def unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


def body(text: str) -> str:
    return text[text.index("<main>") : text.index("</main>")]


def data(text: str) -> Any:
    found = re.search(r'id="report-figures">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])["screen"]


def test_packed_numbers_keep_four_digits() -> None:
    values = np.concatenate(
        [np.geomspace(1e-30, 1e30, 500), -np.geomspace(1e-5, 1e5, 77), [0.0, -0.0, 1.0, 101.7]]
    )
    found = np.frombuffer(unpacked(packed_numbers(values)), dtype="<f4")
    np.testing.assert_allclose(found, values, rtol=2.0**-15 * 1.01)
    odd = np.array([np.nan, np.inf, -np.inf, 3e38])
    found = np.frombuffer(unpacked(packed_numbers(odd)), dtype="<f4")
    np.testing.assert_allclose(found, odd, rtol=1e-4)


def test_packed_strings_come_back_as_they_were() -> None:
    names = [*HOSTILE, "", "Ω\n2", "mp-1"]
    assert json.loads(unpacked(packed_strings(names))) == names


def test_flags_say_what_models_knew() -> None:
    table = pd.DataFrame(
        {
            "a_in_domain": [True, True, False, None],
            "b_in_domain": [True, False, True, True],
            "a_learned": ["", "out of fold", "learned", ""],
            "b_learned": ["", "learned", "", "out of fold"],
            "front": [True, False, False, False],
            "shortlisted": pd.array([None, True, False, False], dtype="boolean"),
        }
    )
    expected = [
        IN_DOMAIN | FRONT, OUT_OF_FOLD | LEARNED | SHORTLISTED, LEARNED, OUT_OF_FOLD,
    ]  # fmt: skip
    assert flags(table).tolist() == expected
    assert flags(table[["front"]]).tolist() == [IN_DOMAIN | FRONT, *[IN_DOMAIN] * 3]


def test_the_table_of_the_shortlist_is_read_back_whole() -> None:
    table = pd.DataFrame(
        {"id": ['a,"b"', "x\ny"], "value": [1 / 3, np.nan], "members": [[1.0], [2.0]]}
    )
    text = "".join(csv_lines(table))
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(text)), table[["id", "value"]])
    assert csv_lines(table)[0] == "id,value\r\n"


def test_rock_salt_is_drawn_with_27_atoms_and_its_bonds() -> None:
    made = drawing(ROCK_SALT)
    atoms = np.array(made["atoms"]).reshape(-1, 4)
    # Corners, edges, faces and the middle of the cube, 14 of one element and 13 of the other.
    assert sorted(np.bincount(atoms[:, 3].astype(int))[[11, 17]]) == [13, 14]
    bonds = np.array(made["bonds"]).reshape(-1, 2, 3)
    length = np.linalg.norm(bonds[:, 1] - bonds[:, 0], axis=1)
    # Six neighbours at a/2: 54 whole bonds in the cube, and halves that leave it.
    assert (np.abs(length - 2.82) < 0.01).sum() == 54
    assert len(made["cell"]) == 12 * 6
    known = elements()
    assert known["symbols"][11] == "Na"
    assert known["radii"][11] == pytest.approx(1.66)
    assert known["colours"][8] == "#ff0d0d"
    assert len({len(known[name]) for name in known}) == 1


def test_an_atom_is_bonded_to_its_own_images() -> None:
    # Simple cubic polonium, a = 3.35 Å: one atom, drawn at eight corners with twelve edges.
    cubic = Crystal(np.eye(3) * 3.35, np.array([84]), np.zeros((1, 3)))
    made = drawing(cubic)
    bonds = np.array(made["bonds"]).reshape(-1, 2, 3)
    length = np.linalg.norm(bonds[:, 1] - bonds[:, 0], axis=1)
    assert len(made["atoms"]) == 8 * 4
    assert (np.abs(length - 3.35) < 0.01).sum() == 12


def test_a_cif_is_read_back_by_ase(tmp_path: Path) -> None:
    from ase.io import read

    oblique = Crystal(
        np.array([[3.1, 0.2, 0.0], [-0.7, 4.2, 0.1], [0.3, 0.4, 5.3]]),
        np.array([22, 6]),
        np.array([[0.1, 0.2, 0.3], [0.123456789, 0.9, 0.55]]),
    )
    (tmp_path / "x.cif").write_text(cif(oblique))
    found = read(tmp_path / "x.cif")
    assert found.get_chemical_symbols() == ["Ti", "C"]
    assert found.get_volume() == pytest.approx(oblique.volume, rel=1e-6)
    apart = np.linalg.norm(oblique.positions[1] - oblique.positions[0])
    assert found.get_distance(0, 1) == pytest.approx(apart, rel=1e-6)


def test_the_page_says_what_was_learned() -> None:
    text = body(screen_page(screen(70)))
    for words in (
        "170 screened, 70 candidates scored", "20 of 70 candidates are training rows, scored by a",
        "20 are training rows scored out of fold", "hardness / GPa", "toughness / MPa √m",
        "inside the domain only", "without learned rows", "runs/moduli", "not from a measurement",
    ):  # fmt: skip
        assert words in text, words
    table = screen(70).table
    plain = screen(70, table=table.drop(columns=["moduli_learned", "moduli_in_domain"]))
    text = body(screen_page(plain))
    for words in ("training rows", "inside the domain", "without learned rows"):
        assert words not in text, words


def test_the_funnel_adds_up() -> None:
    text = funnel_table(funnel(200, 12))
    for words in (
        "<b>60</b> contains a toxic element", "<b>12</b> no reason given",
        "<b>188</b> ranked lower",
        "3 min 21 s", "2.0 s",
    ):  # fmt: skip
        assert words in text, words
    many = {f"reason {i}": i for i in range(1, 8)}
    text = funnel_table([{"stage": "filter", "into": 28, "out": 0, "dropped": many}])
    assert text.index("reason 7") < text.index("3 more reasons") < text.index("reason 3")


def test_durations_are_written_for_people() -> None:
    texts = [duration(value) for value in (None, float("nan"), 0.04, 9.97, 59.7, 200, 3599, 7500)]
    assert texts == [
        "–",
        "–",
        "0.0 s",
        "10 s",
        "1 min 0 s",
        "3 min 20 s",
        "59 min 59 s",
        "2 h 5 min",
    ]


def test_an_empty_screen_has_a_page(tmp_path: Path) -> None:
    none = screen(20)
    none = replace(
        none, table=none.table.iloc[:0], shortlist=none.shortlist.iloc[:0], crystals={}, funnel=()
    )
    path = write_screen_page(tmp_path / "none.html", none)
    assert "No candidate came this far." in path.read_text("utf-8")


def test_columns_ids_and_shortlist_are_checked() -> None:
    good = screen(20)
    with pytest.raises(GnnmatError, match="no column 'hardnes'"):
        screen_page(replace(good, x=Quantity("hardnes")))
    with pytest.raises(GnnmatError, match="Two candidates are called 'mp-1'"):
        screen_page(replace(good, table=good.table.replace({"id": {"mp-0": "mp-1"}})))
    with pytest.raises(GnnmatError, match="'ghost' is on the shortlist"):
        screen_page(replace(good, shortlist=pd.DataFrame({"id": ["ghost"]})))


def test_nothing_hostile_becomes_markup() -> None:
    good = screen(20)
    bad = {f"mp-{i}": HOSTILE[i % 3] + str(i) for i in range(20)}
    table = good.table.assign(id=good.table["id"].map(bad), formula=HOSTILE[0])
    table = table.rename(columns={"price": HOSTILE[1]})
    page = replace(
        good,
        name=HOSTILE[1],
        table=table,
        numbers=[Quantity(HOSTILE[1], HOSTILE[0], HOSTILE[1])],
        shortlist=good.shortlist.assign(id=good.shortlist["id"].map(bad)),
        crystals={bad[name]: one for name, one in good.crystals.items()},
        funnel=[{"stage": HOSTILE[0], "into": 3, "out": 1, "dropped": {HOSTILE[1]: 2}}],
        facts=[(HOSTILE[0], HOSTILE[1])],
        notes=list(HOSTILE),
        settings=HOSTILE[1],
    )
    text = screen_page(page)
    assert "<img src=x" not in text
    assert "<script>alert" not in text
    assert json.loads(unpacked(data(text)["ids"])) == list(table["id"])


def test_a_page_of_all_crystals_is_below_15_mb() -> None:
    big = screen(110_184, 50)
    numbers = [*big.numbers, Quantity("K"), Quantity("G"), Quantity("alpha")]
    random = np.random.default_rng(1)
    table = big.table.assign(**{name: random.normal(size=110_184) for name in ("K", "G", "alpha")})
    text = screen_page(replace(big, table=table, numbers=numbers))
    assert len(text.encode()) < 15e6
