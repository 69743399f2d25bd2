"""The units of published encoders of ImageNet: channels less their mean, over their deviation."""

import torch
from torch import Tensor, nn

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class ImageNetUnits(nn.Module):
    """sRGB (n, 3, h, w), 0..1, to those units, and back."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name, values in (("mean", MEAN), ("deviation", DEVIATION)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, rgb: Tensor) -> Tensor:
        return (rgb - self.mean) / self.deviation

    def back(self, x: Tensor) -> Tensor:
        """Those units to sRGB."""
        return x * self.deviation + self.mean
