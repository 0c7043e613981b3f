"""The autoencoder: what is compared with what, what it predicts, what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.sample import Batch, DataSpec, Features, Sample, collate
from gnnmat.tasks import Reconstruction
from gnnmat.tasks.reconstruction import ReconstructionTask

SHAPE = (10, 14)  # not a multiple of four
PIXELS = 140


def task_of(**options: Any) -> ReconstructionTask:
    torch.manual_seed(0)
    spec = DataSpec(fields=("image",), channels=1, image_shape=SHAPE)
    return Reconstruction(**({"latents": 3, "channels": (4, 3)} | options)).build(spec, 5)


def batch_of(image: Tensor, mask: Tensor | None = None, clean: Tensor | None = None) -> Batch:
    batch = collate([Sample(image=one[None], num_nodes=1) for one in image])
    if mask is not None:
        batch.mask = mask
    if clean is not None:
        batch.clean = clean
    return batch


def images(seed: int = 0) -> Tensor:
    return torch.rand(4, 1, *SHAPE, generator=torch.Generator().manual_seed(seed))


def features() -> Features:
    pooled = torch.randn(4, 5, generator=torch.Generator().manual_seed(9))
    return Features(pooled, pooled)


def told(image: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """A prediction of this image and these latents."""
    error = torch.zeros(len(image), 1)
    return torch.cat([image.flatten(1), mean, log_variance, error], dim=-1)


def test_loss_is_squared_error_a_pixel_and_information_of_the_latents() -> None:
    task, image, guess = task_of(beta=0.5), images(), images(1)
    mean, log_variance = torch.randn(4, 3), torch.randn(4, 3)
    loss = task.loss(told(guess, mean, log_variance), batch_of(image))
    normal = torch.distributions.Normal(mean, (log_variance / 2).exp())
    known = torch.distributions.Normal(torch.zeros(4, 3), torch.ones(4, 3))
    nats = torch.distributions.kl_divergence(normal, known).sum(dim=1)
    expected = (guess - image).square().mean(dim=(1, 2, 3)) + 0.5 * nats / PIXELS
    torch.testing.assert_close(loss.total, expected.sum())
    assert int(loss.count) == 4


def test_pixels_without_a_detector_do_not_count() -> None:
    task, image, guess = task_of(), images(), images(1)
    mask = images(2) < 0.4
    prediction = told(guess, torch.zeros(4, 3), torch.zeros(4, 3))
    loss = task.loss(prediction, batch_of(image, mask))
    each = [(guess[i] - image[i])[~mask[i]].square().mean() for i in range(4)]
    torch.testing.assert_close(loss.total, torch.stack(each).sum())
    other = torch.where(mask, image + 100, image)
    torch.testing.assert_close(task.loss(prediction, batch_of(other, mask)).total, loss.total)


def test_the_clean_image_is_learned_where_there_is_one_behind_gaps_too() -> None:
    task, clean, guess = task_of(), images(3), images(1)
    prediction = told(guess, torch.zeros(4, 3), torch.zeros(4, 3))
    found = task.loss(prediction, batch_of(images(), images(2) < 0.4, clean)).mean()
    torch.testing.assert_close(found, (guess - clean).square().mean())


def test_the_prediction_is_what_is_left_over_of_the_image_that_was_seen() -> None:
    task, mask = task_of().eval(), images(2) < 0.4
    batch = batch_of(images(), mask, images(3))
    with torch.no_grad():
        prediction = task(features(), batch)
        cleaned = task.clean(prediction)
    assert cleaned.shape == (4, 1, *SHAPE)
    left = [(cleaned[i] - batch.image[i])[~mask[i]].square().mean().sqrt() for i in range(4)]
    decoded = task.decode(prediction)
    torch.testing.assert_close(decoded[:, 0], torch.stack(left))
    table = task.table(decoded)
    assert table["reconstruction_error"]["prediction"] == decoded[:, 0].tolist()
    assert torch.equal(task.strangeness(prediction, features(), batch)["reconstruction"],
                       decoded[:, 0])  # fmt: skip


def test_latents_are_drawn_in_training_only() -> None:
    task, batch = task_of(), batch_of(images())
    with torch.no_grad():
        first, second = (task.train().clean(task(features(), batch)) for _ in range(2))
        assert not torch.equal(first, second)
        first, second = (task.eval().clean(task(features(), batch)) for _ in range(2))
        assert torch.equal(first, second)


def test_it_learns_to_remove_noise() -> None:
    # Images of one bump whose place differs: one latent number tells all there is.
    torch.manual_seed(0)
    place = torch.linspace(2, 11, 32)[:, None, None, None]
    clean = (-((torch.arange(14.0) - place) ** 2) / 4).exp().expand(32, 1, *SHAPE).contiguous()
    noisy = clean + 0.3 * torch.randn_like(clean)
    task = task_of(latents=2, channels=(8, 4))
    encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(PIXELS, 5), torch.nn.Tanh())
    optimizer = torch.optim.Adam([*encoder.parameters(), *task.parameters()], lr=0.01)
    for _ in range(150):
        batch = batch_of(clean + 0.3 * torch.randn_like(clean), clean=clean)
        pooled = encoder(batch.image)
        optimizer.zero_grad()
        task.loss(task(Features(pooled, pooled), batch), batch).mean().backward()
        optimizer.step()
    with torch.no_grad():
        pooled = encoder(noisy)
        cleaned = task.eval().clean(task(Features(pooled, pooled), batch_of(noisy)))
    assert float((cleaned - clean).square().mean().sqrt()) < 0.12  # the noise was 0.3


@pytest.mark.parametrize("shape", [(), (12,), (4, 4, 4)])
def test_data_that_are_no_flat_images_are_refused(shape: tuple[int, ...]) -> None:
    spec = DataSpec(fields=("image",), channels=1, image_shape=shape)
    with pytest.raises(GnnmatError) as caught:
        Reconstruction().build(spec, 5)
    assert "needs images of rank 2" in caught.value.what
    assert f"rank {len(shape)}" in caught.value.why
