"""The module that gives clusters their defects and looks at them."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gnnmat.augment.augmentation import Augmentation, Draw, stream
from gnnmat.augment.defects import (
    displacements,
    misorientation,
    neighbour_distance,
    random_strain,
    random_turn,
    substituted,
    survivors,
)
from gnnmat.augment.measurement import Range
from gnnmat.sample import Batch
from gnnmat.simulation.diffraction.cluster_images import cluster_images
from gnnmat.simulation.diffraction.detector import Detector

if TYPE_CHECKING:
    from gnnmat.augment.fingerprint import Fingerprint


class ClusterViews(Augmentation):
    """Clusters z (atoms,), pos (atoms, 3) in Å -> images (B, 3, pixels, pixels) of 0 to 1.

    Args:
        options: what is drawn, and the detector.
    """

    def __init__(self, options: Fingerprint) -> None:
        super().__init__()
        self.options = options
        self.detector = Detector(options.pixels, options.widest, 0.0)

    def forward(self, batch: Batch, draw: Draw, seed: int = 0, epoch: int = 0) -> Batch:
        made = copy(batch)
        sizes = (batch["ptr"][1:] - batch["ptr"][:-1]).tolist()
        rows = batch["row"].tolist()
        places, weights, stops = [], [], []
        parts = zip(rows, batch["pos"].split(sizes), batch["z"].split(sizes), strict=True)
        for row, pos, z in parts:
            generator = None if draw == "none" else stream(draw, seed, epoch, row)
            place, number = self.cluster(pos.float(), z, generator)
            places.append(place)
            weights.append(self._weights(number).to(place))
            stops.append(self._stop(generator))
        images = cluster_images(places, weights, self.detector)
        made.image = self.finish(images, torch.tensor(stops).to(images))
        return made

    def cluster(
        self, pos: Tensor, z: Tensor, generator: np.random.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """(left, 3) places in neighbour distances and (left,) atomic numbers of those left.

        Args:
            pos: (atoms, 3) Å.
            z: (atoms,).
            generator: of the sample; None leaves the cluster as it is.
        """
        if generator is None:
            return pos / neighbour_distance(pos), z
        options = self.options
        left = survivors(len(z), _even(generator, options.vacancies), generator)
        shift = displacements(len(z), _even(generator, options.displacement), generator)
        numbers = substituted(z.cpu().numpy(), _even(generator, options.substituted), generator)
        strain = random_strain(_even(generator, options.strain), generator)
        kept = torch.from_numpy(left).to(pos.device)
        place = (pos + torch.from_numpy(shift).to(pos))[kept]
        place = place @ torch.from_numpy(np.eye(3) + strain).to(pos)
        unit = neighbour_distance(place if options.scale == "found" else pos)
        place = (place - place.mean(dim=0)) / unit
        turn = self._turn(generator)
        if turn is not None:
            place = place @ torch.from_numpy(turn.T.copy()).to(pos)
        return place, torch.from_numpy(numbers).to(z.device)[kept]

    def finish(self, images: Tensor, stops: Tensor) -> Tensor:
        """Images behind a beam stop (B,) and a round rim, each channel from 0 to 1."""
        axis = self.detector.axis.to(images)
        far = axis[:, None].hypot(axis[None])
        seen = (far >= stops[:, None, None]) & (far <= self.detector.widest)
        images = images * seen[:, None]
        images = images / images.amax(dim=(-1, -2), keepdim=True).clamp(min=1e-30)
        return images.sqrt() if self.options.transform == "sqrt" else images

    def _turn(self, generator: np.random.Generator) -> np.ndarray | None:
        if self.options.orientation == "random":
            return random_turn(generator)
        if self.options.orientation == "misorientation":
            return misorientation(_even(generator, self.options.misorientation), generator)
        return None

    def _weights(self, numbers: Tensor) -> Tensor:
        if self.options.strength == "alike":
            return torch.ones(len(numbers), device=numbers.device)
        # Over the mean: the numbers stay near 1, whatever the elements.
        return numbers / numbers.float().mean()

    def _stop(self, generator: np.random.Generator | None) -> float:
        low, high = self.options.beam_stop
        return low if generator is None else _even(generator, (low, high))


def _even(generator: np.random.Generator, between: Range) -> float:
    """A number drawn evenly."""
    return float(generator.uniform(*between))
