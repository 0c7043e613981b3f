"""A small convolutional network for images of any spatial rank."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from gnnmat.errors import GnnmatError
from gnnmat.models.encoder import Encoder
from gnnmat.sample import Batch, DataSpec

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


class Cnn(BaseModel):
    """Strided convolutions, then the mean over the last feature map."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["cnn"] = "cnn"
    widths: tuple[int, ...] = Field((16, 32), min_length=1, description="Channels of each layer.")
    kernel: int = Field(3, gt=0, description="Pixels on a side of each kernel, odd.")
    stride: int = Field(2, gt=0, description="Pixels between the places of a kernel.")

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
        encoder = CnnEncoder(
            spec.channels, len(spec.image_shape), self.widths, self.kernel, self.stride
        )
        if len(spec.image_shape) == 2:
            rows, columns = (self._cells(pixels) for pixels in spec.image_shape)
            encoder.map_shape = rows, columns
        return encoder

    def _cells(self, pixels: int) -> int:
        """Pixels of the last map along an axis."""
        for _ in self.widths:
            pixels = (pixels + 2 * (self.kernel // 2) - self.kernel) // self.stride + 1
        return pixels


class CnnEncoder(Encoder):
    """Convolutions whose last feature map is the local features, one row a pixel."""

    reads: tuple[str, ...] = ("image",)
    map_shape: tuple[int, int] | None = None

    def __init__(
        self, channels: int, rank: int, widths: tuple[int, ...], kernel: int, stride: int
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((channels, *widths), widths, strict=False):
            layers += [
                CONVOLUTIONS[rank](before, after, kernel, stride, padding=kernel // 2),
                NORMS[rank](after),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers)
        self.width = widths[-1]

    def local(self, batch: Batch) -> Tensor:
        maps: Tensor = self.layers(batch.image)
        return maps.flatten(2).transpose(1, 2).reshape(-1, self.width)

    def pool(self, local: Tensor, batch: Batch) -> Tensor:
        return local.view(batch.num_graphs, -1, self.width).mean(dim=1)

    def inputs(self, batch: Batch) -> Tensor:
        image: Tensor = batch.image
        return image
