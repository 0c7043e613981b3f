"""The error a user meets: three parts, one sentence, and across processes."""

from __future__ import annotations

import pickle

import pytest

from gnnmat.errors import GnnmatError, did_you_mean


class Narrower(GnnmatError):
    """A kind of its own, as a room may have."""


WHOLE = GnnmatError("Column 'gpa' is not in a.csv.", why="It has: gap.", fix="Did you mean 'gap'?")


def test_message_is_what_why_fix() -> None:
    assert str(WHOLE) == "Column 'gpa' is not in a.csv.\nIt has: gap.\nFix: Did you mean 'gap'?"


def test_parts_that_are_empty_leave_no_line() -> None:
    assert str(GnnmatError("Wrong.")) == "Wrong."
    assert str(GnnmatError("Wrong.", fix="Mend it.")) == "Wrong.\nFix: Mend it."


def test_sentence_has_everything_on_one_line() -> None:
    assert WHOLE.sentence == ("Column 'gpa' is not in a.csv. It has: gap. Fix: Did you mean 'gap'?")
    assert GnnmatError("Wrong. ").sentence == "Wrong."


@pytest.mark.parametrize("kind", [GnnmatError, Narrower])
def test_error_comes_back_whole_from_another_process(kind: type[GnnmatError]) -> None:
    back = pickle.loads(pickle.dumps(kind("What.", why="Why.", fix="Fix.")))
    assert type(back) is kind
    assert (back.what, back.why, back.fix) == ("What.", "Why.", "Fix.")


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("bandgap", ["band_gap", "density"], "Did you mean 'band_gap'?"),
        ("zzz", ["b", "a"], "Known: a, b."),
        ("zzz", [], ""),
        ("8", [1, 18], "Did you mean '18'?"),
    ],
)
def test_nearest_name_or_all_names(name: str, options: list[str], words: str) -> None:
    assert did_you_mean(name, options) == words
