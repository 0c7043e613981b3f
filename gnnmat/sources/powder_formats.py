"""Angles and counts from what the files of diffractometers hold, format by format."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np

from gnnmat.errors import GnnmatError
from gnnmat.sources.powder_columns import Columns, Held, columns, text_lines
from gnnmat.sources.powder_header import Header

Element = ElementTree.Element

LARGEST = 200_000_000  # bytes of a file or a member: a scan has some hundred thousand


def _name(element: Element) -> str:
    """The tag without its namespace."""
    return element.tag.rpartition("}")[2]


def _all(root: Element, name: str) -> list[Element]:
    return [one for one in root.iter() if _name(one) == name]


def _number(root: Element, name: str) -> float | None:
    found = _all(root, name)
    text = (found[0].text or "").strip() if found else ""
    return float(text) if text else None


def _xrdml(file: Held) -> Columns:
    """PANalytical's format: the first scan."""
    root = ElementTree.fromstring(file.content)
    points = _all(root, "dataPoints")
    if not points:
        raise GnnmatError(f"'{file.name}' holds no scan.")
    if len(points) > 1:
        raise GnnmatError(
            f"'{file.name}' holds {len(points)} scans.", fix="Export one scan a file."
        )
    held = next((_all(points[0], n) for n in ("intensities", "counts") if _all(points[0], n)), [])
    if not held:
        raise GnnmatError(f"'{file.name}' holds a scan without counts.")
    counts = np.array((held[0].text or "").split(), dtype=np.float64)
    axes = [one for one in _all(points[0], "positions") if one.get("axis") == "2Theta"]
    if not axes:
        raise GnnmatError(f"'{file.name}' has no axis 2Theta.")
    listed = _all(axes[0], "listPositions")
    if listed:
        angles = np.array((listed[0].text or "").split(), dtype=np.float64)
    else:
        first, last = _number(axes[0], "startPosition"), _number(axes[0], "endPosition")
        if first is None or last is None:
            raise GnnmatError(f"'{file.name}' does not say where its angles begin and end.")
        angles = np.linspace(first, last, len(counts))
    header = Header(_number(root, "kAlpha1"), _number(root, "kAlpha2"))
    return Columns(angles, counts, header)


def _ras(file: Held) -> Columns:
    """Rigaku's text format: the first scan; counts are multiplied by the attenuator's factor."""
    facts: dict[str, float] = {}
    rows: list[list[float]] = []
    inside = False
    for line in text_lines(file):
        if line.startswith("*RAS_INT_START"):
            inside = True
        elif line.startswith("*RAS_INT_END"):
            break
        elif inside:
            rows.append([float(cell) for cell in line.split()])
        found = re.match(r'\*HW_XG_WAVE_LENGTH_ALPHA([12])\s+"([0-9.]+)"', line)
        if found:
            facts[found.group(1)] = float(found.group(2))
    if not rows:
        raise GnnmatError(f"'{file.name}' holds no scan.")
    table = np.array(rows)
    counts = table[:, 1] * (table[:, 2] if table.shape[1] > 2 else 1.0)
    return Columns(table[:, 0], counts, Header(facts.get("1"), facts.get("2")))


def _brml(file: Held) -> Columns:
    """Bruker's archive: the first scan."""
    with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
        names = [n for n in archive.namelist() if re.search(r"RawData\d+\.xml$", n)]
        if not names:
            raise GnnmatError(f"'{file.name}' holds no scan.")
        first = archive.getinfo(sorted(names)[0])
        if first.file_size > LARGEST:
            raise GnnmatError(f"'{file.name}' holds a scan of {first.file_size / 1e6:.0f} MB.")
        root = ElementTree.fromstring(archive.read(first))
    rows = [
        [float(cell) for cell in (one.text or "").split(",") if cell] for one in _all(root, "Datum")
    ]
    if not rows or len({len(row) for row in rows}) != 1 or len(rows[0]) < 3:
        raise GnnmatError(f"'{file.name}' holds a scan without angles and counts.")
    table = np.array(rows)
    # Time, flag, the angles that were driven (2 theta first), counts.
    waves = {name: _all(root, f"WaveLength{name}") for name in ("Alpha1", "Alpha2")}
    said = [float(one[0].get("Value", "nan")) if one else None for one in waves.values()]
    return Columns(table[:, 2], table[:, -1], Header(said[0], said[1]))


READERS: dict[str, Callable[[Held], Columns]] = {
    **dict.fromkeys((".xy", ".xye", ".txt", ".dat", ".csv"), columns),
    ".xrdml": _xrdml,
    ".ras": _ras,
    ".brml": _brml,
}
