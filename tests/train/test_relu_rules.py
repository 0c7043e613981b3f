from __future__ import annotations

import captum.attr
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gnnmat.errors import GnnmatError
from gnnmat.train.relu_rules import Rule, relu_rule, response, strongest

CAPTUM = {
    "guided_backprop": captum.attr.GuidedBackprop,
    "deconvolution": captum.attr.Deconvolution,
}


def chain(rank: int = 2) -> nn.Sequential:
    torch.manual_seed(0)
    convolution = nn.Conv1d if rank == 1 else nn.Conv2d
    return nn.Sequential(
        convolution(2, 4, 3, padding=1), nn.ReLU(), convolution(4, 5, 3, stride=2), nn.ReLU()
    ).eval()


class Classes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = chain()
        self.last = nn.Linear(5, 3)

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.last(self.layers(image).mean(dim=(2, 3)))
        return scores


@pytest.mark.parametrize("rule", CAPTUM)
@pytest.mark.filterwarnings("ignore:Setting backward hooks:UserWarning")
def test_going_back_is_that_of_captum(rule: Rule) -> None:
    network = Classes().eval()
    image = torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    expected = CAPTUM[rule](network).attribute(image.clone().requires_grad_(), target=1)
    copy = image.clone().requires_grad_()
    with relu_rule([network], rule):
        (found,) = torch.autograd.grad(network(copy)[:, 1].sum(), copy)
    assert expected.abs().max() > 0
    torch.testing.assert_close(found, expected)
    # Afterwards the gradient is the gradient again.
    copy = image.clone().requires_grad_()
    (plain,) = torch.autograd.grad(network(copy)[:, 1].sum(), copy)
    assert not torch.allclose(plain, found)


def test_the_response_of_a_filter_is_its_answer_laid_down_with_its_kernel() -> None:
    layers = chain()
    image = torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(2))
    answers = layers[:2](image).detach()
    found = response(layers, image, 2, [3, 0])
    for place, number in enumerate((3, 0)):
        alone = torch.zeros_like(answers)
        alone[:, number] = answers[:, number]
        expected = F.conv_transpose2d(alone, layers[0].weight.detach(), padding=1)
        torch.testing.assert_close(found[place], expected[0])
    together = F.conv_transpose2d(answers, layers[0].weight.detach(), padding=1)
    torch.testing.assert_close(response(layers, image, 2), together)


def test_responses_of_a_pattern_have_its_shape() -> None:
    pattern = torch.rand(1, 2, 40)
    assert response(chain(1), pattern, 4, [1, 2, 3]).shape == (3, 2, 40)
    assert response(chain(1), pattern, 4).shape == (1, 2, 40)


def test_the_strongest_filters_come_first() -> None:
    layers, image = chain(), torch.rand(1, 2, 8, 8)
    sums = layers(image).detach().sum(dim=(2, 3))[0]
    found = strongest(layers, image, 4, 3)
    assert found == sorted(range(5), key=lambda place: -float(sums[place]))[:3]


def test_a_network_without_relus_is_refused() -> None:
    with pytest.raises(GnnmatError, match="no ReLU"), relu_rule([nn.Linear(2, 2)], "deconvolution"):
        pass
