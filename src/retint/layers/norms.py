"""Batch norm's statistics."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@torch.no_grad()
def settle(net: nn.Module, show: Callable[[], object]) -> list[_BatchNorm]:
    """Give batch norm the statistics of just the pictures that `show` puts through `net`, which is
    in training mode; the layers of batch norm.

    Running ones lag behind the weights: at Keras' momentum, by hundreds of steps.
    """
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all that it sees
    show()
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum
    return norms
