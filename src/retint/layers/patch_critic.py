"""A critic of patches.

Paper: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017
(arXiv:1611.07004), appendix 6.1.2.
"""

from torch import Tensor, nn


class PatchCritic(nn.Module):
    """L and ab (n, 3, h, w), each about -1..1, to one number a patch (n, 1, h', w').

    depth: layers of stride 2; 3 make patches of 70 pixels. norm: instance normalisation, which,
    unlike that over the batch, keeps pictures apart.
    """

    def __init__(self, channels: int = 64, depth: int = 3, *, norm: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 4, 2, 1), nn.LeakyReLU(0.2)]
        for k in range(1, depth + 1):
            before, after = channels * min(2 ** (k - 1), 8), channels * min(2**k, 8)
            layers.append(nn.Conv2d(before, after, 4, 2 if k < depth else 1, 1))
            if norm:
                layers.append(nn.InstanceNorm2d(after, affine=True))
            layers.append(nn.LeakyReLU(0.2))
        layers.append(nn.Conv2d(channels * min(2**depth, 8), 1, 4, 1, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
