"""A small convolutional network for images and patterns of any spatial rank."""

from __future__ import annotations

from math import prod
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from gnnmat.errors import GnnmatError
from gnnmat.models.encoder import Encoder
from gnnmat.sample import Batch, DataSpec

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


class Cnn(BaseModel):
    """Strided convolutions, then the mean over the last feature map, or a dense layer on it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["cnn"] = "cnn"
    widths: tuple[int, ...] = Field((16, 32), min_length=1, description="Channels of each layer.")
    kernel: int = Field(3, gt=0, description="Pixels on a side of each kernel, odd.")
    stride: int = Field(2, gt=0, description="Pixels between the places of a kernel.")
    pool: Literal["mean", "dense"] = Field(
        "mean",
        description="From the last map to the sample: 'mean' forgets where on the map something "
        "was, and can be drawn as a class activation map; 'dense' keeps it, as the places of the "
        "lines of a powder need.",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of the pooled features dropped.")

    @classmethod
    def example(cls) -> Cnn:
        """A small instance for contract tests."""
        return cls(widths=(4, 8))

    def build(self, spec: DataSpec) -> CnnEncoder:
        """The network for these data."""
        if len(spec.image_shape) not in CONVOLUTIONS:
            raise GnnmatError(
                f"cnn needs images of rank 1, 2 or 3, these have rank {len(spec.image_shape)}."
            )
        return CnnEncoder(self, spec.channels, spec.image_shape)

    def last_map(self, image_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the last map."""
        return tuple(self._cells(pixels) for pixels in image_shape)

    def _cells(self, pixels: int) -> int:
        """Pixels of the last map along an axis."""
        for _ in self.widths:
            pixels = (pixels + 2 * (self.kernel // 2) - self.kernel) // self.stride + 1
        return pixels


class CnnEncoder(Encoder):
    """Convolutions whose last feature map is the local features, one row a pixel.

    Args:
        config: of the network.
        channels: of the images.
        image_shape: their spatial shape.
    """

    reads: tuple[str, ...] = ("image",)

    def __init__(self, config: Cnn, channels: int, image_shape: tuple[int, ...]) -> None:
        super().__init__()
        rank, kernel = len(image_shape), config.kernel
        layers: list[nn.Module] = []
        for before, after in zip((channels, *config.widths), config.widths, strict=False):
            layers += [
                CONVOLUTIONS[rank](before, after, kernel, config.stride, padding=kernel // 2),
                NORMS[rank](after),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers)
        self.map_shape = config.last_map(image_shape)
        self.width = config.widths[-1]
        self.dense = None
        if config.pool == "dense":
            cells = prod(self.map_shape)
            self.dense = nn.Sequential(nn.Linear(cells * self.width, self.width), nn.ReLU())
        self.dropout = nn.Dropout(config.dropout)

    def local(self, batch: Batch) -> Tensor:
        maps: Tensor = self.layers(batch.image)
        return maps.flatten(2).transpose(1, 2).reshape(-1, self.width)

    def pool(self, local: Tensor, batch: Batch) -> Tensor:
        maps = local.view(batch.num_graphs, -1, self.width)
        pooled: Tensor = maps.mean(dim=1) if self.dense is None else self.dense(maps.flatten(1))
        return self.dropout(pooled)

    def inputs(self, batch: Batch) -> Tensor:
        image: Tensor = batch.image
        return image
