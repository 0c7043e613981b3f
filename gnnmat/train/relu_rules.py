"""Going back through a network with other rules for its ReLUs than that of the gradient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from gnnmat.errors import GnnmatError

Rule = Literal["guided_backprop", "deconvolution"]
MaybeGradients = tuple[Tensor | None, ...]


@contextmanager
def relu_rule(modules: Sequence[nn.Module], rule: Rule) -> Iterator[None]:
    """While it lasts, what goes back through every `torch.nn.ReLU` of these modules is changed.

    With 'deconvolution' what is positive above goes through, wherever the ReLU was open; with
    'guided_backprop' only where it was open.

    Args:
        modules: whose ReLUs are meant; a ReLU called as a function is not reached.
        rule: how to go back.

    Raises:
        GnnmatError: there is no ReLU in them.

    Source: Zeiler & Fergus, ECCV 2014, arXiv 1311.2901 (deconvolution); Springenberg et al.,
    arXiv 1412.6806 (guided backpropagation).
    """
    found = [one for module in modules for one in module.modules() if isinstance(one, nn.ReLU)]
    if not found:
        raise GnnmatError(
            f"This network has no ReLU to go back through, which '{rule}' needs.",
            fix="Use method 'gradient_x_input', which works for every network.",
        )

    def changed(_: nn.Module, below: MaybeGradients, above: MaybeGradients) -> MaybeGradients:
        chosen = below if rule == "guided_backprop" else above
        return tuple(None if one is None else one.clamp(min=0) for one in chosen)

    handles = [one.register_full_backward_hook(changed) for one in found]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def response(
    layers: nn.Sequential, image: Tensor, depth: int, filters: Sequence[int] | None = None
) -> Tensor:
    """(filters, C, *S) what each filter of a layer answered to, drawn on the image.

    All other filters are set to zero, and what is left goes back to the image as by a
    deconvolution: the attentive response map of that filter.

    Args:
        layers: convolutions, norms and ReLUs in a chain.
        image: (1, C, *S) as the network sees it.
        depth: layers up to and with the ReLU of the layer that is meant.
        filters: of that layer; None takes all at once, for one map (1, C, *S).

    Source: Kumar, Wong & Taylor, CVPR workshops 2017, arXiv 1704.04133; used for diffraction by
    Ziletti et al., Nature Communications 9, 2775 (2018).
    """
    count = 1 if filters is None else len(filters)
    # Of a batch of one, PyTorch 2.13 has wrong slopes for some convolutions on the CPU.
    copies = image.expand(max(count, 2), *image.shape[1:]).clone().requires_grad_(True)
    with relu_rule([layers], "deconvolution"):
        answers = layers[:depth](copies)
        kept = torch.zeros_like(answers)
        for place in range(count):
            chosen = slice(None) if filters is None else filters[place]
            kept[place, chosen] = answers[place, chosen].detach()
        (found,) = torch.autograd.grad((answers * kept).sum(), copies)
    return found[:count]


def strongest(layers: nn.Sequential, image: Tensor, depth: int, count: int) -> list[int]:
    """The filters of a layer that answer most, the strongest first.

    Args:
        layers: as for `response`.
        image: (1, C, *S).
        depth: as for `response`.
        count: how many, at most.
    """
    with torch.no_grad():
        sums = layers[:depth](image).flatten(2).sum(dim=2)[0]
    ranked: list[int] = sums.argsort(descending=True, stable=True)[:count].tolist()
    return ranked
