"""What several trained members, or one with its dropout left on, say about the same samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from gnnmat.augment.augmentation import Draw
from gnnmat.errors import GnnmatError
from gnnmat.sample import Batch, Features
from gnnmat.train.checkpoint import Trained
from gnnmat.train.image_statistics import image_statistics, is_picture

DROPOUTS = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)

WIDEST = 512  # features of a sample that are kept: a covariance has its square


@dataclass(frozen=True)
class Observed:
    """Everything the members said, on the CPU.

    Args:
        decoded: (voices, rows, d) decoded predictions; a voice is a member, or one draw of a
            member's dropout.
        pooled: (samples, width) features of each member, without dropout; wider ones than
            `WIDEST` are averaged in groups.
        strangeness: by name (members, samples), the higher the stranger; see `Task.strangeness`.
        statistics: (samples, s) of the images that the members saw; None for graphs.
    """

    decoded: Tensor
    pooled: tuple[Tensor, ...]
    strangeness: dict[str, Tensor] = field(default_factory=dict)
    statistics: Tensor | None = None


def observe(
    members: Sequence[Trained],
    batches: Iterable[Batch],
    *,
    draw: Draw = "none",
    seed: int = 0,
    samples: int = 0,
) -> Observed:
    """What the members say about these batches; all of them see the same draws.

    Args:
        members: trained with the same input and targets.
        batches: in order.
        draw: 'fixed' for simulated rows that are scored, 'none' for measurements.
        seed: of the draws and of the dropout.
        samples: draws of the dropout of each member; 0 leaves it out.

    Raises:
        GnnmatError: dropout is asked for and a member has none.
    """
    if samples:
        for one in members:
            _check_drops(one)
    decoded: list[Tensor] = []
    pooled: list[list[Tensor]] = [[] for _ in members]
    strange: dict[str, list[Tensor]] = {}
    statistics: list[Tensor] = []
    device = next(members[0].task.parameters()).device
    with torch.inference_mode():
        for start, batch in enumerate(batches):
            seen = members[0].augment(batch.to(device), draw, seed)
            if is_picture(seen):
                statistics.append(image_statistics(seen, members[0].spec).cpu())
            said, found = [], []
            for number, one in enumerate(members):
                one.encoder.eval(), one.task.eval()
                features = one.encoder(seen)
                raw = one.task(features, seen)
                pooled[number].append(_narrowed(features.pooled.float()).cpu())
                found.append(one.task.strangeness(raw, features, seen))
                if samples:
                    stream = (seed, number, start)
                    said += list(_dropped(one, seen, features, samples, stream))
                else:
                    said.append(one.task.decode(raw).float().cpu())
            decoded.append(torch.stack(said))
            for name in found[0]:
                each = torch.stack([one[name].float().cpu() for one in found])
                strange.setdefault(name, []).append(each)
    if not decoded:
        return Observed(torch.empty(0, 0, 0), tuple(torch.empty(0, 0) for _ in members))
    return Observed(
        torch.cat(decoded, dim=1),
        tuple(torch.cat(parts) for parts in pooled),
        {name: torch.cat(parts, dim=1) for name, parts in strange.items()},
        torch.cat(statistics) if statistics else None,
    )


def joined(parts: Sequence[Observed]) -> Observed:
    """Several observations of the same members, one after the other."""
    return Observed(
        torch.cat([part.decoded for part in parts], dim=1),
        tuple(torch.cat(each) for each in zip(*(part.pooled for part in parts), strict=True)),
        {
            name: torch.cat([part.strangeness[name] for part in parts], dim=1)
            for name in parts[0].strangeness
        },
        None
        if parts[0].statistics is None
        else torch.cat([part.statistics for part in parts if part.statistics is not None]),
    )


def _narrowed(pooled: Tensor) -> Tensor:
    """Features (samples, width), neighbours averaged where there are more than can be compared."""
    if pooled.shape[1] <= WIDEST:
        return pooled
    return nn.functional.adaptive_avg_pool1d(pooled[:, None], WIDEST)[:, 0]


def _dropped(
    one: Trained, seen: Batch, features: Features, samples: int, stream: tuple[int, ...]
) -> Iterator[Tensor]:
    """Decoded predictions with dropout, each by a seed of its own.

    Source: Gal & Ghahramani, "Dropout as a Bayesian approximation", ICML 2016.
    """
    again = bool(_drops(one.encoder))
    with torch.random.fork_rng(), dropout_on(one.encoder), dropout_on(one.task):
        for number in range(samples):
            state = np.random.SeedSequence([*stream, number]).generate_state(1)
            torch.manual_seed(int(state[0]))
            looked = one.encoder(seen) if again else features
            yield one.task.decode(one.task(looked, seen)).float().cpu()


@contextmanager
def dropout_on(module: nn.Module) -> Iterator[None]:
    """Dropout layers in training mode, all else as it was."""
    layers = _drops(module)
    before = [layer.training for layer in layers]
    try:
        for layer in layers:
            layer.train()
        yield
    finally:
        for layer, mode in zip(layers, before, strict=True):
            layer.train(mode)


def _drops(module: nn.Module) -> list[nn.Module]:
    return [one for one in module.modules() if isinstance(one, DROPOUTS) and one.p > 0]


def _check_drops(one: Trained) -> None:
    if not _drops(one.encoder) and not _drops(one.task):
        raise GnnmatError(
            "This run has no dropout, so that all draws of it would be the same.",
            fix="Train with dropout, such as --set task.head.dropout=0.1, or train several "
            "members: --members 5.",
        )
