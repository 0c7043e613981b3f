"""A folder of simulated patterns: peaks, columns, pictures, one page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.pages.diffraction import SimulatedPage, SimulatedPanel, simulated_page
from gnnmat.pages.diffraction_figures import Tick, miller, tick_words
from gnnmat.pages.markup import number
from gnnmat.pages.pixels import png
from gnnmat.progress import with_progress
from gnnmat.sources.records import Refusal
from gnnmat.workflows.diffraction.axis import Axis
from gnnmat.workflows.diffraction.beam import Beam
from gnnmat.workflows.diffraction.earlier import FINGERPRINT, SUMMARY, earlier_files, remove_others
from gnnmat.workflows.diffraction.mixture import mixed, parse_mixture
from gnnmat.workflows.diffraction.phases import Phase
from gnnmat.workflows.diffraction.picture import pattern_png
from gnnmat.workflows.diffraction.simulate import (
    Options,
    Simulated,
    simulate_phases,
)
from gnnmat.workflows.page_names import file_name
from gnnmat.workflows.run_folder import write_refused

Floats = NDArray[np.float64]

PAGE = "diffraction.html"
RESERVED = {"diffraction", "mixture", "summary", "refused", "fingerprints"}
ON_PAGE = 20  # crystals; a page of all would be slow to open


@dataclass
class SimulatedFolder:
    """What was written.

    Args:
        folder: where.
        page: the HTML page.
        summary: a row a crystal: id, formula, files (their name), peaks, strongest_d,
            strongest_two_theta.
        refused: with the reasons.
    """

    folder: Path
    page: Path
    summary: pd.DataFrame
    refused: list[Refusal] = field(default_factory=list)


def write_simulated(
    phases: Sequence[Phase],
    beam: Beam,
    axis: Axis,
    options: Options,
    folder: Path,
    *,
    mixture: str = "",
    refused: Sequence[Refusal] = (),
    quiet: bool = True,
) -> SimulatedFolder:
    """Patterns of all crystals as files, and one page of the first twenty.

    ``NAME.csv`` holds the peaks, ``NAME.xy`` the pattern, ``NAME.png`` its picture; with a
    fingerprint there are ``NAME-fingerprint.png`` and ``fingerprints.npz``.

    Args:
        phases: crystals.
        beam: what falls on them.
        axis: of the patterns.
        options: what is computed.
        folder: where to.
        mixture: shares of mass of a mixture of powders, ``NaCl=0.7,Si=0.3``.
        refused: crystals that could not be read.
        quiet: no progress bar.

    Raises:
        GnnmatError: not one crystal gave a pattern, or a bad mixture.
    """
    if mixture and options.debye is not None:
        raise GnnmatError("A mixture is one of powders, and --debye makes single particles.")
    if beam.second != 1 and options.debye is not None:
        raise GnnmatError("A particle is drawn for one wavelength: leave out --doublet or --debye.")
    reasons = {one.id: one.reason for one in refused}
    shares = parse_mixture(mixture, [one.id for one in phases], reasons) if mixture else {}
    axis.degrees(beam.wavelength)  # a range that the wavelength does not reach, said once
    folder.mkdir(parents=True, exist_ok=True)
    names = _file_names(phases)
    earlier = earlier_files(folder)
    out, rows = list(refused), []
    shown: list[SimulatedPanel] = []
    parts: list[Simulated] = []
    views: dict[str, Floats] = {}
    stream = simulate_phases(phases, beam, axis, options)
    for one in with_progress(stream, len(phases), "Simulating patterns", quiet):
        if isinstance(one, Refusal):
            out.append(one)
            continue
        _write_one(one, folder, names[one.id], beam, axis)
        rows.append(_summary_row(one, names[one.id]))
        if len(shown) < ON_PAGE:
            shown.append(_panel(one, axis))
        if one.id in shares:
            parts.append(one)
        if one.views is not None:
            views[one.id] = one.views
    if not rows:
        reason = out[0].reason if out else "No crystal was given."
        raise GnnmatError(
            f"None of {len(out)} crystals gave a pattern.", why=f"The first: {reason}"
        )
    mixture_shown = _write_mixture(parts, shares, folder, beam, axis) if shares else None
    if views:
        _write_views(folder, views)
    summary = pd.DataFrame(rows)
    write_atomically(folder / SUMMARY, summary.to_csv(index=False))
    if out:
        write_refused(folder, out)
    data = SimulatedPage(
        title="Diffraction patterns",
        lead=f"{beam.words}, {axis.range_words}",
        axis=axis.title,
        at=axis.values,
        panels=shown,
        more=len(rows) - len(shown),
        refused=[(one.id, one.reason) for one in out],
        mixture=mixture_shown,
    )
    extra = {f"{names[one]}{FINGERPRINT}" for one in views}
    extra |= {"fingerprints.npz"} if views else set()
    extra |= {"refused.csv"} if out else set()
    extra |= {"mixture.xy", "mixture.png"} if mixture_shown else set()
    remove_others(folder, earlier, [str(row["files"]) for row in rows], extra)
    page = write_atomically(folder / PAGE, simulated_page(data))
    return SimulatedFolder(folder, page, summary, out)


def _file_names(phases: Sequence[Phase]) -> dict[str, str]:
    """A name for the files of each crystal, none of them that of another file of the folder."""
    names: dict[str, str] = {}
    taken = set(RESERVED)
    for one in phases:
        name, number_ = file_name(one.id), 1
        while name.lower() in taken:
            number_ += 1
            name = f"{file_name(one.id)}-{number_}"
        taken.add(name.lower())
        names[one.id] = name
    return names


def _positions(one: Simulated, axis: Axis) -> Floats:
    """(peaks,) where the Bragg peaks stand on the axis."""
    spacing = one.peaks["d"].to_numpy()
    return 2 * np.pi / spacing if axis.is_q else one.peaks["two_theta"].to_numpy()


def _write_one(one: Simulated, folder: Path, name: str, beam: Beam, axis: Axis) -> None:
    write_atomically(folder / f"{name}.csv", one.peaks.to_csv(index=False, float_format="%.8g"))
    kind = f"a ball of {one.atoms:,} atoms" if one.atoms is not None else "powder"
    heading = f"{one.id} {one.phase.formula}, {kind}"
    text = columns_text(heading, beam, axis, one.pattern)
    write_atomically(folder / f"{name}.xy", text)
    title = f"{one.id}  {one.phase.formula}"
    picture = pattern_png(title, axis.title, axis.values, one.pattern, _positions(one, axis))
    write_atomically(folder / f"{name}.png", picture)
    if one.views is not None:
        gap = np.zeros((one.views.shape[1], 2))
        row = np.concatenate([one.views[0], gap, one.views[1], gap, one.views[2]], axis=1)
        write_atomically(folder / f"{name}{FINGERPRINT}", png(row.astype(np.float32)))


def columns_text(heading: str, beam: Beam, axis: Axis, pattern: Floats) -> str:
    """Text of an .xy file: two columns under comments, which name the wavelength."""
    lines = [
        "# " + " ".join(heading.split()),
        f"# {beam.radiation}, wavelength = {beam.wavelength:.6f} Å",
        f"# {'Q (1/Å)' if axis.is_q else '2 theta (degrees)'}, intensity",
    ]
    pairs = zip(axis.values, pattern, strict=True)
    return "\n".join([*lines, *(f"{x:.5f} {y:.6g}" for x, y in pairs)]) + "\n"


def _summary_row(one: Simulated, name: str) -> dict[str, object]:
    strongest = one.peaks.loc[one.peaks["intensity"].idxmax()] if len(one.peaks) else None
    return {
        "id": one.id,
        "formula": one.phase.formula,
        "files": name,
        "peaks": len(one.peaks),
        "strongest_d": None if strongest is None else float(strongest["d"]),
        "strongest_two_theta": None if strongest is None else float(strongest["two_theta"]),
    }


def _ticks(one: Simulated, axis: Axis, phase: str = "") -> list[Tick]:
    """The peaks of a crystal; in a mixture with the name of the phase."""
    return [
        Tick(float(at), phase + tick_words((row.h, row.k, row.l), row.d, row.multiplicity))
        for at, row in zip(_positions(one, axis), one.peaks.itertuples(), strict=True)
    ]


def _panel(one: Simulated, axis: Axis) -> SimulatedPanel:
    ordered = one.peaks.sort_values("intensity", ascending=False)
    rows = [
        (
            miller(row.h, row.k, row.l),
            number(row.d, 5),
            number(row.two_theta, 5),
            row.multiplicity,
            number(row.intensity),
        )
        for row in ordered.itertuples()
    ]
    return SimulatedPanel(
        one.id, one.phase.formula, [(one.id, one.pattern)], _ticks(one, axis), rows, one.views
    )


def _write_mixture(
    parts: Sequence[Simulated],
    shares: dict[str, float],
    folder: Path,
    beam: Beam,
    axis: Axis,
) -> tuple[str, Floats, list[Tick]]:
    pattern = mixed(parts, shares)
    phases = [one for one in parts if one.id in shares]
    ticks = [tick for one in phases for tick in _ticks(one, axis, f"{one.id} ")]
    words = ", ".join(f"{name} {100 * share:.3g}%" for name, share in shares.items())
    write_atomically(folder / "mixture.xy", columns_text(words, beam, axis, pattern))
    picture = pattern_png(words, axis.title, axis.values, pattern, [tick.at for tick in ticks])
    write_atomically(folder / "mixture.png", picture)
    return f"Shares of mass: {words}.", pattern, ticks


def _write_views(folder: Path, views: dict[str, Floats]) -> None:
    held = io.BytesIO()
    images = np.stack(list(views.values())).astype(np.float32)
    np.savez_compressed(held, ids=np.array(list(views)), images=images)
    write_atomically(folder / "fingerprints.npz", held.getvalue())
