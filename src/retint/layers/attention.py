"""Self-attention of a map: each place takes from all others what it asks for.

Paper: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Multi-head self-attention added to the map (n, c, h, w), of any size.

    grid: keys and values lie on so many places each way. A map of that size attends to all of
    itself; one of another size to as many samples of itself. So the memory grows with the number of
    places and not with its square, and the softmax is always over as many keys as in training.
    """

    def __init__(self, channels: int, heads: int, grid: int) -> None:
        super().__init__()
        self.heads, self.grid = heads, grid
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Conv2d(channels, channels, 1, bias=False)  # softmax would take it away again
        self.value = nn.Conv2d(channels, channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        places = F.interpolate(x, size=(self.grid, self.grid), mode="bilinear")
        query, key, value = (
            self._heads(of) for of in (self.query(x), self.key(places), self.value(places))
        )
        found = F.scaled_dot_product_attention(query, key, value)
        return x + self.out(found.transpose(2, 3).reshape(x.shape))

    def _heads(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to (n, heads, places, c / heads)."""
        return x.flatten(2).unflatten(1, (self.heads, -1)).transpose(2, 3)
