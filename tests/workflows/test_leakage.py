"""The audit against counts done by hand and against a plain double loop."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from gnnmat.workflows.leakage import AuditRows, audit


def rows_of(*crystals: tuple[str, str, float]) -> AuditRows:
    formulas, prototypes, volumes = zip(*crystals, strict=True)
    ids = [f"id {place}" for place in range(len(crystals))]
    return AuditRows(ids, formulas, prototypes, np.array(volumes))


TRAIN = rows_of(
    ("NaCl", "AB_225_a_b", 22.0),
    ("NaCl", "AB_221_a_b", 24.0),
    ("Fe2O3", "A2B3_167_c_e", 10.0),
    ("NaCl", "AB_225_a_b", 30.0),
)
TEST = rows_of(
    ("NaCl", "AB_225_a_b", 22.4),  # 1.8% larger than the first: all three
    ("NaCl", "AB_225_a_b", 22.5),  # 2.3% larger: formula and prototype
    ("MgO", "AB_225_a_b", 22.0),  # prototype
    ("Fe2O3", "A2B3_206_a_b", 10.0),  # formula
    ("SiC", "AB_216_a_c", 10.0),  # nothing
)


def test_overlaps_are_those_counted_by_hand() -> None:
    formula, prototype, near = audit(TRAIN, TEST)
    assert [row["what"] for row in (formula, prototype, near)] == [
        "formula",
        "prototype",
        "near-duplicate",
    ]
    assert [row["overlap"] for row in (formula, prototype, near)] == [3, 3, 1]
    assert {row["total"] for row in (formula, prototype, near)} == {5}
    assert near["share"] == 0.2
    assert near["examples"] == [{"test": "id 0", "train": "id 0", "shared": "NaCl AB_225_a_b"}]
    assert formula["text"] == ("3 of 5 test crystals (60.0%) have a formula that is also in train.")


def test_near_duplicates_are_those_of_a_double_loop() -> None:
    random = np.random.default_rng(0)

    def draw(n: int) -> AuditRows:
        crystals = [
            (f"F{random.integers(9)}", f"P{random.integers(3)}", float(random.uniform(10, 12)))
            for _ in range(n)
        ]
        return rows_of(*crystals)

    train, test = draw(150), draw(80)
    assert train.volumes is not None
    assert test.volumes is not None

    def near(row: int, other: int, volumes: tuple[NDArray[np.float64], ...]) -> bool:
        low, high = sorted((volumes[0][row], volumes[1][other]))
        same = test.formulas[row] == train.formulas[other]
        return same and test.prototypes[row] == train.prototypes[other] and high / low <= 1.02

    pairs = (test.volumes, train.volumes)
    expected = sum(any(near(row, other, pairs) for other in range(150)) for row in range(80))
    assert 0 < expected < 80
    assert audit(train, test)[2]["overlap"] == expected


def test_examples_are_at_most_five_real_pairs() -> None:
    for row in audit(TEST, rows_of(*[("MgO", "AB_225_a_b", 22.0)] * 9)):
        assert row["overlap"] == 9
        assert len(row["examples"]) == 5
        assert row["examples"][0]["train"] in ("id 0", "id 2")


def test_without_prototypes_only_formulas_are_compared() -> None:
    rows = audit(AuditRows(["a"], ["NaCl"]), AuditRows(["b"], ["NaCl"]), name="val")
    assert [row["what"] for row in rows] == ["formula"]
    assert "1 of 1 val crystals (100.0%)" in rows[0]["text"]


def test_empty_test_part_has_nothing_to_audit_and_empty_train_shares_nothing() -> None:
    nothing = AuditRows([], [], [], np.empty(0))
    assert audit(TRAIN, nothing) == []
    assert [row["overlap"] for row in audit(nothing, TEST)] == [0, 0, 0]


def test_a_hundred_thousand_crystals_are_audited_in_seconds() -> None:
    random = np.random.default_rng(0)

    def draw(n: int) -> AuditRows:
        formulas = [f"F{number}" for number in random.integers(30_000, size=n)]
        prototypes = [f"P{number}" for number in random.integers(2_000, size=n)]
        return AuditRows(list(map(str, range(n))), formulas, prototypes, random.uniform(9, 99, n))

    train, test = draw(100_000), draw(10_000)
    start = time.perf_counter()
    audit(train, test)
    # 0.2 s alone on the machine; a double loop takes minutes.
    assert time.perf_counter() - start < 10
