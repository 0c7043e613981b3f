"""The Python API of powder diffraction: simulate patterns, find a crystal for a measured one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnnmat.sources.powder_pattern import PowderPattern
    from gnnmat.workflows.diffraction.match import Match
    from gnnmat.workflows.diffraction.simulated_files import SimulatedFolder

__all__ = ["match_pattern", "simulate_diffraction"]


def simulate_diffraction(
    structures: Sequence[Any],
    output: str | Path = "patterns",
    *,
    radiation: str = "xray",
    wavelength: str | float | None = None,
    doublet: bool = False,
    start: float | None = None,
    stop: float | None = None,
    step: float | None = None,
    q: bool = False,
    width: float | None = None,
    size: float | None = None,
    u: float = 0.0,
    v: float = 0.0,
    microstrain: float = 0.0,
    b_factor: float = 0.0,
    mixture: str = "",
    debye: float | None = None,
    fingerprint: bool = False,
    progress: bool = False,
) -> SimulatedFolder:
    """A folder with the powder pattern of each crystal: peaks, columns, pictures and a page.

    Args:
        structures: files, folders, patterns, tables, or objects of pymatgen and ASE.
        output: folder.
        radiation: xray, neutron or electron.
        wavelength: in Å or as CuKa; default CuKa, 1.54 Å for neutrons, 0.02508 Å for electrons.
        doublet: K-alpha 1 and 2 instead of their mean.
        start: first angle, degrees of 2 theta; with ``q`` 1/Å.
        stop: last one.
        step: between two points; default 0.02 degrees, or 4,000 points of Q.
        q: an axis of Q = 4 pi sin(theta) / wavelength.
        width: full width of the instrument's peaks, degrees; default 0.1, for electrons 0.01.
        size: of the crystallites, Å; default endless.
        u: of Caglioti's formula, degrees^2: widths^2 are u tan^2 theta + v tan theta + width^2.
        v: likewise.
        microstrain: e, a pure number: Lorentzian widths grow by 4 e tan theta.
        b_factor: B of all atoms, Å^2, of Debye and Waller.
        mixture: shares of mass, such as ``NaCl=0.7,Si=0.3``.
        debye: radius of a ball of atoms in Å, whose pattern takes the place of the powder's.
        fingerprint: also two-dimensional views of a cluster.
        progress: show progress bars.

    Returns:
        ``folder``, ``page``, ``summary`` (a row a crystal) and ``refused``.
    """
    import math

    from gnnmat.workflows.diffraction.beam import make_beam
    from gnnmat.workflows.diffraction.phases import read_phases
    from gnnmat.workflows.diffraction.simulate import Options
    from gnnmat.workflows.diffraction.simulated_files import write_simulated
    from gnnmat.workflows.diffraction.usual import usual_axis, usual_width

    beam = make_beam(radiation, wavelength, doublet=doublet)
    options = Options(
        width=usual_width(beam) if width is None else width,
        size=math.inf if size is None else size,
        u=u,
        v=v,
        microstrain=microstrain,
        b_factor=b_factor,
        debye=debye,
        fingerprint=fingerprint,
    )
    axis = usual_axis(beam, start, stop, step, is_q=q)
    phases, refused = read_phases(structures, quiet=not progress)
    return write_simulated(
        phases,
        beam,
        axis,
        options,
        Path(output),
        mixture=mixture,
        refused=refused,
        quiet=not progress,
    )


def match_pattern(
    pattern: str | Path | PowderPattern,
    structures: Sequence[Any],
    *,
    wavelength: str | float | None = None,
    radiation: str | None = None,
    elements: Sequence[str] = (),
    top: int = 10,
    strain: float = 0.02,
    zero: float = 0.2,
    texture: bool = True,
    run: str | Path | None = None,
    output: str | Path | None = None,
    progress: bool = False,
) -> Match:
    """The known crystals that explain a measured powder pattern best, each refined.

    Args:
        pattern: a file (.xy, .xye, .csv, .xrdml, .ras, .brml) or a `PowderPattern`.
        structures: as in `simulate_diffraction`.
        wavelength: where the file does not say it: CuKa for a tube with both lines, CuKa1 behind
            a monochromator, or Å.
        radiation: xray or neutron; default what the file says, else xray.
        elements: crystals with others are passed over; default any.
        top: candidates to refine.
        strain: largest relative change of the lengths of a cell in the search.
        zero: largest zero shift in the search, degrees.
        texture: also refine a preferred orientation, where it explains much more.
        run: folder or name of a model of powder patterns; the crystals that look most like the
            pattern to it are refined as well, and every candidate gets its ``embedding``.
        output: page to write, .html; a table and a picture are written beside it.
        progress: show progress bars.

    Returns:
        ``table`` (a row a candidate), ``candidates``, ``searched``, ``refused``, ``notes``.
    """
    from gnnmat.sources.pattern_objects import emitted
    from gnnmat.sources.powder_files import read_powder
    from gnnmat.workflows.beside import check_beside
    from gnnmat.workflows.diffraction.beam import beam_of
    from gnnmat.workflows.diffraction.match import check_searched, check_span
    from gnnmat.workflows.diffraction.match import match_pattern as _match
    from gnnmat.workflows.diffraction.match_files import write_match
    from gnnmat.workflows.diffraction.phases import check_elements, read_phases
    from gnnmat.workflows.diffraction.search_match import Scan

    check_elements(elements)
    check_searched(radiation)
    if output is not None:
        check_beside(output, [pattern, *structures])
    known = None if wavelength is None else emitted(wavelength)[0]
    measured = (
        read_powder(pattern, otherwise=known) if isinstance(pattern, (str, Path)) else pattern
    )
    beam = beam_of(measured, radiation, wavelength)
    check_searched(beam.radiation)
    check_span(measured)
    phases, refused = read_phases(structures, elements=elements, quiet=not progress)
    found = _match(
        measured,
        beam,
        phases,
        top=top,
        scan=Scan(strain=strain, zero=zero),
        texture=texture,
        run=run,
        refused=refused,
        quiet=not progress,
    )
    if output is not None:
        write_match(found, Path(output))
    return found
