"""Angles and counts from lines of text, with decimal points or with decimal commas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.sources.powder_header import Header, read_header

Floats = NDArray[np.float64]

COMMENT = "#;'!/\""  # what begins a line that is none of data
# A comma before white space separates; one between digits may be a decimal point.
SPACE = re.compile(r",?[;\s]+|,$")
NUMBER = re.compile(r"[+-]?[\d.,]*\d[\d.,]*(?:e[+-]?\d+)?", re.I)
POINT_COMMA = re.compile(r"[+-]?\d*\.\d*(?:e[+-]?\d+)?,", re.I)


@dataclass(frozen=True)
class Held:
    """What a file holds, and its name for messages."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Columns:
    """What a reader finds in a file, unchecked.

    Args:
        angles: (n,) degrees of 2 theta; Q where the header says so.
        counts: (n,) intensities.
        header: what the file says of the measurement.
        sigma: (n,) standard deviations of the counts, if the format has them.
    """

    angles: Floats
    counts: Floats
    header: Header = Header()
    sigma: Floats | None = None


def text_lines(file: Held) -> list[str]:
    """The lines without white space around them.

    Raises:
        GnnmatError: it is no text.
    """
    if b"\0" in file.content[:1000]:
        raise GnnmatError(f"'{file.name}' holds no text.", fix="Export it as text, in UTF-8.")
    try:
        text = file.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = file.content.decode("latin-1")
    return [line.strip() for line in text.splitlines()]


def columns(file: Held) -> Columns:
    """Lines of numbers; words are passed over before the first line of numbers, and comments.

    Commas, semicolons, tabs and spaces separate. Beside one of the other three a comma is a
    decimal point. The third column of an .xye file holds standard deviations.

    Raises:
        GnnmatError: no text, no line of numbers, words among the numbers, or commas of which nobody
            can tell what they mean.
    """
    lines = [_unquoted(line) for line in text_lines(file)]
    decimal = _has_decimal_commas(file.name, lines)
    rows: list[tuple[float, ...]] = []
    words: list[str] = []
    decimals = 0  # of the angles so far
    wanted = 3 if file.name.lower().endswith(".xye") else 2
    for number, line in enumerate(lines, start=1):
        if not line or line[0] in COMMENT:
            words.append(line)
            continue
        cells = _cells(line, decimal)
        if len(cells) == 1 and len(rows) > 1:
            cells = _apart(cells[0], rows, decimals)
        try:
            rows.append((float(cells[0]), float(cells[1]), *map(float, cells[2:wanted])))
        except (ValueError, IndexError):
            words.append(line)
            if rows:
                raise GnnmatError(
                    f"'{file.name}', line {number}: '{line[:60]}' is no angle with its counts.",
                    fix="Leave the line out, or put # before it.",
                ) from None
        else:
            decimals = max(decimals, len(re.split(r"\D", cells[0].partition(".")[2])[0]))
    if not rows:
        raise GnnmatError(f"'{file.name}' holds no line with an angle and its counts.")
    full = min(map(len, rows))
    table = np.array([row[:full] for row in rows])
    sigma = table[:, 2] if full > 2 else None
    return Columns(table[:, 0], table[:, 1], read_header(words), sigma)


def _unquoted(line: str) -> str:
    """``"10.0","123"`` without its quotation marks; words in such keep theirs."""
    bare = line.replace('"', "")
    return bare if line.startswith('"') and NUMBER.match(bare) else line


def _cells(line: str, decimal: bool) -> list[str]:
    """The columns of a line, with decimal points."""
    if decimal:
        return [cell.replace(",", ".") for cell in SPACE.split(line) if cell]
    return [cell for cell in re.split(r"[,;\s]+", line) if cell]


def _has_decimal_commas(name: str, lines: Sequence[str]) -> bool:
    """Whether commas between digits are decimal points rather than separators.

    Raises:
        GnnmatError: nobody can tell.
    """
    if not any("," in line for line in lines if line[:1] not in COMMENT):
        return False
    pointed, several = False, False
    beside, between = 0, 0  # the first line with a comma beside a separator, or between columns
    for number, line in enumerate(lines, start=1):
        cells = [cell for cell in SPACE.split(line) if cell][:2]
        if not cells or not all(NUMBER.fullmatch(cell) for cell in cells):
            continue
        if POINT_COMMA.match(line):
            return False
        pointed = pointed or any("." in cell for cell in cells)
        if any("," in cell for cell in cells):
            if len(cells) > 1:
                beside = beside or number
            else:
                several = several or cells[0].count(",") > 1
                between = between or number
    if beside and pointed:
        raise GnnmatError(
            f"'{name}' has both decimal points and commas in its numbers, as in line {beside}: "
            f"'{lines[beside - 1][:60]}'.",
            why="A comma may be a decimal point, or stand before thousands.",
            fix="Write decimal points, and no commas within numbers.",
        )
    if between and several and not (beside or pointed):
        raise GnnmatError(
            f"'{name}': one cannot tell which of its commas are decimal points and which separate "
            f"columns, as in line {between}: '{lines[between - 1][:60]}'.",
            fix="Write decimal points, or separate the columns by semicolons or tabs.",
        )
    return beside > 0


def _apart(cell: str, rows: Sequence[tuple[float, ...]], decimals: int) -> list[str]:
    """Columns of fixed width that have run together, ``14.11851260``: the angle is the next one."""
    whole, point, _ = cell.partition(".")
    cut = len(whole) + len(point) + decimals
    step = rows[-1][0] - rows[-2][0]
    try:
        is_next = abs(float(cell[:cut]) - rows[-1][0] - step) < abs(step) / 2
    except ValueError:
        return [cell]
    return [cell[:cut], cell[cut:]] if is_next and cell[cut:] else [cell]
