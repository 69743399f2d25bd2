"""Blocks of Zhang et al.'s networks, which are VGG's with batch norm after the last ReLU.

Papers: Zhang, Isola, Efros 2016, arXiv:1603.08511; Zhang et al. 2017, arXiv:1705.02999.
"""

from torch import nn


def block(
    before: int, channels: int, count: int, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    """Convolutions 3x3, each with its ReLU, the last one of this stride, then batch norm."""
    layers: list[nn.Module] = []
    for k in range(count):
        step = stride if k == count - 1 else 1
        layers += [nn.Conv2d(before, channels, 3, step, dilation, dilation), nn.ReLU()]
        before = channels
    return nn.Sequential(*layers, nn.BatchNorm2d(channels))


def start(net: nn.Module) -> None:
    """From scratch: He et al. 2015 (arXiv:1502.01852)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
