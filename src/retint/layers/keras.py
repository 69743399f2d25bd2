"""Layers as Keras has them, for networks whose seed or paper was written in it.

What differs from torch: weights start from Glorot's uniform distribution and biases from 0; `same`
padding with a stride of 2 adds its row and column at the bottom and the right alone; batch norm has
an epsilon of 1e-3 and keeps 0.99 of its running statistics. Source: Keras' documentation of Conv2D,
Conv2DTranspose, Dense and BatchNormalization, and TensorFlow's of `same` padding.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class Conv2d(nn.Conv2d):
    """A convolution with `same` padding; with a stride it takes heights and widths that are
    multiples of the stride, and gives that share of them."""

    def __init__(self, ins: int, outs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(ins, outs, kernel, stride)
        _start(self)
        room = max(0, kernel - stride)
        self.before, self.after = room // 2, room - room // 2

    def forward(self, input: Tensor) -> Tensor:
        edge = (self.before, self.after)
        if self.before == self.after:
            return F.conv2d(input, self.weight, self.bias, self.stride, self.before)
        return F.conv2d(F.pad(input, edge + edge), self.weight, self.bias, self.stride)


class ConvTranspose2d(nn.ConvTranspose2d):
    """The reverse of `Conv2d`: heights and widths become `stride` times as large. The kernel is at
    least as large as the stride."""

    def __init__(self, ins: int, outs: int, kernel: int = 3, stride: int = 2) -> None:
        super().__init__(ins, outs, kernel, stride)
        _start(self)
        room = kernel - stride
        self.before, self.after = room // 2, room - room // 2

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        whole = F.conv_transpose2d(input, self.weight, self.bias, self.stride)
        inside = slice(self.before, -self.after or None)
        return whole[:, :, inside, inside]


class Linear(nn.Linear):
    """A dense layer."""

    def __init__(self, ins: int, outs: int) -> None:
        super().__init__(ins, outs)
        _start(self)


class Reshape(nn.Module):
    """Rows of numbers (n, k) as maps (n, *shape)."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(-1, *self.shape)  # not nn.Unflatten: ONNX' exporter would fix n


class BatchNorm2d(nn.BatchNorm2d):
    """Batch norm with Keras' numbers; its momentum of 0.99 is 0.01 in torch's way of counting."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-3, momentum=0.01)


def relu(*layers: nn.Module) -> list[nn.Module]:
    """The layers, each with a ReLU after it."""
    return [one for layer in layers for one in (layer, nn.ReLU())]


def _start(layer: Conv2d | ConvTranspose2d | Linear) -> None:
    nn.init.xavier_uniform_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
