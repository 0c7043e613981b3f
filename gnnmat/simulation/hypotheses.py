"""What `gnnmat simulate` is told: an instrument, and the Hamiltonians that may be true."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.simulation.instrument import Instrument, Twin
from gnnmat.simulation.layout import SliceLayout, relative_layout
from gnnmat.simulation.resolution import ConstantWidths, CovarianceTable, Resolution
from gnnmat.simulation.spectra import Rendering, SpectrumSimulator
from gnnmat.simulation.spin_waves.model import Bonds, Coupling, Onsite, Site, SpinModel, Vector
from gnnmat.simulation.spin_waves.system import Floats

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
Axes = tuple[Vector, Vector, Vector]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Layout(_Part):
    """Incident energies and the slices cut from each."""

    incident_energies: tuple[float, ...] = Field(min_length=1, description="meV.")
    first: float = Field(0.10, gt=0, description="Lower edge of the first slice / energy.")
    width: float = Field(0.06, gt=0, description="Width of a slice / incident energy.")
    slices: int = Field(10, gt=0, description="Slices of each incident energy.")
    pixels: int = Field(40, gt=1, description="On a side of a slice.")
    extent: float = Field(1.0, gt=0, description="|h|, |k| of the outermost pixels, r.l.u.")

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
            with np.load(path, allow_pickle=False) as archive:
                tables = {}
                for energy in incident_energies:
                    name = f"ei{energy:g}"
                    if name not in archive.files:
                        raise GnnmatError(
                            f"{path} has no array {name}.",
                            why=f"It holds: {', '.join(archive.files)}.",
                        )
                    table = np.array(archive[name], dtype=float)
                    if table.ndim == 2 and table.shape[1] == 12:
                        table[:, 3:] /= self.sharpen**2
                    tables[float(energy)] = table
        except (OSError, ValueError) as error:
            raise GnnmatError(f"{path} is not a readable .npz file.", why=str(error)) from error
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


class SameImage(_Part):
    """An exchange of couplings that leaves the image as it is."""

    exchange: tuple[tuple[str, str], ...] = Field(min_length=1, description="Pairs of couplings.")
    larger: str = Field(description="The coupling that is kept the larger in magnitude.")


class Hypothesis(_Part):
    """A Hamiltonian that may be true; what it shares with others stands under ``magnet``."""

    couplings: dict[str, Coupling] = Field(description="By name, with ranges.")
    bonds: tuple[Bonds, ...] = Field((), description="Exchange terms.")
    onsite: tuple[Onsite, ...] = Field((), description="Single-ion terms.")
    lattice: tuple[float, ...] | tuple[Vector, Vector, Vector] | None = None
    sites: tuple[Site, ...] | None = None
    same_image: tuple[SameImage, ...] = Field((), description="Symmetries of the image.")


class Magnet(_Part):
    """What the hypotheses share."""

    lattice: tuple[float, ...] | tuple[Vector, Vector, Vector] | None = None
    sites: tuple[Site, ...] = ()
    field: Vector = (0.0, 0.0, 0.0)
    g: float = 2.0
    copies: int = Field(
        1, gt=0, description="Identical parts of the magnetic cell of which one is listed."
    )


class Simulation(_Part):
    """A simulation as written down."""

    name: str = Field("simulation", pattern=r"^[\w.-]+$", description="Name of the folder.")
    layout: Layout = Field(description="Incident energies and slices.")
    resolution: Annotated[TableResolution | Widths, Field(discriminator="kind")] = Field(
        Widths(), description="Of the instrument."
    )
    instrument: InstrumentConfig = Field(InstrumentConfig(), description="Axes and twins.")
    rendering: RenderingConfig = Field(RenderingConfig(), description="Sampling and physics.")
    magnet: Magnet = Field(Magnet(), description="Lattice and sites shared by all hypotheses.")
    hypotheses: dict[str, Hypothesis] = Field(min_length=1, description="By name.")

    @model_validator(mode="after")
    def _names(self) -> Simulation:
        for name in self.hypotheses:
            if not name.isidentifier():
                raise ValueError(f"'{name}' is no name for a hypothesis: use letters and _")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The hypotheses."""
        return tuple(self.hypotheses)

    def hypothesis(self, name: str) -> Hypothesis:
        """One hypothesis."""
        if name not in self.hypotheses:
            raise GnnmatError(
                f"There is no hypothesis '{name}'.", fix=did_you_mean(name, self.hypotheses)
            )
        return self.hypotheses[name]

    def couplings(self, name: str) -> tuple[str, ...]:
        """Names of the couplings of a hypothesis, in order."""
        return tuple(self.hypothesis(name).couplings)

    def ranges(self, name: str) -> Floats:
        """(p, 2) lowest and highest value of each coupling, meV."""
        couplings = self.hypothesis(name).couplings.values()
        return np.array([one.range or (one.reference, one.reference) for one in couplings])

    def reference(self, name: str) -> Floats:
        """(p,) values known or guessed, meV."""
        return np.array([one.reference for one in self.hypothesis(name).couplings.values()])

    def draw(self, name: str, rng: np.random.Generator) -> Floats:
        """(p,) uniform and independent values of the couplings."""
        ranges = self.ranges(name)
        values: Floats = rng.uniform(ranges[:, 0], ranges[:, 1])
        return values

    def canonical(self, name: str, values: Floats) -> Floats:
        """(..., p) values with every exchange that the image cannot tell undone."""
        names = self.couplings(name)
        out: Floats = np.array(values, dtype=float)
        for rule in self.hypothesis(name).same_image:
            pairs = [(names.index(a), names.index(b)) for a, b in rule.exchange]
            large = names.index(rule.larger)
            other = next((b if a == large else a) for a, b in pairs if large in (a, b))
            swap = np.abs(out[..., other]) > np.abs(out[..., large])
            turned = out.copy()
            for a, b in pairs:
                turned[..., a], turned[..., b] = out[..., b], out[..., a]
            out = np.where(swap[..., None], turned, out)
        return out

    def model(self, name: str) -> SpinModel:
        """The Hamiltonian of a hypothesis with what it shares with the others."""
        own = self.hypothesis(name)
        lattice = own.lattice or self.magnet.lattice
        sites = own.sites or self.magnet.sites
        if lattice is None or not sites:
            raise GnnmatError(
                f"Hypothesis '{name}' has no lattice or no sites.",
                fix="Give them under magnet:, or under the hypothesis.",
            )
        return SpinModel(
            lattice=lattice,
            sites=sites,
            couplings=own.couplings,
            bonds=own.bonds,
            onsite=own.onsite,
            field=self.magnet.field,
            g=self.magnet.g,
        )

    def simulator(self, name: str, device: str = "cpu") -> SpectrumSimulator:
        """Couplings -> images, for one hypothesis."""
        layout = self.layout.build()
        twins = tuple(Twin(one.weight, np.array(one.axes)) for one in self.instrument.twins)
        return SpectrumSimulator(
            self.model(name).build(),
            layout,
            self.resolution.open(layout.incident_energies),
            Instrument(np.array(self.instrument.axes), twins, self.resolution.intrinsic),
            self.rendering.build(),
            copies=self.magnet.copies,
            device=device,
        )


def parse_simulation(plain: dict[str, Any]) -> Simulation:
    """The simulation of plain dictionaries.

    Raises:
        GnnmatError: an unknown or unfit option, with its dotted path.
    """
    from pydantic import ValidationError

    try:
        return Simulation.model_validate(plain)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise GnnmatError(f"{place or 'The simulation'}: {first['msg']}.") from None


def load_simulation(path: str | Path, overrides: Sequence[str] = ()) -> Simulation:
    """The simulation in a YAML file or of a shipped recipe, with ``a.b=c`` overrides.

    Raises:
        GnnmatError: no such file, not YAML, an unknown or unfit option.
    """
    import yaml

    from gnnmat.shipped import recipes

    found = Path(path)
    names = recipes("simulation")
    if not found.is_file() and found.stem in names:
        found = names[found.stem]
    if not found.is_file():
        raise GnnmatError(
            f"There is no simulation '{path}'.",
            why=f"Shipped simulations: {', '.join(names)}.",
            fix=did_you_mean(found.stem, names),
        )
    try:
        plain = yaml.safe_load(found.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GnnmatError(f"{found} is not YAML.", why=str(error)) from error
    if not isinstance(plain, dict):
        raise GnnmatError(f"{found} holds {type(plain).__name__}, expected options by name.")
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals:
            raise GnnmatError(f"--set {override}: expected a dotted option and a value.")
        *parents, last = name.split(".")
        tree = plain
        for key in parents:
            below = tree.setdefault(key, {})
            if not isinstance(below, dict):
                raise GnnmatError(f"--set {override}: '{key}' has no options below it.")
            tree = below
        tree[last] = yaml.safe_load(text)
    return parse_simulation(plain)
