"""What `gnnmat simulate` is told: an instrument, and the Hamiltonians that may be true."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.simulation.coupling_names import check_names
from gnnmat.simulation.form_factors import coefficients
from gnnmat.simulation.instrument import Instrument, Twin
from gnnmat.simulation.options import override, plain_error
from gnnmat.simulation.setting import (
    InstrumentConfig,
    RenderingConfig,
    TableResolution,
    Widths,
)
from gnnmat.simulation.setting import (
    Layout as Layout,
)
from gnnmat.simulation.spectra import SpectrumSimulator
from gnnmat.simulation.spin_waves.model import Bonds, Coupling, Onsite, Site, SpinModel, Vector
from gnnmat.simulation.spin_waves.system import Floats


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


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
        for name, one in self.hypotheses.items():
            if not name.isidentifier():
                raise ValueError(f"'{name}' is no name for a hypothesis: use letters and _")
            check_names(name, one)
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
        """Couplings -> images, for one hypothesis.

        Raises:
            GnnmatError: a bond that joins nothing, an ion without a form factor, no lattice.
        """
        layout = self.layout.build()
        twins = tuple(Twin(one.weight, np.array(one.axes)) for one in self.instrument.twins)
        try:
            system = self.model(name).build()
            if self.rendering.physics == "full":
                for ion in dict.fromkeys(system.ions):
                    coefficients(ion)
        except GnnmatError as error:
            what = error.what if name in error.what else f"Hypothesis '{name}': {error.what}"
            raise GnnmatError(what, why=error.why, fix=error.fix) from error
        return SpectrumSimulator(
            system,
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
        raise plain_error(error, Simulation, "The simulation") from None


def load_simulation(path: str | Path, overrides: Sequence[str] = ()) -> Simulation:
    """The simulation in a YAML file or of a shipped recipe, with ``a.b=c`` overrides.

    Raises:
        GnnmatError: no such file, not YAML, an unknown or unfit option.
    """
    import yaml

    found = find_simulation(path)
    try:
        plain = yaml.safe_load(found.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GnnmatError(f"{found} is not YAML.", why=str(error)) from error
    if not isinstance(plain, dict):
        raise GnnmatError(f"{found} holds {type(plain).__name__}, expected options by name.")
    return parse_simulation(override(plain, overrides))


def find_simulation(path: str | Path) -> Path:
    """The YAML file of a simulation: a path, a set that was simulated, or a shipped name.

    Raises:
        GnnmatError: none of them; a recipe for training.
    """
    from gnnmat.shipped import recipes

    found = Path(path)
    if found.is_file():
        return found
    if (found / "simulation.yaml").is_file():
        return found / "simulation.yaml"
    names = recipes("simulation")
    if found.stem in names:
        return names[found.stem]
    if str(path) in recipes("training"):
        raise GnnmatError(
            f"'{path}' is a recipe for training, not a simulation.",
            fix=f"To train by it: gnnmat train {path}; simulations: {', '.join(names)}",
        )
    raise GnnmatError(
        f"There is no simulation '{path}': neither a file nor the name of a shipped one.",
        fix=did_you_mean(found.stem, names),
    )
