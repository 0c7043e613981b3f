"""What is known of an element: facts of the periodic table, and how they enter a network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gnnmat.models.elements import (
    CATEGORIES,
    ElementEmbedding,
    element_properties,
    element_table,
    numeric_columns,
    property_vectors,
)

from .elements_from_pymatgen import TABLE, table_text


def test_shipped_table_is_what_pymatgen_and_ase_say_today() -> None:
    assert TABLE.read_text() == table_text()


# IUPAC periodic table; electronegativities after Pauling; masses of IUPAC, rounded.
@pytest.mark.parametrize(
    ("number", "symbol", "period", "group", "block", "electronegativity", "mass"),
    [
        (1, "H", 1, 1, "s", 2.20, 1.008),
        (8, "O", 2, 16, "p", 3.44, 15.999),
        (11, "Na", 3, 1, "s", 0.93, 22.990),
        (26, "Fe", 4, 8, "d", 1.83, 55.845),
        (47, "Ag", 5, 11, "d", 1.93, 107.868),
        (58, "Ce", 6, 3, "f", 1.12, 140.116),
        (82, "Pb", 6, 14, "p", 2.33, 207.2),
        (92, "U", 7, 3, "f", 1.38, 238.029),
    ],
)
def test_table_states_facts(
    number: int,
    symbol: str,
    period: int,
    group: int,
    block: str,
    electronegativity: float,
    mass: float,
) -> None:
    row = element_table()[number - 1]
    assert (row["symbol"], row["block"]) == (symbol, block)
    assert (int(row["number"]), int(row["period"]), int(row["group"])) == (number, period, group)
    assert float(row["electronegativity"]) == pytest.approx(electronegativity, abs=0.15)
    assert float(row["atomic_mass"]) == pytest.approx(mass, abs=0.06)


@pytest.mark.parametrize(
    ("number", "electrons"), [(6, (2, 2, 0, 0)), (26, (2, 0, 6, 0)), (82, (2, 2, 10, 14))]
)
def test_valence_electrons_are_those_outside_the_noble_gas(
    number: int, electrons: tuple[int, ...]
) -> None:
    table, names = element_properties()
    columns = [names.index(f"valence_{orbital}") for orbital in "spdf"]
    assert tuple(table[number, columns]) == electrons


def test_table_holds_every_element_once_and_row_zero_is_none() -> None:
    table, names = element_properties()
    assert table.shape == (119, len(names))
    assert [int(row["number"]) for row in element_table()] == list(range(1, 119))
    assert np.isnan(table[0]).all()
    assert not np.isnan(table[1:, [names.index("period"), names.index("group")]]).any()


def test_property_vectors_are_standardised() -> None:
    vectors = property_vectors()
    numeric = vectors[:, : len(numeric_columns())].double().numpy()
    table, names = element_properties()
    known = ~np.isnan(table[:, [names.index(name) for name in numeric_columns()]])
    for column in range(numeric.shape[1]):
        values = numeric[known[:, column], column]
        assert values.mean() == pytest.approx(0, abs=1e-6)
        assert values.std() == pytest.approx(1, abs=1e-6)
        assert (numeric[~known[:, column], column] == 0).all()


def test_categories_are_one_hot() -> None:
    hot = property_vectors()[:, len(numeric_columns()) :]
    assert hot.shape[1] == 7 + 18 + 4
    for block in hot.split([len(options) for options in CATEGORIES.values()], dim=1):
        assert torch.equal(block[1:].sum(dim=1), torch.ones(118))
    assert torch.equal(hot[26].nonzero().ravel(), torch.tensor([3, 7 + 7, 7 + 18 + 2]))  # Fe


KNOWN = (8, 26)


def embedding(features: str) -> ElementEmbedding:
    torch.manual_seed(0)
    return ElementEmbedding(5, features, KNOWN)  # type: ignore[arg-type]


def test_an_unknown_element_is_its_properties_alone() -> None:
    both = embedding("both")
    z = torch.tensor([27, 26])
    told = both.linear(property_vectors())[z]
    out = both(z)
    torch.testing.assert_close(out[0], told[0], rtol=0, atol=0)
    assert not torch.equal(out[1], told[1])
    assert both.learned is not None
    used = both.learned.weight.abs().sum(dim=1) > 0
    assert used.nonzero().ravel().tolist() == list(KNOWN)


def test_an_unknown_element_stays_unlearned_when_trained() -> None:
    both = embedding("both")
    optimizer = torch.optim.AdamW(both.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        both(torch.tensor([8, 26, 8])).square().sum().backward()
        optimizer.step()
    assert both.learned is not None
    assert torch.equal(both.learned.weight[27], torch.zeros(5))


def test_without_a_list_of_elements_all_are_learned() -> None:
    layer = ElementEmbedding(5, "both")
    assert layer.learned is not None
    assert bool((layer.learned.weight.abs().sum(dim=1) > 0).all())


@pytest.mark.parametrize("features", ["learned", "properties", "both"])
def test_elements_differ_and_the_same_element_does_not(features: str) -> None:
    out = embedding(features)(torch.tensor([8, 26, 8]))
    assert out.shape == (3, 5)
    assert torch.equal(out[0], out[2])
    assert not torch.allclose(out[0], out[1])
    assert (embedding(features).learned is None) == (features == "properties")
    assert (embedding(features).linear is None) == (features == "learned")


def test_properties_do_not_travel_in_the_checkpoint() -> None:
    assert set(embedding("both").state_dict()) == {
        "learned.weight",
        "linear.weight",
        "linear.bias",
    }
