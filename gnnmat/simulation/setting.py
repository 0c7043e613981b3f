"""How a simulation is set up: slices, resolution, axes of the crystal, fineness of the images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout, relative_layout
from gnnmat.simulation.resolution import ConstantWidths, CovarianceTable, Resolution
from gnnmat.simulation.spectra import Rendering
from gnnmat.simulation.spin_waves.model import Vector

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
Axes = tuple[Vector, Vector, Vector]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Layout(_Part):
    """Incident energies and the slices cut from each."""

    incident_energies: tuple[float, ...] = Field(min_length=1, description="meV.")
    first: float = Field(0.10, gt=0, description="Lower edge of the first slice / energy.")
    width: float = Field(0.06, gt=0, description="Width of a slice / incident energy.")
    slices: int = Field(10, gt=0, description="Slices of each incident energy.")
    pixels: int = Field(40, gt=1, description="On a side of a slice.")
    extent: float = Field(1.0, gt=0, description="|h|, |k| of the outermost pixels, r.l.u.")

    @field_validator("incident_energies")
    @classmethod
    def _each_once(cls, energies: tuple[float, ...]) -> tuple[float, ...]:
        for energy in energies:
            if energy <= 0:
                raise ValueError(f"{energy:g} meV is no incident energy")
            if energies.count(energy) > 1:
                raise ValueError(f"{energy:g} meV is given twice")
        return energies

    def build(self) -> SliceLayout:
        """The layout."""
        return relative_layout(
            self.incident_energies,
            first=self.first,
            width=self.width,
            slices=self.slices,
            pixels=self.pixels,
            extent=self.extent,
        )


class TableResolution(_Part):
    """A table of covariances, one array ``ei<energy>`` (n, 12) an incident energy, in a .npz."""

    kind: Literal["table"] = "table"
    path: str = Field(description="The .npz file; $VARIABLES are filled in.")
    intrinsic: float = Field(0.1, ge=0, description="Width of the excitations, meV FWHM.")
    sharpen: float = Field(1.0, gt=0, description="Divides every width of the table.")

    def open(self, incident_energies: Sequence[float]) -> Resolution:
        """The table, read."""
        path = Path(os.path.expandvars(self.path)).expanduser()
        if "$" in str(path) or not path.is_file():
            raise GnnmatError(
                f"There is no resolution table {self.path}.",
                fix="Give its place, or constant widths: resolution.kind=widths",
            )
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                tables = {}
                for energy in incident_energies:
                    name = f"ei{energy:g}"
                    if name not in archive.files:
                        raise GnnmatError(
                            f"{path} has no array {name}.",
                            why=f"It holds: {', '.join(archive.files)}.",
                            fix="A table needs one array ei<energy> (n, 12) an incident energy.",
                        )
                    table = np.array(archive[name], dtype=float)
                    if table.ndim == 2 and table.shape[1] == 12:
                        table[:, 3:] /= self.sharpen**2
                    tables[float(energy)] = table
        # A single array, as in an .npy file, is a TypeError: it cannot be opened as an archive.
        except (OSError, ValueError, EOFError, TypeError, BadZipFile) as error:
            why = str(error)
            if isinstance(error, TypeError) or "pickle" in why:
                why = "It is no .npz file of numbers; Python objects are not read."
            raise GnnmatError(f"{path} is not a readable .npz file.", why=why) from error
        return CovarianceTable(tables)


class Widths(_Part):
    """The same widths everywhere."""

    kind: Literal["widths"] = "widths"
    q: float = Field(0.015, gt=0, description="Standard deviation of h and k, r.l.u.")
    energy: float = Field(0.017, gt=0, description="Of the energy / incident energy.")
    intrinsic: float = Field(0.1, ge=0, description="Width of the excitations, meV FWHM.")

    def open(self, incident_energies: Sequence[float]) -> Resolution:
        """The resolution."""
        return ConstantWidths(self.q, self.energy)


class TwinConfig(_Part):
    """A domain of the crystal."""

    weight: float = Field(1.0, gt=0, description="Share of the crystal.")
    axes: Axes = Field(IDENTITY, description="(h, k, l) of the domain, one a row.")


class InstrumentConfig(_Part):
    """How the image lies in the crystal; the beam is along the third axis."""

    axes: Axes = Field(IDENTITY, description="(h, k, l) in units of the magnetic cell, by row.")
    twins: tuple[TwinConfig, ...] = Field((TwinConfig(),), min_length=1, description="Domains.")
    mask: str = Field(
        "",
        description="File of pixels without a detector, .npy or .npz, for measured spectra that "
        "come without; $VARIABLES are filled in. Simulated images are whole.",
    )


class RenderingConfig(_Part):
    """How finely, and by which physics."""

    grid: int = Field(100, gt=3, multiple_of=2, description="Points along the magnetic zone.")
    samples: int = Field(16, gt=0, description="Points a pixel.")
    stability_grid: int = Field(16, gt=1, multiple_of=2, description="Of the stability test.")
    temperature: float | None = Field(None, gt=0, description="Kelvin; null leaves out Bose.")
    physics: Literal["full", "horace_2021"] = Field(
        "full",
        description="'horace_2021' repeats the reference images of Butler et al.: no form "
        "factor, l = 0, second twin without the spin component out of the plane.",
    )
    seed: int = Field(0, ge=0, description="Of the sample points.")

    def build(self) -> Rendering:
        """Plain options."""
        full = self.physics == "full"
        return Rendering(
            grid=self.grid,
            samples=self.samples,
            stability_grid=self.stability_grid,
            form_factors=full,
            kinematic_l=full,
            last_twin_out_of_plane=full,
            temperature=self.temperature,
            seed=self.seed,
        )
