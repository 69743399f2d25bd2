"""Batch norm's statistics."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@torch.no_grad()
def settle(net: nn.Module, show: Callable[[], object]) -> list[_BatchNorm]:
    """Give batch norm the mean and variance of just the places of the pictures that `show` puts
    through `net`, all else of which is as it is used; the layers of batch norm. The network is in
    evaluation mode then.

    Running ones lag behind the weights: at Keras' momentum, by hundreds of steps; they are of a
    network with dropout; and they hold the variance that a sample lets expect, which of a map of
    two places is twice theirs.
    """
    net.eval()
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return norms
    for norm in norms:
        norm.train()
    sums: dict[nn.Module, Tensor] = {}

    def count(norm: nn.Module, given: tuple[Tensor, ...]) -> None:
        x = given[0].double().movedim(1, -1).flatten(0, -2)  # (places, channels)
        found = torch.stack((torch.full_like(x[0], len(x)), x.sum(0), x.square().sum(0)))
        sums[norm] = sums[norm] + found if norm in sums else found

    hooks = [norm.register_forward_pre_hook(count) for norm in norms]
    try:
        show()
    finally:
        for hook in hooks:
            hook.remove()
    for norm in norms:
        norm.eval()
        if norm in sums and norm.running_mean is not None and norm.running_var is not None:
            places, total, squares = sums[norm]
            norm.running_mean.copy_(total / places)
            norm.running_var.copy_((squares / places - (total / places) ** 2).clamp_min(0))
    return norms


@contextmanager
def settled(norms: Sequence[_BatchNorm]) -> Generator[None]:
    """Within, batch norm answers by its running statistics, as it does at use, while gradients pass
    through those of what it sees.

    So weights are still held in bounds, which running statistics taken as constants do not do.
    Paper: Ioffe 2017, Batch Renormalization, arXiv:1702.03275, without its limits.
    """
    for norm in norms:
        norm.forward = partial(_renormalised, norm)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward


def _renormalised(norm: _BatchNorm, x: Tensor) -> Tensor:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    each = (1, -1, *[1] * (x.dim() - 2))
    places = [0, *range(2, x.dim())]
    mean = x.mean(places, keepdim=True)
    deviation = (x.var(places, correction=0, keepdim=True) + norm.eps).sqrt()
    usual = (norm.running_var.view(each) + norm.eps).sqrt()
    scale = (deviation / usual).detach()
    offset = ((mean - norm.running_mean.view(each)) / usual).detach()
    x = (x - mean) / deviation * scale + offset
    return x if norm.weight is None else x * norm.weight.view(each) + norm.bias.view(each)
