"""Images of many draws, in this process or in several, in order."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from gnnmat.engine import Failure, available_cores, iter_items
from gnnmat.errors import GnnmatError
from gnnmat.simulation.hypotheses import Simulation, parse_simulation
from gnnmat.simulation.spectra import SpectrumSimulator

ON_DEVICE = 16  # images a call; on a processor one, so that nothing depends on the neighbours


@dataclass(frozen=True)
class Draw:
    """One image to come."""

    id: str
    hypothesis: str
    values: NDArray[np.float64]  # (p,) meV
    stable: bool


@dataclass(frozen=True)
class Renderer:
    """Draws -> (n, R, C) images; small, so that it travels to other processes.

    Args:
        text: the simulation as YAML.
        device: where to compute.
    """

    text: str
    device: str

    def __call__(self, draws: Sequence[Draw]) -> NDArray[np.float32]:
        images: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(draws)
        with one_thread():
            for name in dict.fromkeys(draw.hypothesis for draw in draws):
                places = [n for n, draw in enumerate(draws) if draw.hypothesis == name]
                values = torch.from_numpy(np.stack([draws[n].values for n in places]))
                made = _simulator(self.text, name, self.device).images(values).cpu().numpy()
                for place, image in zip(places, made, strict=True):
                    images[place] = image
        stack = np.stack(images).astype(np.float32, copy=False)
        if not np.isfinite(stack).all():
            raise GnnmatError("The intensities are not finite.")
        return stack


@lru_cache(maxsize=8)
def _simulator(text: str, name: str, device: str) -> SpectrumSimulator:
    return _parsed(text).simulator(name, device=device)


@lru_cache(maxsize=1)
def _parsed(text: str) -> Simulation:
    return parse_simulation(yaml.safe_load(text))


def forget_simulators() -> None:
    """Free the memory of simulators that were used in this process."""
    _simulator.cache_clear()
    _parsed.cache_clear()


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for PyTorch: sums come out the same however many processes share the work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_device(device: str) -> str:
    """The device for ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ...

    Raises:
        GnnmatError: no such device, or it is not there.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = device.partition(":")
    if kind not in {"cpu", "cuda"} or not (number or "0").isdigit():
        raise GnnmatError(f"Unknown device '{device}'.", fix="auto, cpu, cuda or cuda:1")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise GnnmatError(
            f"There is no device '{device}' here.",
            why=f"PyTorch sees {torch.cuda.device_count()} of the kind 'cuda'.",
            fix="--device auto",
        )
    return device


def render(
    text: str, groups: Sequence[Sequence[Draw]], *, workers: int | None, device: str
) -> Generator[NDArray[np.float32]]:
    """(R, C) image of every draw, group by group, in order.

    Args:
        text: the simulation as YAML.
        groups: draws; images of two groups are never computed in one call.
        workers: processes; None: one a core, or this one alone for a device.
        device: as `choose_device` returns it.

    Raises:
        GnnmatError: an image could not be computed.
    """
    on_device = device != "cpu"
    size = ON_DEVICE if on_device else 1
    batches = [
        group[start : start + size] for group in groups for start in range(0, len(group), size)
    ]
    if workers is None:
        workers = 1 if on_device else available_cores()
    stream: Any = iter_items(Renderer(text, device), batches, workers=workers, quiet=True, chunk=1)
    with closing(stream):
        for batch, images in zip(batches, stream, strict=True):
            if isinstance(images, Failure):
                first, last = batch[0].id, batch[-1].id
                which = first if first == last else f"{first} to {last}"
                raise GnnmatError(f"{which} could not be computed.", why=images.reason)
            yield from images
