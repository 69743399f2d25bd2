"""True colours shown to a network in a few places, so that it learns to follow a hand.

Paper: Zhang, Zhu, Isola et al., "Real-Time User-Guided Image Colorization with Learned Deep
Priors", SIGGRAPH 2017 (arXiv:1705.02999), section 3.2.
"""

import torch
from torch import Tensor

from retint.train.recipe import Hints


def draw(ab: Tensor, how: Hints, random: torch.Generator) -> Tensor:
    """Hints for a batch: (n, 3, h, w), a* and b* in Lab units where the mask, last, is 1.

    ab: the true colours (n, 2, h, w). A picture gets none with probability `how.none`, all with
    `how.everything`, else a number of points that is geometrically distributed, each a square of
    1 to `how.largest` pixels that shows the mean colour beneath it, nearer the middle more often.
    `random` must live on the CPU.
    """
    n, _, height, width = ab.shape
    hints = ab.new_zeros(n, 3, height, width)
    lots = torch.rand(n, generator=random).tolist()
    for k, lot in enumerate(lots):
        if lot < how.everything:
            hints[k, :2], hints[k, 2] = ab[k], 1
        elif lot < 1 - how.none:
            for _ in range(_number(how.mean, random)):
                side = int(torch.randint(1, how.largest + 1, (), generator=random))
                y, x = (
                    int(
                        (0.5 + 0.25 * torch.randn((), generator=random)).clamp(0, 1) * (size - side)
                    )
                    for size in (height, width)
                )
                place = (k, slice(None), slice(y, y + side), slice(x, x + side))
                hints[place][:2] = ab[place].mean((1, 2), keepdim=True)
                hints[place][2] = 1
    return hints


def _number(mean: float, random: torch.Generator) -> int:
    """Of points: geometric, at least 1."""
    u = torch.rand((), generator=random).clamp(1e-6, 1 - 1e-6)
    return 1 + int(torch.log(u) / torch.log(torch.tensor(1 - 1 / mean)))
